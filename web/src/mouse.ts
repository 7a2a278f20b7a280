// Pointer of the page to pointer messages: absolute over the picture, relative while the pointer is locked. Mice and pens
// come by themselves, fingers by TouchInput.

import { type Extent, fit, toStream } from "./geometry";
import { notchesOf } from "./wheel";
import { FINGER_NOTCH, pointerMessage, scrollMessage } from "./wire";

/** Bits of the mask on the wire. */
const BUTTON = { left: 1, middle: 2, right: 4, back: 8, forward: 16 } as const;
/** A finger scrolls as far as a notch by this many pixels of the stream: what programs usually make of one. */
const PIXELS_PER_NOTCH = 50;
/** The same bits mean the wheel where the message carries notches; 2.1.0 pages send bit 3 for down. */
const WHEEL = { up: 1 << 4, down: 1 << 3, left: 1 << 6, right: 1 << 7 } as const;

/** The buttons that fingers press. */
export type FingerButton = "left" | "middle" | "right";

/** The wire's button mask of PointerEvent.buttons, which has right and middle the other way round; 32 is a pen's eraser. */
export function buttonMask(buttons: number): number {
  return (
    (buttons & 33 ? BUTTON.left : 0) |
    (buttons & 2 ? BUTTON.right : 0) |
    (buttons & 4 ? BUTTON.middle : 0) |
    (buttons & 8 ? BUTTON.back : 0) |
    (buttons & 16 ? BUTTON.forward : 0)
  );
}

/** What a Mouse tells the page. */
export interface MouseEvents {
  /** The user turns to the picture. */
  focus(): void;
  /** A pen is used, which the desktop takes as a mouse. */
  pen(): void;
}

/** Sends pointer events of `surface`, where the picture is shown. */
export class Mouse {
  private stream: Extent | null = null;
  private mask = 0;
  private at = { x: 0, y: 0 };
  /** Parts of a pixel that relative movement has not sent yet. */
  private rest = { x: 0, y: 0 };
  /** The server knows better where the pointer is. */
  private astray = false;

  constructor(
    private readonly surface: HTMLElement,
    private readonly send: (text: string, droppable: boolean) => void,
    events: MouseEvents,
  ) {
    const on = (type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel", act: (event: PointerEvent) => void) =>
      surface.addEventListener(type, (event) => event.pointerType !== "touch" && act(event));
    on("pointerdown", (event) => {
      events.focus();
      if (event.pointerType === "pen") events.pen();
      if (!this.locked) surface.setPointerCapture(event.pointerId);
      this.onPointer(event);
    });
    on("pointermove", (event) => this.onPointer(event));
    on("pointerup", (event) => this.onPointer(event));
    on("pointercancel", () => this.releaseButtons());
    window.addEventListener("blur", () => this.releaseButtons());
    document.addEventListener("visibilitychange", () => document.hidden && this.releaseButtons());
    surface.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    // Focus stays in the text field, and buttons 4 and 5 do not leave the page.
    for (const name of ["mousedown", "mouseup", "auxclick", "contextmenu", "dragstart"] as const) {
      surface.addEventListener(name, (event) => event.preventDefault());
    }
    document.addEventListener("pointerlockchange", () => this.onLock());
  }

  /** Size of the stream in pixels; nothing is sent before it is known. */
  setStream(stream: Extent): void {
    this.stream = stream;
  }

  /** Hands the pointer to the remote side until Escape; without it, movement is relative and unbounded. */
  async lock(): Promise<void> {
    if (this.locked) {
      document.exitPointerLock();
      return;
    }
    try {
      await this.surface.requestPointerLock({ unadjustedMovement: true });
    } catch {
      // Not every system has unadjusted movement; a refusal of this second attempt leaves the pointer as it is.
      await Promise.resolve(this.surface.requestPointerLock()).catch(() => undefined);
    }
  }

  /** Puts the pointer to a place of the page. */
  point(clientX: number, clientY: number): void {
    if (!this.stream) return;
    this.astray = false;
    this.at = toStream(clientX, clientY, this.surface.getBoundingClientRect(), this.stream);
    this.send(pointerMessage(false, this.at.x, this.at.y, this.mask, 0), true);
  }

  /** Moves the pointer from where it is, by CSS pixels. */
  nudge(x: number, y: number): void {
    this.astray = true;
    this.sendRelative(x, y, true);
  }

  /** Presses or releases a button where the pointer is. */
  press(button: FingerButton, down: boolean): void {
    const mask = down ? this.mask | BUTTON[button] : this.mask & ~BUTTON[button];
    if (mask === this.mask || !this.stream) return;
    this.mask = mask;
    this.sendMask(mask, 0);
  }

  /** Scrolls by CSS pixels of the page; positive is down and right. */
  scroll(x: number, y: number): void {
    const scale = (this.scale * FINGER_NOTCH) / PIXELS_PER_NOTCH;
    if (this.stream) this.send(scrollMessage(x * scale, y * scale), false);
  }

  /** The fingers that scrolled are gone. */
  scrollEnd(): void {
    this.send("sfe", false);
  }

  /** Lets the server draw the pointer into the picture, because the page cannot. */
  drawRemotely(drawn: boolean): void {
    this.send(`p,${Number(drawn)}`, false);
    this.send(`SET_NATIVE_CURSOR_RENDERING,${Number(drawn)}`, false);
  }

  private get locked(): boolean {
    return document.pointerLockElement === this.surface;
  }

  private onLock(): void {
    this.rest = { x: 0, y: 0 };
    // While locked, the page shows no pointer.
    this.drawRemotely(this.locked);
  }

  private onPointer(event: PointerEvent): void {
    if (!this.stream) return;
    const mask = buttonMask(event.buttons);
    const motion = mask === this.mask;
    this.mask = mask;
    if (this.locked) {
      this.sendRelative(event.movementX, event.movementY, motion);
      return;
    }
    this.astray = false;
    this.at = toStream(event.clientX, event.clientY, this.surface.getBoundingClientRect(), this.stream);
    this.send(pointerMessage(false, this.at.x, this.at.y, mask, 0), motion);
  }

  /** Stream pixels of a CSS pixel. */
  private get scale(): number {
    return this.stream ? this.stream.width / fit(this.surface.getBoundingClientRect(), this.stream).width : 1;
  }

  private sendRelative(movementX: number, movementY: number, motion: boolean): void {
    if (!this.stream) return;
    const x = this.rest.x + movementX * this.scale;
    const y = this.rest.y + movementY * this.scale;
    const [dx, dy] = [Math.trunc(x), Math.trunc(y)];
    this.rest = { x: x - dx, y: y - dy };
    if (motion && dx === 0 && dy === 0) return;
    this.send(pointerMessage(true, dx, dy, this.mask, 0), false);
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault();
    if (!this.stream) return;
    const { wheelDeltaX = 0, wheelDeltaY = 0 } = event as WheelEvent & { wheelDeltaX?: number; wheelDeltaY?: number };
    const mode = event.deltaMode;
    const right = notchesOf({ delta: event.deltaX, mode, legacy: wheelDeltaX });
    const down = notchesOf({ delta: event.deltaY, mode, legacy: wheelDeltaY });
    if (Number.isInteger(down) && Number.isInteger(right)) {
      this.turn(down, WHEEL.down, WHEEL.up);
      this.turn(right, WHEEL.right, WHEEL.left);
    } else {
      // The server adds up what programs want in whole notches.
      this.send(scrollMessage(right * FINGER_NOTCH, down * FINGER_NOTCH), false);
    }
  }

  private turn(notches: number, positive: number, negative: number): void {
    if (notches === 0) return;
    const buttons = this.mask & (BUTTON.left | BUTTON.middle | BUTTON.right);
    this.sendMask(buttons | (notches > 0 ? positive : negative), Math.abs(notches));
    this.sendMask(buttons, 0);
  }

  private sendMask(mask: number, scroll: number): void {
    const relative = this.locked || this.astray;
    const { x, y } = relative ? { x: 0, y: 0 } : this.at;
    this.send(pointerMessage(relative, x, y, mask, scroll), false);
  }

  private releaseButtons(): void {
    if (this.mask === 0 || !this.stream) return;
    this.mask = 0;
    this.sendMask(0, 0);
  }
}
