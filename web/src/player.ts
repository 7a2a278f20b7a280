// The stream in use: begins it over the transport that serves best, and goes over to the other one where that fails.

import type { StreamCommand, StreamEvent } from "./messages";
import { type Mode, type Served, pickMode, PLAIN } from "./modes";
import type { Wishes } from "./wire";

/** A running stream: takes commands; `stop` among them ends it. */
export type Command = (command: StreamCommand) => void;

/** What a player stands on. */
export interface PlayerGround {
  /** Asks what the server serves; null where it does not answer. */
  served(): Promise<Served | null>;
  /** What this browser takes over WebRTC. */
  rtcCodecs(): readonly string[];
  /** Starts a stream with the page's present size and visibility. */
  start(mode: Mode, onEvent: (event: StreamEvent) => void): Command;
}

/** Called by a Player; none of them may throw. */
export interface PlayerEvents {
  event(event: StreamEvent): void;
  /** A stream over this transport begins; `reason` tells why another one is not used. */
  mode(mode: Mode, served: Served, reason: string): void;
}

/** Has one stream at a time. */
export class Player {
  private command: Command | null = null;
  private mode: Mode | null = null;
  private served: Served = PLAIN;
  /** Streams that were started; what an older one says is not heard. */
  private streams = 0;
  private asked = 0;
  /** WebRTC did not come about, for this reason; until the user chooses anew. */
  private failure = "";
  private wishes: Wishes = {};
  private stopped = false;

  constructor(
    private readonly forced: Mode | null,
    private chosen: Mode | null,
    private readonly ground: PlayerGround,
    private readonly events: PlayerEvents,
  ) {}

  /** Begins as soon as the server has said what it serves; one that says nothing is tried as it always was. */
  async start(): Promise<void> {
    this.served = (await this.ground.served()) ?? PLAIN;
    if (!this.stopped) this.launch();
  }

  /** Passes a command on to the stream, where there is one. */
  send(command: StreamCommand): void {
    if (command.type === "wish") this.wishes = { ...this.wishes, ...command.wishes };
    if (command.type === "stop") this.stopped = true;
    this.command?.(command);
  }

  /** The user's choice; null leaves it to the server. */
  choose(chosen: Mode | null): void {
    this.chosen = chosen;
    this.failure = "";
    void this.reconsider();
  }

  private launch(): void {
    const mode = this.pick();
    this.command?.({ type: "stop" });
    this.streams += 1;
    const { streams } = this;
    this.mode = mode;
    const wanted = this.chosen ?? this.served.current;
    this.events.mode(mode, this.served, mode === "websockets" && wanted === "webrtc" ? this.failure : "");
    this.command = this.ground.start(mode, (event) => this.streams === streams && this.onEvent(event));
    if (Object.keys(this.wishes).length > 0) this.command({ type: "wish", wishes: this.wishes });
  }

  private onEvent(event: StreamEvent): void {
    if (event.type === "unreachable") {
      this.onUnreachable(event.reason);
      return;
    }
    if (event.type === "reload") {
      void this.reconsider();
      return;
    }
    this.events.event(event);
    // A server that has another mode by now refuses this one's connections.
    if (event.type === "state" && event.state === "reconnecting") void this.reconsider();
  }

  private onUnreachable(reason: string): void {
    if (this.forced !== null || this.mode !== "webrtc" || !this.served.modes.includes("websockets")) {
      this.events.event({ type: "state", state: "reconnecting", detail: reason });
      return;
    }
    this.failure = reason;
    this.launch();
  }

  /** Asks the server what it serves, and begins anew where that, or the user, wants another mode by now. */
  private async reconsider(): Promise<void> {
    this.asked += 1;
    const { asked, streams } = this;
    const served = await this.ground.served();
    if (this.stopped || this.streams !== streams || this.asked !== asked) return;
    if (served) this.served = served;
    if (this.pick() !== this.mode) this.launch();
  }

  private pick(): Mode {
    if (this.ground.rtcCodecs().length === 0) this.failure = "This browser has no video codec for WebRTC.";
    return pickMode(this.served, { forced: this.forced, chosen: this.chosen, withoutRtc: this.failure !== "" });
  }
}
