// What fingers mean: places and drags where they touch, or a trackpad that moves the pointer from where it is. Pure; time
// is an argument, in ms.

/** What fingers do to the pointer. Coordinates are CSS pixels. */
export interface TouchTarget {
  /** The pointer goes to this place of the page. */
  point(x: number, y: number): void;
  /** The pointer moves. */
  nudge(dx: number, dy: number): void;
  press(button: "left" | "middle" | "right", down: boolean): void;
  /** Scrolls; positive is down and right. */
  scroll(dx: number, dy: number): void;
  scrollEnd(): void;
}

/** A finger that rests for so long asks for the right button. */
export const LONG_PRESS = 500;
/** Several fingers that leave sooner have tapped. */
const TAP = 350;
/** A finger that comes back sooner after a tap, on the trackpad, drags. */
const AGAIN = 300;
/** A finger rests while it stays within so many pixels. */
const SLOP = 10;
/** Pixels of the pointer for one of the finger, on the trackpad. */
const SPEED = 1.5;

interface Place {
  x: number;
  y: number;
}

/**
 * `one`: a finger rests. `moving`: it moves the pointer. `dragging`: with the left button. `several`: more fingers rest.
 * `scrolling`: they move. `spent`: nothing more comes of these fingers.
 */
type Phase = "none" | "one" | "moving" | "dragging" | "several" | "scrolling" | "spent";

/** Follows the fingers on one surface. */
export class TouchGestures {
  /** Whether the surface is a trackpad. */
  trackpad = false;
  private readonly fingers = new Map<number, Place>();
  private phase: Phase = "none";
  /** Where and when the first finger came, and the most that there were since. */
  private first = { x: 0, y: 0, at: 0, id: 0 };
  private most = 0;
  /** The middle of the fingers as it was last. */
  private middle: Place = { x: 0, y: 0 };
  private tappedAt = -Infinity;

  constructor(private readonly target: TouchTarget) {}

  /** A finger came. */
  down(id: number, x: number, y: number, now: number): void {
    this.fingers.set(id, { x, y });
    this.middle = this.centre();
    this.most = Math.max(this.most, this.fingers.size);
    if (this.fingers.size === 1) {
      this.most = 1;
      this.first = { x, y, at: now, id };
      this.phase = "one";
      // Programs see the pointer come before it presses.
      if (!this.trackpad) this.target.point(x, y);
    } else if (this.phase === "one" || this.phase === "moving") {
      this.phase = "several";
    }
  }

  /** A finger moved. */
  move(id: number, x: number, y: number): void {
    const finger = this.fingers.get(id);
    if (!finger) return;
    const [dx, dy] = [x - finger.x, y - finger.y];
    this.fingers.set(id, { x, y });
    if (this.phase === "one") this.leave(x, y);
    else if (this.phase === "moving") this.target.nudge(dx * SPEED, dy * SPEED);
    else if (this.phase === "dragging" && id === this.first.id) this.drag(x, y, dx, dy);
    else if (this.phase === "several" || this.phase === "scrolling") this.scroll();
  }

  /** A finger left. */
  up(id: number, now: number): void {
    if (!this.fingers.delete(id)) return;
    this.middle = this.centre();
    if (this.phase === "dragging" && id === this.first.id) {
      this.target.press("left", false);
      this.phase = "spent";
    }
    if (this.fingers.size > 0) return;
    if (this.phase === "one") {
      this.tap("left");
      this.tappedAt = now;
    } else if (this.phase === "several" && now - this.first.at < TAP) {
      this.tap(this.most === 2 ? "right" : "middle");
    } else if (this.phase === "scrolling") {
      this.target.scrollEnd();
    }
    this.phase = "none";
  }

  /** The browser takes the fingers for itself, or the page lost them. */
  cancel(): void {
    if (this.phase === "dragging") this.target.press("left", false);
    if (this.phase === "scrolling") this.target.scrollEnd();
    this.fingers.clear();
    this.phase = "none";
  }

  /** When `tick` is to be called; null for never. */
  deadline(): number | null {
    return this.phase === "one" ? this.first.at + LONG_PRESS : null;
  }

  /** Time passed. */
  tick(now: number): void {
    const due = this.deadline();
    if (due === null || now < due) return;
    this.tap("right");
    this.phase = "spent";
  }

  /** The finger that rested moved. */
  private leave(x: number, y: number): void {
    const [dx, dy] = [x - this.first.x, y - this.first.y];
    if (Math.hypot(dx, dy) <= SLOP) return;
    const drags = !this.trackpad || this.first.at - this.tappedAt < AGAIN;
    this.phase = drags ? "dragging" : "moving";
    if (drags) this.target.press("left", true);
    this.drag(x, y, dx, dy);
  }

  private drag(x: number, y: number, dx: number, dy: number): void {
    if (this.trackpad) this.target.nudge(dx * SPEED, dy * SPEED);
    else this.target.point(x, y);
  }

  private scroll(): void {
    const { x, y } = this.centre();
    const [dx, dy] = [x - this.middle.x, y - this.middle.y];
    if (this.phase === "several" && Math.hypot(dx, dy) <= SLOP) return;
    this.phase = "scrolling";
    this.middle = { x, y };
    // What is under the fingers follows them.
    this.target.scroll(-dx, -dy);
  }

  private tap(button: "left" | "middle" | "right"): void {
    this.target.press(button, true);
    this.target.press(button, false);
  }

  private centre(): Place {
    const places = [...this.fingers.values()];
    const mean = (of: (place: Place) => number) => places.reduce((sum, place) => sum + of(place), 0) / Math.max(1, places.length);
    return { x: mean(({ x }) => x), y: mean(({ y }) => y) };
  }
}
