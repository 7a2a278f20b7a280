// What the overlay and the tests see of the stream: counters, rates over the last interval, and the round trip.

/** A snapshot; rates are per second over the time since the snapshot before. */
export interface StreamStats {
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
