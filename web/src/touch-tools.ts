// The buttons for devices with a touch screen: the device's own keyboard, and the trackpad.

import { element } from "./overlay";

/** What the buttons do. Each answers whether it is on now. */
export interface TouchToolActions {
  keyboard(): boolean;
  trackpad(): boolean;
}

/** Two buttons over the picture; style sheets show them where there are fingers. */
export class TouchTools {
  private readonly bar = element("touch-tools");
  private readonly buttons = { keyboard: element("keyboard-tool"), trackpad: element("trackpad-tool") };

  constructor(actions: TouchToolActions) {
    // The text field keeps the focus, and with it the device's keyboard.
    this.bar.addEventListener("pointerdown", (event) => event.preventDefault());
    this.bar.addEventListener("mousedown", (event) => event.preventDefault());
    for (const name of ["keyboard", "trackpad"] as const) {
      const button = this.buttons[name];
      button.addEventListener("click", () => button.setAttribute("aria-pressed", String(actions[name]())));
    }
  }

  /** Which of them the operator wants to be there. */
  offer(keyboard: boolean, trackpad: boolean): void {
    this.buttons.keyboard.hidden = !keyboard;
    this.buttons.trackpad.hidden = !trackpad;
  }

  /** True for its own elements. */
  owns(target: EventTarget | null): boolean {
    return target instanceof Node && this.bar.contains(target);
  }
}
