// What Macs do otherwise with their keyboards.

import type { KeyIdentity } from "./keysym";
import { KEYSYM } from "./keysym";

/** Where the choice of Cmd is kept. */
const STORED = "selkies-command";

/** Whether this browser runs on a Mac, or on what has a Mac's keyboard. */
export function isMac(platform: string = navigator.platform): boolean {
  return /^(Mac|iPhone|iPad)/.test(platform);
}

/** Whether Cmd is Ctrl on the desktop, so that Cmd+C copies there; else it is Super. The user's choice, yes before there was one. */
export function commandIsControl(): boolean {
  try {
    return localStorage.getItem(STORED) !== "super";
  } catch {
    // Storage may be blocked.
    return true;
  }
}

/** Keeps the user's choice. */
export function chooseCommand(control: boolean): void {
  try {
    localStorage.setItem(STORED, control ? "control" : "super");
  } catch {
    // As above; it holds until the page is left.
  }
}

/** Keys of a Mac that are held, as far as they are treated otherwise than elsewhere. */
export class MacKeys {
  /** Option keys that are down and that the desktop does not know of, with their keysyms. */
  private readonly option = new Map<string, number>();

  constructor(private readonly control: () => boolean) {}

  /** The keysym of Cmd; null for other keys. */
  command({ key, location }: KeyIdentity): number | null {
    if (key !== "Meta" || !this.control()) return null;
    return location === 2 ? KEYSYM.ControlRight : KEYSYM.ControlLeft;
  }

  /** Option went down: it may be there for a character only. */
  hold(code: string, keysym: number): void {
    this.option.set(code, keysym);
  }

  /** Option went up; true where the desktop did not know. */
  letGo(code: string): boolean {
    return this.option.delete(code);
  }

  /** Nothing is held any more. */
  forget(): void {
    this.option.clear();
  }

  /** The Option keys that the desktop has to know of before this key: none where they made a character of it. */
  alt({ key, ctrlKey, metaKey }: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey">): [string, number][] {
    const made = [...key].length === 1 && !ctrlKey && !metaKey;
    return made ? [] : this.takeAlt();
  }

  /** All Option keys that the desktop does not know of, which it is told of now. */
  takeAlt(): [string, number][] {
    const keys = [...this.option];
    this.option.clear();
    return keys;
  }
}
