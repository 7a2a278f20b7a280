import { expect, test } from "vitest";
import { keysymOf, keysymOfCharacter, shortcutKeysym } from "../src/keysym";

const of = (key: string, code = "", location = 0) => keysymOf({ key, code, location });

test.each([
  ["a", "KeyA", 0, 0x61],
  ["A", "KeyA", 0, 0x41],
  [" ", "Space", 0, 0x20],
  ["é", "Digit2", 0, 0xe9],
  ["ÿ", "", 0, 0xff],
  ["€", "KeyE", 0, 0x010020ac],
  ["я", "KeyZ", 0, 0x0100044f],
  ["😀", "", 0, 0x0101f600],
  ["Enter", "Enter", 0, 0xff0d],
  ["Enter", "NumpadEnter", 3, 0xff8d],
  ["5", "Numpad5", 3, 0xffb5],
  ["5", "Digit5", 0, 0x35],
  [".", "NumpadDecimal", 3, 0xffae],
  [",", "NumpadDecimal", 3, 0xffac],
  ["/", "NumpadDivide", 3, 0xffaf],
  ["Home", "Numpad7", 3, 0xff95],
  ["Home", "Home", 0, 0xff50],
  ["Clear", "Numpad5", 3, 0xff9d],
  ["Delete", "NumpadDecimal", 3, 0xff9f],
  ["Delete", "Delete", 0, 0xffff],
  ["F1", "F1", 0, 0xffbe],
  ["F12", "F12", 0, 0xffc9],
  ["F35", "", 0, 0xffe0],
  ["Shift", "ShiftLeft", 1, 0xffe1],
  ["Shift", "ShiftRight", 2, 0xffe2],
  ["Control", "ControlRight", 2, 0xffe4],
  ["Alt", "AltLeft", 1, 0xffe9],
  ["AltGraph", "AltRight", 2, 0xfe03],
  ["Meta", "MetaLeft", 1, 0xffeb],
  ["Meta", "MetaRight", 2, 0xffec],
  ["ContextMenu", "ContextMenu", 0, 0xff67],
  ["AudioVolumeUp", "AudioVolumeUp", 0, 0x1008ff13],
  ["Unidentified", "MetaRight", 0, 0xffec],
  ["\u0301", "", 0, 0xfe51],
])("%s (%s, location %i)", (key, code, location, keysym) => expect(of(key, code, location)).toBe(keysym));

test.each(["Dead", "Process", "Unidentified", "F36", "F0", "constructor", ""])("%s names no keysym", (key) =>
  expect(of(key)).toBeNull(),
);

test("control characters of composed text are keys", () => {
  expect(keysymOfCharacter("\n")).toBe(0xff0d);
  expect(keysymOfCharacter("\t")).toBe(0xff09);
});

const chord = { key: "с", code: "KeyC", location: 0, ctrlKey: true, altKey: false, metaKey: false, shiftKey: false };

test.each([
  [{}, 0x63],
  [{ key: "С", shiftKey: true }, 0x43],
  [{ key: "ж", code: "Semicolon" }, 0x3b],
  [{ ctrlKey: false, altKey: true }, 0x63],
  [{ ctrlKey: false }, null],
  [{ key: "é", code: "Digit2" }, null],
  [{ key: "c" }, null],
  [{ key: "ArrowLeft", code: "ArrowLeft" }, null],
])("a shortcut %o", (more, keysym) => expect(shortcutKeysym({ ...chord, ...more }, false)).toBe(keysym));

test("a Mac's Option is no shortcut by itself", () => {
  const option = { ...chord, key: "å", code: "KeyA", altKey: true };
  expect(shortcutKeysym({ ...option, ctrlKey: false }, true)).toBeNull();
  expect(shortcutKeysym(option, true)).toBe(0x61);
});
