// Pointer of the page to pointer messages: absolute over the picture, relative while the pointer is locked.

import { type Extent, fit, toStream } from "./geometry";
import { WheelAxis } from "./wheel";
import { pointerMessage } from "./wire";

/** Bits of the mask on the wire. */
const BUTTON = { left: 1, middle: 2, right: 4, back: 8, forward: 16 } as const;
/** The same bits mean the wheel where the message carries notches; 2.1.0 pages send bit 3 for down. */
const WHEEL = { up: 1 << 4, down: 1 << 3, left: 1 << 6, right: 1 << 7 } as const;

/** The wire's button mask of PointerEvent.buttons, which has right and middle the other way round. */
export function buttonMask(buttons: number): number {
  return (
    (buttons & 1 ? BUTTON.left : 0) |
    (buttons & 2 ? BUTTON.right : 0) |
    (buttons & 4 ? BUTTON.middle : 0) |
    (buttons & 8 ? BUTTON.back : 0) |
    (buttons & 16 ? BUTTON.forward : 0)
  );
}

/** Sends pointer events of `surface`, where the picture is shown; `focus` is called when the user turns to the picture. */
export class Mouse {
  private stream: Extent | null = null;
  private mask = 0;
  private at = { x: 0, y: 0 };
  /** Parts of a pixel that relative movement has not sent yet. */
  private rest = { x: 0, y: 0 };
  private readonly wheelX = new WheelAxis();
  private readonly wheelY = new WheelAxis();

  constructor(
    private readonly surface: HTMLElement,
    private readonly send: (text: string, droppable: boolean) => void,
    focus: () => void,
  ) {
    surface.addEventListener("pointerdown", (event) => {
      focus();
      if (!this.locked) surface.setPointerCapture(event.pointerId);
      this.onPointer(event);
    });
    surface.addEventListener("pointermove", (event) => this.onPointer(event));
    surface.addEventListener("pointerup", (event) => this.onPointer(event));
    surface.addEventListener("pointercancel", () => this.releaseButtons());
    window.addEventListener("blur", () => this.releaseButtons());
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

  private get locked(): boolean {
    return document.pointerLockElement === this.surface;
  }

  private onLock(): void {
    this.rest = { x: 0, y: 0 };
    // While locked, the page shows no pointer, so the server draws it into the picture.
    const shown = this.locked ? 1 : 0;
    this.send(`p,${shown}`, false);
    this.send(`SET_NATIVE_CURSOR_RENDERING,${shown}`, false);
  }

  private onPointer(event: PointerEvent): void {
    if (!this.stream) return;
    const mask = buttonMask(event.buttons);
    const motion = mask === this.mask;
    this.mask = mask;
    if (this.locked) {
      this.sendRelative(event, motion);
      return;
    }
    this.at = toStream(event.clientX, event.clientY, this.surface.getBoundingClientRect(), this.stream);
    this.send(pointerMessage(false, this.at.x, this.at.y, mask, 0), motion);
  }

  private sendRelative({ movementX, movementY }: PointerEvent, motion: boolean): void {
    if (!this.stream) return;
    const scale = this.stream.width / fit(this.surface.getBoundingClientRect(), this.stream).width;
    const x = this.rest.x + movementX * scale;
    const y = this.rest.y + movementY * scale;
    const [dx, dy] = [Math.trunc(x), Math.trunc(y)];
    this.rest = { x: x - dx, y: y - dy };
    if (motion && dx === 0 && dy === 0) return;
    this.send(pointerMessage(true, dx, dy, this.mask, 0), false);
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault();
    const { wheelDeltaX = 0, wheelDeltaY = 0 } = event as WheelEvent & { wheelDeltaX?: number; wheelDeltaY?: number };
    const mode = event.deltaMode;
    const right = this.wheelX.add({ delta: event.deltaX, mode, legacy: wheelDeltaX });
    const down = this.wheelY.add({ delta: event.deltaY, mode, legacy: wheelDeltaY });
    this.scroll(down, WHEEL.down, WHEEL.up);
    this.scroll(right, WHEEL.right, WHEEL.left);
  }

  private scroll(notches: number, positive: number, negative: number): void {
    if (notches === 0 || !this.stream) return;
    const { x, y } = this.locked ? { x: 0, y: 0 } : this.at;
    const buttons = this.mask & (BUTTON.left | BUTTON.middle | BUTTON.right);
    const wheel = notches > 0 ? positive : negative;
    this.send(pointerMessage(this.locked, x, y, buttons | wheel, Math.abs(notches)), false);
    this.send(pointerMessage(this.locked, x, y, buttons, 0), false);
  }

  private releaseButtons(): void {
    if (this.mask === 0 || !this.stream) return;
    this.mask = 0;
    if (this.locked) this.send(pointerMessage(true, 0, 0, 0, 0), false);
    else this.send(pointerMessage(false, this.at.x, this.at.y, 0, 0), false);
  }
}
