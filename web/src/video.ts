// Video stripes (0x04) through WebCodecs: one decoder per stripe position, since each is a stream of its own.

import type { Stripe } from "./stripes";
import type { VideoCodec, VideoPacket } from "./wire";

/** Pictures that may wait in one decoder before it starts over at a key frame. */
const MAX_QUEUE = 60;
/** Stripe positions of one display. */
const MAX_DECODERS = 64;

interface Lane<S> {
  decoder: VideoDecoder;
  width: number;
  height: number;
  codec: VideoCodec;
  /** Stripes in the decoder, by the timestamp that stands for them. */
  inside: Map<number, S>;
}

/** Decodes video stripes; `done` is called once for each, with null where there is no picture. */
export class VideoDecoders<Source> {
  /** WebCodecs exist only in secure contexts. */
  static readonly supported = typeof VideoDecoder !== "undefined";

  private readonly lanes = new Map<number, Lane<Stripe<Source>>>();
  private timestamp = 0;

  constructor(
    private readonly done: (stripe: Stripe<Source>, frame: VideoFrame | null) => void,
    private readonly requestKey: () => void,
  ) {}

  /** Decodes a stripe; without a key frame before it, it is dropped and a key frame is asked for. */
  decode(stripe: Stripe<Source>, packet: VideoPacket): void {
    let lane = this.lanes.get(packet.y);
    if (lane && (lane.decoder.decodeQueueSize > MAX_QUEUE || (packet.key && !fits(lane, packet)))) {
      this.drop(packet.y, lane);
      lane = undefined;
    }
    if (!lane && packet.key) lane = this.open(packet);
    if (!lane) {
      this.requestKey();
      this.done(stripe, null);
      return;
    }
    this.timestamp += 1;
    lane.inside.set(this.timestamp, stripe);
    try {
      lane.decoder.decode(
        new EncodedVideoChunk({ type: packet.key ? "key" : "delta", timestamp: this.timestamp, data: packet.payload }),
      );
    } catch {
      this.drop(packet.y, lane);
      this.requestKey();
    }
  }

  /** Closes every decoder; `done` is not called for the stripes inside them. */
  reset(): void {
    for (const [y, lane] of this.lanes) {
      lane.inside.clear();
      this.drop(y, lane);
    }
  }

  private open(packet: VideoPacket): Lane<Stripe<Source>> | undefined {
    const codec = codecString(packet);
    if (!VideoDecoders.supported || codec === null || this.lanes.size >= MAX_DECODERS) return undefined;
    const inside = new Map<number, Stripe<Source>>();
    const decoder = new VideoDecoder({
      output: (frame) => {
        const stripe = inside.get(frame.timestamp);
        inside.delete(frame.timestamp);
        if (stripe) this.done(stripe, frame);
        else frame.close();
      },
      error: () => {
        if (this.lanes.get(packet.y) !== lane) return;
        this.drop(packet.y, lane);
        this.requestKey();
      },
    });
    const lane = { decoder, inside, width: packet.width, height: packet.height, codec: packet.codec };
    try {
      decoder.configure({ codec, codedWidth: packet.width, codedHeight: packet.height, optimizeForLatency: true });
    } catch {
      return undefined;
    }
    this.lanes.set(packet.y, lane);
    return lane;
  }

  private drop(y: number, lane: Lane<Stripe<Source>>): void {
    this.lanes.delete(y);
    if (lane.decoder.state !== "closed") lane.decoder.close();
    const given = [...lane.inside.values()];
    lane.inside.clear();
    for (const stripe of given) this.done(stripe, null);
  }
}

function fits(lane: Lane<unknown>, { width, height, codec }: VideoPacket): boolean {
  return lane.width === width && lane.height === height && lane.codec === codec;
}

/** The WebCodecs name of what a key frame starts; null where this client does not decode it. */
export function codecString({ codec, payload }: Pick<VideoPacket, "codec" | "payload">): string | null {
  switch (codec) {
    case "h264":
      return avcCodec(payload);
    case "vp8":
      return "vp8";
    case "vp9":
      return "vp09.00.51.08";
    case "av1":
      return "av01.0.13M.08";
    case "h265":
      return null;
  }
}

/** Profile, constraints and level stand in the three bytes after the SPS's NAL header (H.264 7.3.2.1.1, Annex B). */
function avcCodec(bytes: Uint8Array): string | null {
  const end = Math.min(bytes.length - 6, 1024);
  for (let at = 0; at < end; at += 1) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1 || (bytes[at + 3]! & 31) !== 7) continue;
    return `avc1.${[...bytes.subarray(at + 4, at + 7)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }
  return null;
}
