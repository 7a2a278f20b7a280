// One peer connection: it answers the server's offers of one session, and has the server's two data channels.

/** Most candidates of the server that are taken. */
const MAX_CANDIDATES = 200;

/** Called by a Peer; none of them may throw. */
export interface PeerEvents {
  answer(sdp: string): void;
  candidate(candidate: RTCIceCandidateInit): void;
  state(state: RTCPeerConnectionState): void;
  track(track: MediaStreamTrack): void;
  /** Texts can be sent from now on. */
  opened(): void;
  text(text: string): void;
  /** The server closed what texts go through. */
  closed(): void;
  /** The browser does not take what the server offers. */
  refused(reason: string): void;
}

/** The id of the session that an offer belongs to (RFC 8866, line `o=`); empty where it has none. */
export function sessionOf(sdp: string): string {
  return /^o=\S+ (\S+) /m.exec(sdp)?.[1] ?? "";
}

/** Answers offers until it is closed. */
export class Peer {
  private readonly pc: RTCPeerConnection;
  private input: RTCDataChannel | null = null;
  private pointer: RTCDataChannel | null = null;
  private opened = false;
  private closed = false;
  private candidates = 0;
  /** Descriptions and candidates are applied one after the other. */
  private order: Promise<void> = Promise.resolve();

  constructor(
    readonly session: string,
    config: RTCConfiguration,
    private readonly events: PeerEvents,
    create: (config: RTCConfiguration) => RTCPeerConnection,
  ) {
    this.pc = create({ ...config, bundlePolicy: "max-bundle" });
    this.pc.onicecandidate = ({ candidate }) => {
      if (!candidate || candidate.candidate === "") return;
      const { sdpMLineIndex, sdpMid } = candidate;
      events.candidate({ candidate: candidate.candidate, sdpMLineIndex, sdpMid });
    };
    this.pc.onconnectionstatechange = () => {
      if (!this.closed) events.state(this.pc.connectionState);
    };
    this.pc.ontrack = ({ track, receiver }) => {
      hurry(receiver);
      if (!this.closed) events.track(track);
    };
    this.pc.ondatachannel = ({ channel }) => this.adopt(channel);
  }

  /** Takes an offer, and answers it. */
  offer(sdp: string): void {
    this.next(async () => {
      await this.pc.setRemoteDescription({ type: "offer", sdp });
      await this.pc.setLocalDescription();
      if (!this.closed && this.pc.localDescription) this.events.answer(this.pc.localDescription.sdp);
    }, true);
  }

  /** Takes one of the server's candidates. */
  candidate(candidate: RTCIceCandidateInit): void {
    this.candidates += 1;
    if (this.candidates > MAX_CANDIDATES) return;
    // One that the browser does not take leaves the others.
    this.next(() => this.pc.addIceCandidate(candidate), false);
  }

  /** Sends now or not at all; `motion` may be lost and overtaken. */
  send(data: string | ArrayBuffer, motion = false): boolean {
    const channel = motion && this.pointer?.readyState === "open" ? this.pointer : this.input;
    if (channel?.readyState !== "open") return false;
    try {
      if (typeof data === "string") channel.send(data);
      else channel.send(data);
      return true;
    } catch {
      // The browser's own queue is full.
      return false;
    }
  }

  /** True where pointer movement has a channel of its own. */
  get hasPointer(): boolean {
    return this.pointer?.readyState === "open";
  }

  /** Bytes that wait in the browser to be sent. */
  get backlog(): number {
    return (this.input?.bufferedAmount ?? 0) + (this.pointer?.bufferedAmount ?? 0);
  }

  /** The browser's figures. */
  stats(): Promise<RTCStatsReport> {
    return this.pc.getStats();
  }

  /** Uses other ICE servers from the next negotiation on. */
  configure(config: RTCConfiguration): void {
    try {
      this.pc.setConfiguration({ ...config, bundlePolicy: "max-bundle" });
    } catch {
      // Browsers differ in what may change; the next peer connection gets it.
    }
  }

  /** Nothing is called from now on. */
  close(): void {
    this.closed = true;
    this.pc.close();
  }

  private next(step: () => Promise<void>, needed: boolean): void {
    this.order = this.order.then(async () => {
      if (this.closed) return;
      try {
        await step();
      } catch (error) {
        if (needed && !this.closed) this.events.refused(`The browser refused the server's offer: ${String(error)}`);
      }
    });
  }

  private adopt(channel: RTCDataChannel): void {
    if (channel.label === "pointer") this.pointer = channel;
    if (channel.label !== "input") return;
    this.input = channel;
    channel.binaryType = "arraybuffer";
    channel.onopen = () => this.begin();
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      // The first message may come before the event of opening.
      this.begin();
      if (!this.closed && typeof data === "string") this.events.text(data);
    };
    channel.onclose = () => {
      if (!this.closed) this.events.closed();
    };
    if (channel.readyState === "open") this.begin();
  }

  private begin(): void {
    if (this.opened || this.closed) return;
    this.opened = true;
    this.events.opened();
  }
}

/** Pictures are shown as they come: a remote desktop has no use for smoothness that costs time. */
function hurry(receiver: RTCRtpReceiver): void {
  const hinted = receiver as RTCRtpReceiver & { jitterBufferTarget?: number | null; playoutDelayHint?: number | null };
  if ("jitterBufferTarget" in hinted) hinted.jitterBufferTarget = 0;
  if ("playoutDelayHint" in hinted) hinted.playoutDelayHint = 0;
}
