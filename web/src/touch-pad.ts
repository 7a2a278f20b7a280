// A gamepad on the screen, for fingers: two sticks, a cross and the buttons of the standard gamepad.

import { type Controls, rest } from "./gamepad-layout";
import { element } from "./overlay";

/** Buttons: their number in the standard, and what they are called. */
const FACES: readonly (readonly [number, string])[] = [
  [0, "A"],
  [1, "B"],
  [2, "X"],
  [3, "Y"],
  [4, "L"],
  [5, "R"],
  [6, "LT"],
  [7, "RT"],
  [8, "Back"],
  [9, "Start"],
  [12, "↑"],
  [13, "↓"],
  [14, "←"],
  [15, "→"],
  [16, "Guide"],
];

/** Sticks: their first axis, and the button that pressing them is. */
const STICKS: readonly (readonly [number, string])[] = [
  [0, "Left stick"],
  [2, "Right stick"],
];

/** How far from its middle a stick is at its end, as a share of its size. */
const REACH = 0.38;

/** Shown and hidden by the user; each finger holds what it touched until it leaves. */
export class TouchPad {
  private readonly pad = element("touch-pad");
  private controls = rest();

  constructor(private readonly changed: (controls: Controls | null) => void) {
    this.pad.append(...FACES.map(([index, label]) => this.button(index, label)), ...STICKS.map(([axis, label]) => this.stick(axis, label)));
    // Neither the stream's mouse nor the browser's gestures.
    for (const type of ["contextmenu", "dragstart", "selectstart"]) this.pad.addEventListener(type, (event) => event.preventDefault());
  }

  toggle(): void {
    this.pad.hidden = !this.pad.hidden;
    this.controls = rest();
    this.changed(this.pad.hidden ? null : this.controls);
  }

  private button(index: number, label: string): HTMLElement {
    const node = document.createElement("button");
    node.type = "button";
    node.tabIndex = -1;
    node.textContent = label;
    node.dataset.button = String(index);
    const press = (down: boolean) => {
      node.toggleAttribute("data-down", down);
      this.controls.buttons[index] = down ? 1 : 0;
      this.changed(this.controls);
    };
    node.addEventListener("pointerdown", (event) => (hold(node, event), press(true)));
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) node.addEventListener(type, () => press(false));
    return node;
  }

  private stick(axis: number, label: string): HTMLElement {
    const node = document.createElement("div");
    node.setAttribute("aria-label", label);
    node.dataset.stick = String(axis);
    const knob = document.createElement("span");
    node.append(knob);
    const move = (x: number, y: number) => {
      // A stick goes round, not square.
      const far = Math.max(1, Math.hypot(x, y));
      [this.controls.axes[axis], this.controls.axes[axis + 1]] = [x / far, y / far];
      knob.style.translate = `${(x / far) * REACH * 100}cqw ${(y / far) * REACH * 100}cqw`;
      this.changed(this.controls);
    };
    let finger: number | null = null;
    const follow = (event: PointerEvent) => {
      if (event.pointerId !== finger) return;
      const { left, top, width, height } = node.getBoundingClientRect();
      move((event.clientX - left - width / 2) / (width * REACH), (event.clientY - top - height / 2) / (height * REACH));
    };
    node.addEventListener("pointerdown", (event) => {
      if (finger !== null) return;
      finger = event.pointerId;
      hold(node, event);
      follow(event);
    });
    node.addEventListener("pointermove", follow);
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      node.addEventListener(type, (event) => {
        if (event.pointerId !== finger) return;
        finger = null;
        move(0, 0);
      });
    }
    return node;
  }
}

/** The finger is this control's until it leaves, wherever it goes. */
function hold(node: HTMLElement, event: PointerEvent): void {
  event.preventDefault();
  event.stopPropagation();
  try {
    node.setPointerCapture(event.pointerId);
  } catch {
    // A finger that has left already.
  }
}
