// Wheel events to whole notches. Pure.

/** The part of WheelEvent that decides, for one axis. */
export interface WheelStep {
  delta: number;
  /** WheelEvent.deltaMode: 0 pixels, 1 lines, 2 pages. */
  mode: number;
  /** The legacy wheelDeltaX/Y where the browser has it: a multiple of 120 for a wheel with notches. */
  legacy: number;
}

const PIXELS_PER_NOTCH = 100;
const LINES_PER_NOTCH = 3;
/** More at once is a fault or a flick that no application follows. */
const MAX_NOTCHES = 64;

/** Collects the movement of one axis; fractions stay until they make a notch or the direction turns. */
export class WheelAxis {
  private rest = 0;

  /** Notches to send now; positive is down or right. */
  add(step: WheelStep): number {
    if (!Number.isFinite(step.delta) || step.delta === 0) return 0;
    const notches = notchesOf(step);
    if (Math.sign(notches) !== Math.sign(this.rest)) this.rest = 0;
    const sum = this.rest + notches;
    const whole = Math.trunc(sum) + 0; // never -0
    this.rest = sum - whole;
    return Math.min(MAX_NOTCHES, Math.max(-MAX_NOTCHES, whole));
  }
}

function notchesOf({ delta, mode, legacy }: WheelStep): number {
  // Three times the pixels is what browsers report for a touchpad, whatever its multiple.
  if (legacy !== 0 && legacy % 120 === 0 && legacy !== -3 * delta) return -legacy / 120;
  if (mode === 1) return delta / LINES_PER_NOTCH;
  if (mode === 2) return delta;
  return delta / PIXELS_PER_NOTCH;
}
