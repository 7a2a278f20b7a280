// Fingers on the picture.

import { TouchGestures, type TouchTarget } from "./touch-gestures";

/** Follows the fingers on `surface`; `focus` is called when the user turns to the picture. */
export class TouchInput {
  private readonly gestures: TouchGestures;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(surface: HTMLElement, target: TouchTarget, focus: () => void) {
    const gestures = new TouchGestures(target);
    this.gestures = gestures;
    const on = (type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel", act: (event: PointerEvent) => void) =>
      surface.addEventListener(type, (event) => {
        if (event.pointerType !== "touch") return;
        act(event);
        this.wait();
      });
    on("pointerdown", ({ pointerId, clientX, clientY, timeStamp }) => {
      focus();
      gestures.down(pointerId, clientX, clientY, timeStamp);
    });
    on("pointermove", ({ pointerId, clientX, clientY }) => gestures.move(pointerId, clientX, clientY));
    on("pointerup", ({ pointerId, timeStamp }) => gestures.up(pointerId, timeStamp));
    on("pointercancel", () => gestures.cancel());
    window.addEventListener("blur", () => this.cancel());
    document.addEventListener("visibilitychange", () => document.hidden && this.cancel());
  }

  /** Whether the surface is a trackpad. */
  get trackpad(): boolean {
    return this.gestures.trackpad;
  }

  set trackpad(on: boolean) {
    this.cancel();
    this.gestures.trackpad = on;
  }

  private cancel(): void {
    this.gestures.cancel();
    this.wait();
  }

  private wait(): void {
    clearTimeout(this.timer);
    const due = this.gestures.deadline();
    if (due === null) return;
    const tick = () => {
      this.gestures.tick(performance.now());
      this.wait();
    };
    this.timer = setTimeout(tick, Math.max(0, due - performance.now()));
  }
}
