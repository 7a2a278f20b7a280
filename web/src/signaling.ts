// Signaling of Selkies 2.1.0: one WebSocket on which a page registers (HELLO), is paired with the server (SESSION) and
// exchanges descriptions and candidates with it.

import type { Socket } from "./connection";

/** Largest message that is looked at, in UTF-16 units: a description may have 64 KiB, and JSON escapes its lines. */
const MAX_TEXT = 192 << 10;
/** Pause before the server is asked for a session again, in ms. */
const RETRY = 1000;

/** What this page says of itself. */
export interface Hello {
  viewer: boolean;
  /** The only slot in which it plays, from 0 on; null for none of its own. */
  slot: number | null;
  tabId: string;
  token: string | null;
  /** By which a session is found again whose socket was cut: 16 to 64 letters and digits. */
  resumeKey: string;
  width: number;
  height: number;
  /** What it takes over WebRTC, best first. */
  codecs: readonly string[];
}

/** What the server signals. */
export type Signal =
  | { kind: "offer"; sdp: string }
  | { kind: "candidate"; candidate: RTCIceCandidateInit }
  /** The ICE servers are others from now on. */
  | { kind: "config"; config: unknown };

/** Called by Signaling; none of them may throw. */
export interface SignalingEvents {
  /** The server greets; `resumed` where this is the session from before. */
  greeted(resumed: boolean): void;
  signal(signal: Signal): void;
  /** The socket is gone, or the server ended the session (code 0). */
  closed(code: number, reason: string): void;
}

/** The first message: 2.1.0's, with two members of this host. */
export function helloMessage({ viewer, slot, tabId, token, resumeKey, width, height, codecs }: Hello): string {
  return `HELLO client ${JSON.stringify({
    client_type: viewer ? "viewer" : "controller",
    client_slot: slot === null ? -1 : slot + 1,
    client_strict_viewer: viewer && slot === null,
    ...(token === null ? {} : { client_token: token }),
    display_id: "primary",
    client_tab_id: tabId,
    page_size: [width, height],
    resume_key: resumeKey,
    selkies_host: 1,
    rtc_codecs: codecs,
  })}`;
}

/** Answers null for what is no signal, or none for an answering page. */
export function parseSignal(json: string): Signal | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { sdp, ice, rtc_config: config } = value as Record<string, unknown>;
  if (isRecord(sdp) && sdp.type === "offer" && typeof sdp.sdp === "string") return { kind: "offer", sdp: sdp.sdp };
  if (isRecord(ice) && typeof ice.candidate === "string") {
    const candidate: RTCIceCandidateInit = { candidate: ice.candidate };
    if (Number.isInteger(ice.sdpMLineIndex)) candidate.sdpMLineIndex = ice.sdpMLineIndex as number;
    if (typeof ice.sdpMid === "string") candidate.sdpMid = ice.sdpMid;
    return { kind: "candidate", candidate };
  }
  return isRecord(config) ? { kind: "config", config } : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const OPEN = 1;

/** One socket from its opening to its end. */
export class Signaling {
  /** The server has said something. */
  answered = false;
  private readonly socket: Socket;
  private peer: string | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * `resuming` takes up the session of this hello's key, where the server still has it. Throws where the address cannot be
   * one of a WebSocket.
   */
  constructor(
    url: string,
    hello: Hello,
    private readonly resuming: boolean,
    private readonly events: SignalingEvents,
    open: (url: string) => Socket,
  ) {
    this.socket = open(url);
    this.socket.onopen = () => {
      this.socket.send(helloMessage(hello));
      // The server reads in order: waiting for its greeting would only cost a round trip.
      if (!resuming) this.ask();
    };
    this.socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string" && data.length <= MAX_TEXT) this.hear(data);
    };
    this.socket.onclose = ({ code, reason }) => {
      clearTimeout(this.timer);
      events.closed(code, reason);
    };
  }

  /** True while the server can be told something. */
  get live(): boolean {
    return this.socket.readyState === OPEN && this.peer !== null;
  }

  /** Tells the server a description, a candidate or `{"restart":true}`. */
  say(signal: object): void {
    if (this.live) this.socket.send(`${this.peer} ${JSON.stringify(signal)}`);
  }

  /** Nothing is called from now on. */
  close(): void {
    clearTimeout(this.timer);
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  private hear(text: string): void {
    this.answered = true;
    if (text.startsWith("{")) this.signaled(text);
    else if (this.peer !== null && text.startsWith(`${this.peer} {`)) this.signaled(text.slice(this.peer.length + 1));
    else if (text === "HELLO") this.greeted();
    else if (text.startsWith("RESUMED ")) this.resumed(text.slice(8));
    else if (text.startsWith("SESSION_OK")) this.peer ??= text.split(" ")[1] ?? "server";
    else if (text.startsWith("SESSION_END")) this.events.closed(0, "The server ended the session.");
    else if (text.startsWith("ERROR")) this.askLater();
  }

  private greeted(): void {
    this.events.greeted(false);
    if (this.resuming) this.ask();
  }

  private resumed(peer: string): void {
    this.peer = peer;
    this.events.greeted(true);
  }

  /** The server's side is not there yet, or still has this page's session of before. */
  private askLater(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), RETRY);
  }

  private ask(): void {
    clearTimeout(this.timer);
    if (this.socket.readyState === OPEN && this.peer === null) this.socket.send("SESSION server");
  }

  private signaled(json: string): void {
    const signal = parseSignal(json);
    if (signal) this.events.signal(signal);
  }
}
