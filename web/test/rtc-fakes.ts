// Fakes of what WebRTC stands on: the signaling socket and peer connections, driven by the test.

import type { RtcGround } from "../src/rtc-connection";
import { FakeSocket } from "./fake-socket";

/** The signaling socket. */
export class FakeSignaling extends FakeSocket {
  /** Registers and pairs the page. */
  pair(peer = "server-1") {
    this.accept();
    this.say("HELLO");
    this.say(`SESSION_OK ${peer}`);
  }

  /** What the page signaled, without its peer's name. */
  get signals(): Record<string, unknown>[] {
    return this.sent.flatMap((text) => (/^server-\d+ \{/.test(text) ? [JSON.parse(text.slice(text.indexOf("{")))] : []));
  }
}

export class FakeChannel {
  readyState = "connecting";
  bufferedAmount = 0;
  binaryType = "blob";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  sent: string[] = [];

  constructor(readonly label: string) {}

  send(text: string) {
    this.sent.push(text);
  }

  open() {
    this.readyState = "open";
    this.onopen?.();
  }

  say(data: unknown) {
    this.onmessage?.({ data });
  }

  close() {
    this.readyState = "closed";
    this.onclose?.();
  }
}

export class FakePeer {
  connectionState: RTCPeerConnectionState = "new";
  localDescription: { type: string; sdp: string } | null = null;
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: { track: unknown; receiver: unknown }) => void) | null = null;
  ondatachannel: ((event: { channel: unknown }) => void) | null = null;
  /** What was called, in order. */
  readonly calls: string[] = [];
  readonly input = new FakeChannel("input");
  readonly pointer = new FakeChannel("pointer");
  readonly receiver = { jitterBufferTarget: null as number | null, playoutDelayHint: null as number | null };
  report: object[] = [];
  refuses = false;
  closed = false;

  constructor(readonly config: RTCConfiguration) {}

  async setRemoteDescription({ sdp }: { sdp: string }) {
    if (this.refuses) throw new Error("no codec");
    this.calls.push(`offer ${/o=- (\S+)/.exec(sdp)?.[1]}`);
  }

  async setLocalDescription() {
    this.localDescription = { type: "answer", sdp: `answer ${this.calls.length}` };
  }

  async addIceCandidate({ candidate }: RTCIceCandidateInit) {
    this.calls.push(`candidate ${candidate}`);
    if (candidate === "bad") throw new Error("bad candidate");
  }

  setConfiguration(config: RTCConfiguration) {
    this.calls.push(`servers ${JSON.stringify(config.iceServers)}`);
  }

  async getStats() {
    return new Map(this.report.map((entry, i) => [String(i), entry]));
  }

  close() {
    this.closed = true;
  }

  state(state: RTCPeerConnectionState) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  /** The server's channels come, and `input` opens. */
  connect() {
    this.ondatachannel?.({ channel: this.input });
    this.ondatachannel?.({ channel: this.pointer });
    this.state("connected");
    this.pointer.open();
    this.input.open();
  }
}

/** Everything that was made, oldest first. */
export class FakeGround implements RtcGround {
  sockets: FakeSignaling[] = [];
  peers: FakePeer[] = [];
  asked: string[] = [];
  config = (url: string): Promise<RTCConfiguration> => {
    this.asked.push(url);
    return Promise.resolve({ iceServers: [{ urls: ["stun:stun.test"] }] });
  };

  socket = (url: string) => {
    const socket = new FakeSignaling(url);
    this.sockets.push(socket);
    return socket;
  };

  peer = (config: RTCConfiguration) => {
    const peer = new FakePeer(config);
    this.peers.push(peer);
    return peer as unknown as RTCPeerConnection;
  };

  random = () => 1;
}

/** An offer of a session, as relayed by the server. */
export const offer = (session: string) => `server-1 ${JSON.stringify({ sdp: { type: "offer", sdp: `v=0\r\no=- ${session} 0 IN IP4 0.0.0.0\r\n` } })}`;
