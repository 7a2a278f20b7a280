// Key events to X keysyms.

import { BY_CODE, DEAD, KEYPAD, NAMED } from "./keysym-table";

/** Keysyms that the keyboard logic itself names. */
export const KEYSYM = {
  BackSpace: 0xff08,
  Tab: 0xff09,
  Return: 0xff0d,
  ControlLeft: 0xffe3,
  ControlRight: 0xffe4,
  CapsLock: 0xffe5,
  Delete: 0xffff,
} as const;

/** Keys that print in every layout, by `code`, as shortcuts name them: those of the US layout. */
const PUNCTUATION: Readonly<Record<string, string>> = {
  Backquote: "`",
  Minus: "-",
  Equal: "=",
  BracketLeft: "[",
  BracketRight: "]",
  Backslash: "\\",
  Semicolon: ";",
  Quote: "'",
  Comma: ",",
  Period: ".",
  Slash: "/",
};
/** Characters from here on belong to other scripts than the Latin one. */
const BEYOND_LATIN = 0x250;

/** The part of KeyboardEvent that decides. */
export interface KeyIdentity {
  readonly key: string;
  readonly code: string;
  /** 0 standard, 1 left, 2 right, 3 numpad. */
  readonly location: number;
}

/**
 * The keysym of a key, or null where the event names none: then the text comes from the input method, if at all.
 * A dead key is null too, because the browser composes it with the key that follows and reports the result.
 */
export function keysymOf({ key, code, location }: KeyIdentity): number | null {
  if (key === "Dead" || key === "Process") return null;
  if (isOneCharacter(key)) {
    if (location === 3 || code.startsWith("Numpad")) {
      const keypad = key >= "0" && key <= "9" ? 0xffb0 + Number(key) : KEYPAD[key];
      if (keypad !== undefined) return keypad;
    }
    return keysymOfCharacter(key);
  }
  const functionKey = /^F([1-9]|[12][0-9]|3[0-5])$/.exec(key);
  if (functionKey) return 0xffbd + Number(functionKey[1]);
  const named = Object.hasOwn(NAMED, key) ? NAMED[key] : undefined;
  if (typeof named === "number") return named;
  if (named) return named[location] ?? named[0];
  return Object.hasOwn(BY_CODE, code) ? (BY_CODE[code] ?? null) : null;
}

/** The part of KeyboardEvent that makes a shortcut. */
export interface Chord extends KeyIdentity {
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
}

/**
 * The keysym of a key in a shortcut, null where that is the key's own. With another script's layout (Ctrl and с) it is the
 * Latin letter of the key, which is what programs name their shortcuts by. `composed`: Option made the character (a Mac's).
 */
export function shortcutKeysym({ key, code, ctrlKey, altKey, metaKey, shiftKey }: Chord, composed: boolean): number | null {
  if (!(ctrlKey || metaKey || (altKey && !composed)) || !isOneCharacter(key)) return null;
  if (!(composed && altKey) && key.codePointAt(0)! < BEYOND_LATIN) return null;
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  if (letter) return keysymOfCharacter(shiftKey ? letter : letter.toLowerCase());
  const digit = /^Digit([0-9])$/.exec(code)?.[1];
  const named = digit ?? (Object.hasOwn(PUNCTUATION, code) ? PUNCTUATION[code] : undefined);
  return named === undefined ? null : keysymOfCharacter(named);
}

/** The keysym that types one character: Latin-1 as it is, combining accents as dead keys, the rest as Unicode keysyms. */
export function keysymOfCharacter(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  if (point === 0x0a || point === 0x0d) return KEYSYM.Return;
  if (point === 0x09) return KEYSYM.Tab;
  if (point === 0x08) return KEYSYM.BackSpace;
  if ((point >= 0x20 && point <= 0x7e) || (point >= 0xa0 && point <= 0xff)) return point;
  if (point >= 0x300 && point <= 0x36f) return DEAD[character] ?? 0x01000000 + point;
  return 0x01000000 + point;
}

function isOneCharacter(key: string): boolean {
  return key.length === 1 || (key.length === 2 && key.codePointAt(0)! > 0xffff);
}
