// Which stripe is decoded next, which are obsolete, and which frames may be drawn. Pure: no clock, no canvas.
//
// Stripes arrive in the order of their frames (the wire is ordered), so arrival decides what is newer and the wrap of
// the 16-bit frame ids needs no care. Servers need not say which stripe is a frame's last one: a frame also counts as
// complete when the next one begins or when nothing came for SETTLE ms. A stripe that is later still makes a second
// frame of the same id, which is drawn and acknowledged again.

/** Pause after which a frame without a marked end is taken for complete, in ms. */
export const SETTLE = 4;

/** Frames that may be under way before newer stripes replace older ones: the one being decoded and one behind it. */
const UNDER_WAY = 2;

/** A stripe on its way from the socket to the canvas; `source` is what the decoder needs. */
export interface Stripe<Source> {
  readonly source: Source;
  readonly y: number;
}

/** Where a stripe lies in its frame, in pixels, and whether it is known to be the last one of it. */
export interface Place {
  y: number;
  height: number;
  last: boolean;
}

/** Pictures to draw in this order, all at once. */
export interface Drawable<Picture> {
  pictures: { y: number; picture: Picture }[];
  /**
   * The frame to acknowledge afterwards, and when its last byte arrived and its last stripe was decoded in the caller's
   * clock. A frame that lost
   * stripes to a newer one is not acknowledged by itself but with the newer one: otherwise an overloaded client would
   * ask for more than it can decode.
   */
  done: { frame: number; arrived: number; decoded: number } | null;
  /** Number of frames that reach the canvas with this. */
  frames: number;
}

type State = "waiting" | "decoding" | "settled";

interface Entry<Source, Picture> extends Stripe<Source> {
  readonly height: number;
  readonly frame: Frame<Source, Picture>;
  state: State;
  superseded: boolean;
  picture: Picture | null;
}

interface Frame<Source, Picture> {
  readonly id: number;
  arrived: number;
  decoded: number;
  readonly entries: Entry<Source, Picture>[];
  unsettled: number;
  /** Its last stripe is here. */
  ended: boolean;
}

/** Holds every stripe that is not drawn yet. `release` gets the pictures that will never be drawn. */
export class StripeBoard<Source, Picture> {
  /** Stripes that were dropped because a newer one covers them. */
  superseded = 0;

  private frames: Frame<Source, Picture>[] = [];
  /** Undecoded stripes in their turn. A newer stripe takes over the turn of the one it replaces, so that no place starves. */
  private waiting: Entry<Source, Picture>[] = [];

  constructor(
    private readonly release: (picture: Picture) => void,
    private readonly maxFrames = 1024,
  ) {}

  /**
   * Adds an independent stripe. Where more frames are under way than a server that waits for acknowledgements sends,
   * undecoded older ones of the same place become obsolete.
   */
  add(frameId: number, place: Place, source: Source, now: number): void {
    const entry = this.append(frameId, place, source, now, "waiting");
    if (!entry) return;
    const { y, height } = place;
    const same = (older: Entry<Source, Picture>) => older.y === y && older.height === height;
    const turn = this.frames.length > UNDER_WAY ? this.waiting.findIndex(same) : -1;
    if (turn < 0) {
      this.waiting.push(entry);
      return;
    }
    for (const older of this.waiting.filter(same)) {
      older.superseded = true;
      this.superseded += 1;
      settle(older, now);
    }
    this.waiting[turn] = entry;
    this.waiting = this.waiting.filter(({ superseded }) => !superseded);
  }

  /** Adds a stripe that a decoder has already taken and that others depend on: it never becomes obsolete. */
  addStarted(frameId: number, place: Place, source: Source, now: number): Stripe<Source> | null {
    return this.append(frameId, place, source, now, "decoding");
  }

  /** The stripe to decode next, or null. */
  next(): Stripe<Source> | null {
    const entry = this.waiting.shift();
    if (!entry) return null;
    entry.state = "decoding";
    return entry;
  }

  /** Hands in the picture of a stripe; null where decoding failed. */
  decoded(stripe: Stripe<Source>, picture: Picture | null, now: number): void {
    const entry = stripe as Entry<Source, Picture>;
    if (entry.state !== "decoding") {
      if (picture !== null) this.release(picture);
      return;
    }
    entry.picture = picture;
    settle(entry, now);
  }

  /** Everything that can be drawn now, oldest frame first; null while the oldest frame is not complete and decoded. */
  take(now: number): Drawable<Picture> | null {
    let drawable: Drawable<Picture> | null = null;
    for (let frame = this.frames[0]; frame?.unsettled === 0 && this.pause(frame, now) <= 0; frame = this.frames[0]) {
      this.frames.shift();
      drawable ??= { pictures: [], done: null, frames: 0 };
      const { id, arrived, decoded } = frame;
      if (!frame.entries.some(({ superseded }) => superseded)) drawable.done = { frame: id, arrived, decoded };
      const drawn = drawable.pictures.length;
      for (const { y, picture } of frame.entries) if (picture !== null) drawable.pictures.push({ y, picture });
      if (drawable.pictures.length > drawn) drawable.frames += 1;
    }
    return drawable;
  }

  /** How long to wait, in ms, before the oldest frame may be taken; null where that does not depend on time. */
  due(now: number): number | null {
    const frame = this.frames[0];
    return frame?.unsettled === 0 ? this.pause(frame, now) : null;
  }

  /** Forgets everything; results of decoders that still run are released when they come. */
  reset(): void {
    for (const { entries } of this.frames) {
      for (const entry of entries) {
        if (entry.picture !== null) this.release(entry.picture);
        entry.picture = null;
        entry.state = "settled";
      }
    }
    this.frames = [];
    this.waiting = [];
  }

  private pause(frame: Frame<Source, Picture>, now: number): number {
    return frame.ended || frame !== this.frames.at(-1) ? 0 : frame.arrived + SETTLE - now;
  }

  private append(id: number, place: Place, source: Source, now: number, state: State): Entry<Source, Picture> | null {
    const { y, height, last } = place;
    let frame = this.frames.at(-1);
    if (frame?.id !== id) {
      if (this.frames.length >= this.maxFrames) return null;
      frame = { id, arrived: now, decoded: now, entries: [], unsettled: 0, ended: false };
      this.frames.push(frame);
    }
    const entry: Entry<Source, Picture> = { frame, y, height, source, state, superseded: false, picture: null };
    frame.entries.push(entry);
    frame.unsettled += 1;
    frame.arrived = now;
    frame.ended ||= last;
    return entry;
  }
}

function settle<Source, Picture>(entry: Entry<Source, Picture>, now: number): void {
  entry.state = "settled";
  entry.frame.unsettled -= 1;
  entry.frame.decoded = now;
}
