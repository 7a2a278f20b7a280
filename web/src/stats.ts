// What the overlay and the tests see of the stream: counters, rates over the last interval, and the round trip.

import type { RtcFigures } from "./rtc-stats";
import type { FrameStages } from "./wire";

/** A snapshot; rates are per second over the time since the snapshot before. */
export interface StreamStats {
  /** Medians of the frames since the snapshot before, in ms; those of that one where there is none. */
  decode: number;
  present: number;
  fps: number;
  bytesPerSecond: number;
  /** Round trip of the connection in ms; null where the server does not answer pings. */
  roundTrip: number | null;
  /** Time from a frame's last byte to its drawing in ms, for the newest drawn frame. */
  held: number;
  width: number;
  height: number;
  framesDrawn: number;
  stripesDrawn: number;
  superseded: number;
  decodeErrors: number;
  acks: number;
  lastAck: number;
  /** What the browser knows of a path over WebRTC; null over WebSocket. */
  rtc: RtcFigures | null;
}

/** Turns two running totals into rates. */
export class RateMeter {
  private frames = 0;
  private bytes = 0;
  private since: number;

  constructor(now: number) {
    this.since = now;
  }

  /** Rates since the last call, from totals and the time in ms. */
  read(frames: number, bytes: number, now: number): { fps: number; bytesPerSecond: number } {
    const seconds = Math.max(0.001, (now - this.since) / 1000);
    const rates = { fps: (frames - this.frames) / seconds, bytesPerSecond: (bytes - this.bytes) / seconds };
    [this.frames, this.bytes, this.since] = [frames, bytes, now];
    return rates;
  }
}

/** Frames whose times are kept between two reports; a report has room for as many. */
const MAX_FRAMES = 128;

/** Collects what frames took until the next report. */
export class StageLog {
  /** Medians of the last report that had a frame, in ms. */
  decode = 0;
  present = 0;
  private frames: FrameStages[] = [];

  /** Adds a frame that was drawn and acknowledged; the oldest goes where there are too many. */
  add(frame: FrameStages): void {
    this.frames.push(frame);
    if (this.frames.length > MAX_FRAMES) this.frames.shift();
  }

  /** What there is to report, oldest first; it starts over. */
  take(): FrameStages[] {
    const frames = this.frames;
    this.frames = [];
    this.decode = median(frames.map(({ decode }) => decode)) ?? this.decode;
    this.present = median(frames.map(({ present }) => present)) ?? this.present;
    return frames;
  }
}

function median(values: number[]): number | undefined {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

const MAX_UNANSWERED = 3;

/** Measures the round trip by `_ping,<t>`; a server that knows no such verb is left alone after three of them. */
export class PingProbe {
  /** The newest round trip in ms. */
  roundTrip: number | null = null;
  private sent = 0;
  private unanswered = 0;

  /** The message to send now, or null. `now` in ms. */
  next(now: number): string | null {
    if (this.unanswered >= MAX_UNANSWERED) return null;
    this.unanswered += 1;
    this.sent = Math.round(now);
    return `_ping,${this.sent}`;
  }

  /** Takes the `t` of a pong; one that was not asked for is ignored. */
  answered(time: number, now: number): void {
    if (time !== this.sent || this.unanswered === 0) return;
    this.unanswered = 0;
    this.roundTrip = Math.max(0, now - time);
  }
}
