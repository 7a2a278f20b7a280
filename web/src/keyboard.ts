// Keyboard of the page to keysyms on the wire. Key events are taken from the window; composed text and on-screen
// keyboards come through a transparent text field.

import { KEYSYM, keysymOf, shortcutKeysym } from "./keysym";
import type { MacKeys } from "./mac";
import { TextField } from "./text-field";
import { heldKeysMessage, keyMessage, textMessage } from "./wire";

/** Interval of the messages that say which keys are still held, in ms. */
const HEARTBEAT = 100;
/** Longest that keys wait for what is pasted, in ms: a picture takes a while to be read. */
const PASTE_LIMIT = 1500;
/** The browser tells what is pasted right after the key, in ms; on a busy machine that takes a while. */
const PASTE_DELAY = 600;
/** The same where it did not tell the last time: not every key that pastes on the desktop does so in the browser. */
const SILENT_DELAY = 150;
/** Keys that change what others do. */
const MODIFIERS: ReadonlySet<string> = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta", "OS", "CapsLock", "Fn"]);

/** A key combination that the page keeps for itself: Ctrl+Shift and this `code`. */
export type Shortcuts = Readonly<Record<string, () => void>>;

/**
 * Sends the window's keys while `isActive`; otherwise the browser keeps its own, such as F5. `isLocal` names elements
 * that use keys themselves, such as the overlay's buttons.
 */
export class Keyboard {
  /** Keysyms that are down, by physical key: a key is released as what it was pressed as. */
  private readonly held = new Map<string, number>();
  private heartbeat: ReturnType<typeof setInterval> | undefined;
  /** What waits for the local clipboard to be on its way; null where nothing has to. */
  private waiting: string[] | null = null;
  private limit: ReturnType<typeof setTimeout> | undefined;
  /** The browser told what is pasted, the last time. */
  private tells = true;
  private readonly field: TextField;

  constructor(
    field: HTMLTextAreaElement,
    private readonly shortcuts: Shortcuts,
    private readonly isActive: () => boolean,
    private readonly isLocal: (target: EventTarget | null) => boolean,
    private readonly transmit: (text: string) => void,
    /** Takes what the user pastes; null where that is not exchanged. */
    private readonly paste: () => ((data: DataTransfer | null) => Promise<unknown>) | null = () => null,
    /** The keyboard is a Mac's. */
    private readonly mac: MacKeys | null = null,
  ) {
    this.field = new TextField(field, { tap: (keysym) => this.tap(keysym), text: (text) => this.send(textMessage(text)) });
    window.addEventListener("keydown", (event) => this.onDown(event), { capture: true });
    window.addEventListener("keyup", (event) => this.onUp(event), { capture: true });
    window.addEventListener("blur", () => this.releaseAll());
    document.addEventListener("visibilitychange", () => document.hidden && this.releaseAll());
    window.addEventListener("paste", (event) => this.onPaste(event), { capture: true });
  }

  /** Whether the device's own keyboard is wanted. */
  get onScreen(): boolean {
    return this.field.keyboardShown;
  }

  /** Keys go to the stream from now on; on touch devices `onScreen` also shows the device's keyboard, or hides it. */
  focus(onScreen = this.onScreen): void {
    this.field.focus(onScreen);
  }

  /** The pointer is about to be pressed: the modifiers that are held are for that. */
  settle(): void {
    this.mac?.takeAlt().forEach(([code, keysym]) => this.press(code, keysym));
  }

  /** Lets every key go, here and on the server. */
  releaseAll(): void {
    this.held.clear();
    this.mac?.forget();
    this.beat();
    this.send("kr");
  }

  private onDown(event: KeyboardEvent): void {
    if (event.ctrlKey && event.shiftKey && !event.altKey && !event.metaKey && Object.hasOwn(this.shortcuts, event.code)) {
      event.preventDefault();
      event.stopPropagation();
      if (event.repeat) return;
      this.releaseAll();
      this.shortcuts[event.code]?.();
      return;
    }
    if (!this.isActive() || this.isLocal(event.target) || event.isComposing || event.keyCode === 229) return;
    const keysym = this.keysym(event);
    if (keysym === null) return; // left to the browser, which may compose text from it
    const code = physical(event);
    const before = event.repeat ? this.held.get(code) : undefined;
    const repeats = before !== undefined;
    // The browser pastes, which tells what; the key follows that.
    if (!repeats && isPaste(event) && this.paste() !== null) this.hold(this.tells ? PASTE_DELAY : SILENT_DELAY, () => (this.tells = false));
    else event.preventDefault();
    if (this.mac && this.onMacDown(this.mac, event, code, keysym)) return;
    if (repeats) {
      // The X server repeats held keys itself, but not characters that it had to type with other modifiers.
      if (event.key.length === 1) this.send(keyMessage(true, before));
      return;
    }
    // Windows reports AltGr as left Ctrl and AltGr; the Ctrl must not reach the remote side.
    if (event.key === "AltGraph" && this.held.get("ControlLeft") === KEYSYM.ControlLeft) this.release("ControlLeft");
    this.press(code, keysym);
  }

  private keysym(event: KeyboardEvent): number | null {
    const shortcut = event.getModifierState?.("AltGraph") ? null : shortcutKeysym(event, this.mac !== null);
    return shortcut ?? this.mac?.command(event) ?? keysymOf(event);
  }

  /** True where the key is dealt with. */
  private onMacDown(mac: MacKeys, event: KeyboardEvent, code: string, keysym: number): boolean {
    if (event.key === "Alt") {
      if (!this.held.has(code)) mac.hold(code, keysym);
      return true;
    }
    // It goes down when the light goes on, and up when that goes out.
    if (event.key === "CapsLock") {
      this.tap(keysym);
      return true;
    }
    if (MODIFIERS.has(event.key)) return false;
    mac.alt(event).forEach(([option, alt]) => this.press(option, alt));
    // macOS tells of no release while Cmd is held.
    if (event.metaKey) this.tap(keysym);
    return event.metaKey;
  }

  private onUp(event: KeyboardEvent): void {
    const code = physical(event);
    if (this.mac?.letGo(code)) return;
    if (this.mac && event.key === "CapsLock" && this.isActive() && !this.isLocal(event.target)) this.tap(KEYSYM.CapsLock);
    if (!this.held.has(code)) return;
    event.preventDefault();
    this.release(code);
    // macOS reports no release of keys that go up while Cmd is held.
    if (event.key === "Meta" && this.held.size > 0) this.releaseAll();
  }

  /** Keys wait, `limit` ms at most; `over` is called when nobody let them go by then. */
  private hold(limit: number, over: () => void = () => undefined): void {
    this.waiting ??= [];
    clearTimeout(this.limit);
    this.limit = setTimeout(() => {
      over();
      this.letGo();
    }, limit);
  }

  private letGo(): void {
    clearTimeout(this.limit);
    const waiting = this.waiting ?? [];
    this.waiting = null;
    waiting.forEach((text) => this.transmit(text));
  }

  private send(text: string): void {
    if (this.waiting) this.waiting.push(text);
    else this.transmit(text);
  }

  private onPaste(event: ClipboardEvent): void {
    const paste = this.paste();
    if (!this.isActive() || this.isLocal(event.target) || paste === null) return;
    event.preventDefault();
    this.tells = true;
    if (this.waiting) this.hold(PASTE_LIMIT);
    void paste(event.clipboardData).then(
      () => this.letGo(),
      () => this.letGo(),
    );
  }

  private tap(keysym: number): void {
    this.send(keyMessage(true, keysym));
    this.send(keyMessage(false, keysym));
  }

  private press(code: string, keysym: number): void {
    const before = this.held.get(code);
    if (before !== undefined && before !== keysym) this.send(keyMessage(false, before));
    this.held.set(code, keysym);
    this.send(keyMessage(true, keysym));
    this.beat();
  }

  private release(code: string): void {
    const keysym = this.held.get(code);
    this.held.delete(code);
    // Two physical keys may stand for one keysym.
    if (keysym !== undefined && ![...this.held.values()].includes(keysym)) this.send(keyMessage(false, keysym));
    this.beat();
  }

  private beat(): void {
    if (this.held.size === 0) {
      clearInterval(this.heartbeat);
      this.heartbeat = undefined;
    } else {
      this.heartbeat ??= setInterval(() => this.send(heldKeysMessage(this.held.values())), HEARTBEAT);
    }
  }
}

/** Ctrl+V, Cmd+V and Shift+Insert, also with what makes terminals and plain text of it. */
function isPaste({ code, key, ctrlKey, metaKey, shiftKey, altKey }: KeyboardEvent): boolean {
  if (altKey) return false;
  return ((ctrlKey || metaKey) && key.toLowerCase() === "v") || (shiftKey && !ctrlKey && !metaKey && code === "Insert");
}

/** Virtual keyboards send no `code`. */
function physical({ code, key }: KeyboardEvent): string {
  return code === "" || code === "Unidentified" ? `key:${key}` : code;
}
