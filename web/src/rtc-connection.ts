// A connection over WebRTC that comes back: signaling, one peer connection after the other, and the state for the page.

import { backoffDelay, type ConnectionState, FINAL_CODES, type Socket } from "./connection";
import { fetchRtcConfig, parseRtcConfig } from "./rtc-config";
import { Peer, sessionOf } from "./rtc-peer";
import { type Hello, type Signal, Signaling } from "./signaling";

/** How long a new session may take until texts can be sent, in ms. */
export const CONNECT_LIMIT = 10_000;
/** A path that is gone may come back by itself for this long, in ms. */
export const DISCONNECT_GRACE = 2000;
/** How long a restart may take before everything begins anew, in ms. */
export const RESTART_LIMIT = 6000;
/** How long the server keeps a session whose signaling was cut, in ms (2.1.0's time, a little less). */
export const RESUME_LIMIT = 2500;
/** Close codes of a socket that was cut without a word of the server. */
const CUT = 1006;
/** Candidates that are kept for an offer that is yet to be taken. */
const MAX_EARLY = 200;
/** After so many sessions in a row that the server ended before they had begun, another transport may do better. */
const UNBEGUN = 2;
/** The server's own word that this kind of session is none it serves. */
const REFUSED = 4000;

/** Called by an RtcConnection; none of them may throw. */
export interface RtcEvents {
  state(state: ConnectionState, detail: string): void;
  /** A new session is there; everything known of the old one is void. */
  opened(): void;
  text(text: string): void;
  track(track: MediaStreamTrack): void;
  /** This attempt did not come about though the server is there. Another one follows, or the end. */
  unreachable(reason: string): void;
}

/** What it stands on; tests bring their own. */
export interface RtcGround {
  socket(url: string): Socket;
  peer(config: RTCConfiguration): RTCPeerConnection;
  config(url: string): Promise<RTCConfiguration>;
  random(): number;
}

/** The browser's own. */
export const BROWSER: RtcGround = {
  socket: (url) => new WebSocket(url),
  peer: (config) => new RTCPeerConnection(config),
  config: fetchRtcConfig,
  random: Math.random,
};

/** Keeps a session over WebRTC until `end` or until the server refuses for good. */
export class RtcConnection {
  private signaling: Signaling | null = null;
  private peer: Peer | null = null;
  /** The ICE servers of the present session. */
  private config: Promise<RTCConfiguration> = Promise.resolve({});
  private early: RTCIceCandidateInit[] = [];
  /** Offers in the order in which they came; a newer one makes an older one void. */
  private offers = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private limit: ReturnType<typeof setTimeout> | undefined;
  private grace: ReturnType<typeof setTimeout> | undefined;
  private resume: ReturnType<typeof setTimeout> | undefined;
  private resumeKey = "";
  private attempt = 0;
  /** Sessions since the last that began which the server greeted, and ended before they had begun. */
  private unbegun = 0;
  /** The page knows of this session. */
  private begun = false;
  /** The server has talked in this session, or since its newest restart. */
  private heard = false;
  private restarted = false;
  /** A new peer connection was asked for, and is not there yet. */
  private restarting = false;
  private finished = false;

  constructor(
    private readonly urls: { signaling: string; turn: string },
    private readonly hello: () => Omit<Hello, "resumeKey">,
    private readonly events: RtcEvents,
    private readonly ground: RtcGround = BROWSER,
  ) {}

  /** Makes the first attempt. */
  start(): void {
    this.events.state("connecting", "");
    this.connect();
  }

  /** Sends now or not at all; `motion` may be lost and overtaken. */
  send(data: string | ArrayBuffer, motion = false): boolean {
    return this.peer?.send(data, motion) ?? false;
  }

  /** True where pointer movement has a channel of its own. */
  get hasPointer(): boolean {
    return this.peer?.hasPointer ?? false;
  }

  /** Bytes that wait in the browser to be sent. */
  get backlog(): number {
    return this.peer?.backlog ?? 0;
  }

  /** The browser's figures; null where there is no peer connection. */
  async stats(): Promise<RTCStatsReport | null> {
    return (await this.peer?.stats().catch(() => null)) ?? null;
  }

  /** Takes other ICE servers, which the host pushed. */
  configure(value: unknown): void {
    const config = parseRtcConfig(value);
    this.config = Promise.resolve(config);
    this.peer?.configure(config);
  }

  /** Closes for good and says why. */
  end(state: "ended" | "error", reason: string): void {
    if (this.finished) return;
    this.finished = true;
    clearTimeout(this.retry);
    this.drop();
    this.events.state(state, reason);
  }

  private connect(): void {
    this.config = this.ground.config(this.urls.turn);
    this.resumeKey = newKey();
    if (this.signal(false)) this.limit = setTimeout(() => this.timedOut(), CONNECT_LIMIT);
  }

  /** Opens a signaling socket, to go on with the session where `resuming`; false where that cannot be. */
  private signal(resuming: boolean): boolean {
    const events = {
      greeted: (resumed: boolean) => this.onGreeted(resumed),
      signal: (signal: Signal) => this.onSignal(signal),
      closed: (code: number, reason: string) => this.onClosed(code, reason),
    };
    try {
      const hello = { ...this.hello(), resumeKey: this.resumeKey };
      this.signaling = new Signaling(this.urls.signaling, hello, resuming, events, this.ground.socket);
      return true;
    } catch {
      this.end("error", "This page's address gives no usable WebSocket address.");
      return false;
    }
  }

  private onGreeted(resumed: boolean): void {
    clearTimeout(this.resume);
    this.resume = undefined;
    // The server has forgotten the session of the peer connection that this page still has.
    if (!resumed && this.begun) this.lost();
  }

  private timedOut(): void {
    // A server that cannot be reached at all is none that another transport would reach.
    const present = this.signaling?.answered ?? false;
    this.lost();
    if (present) this.events.unreachable("WebRTC found no way to the server.");
  }

  private onSignal(signal: Signal): void {
    switch (signal.kind) {
      case "offer":
        void this.onOffer(signal.sdp);
        break;
      case "candidate":
        if (this.peer) this.peer.candidate(signal.candidate);
        else if (this.early.length < MAX_EARLY) this.early.push(signal.candidate);
        break;
      case "config":
        this.configure(signal.config);
        break;
    }
  }

  private async onOffer(sdp: string): Promise<void> {
    const session = sessionOf(sdp);
    if (this.peer?.session === session) {
      this.peer.offer(sdp);
      return;
    }
    this.offers += 1;
    const { offers, signaling } = this;
    this.dropPeer();
    const config = await this.config;
    if (this.finished || this.offers !== offers || this.signaling !== signaling) return;
    const peer = this.makePeer(session, config);
    if (!peer) return;
    this.peer = peer;
    peer.offer(sdp);
    for (const candidate of this.early.splice(0)) peer.candidate(candidate);
  }

  private makePeer(session: string, config: RTCConfiguration): Peer | null {
    const events = {
      answer: (sdp: string) => this.signaling?.say({ sdp: { type: "answer", sdp } }),
      candidate: (ice: RTCIceCandidateInit) => this.signaling?.say({ ice }),
      state: (state: RTCPeerConnectionState) => this.onPeerState(state),
      track: (track: MediaStreamTrack) => this.events.track(track),
      opened: () => this.onOpened(),
      text: (text: string) => this.onText(text),
      closed: () => this.onGone(),
      refused: (reason: string) => this.onRefused(reason),
    };
    for (const usable of [config, {}]) {
      try {
        return new Peer(session, usable, events, this.ground.peer);
      } catch {
        // Of ICE servers that the browser does not take, none are used.
      }
    }
    this.end("error", "This browser makes no peer connection.");
    return null;
  }

  private onOpened(): void {
    clearTimeout(this.limit);
    this.restarting = false;
    if (this.begun) {
      // After a restart the session goes on as it was.
      this.restarted = true;
      this.heard = false;
      this.events.state("connected", "");
      return;
    }
    this.begun = true;
    this.unbegun = 0;
    this.events.opened();
  }

  private onText(text: string): void {
    // A server that greets after a restart wants this page to introduce itself again. What it had said before may come first.
    if (this.restarted && text.startsWith("MODE ")) {
      this.restarted = false;
      this.events.opened();
    }
    if (!this.heard) {
      this.heard = true;
      this.attempt = 0;
      this.events.state("connected", "");
    }
    this.events.text(text);
  }

  private onPeerState(state: RTCPeerConnectionState): void {
    if (state === "connected") this.calm();
    else if (state === "disconnected") this.onGone();
    else if (state === "failed") this.restart();
  }

  /** The path, or what texts go through, is gone; it may come back, or the server may be about to offer another one. */
  private onGone(): void {
    this.grace ??= setTimeout(() => this.restart(), DISCONNECT_GRACE);
  }

  private calm(): void {
    clearTimeout(this.grace);
    this.grace = undefined;
  }

  /** Asks for a new peer connection where the server still listens; else begins anew. */
  private restart(): void {
    this.calm();
    if (this.restarting) return; // its limit is set
    if (!this.begun) {
      this.timedOut();
      return;
    }
    if (!this.signaling?.live) {
      this.lost();
      return;
    }
    this.restarting = true;
    this.events.state("reconnecting", "The path to the server is gone; another one is looked for.");
    // Credentials of relays may have expired meanwhile.
    this.config = this.ground.config(this.urls.turn);
    this.signaling.say({ restart: true });
    clearTimeout(this.limit);
    this.limit = setTimeout(() => this.lost(), RESTART_LIMIT);
  }

  private onRefused(reason: string): void {
    this.lost();
    this.events.unreachable(reason);
  }

  private onClosed(code: number, reason: string): void {
    const final = FINAL_CODES.get(code) ?? (code === 1002 ? "The server did not understand this page." : undefined);
    if (final !== undefined) {
      this.end("error", reason === "" ? final : reason);
      return;
    }
    if (code === REFUSED) {
      const why = reason === "" ? "The server refused WebRTC." : reason;
      this.events.unreachable(why);
      this.end("error", why);
      return;
    }
    // Pictures and input need no signaling: a socket that was cut is replaced while they go on.
    if (code === CUT && this.begun && this.resume === undefined) {
      this.resume = setTimeout(() => this.lost(), RESUME_LIMIT);
      this.signal(true);
      return;
    }
    // Once may be a server that ends; one that was merely cut off says nothing.
    if (!this.begun && code !== CUT && this.signaling?.answered) this.unbegun += 1;
    this.lost();
    if (this.unbegun < UNBEGUN) return;
    this.unbegun = 0;
    this.events.unreachable(reason === "" ? "The server ended WebRTC before it had begun." : reason);
  }

  /** Everything of this session is void; the next attempt comes after a pause. */
  private lost(): void {
    if (this.finished) return;
    this.drop();
    const delay = backoffDelay(this.attempt, this.ground.random());
    this.attempt += 1;
    this.events.state("reconnecting", `Next attempt in ${(delay / 1000).toFixed(1)} s`);
    this.retry = setTimeout(() => this.connect(), delay);
  }

  private drop(): void {
    clearTimeout(this.limit);
    clearTimeout(this.resume);
    this.resume = undefined;
    this.dropPeer();
    this.signaling?.close();
    this.signaling = null;
    this.offers += 1;
    [this.begun, this.heard, this.restarting, this.restarted] = [false, false, false, false];
  }

  private dropPeer(): void {
    this.calm();
    this.peer?.close();
    this.peer = null;
    this.early = [];
  }
}

/** By which the server knows a session again. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
