// Which stripe is decoded next, which are obsolete, and which frames may be drawn. Pure: no clock, no canvas.
//
// Stripes arrive in the order of their frames (the wire is ordered), so arrival decides what is newer and the wrap of
// the 16-bit frame ids needs no care. The wire does not say which stripe is a frame's last one: a frame counts as
// complete when everything that has arrived of it is settled, and a late stripe makes a second entry with the same id.

/** A stripe on its way from the socket to the canvas; `source` is what the decoder needs. */
export interface Stripe<Source> {
  readonly source: Source;
  readonly y: number;
}

/** Pictures to draw in this order, all at once, and the frame that is on the canvas afterwards. */
export interface Drawable<Picture> {
  pictures: { y: number; picture: Picture }[];
  /** Frame to acknowledge. */
  frame: number;
  /** When the last byte of that frame arrived, in the caller's clock. */
  arrived: number;
  /** Number of frames that reach the canvas with this. */
  frames: number;
}

type State = "waiting" | "decoding" | "settled";

interface Entry<Source, Picture> extends Stripe<Source> {
  readonly frame: Frame<Source, Picture>;
  state: State;
  superseded: boolean;
  picture: Picture | null;
}

interface Frame<Source, Picture> {
  readonly id: number;
  arrived: number;
  readonly entries: Entry<Source, Picture>[];
  unsettled: number;
}

/** Holds every stripe that is not drawn yet. `release` gets the pictures that will never be drawn. */
export class StripeBoard<Source, Picture> {
  /** Stripes that were dropped because a newer one covers them. */
  superseded = 0;

  private frames: Frame<Source, Picture>[] = [];
  /** Undecoded stripes by place. A newer stripe takes over the older one's turn, so that no place starves. */
  private readonly waiting = new Map<number, Entry<Source, Picture>>();

  constructor(
    private readonly release: (picture: Picture) => void,
    private readonly maxFrames = 1024,
  ) {}

  /** Adds an independent stripe; an undecoded older one of the same place becomes obsolete. */
  add(frameId: number, y: number, height: number, source: Source, now: number): void {
    const entry = this.append(frameId, y, source, now, "waiting");
    if (!entry) return;
    const place = y * 65536 + height;
    const older = this.waiting.get(place);
    this.waiting.set(place, entry);
    if (older) {
      older.superseded = true;
      this.superseded += 1;
      settle(older);
    }
  }

  /** Adds a stripe that a decoder has already taken and that others depend on: it never becomes obsolete. */
  addStarted(frameId: number, y: number, source: Source, now: number): Stripe<Source> | null {
    return this.append(frameId, y, source, now, "decoding");
  }

  /** The stripe to decode next, or null. */
  next(): Stripe<Source> | null {
    for (const [place, entry] of this.waiting) {
      this.waiting.delete(place);
      entry.state = "decoding";
      return entry;
    }
    return null;
  }

  /** Hands in the picture of a stripe; null where decoding failed. */
  decoded(stripe: Stripe<Source>, picture: Picture | null): void {
    const entry = stripe as Entry<Source, Picture>;
    if (entry.state !== "decoding") {
      if (picture !== null) this.release(picture);
      return;
    }
    entry.picture = picture;
    settle(entry);
  }

  /** Everything that can be drawn now, oldest frame first; null while the oldest frame is being decoded. */
  take(): Drawable<Picture> | null {
    let drawable: Drawable<Picture> | null = null;
    for (let frame = this.frames[0]; frame?.unsettled === 0; frame = this.frames[0]) {
      this.frames.shift();
      // A frame that was dropped whole is covered by the acknowledgement of the one that replaced it.
      if (frame.entries.every((entry) => entry.superseded)) continue;
      drawable ??= { pictures: [], frame: frame.id, arrived: frame.arrived, frames: 0 };
      drawable.frame = frame.id;
      drawable.arrived = frame.arrived;
      const drawn = drawable.pictures.length;
      for (const { y, picture } of frame.entries) if (picture !== null) drawable.pictures.push({ y, picture });
      if (drawable.pictures.length > drawn) drawable.frames += 1;
    }
    return drawable;
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
    this.waiting.clear();
  }

  private append(id: number, y: number, source: Source, now: number, state: State): Entry<Source, Picture> | null {
    let frame = this.frames.at(-1);
    if (frame?.id !== id) {
      if (this.frames.length >= this.maxFrames) return null;
      frame = { id, arrived: now, entries: [], unsettled: 0 };
      this.frames.push(frame);
    }
    const entry: Entry<Source, Picture> = { frame, y, source, state, superseded: false, picture: null };
    frame.entries.push(entry);
    frame.unsettled += 1;
    frame.arrived = now;
    return entry;
  }
}

function settle<Source, Picture>(entry: Entry<Source, Picture>): void {
  entry.state = "settled";
  entry.frame.unsettled -= 1;
}
