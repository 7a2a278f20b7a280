// What a gamepad does, in the order of the W3C's standard gamepad, and the messages that say so. Pure.

/** Buttons and axes of the standard gamepad. */
export const BUTTONS = 17;
export const AXES = 4;

/** Slots of the host. */
export const SLOTS = 4;

/** A gamepad's controls: buttons 0 to 1, axes -1 to 1. */
export interface Controls {
  buttons: number[];
  axes: number[];
}

/** The part of a browser's Gamepad that is read. */
export interface PadLike {
  readonly id: string;
  readonly mapping: string;
  readonly buttons: readonly { readonly value: number; readonly pressed: boolean }[];
  readonly axes: readonly number[];
}

/** Nothing is touched. */
export function rest(): Controls {
  return { buttons: Array<number>(BUTTONS).fill(0), axes: Array<number>(AXES).fill(0) };
}

/** What a gamepad does now. */
export function controlsOf(pad: PadLike): Controls {
  const raw = (index: number) => limit(pad.axes[index] ?? 0, -1, 1);
  const button = (index: number) => {
    const found = pad.buttons[index];
    // Some report pressed buttons without a value.
    return found ? limit(found.pressed ? Math.max(found.value, 0.5) : found.value, 0, 1) : 0;
  };
  // As Linux reports an X-Box pad, where a browser does not put it in order: Firefox.
  if (pad.mapping !== "standard" && pad.axes.length === 8 && pad.buttons.length === 11) {
    const trigger = (index: number) => (raw(index) + 1) / 2;
    const half = (value: number) => (value > 0.5 ? 1 : 0);
    const [faces, back, start, guide] = [[0, 1, 2, 3, 4, 5].map(button), button(6), button(7), button(8)];
    const cross = [half(-raw(7)), half(raw(7)), half(-raw(6)), half(raw(6))];
    return {
      buttons: [...faces, trigger(2), trigger(5), back, start, button(9), button(10), ...cross, guide],
      axes: [raw(0), raw(1), raw(3), raw(4)],
    };
  }
  return {
    buttons: Array.from({ length: BUTTONS }, (_, index) => button(index)),
    axes: Array.from({ length: AXES }, (_, index) => raw(index)),
  };
}

/** A gamepad is there. */
export function connectMessage(slot: number, name: string): string {
  const bytes = new TextEncoder().encode(name.slice(0, 255));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return `js,c,${slot},${base64},${AXES},${BUTTONS}`;
}

/** What is different now; `before` is what was told last. */
export function changes(slot: number, before: Controls, now: Controls): string[] {
  const told = (value: number) => String(Math.round(value * 1e4) / 1e4);
  const differing = (kind: string, old: number[], fresh: number[]) =>
    fresh.flatMap((value, index) => (told(value) === told(old[index] ?? 0) ? [] : [`js,${kind},${slot},${index},${told(value)}`]));
  return [...differing("b", before.buttons, now.buttons), ...differing("a", before.axes, now.axes)];
}

function limit(value: number, least: number, greatest: number): number {
  return Number.isFinite(value) ? Math.min(greatest, Math.max(least, value)) : 0;
}
