// Wheel events to notches and parts of them. Pure.

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

/** How far a step goes, in notches; positive is down or right. Touchpads and fine wheels make parts of notches. */
export function notchesOf({ delta, mode, legacy }: WheelStep): number {
  if (!Number.isFinite(delta) || delta === 0) return 0;
  return Math.min(MAX_NOTCHES, Math.max(-MAX_NOTCHES, notches(delta, mode, legacy)));
}

function notches(delta: number, mode: number, legacy: number): number {
  // Three times the pixels is what browsers report for a touchpad, whatever its multiple.
  if (legacy !== 0 && legacy % 120 === 0 && legacy !== -3 * delta) return -legacy / 120;
  if (mode === 1) return delta / LINES_PER_NOTCH;
  if (mode === 2) return delta;
  return delta / PIXELS_PER_NOTCH;
}
