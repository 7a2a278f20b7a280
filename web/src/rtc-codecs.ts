// What this browser takes over WebRTC. It is another list than that of its decoders: Firefox plays H.264 in a page and
// may have none for a peer connection.

import { VIDEO_CODECS } from "./wire";

/** The part of RTCRtpCapabilities that decides. */
export interface Capabilities {
  codecs: readonly { mimeType: string }[];
}

/** The host's names of the video codecs, in its order; empty where there is no WebRTC. */
export function rtcCodecs(capabilities: Capabilities | null = ofBrowser()): string[] {
  const types = new Set(capabilities?.codecs.map(({ mimeType }) => mimeType.toLowerCase()));
  return VIDEO_CODECS.filter((codec) => types.has(`video/${codec}`));
}

function ofBrowser(): Capabilities | null {
  if (typeof RTCPeerConnection === "undefined" || typeof RTCRtpReceiver === "undefined") return null;
  return RTCRtpReceiver.getCapabilities?.("video") ?? null;
}
