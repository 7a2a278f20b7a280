import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Keyboard } from "../src/keyboard";
import { MacKeys } from "../src/mac";

let sent: string[];
let field: FakeField;
let page: EventTarget & { hidden: boolean };
let stop: (() => void) | undefined;

class FakeField extends EventTarget {
  value = "";
  inputMode = "none";
  focused = 0;
  focus() {
    this.focused += 1;
  }
  blur() {}
  setSelectionRange() {}
}

const KEYS = { a: "KeyA", A: "KeyA", v: "KeyV", c: "KeyC", с: "KeyC", å: "KeyA", "/": "Slash", Tab: "Tab" } as const;
const PLACES = { Meta: 1, Control: 1, Alt: 1, Shift: 1 } as const;

function press(type: "keydown" | "keyup", key: string, more: object = {}): Event {
  const code = KEYS[key as keyof typeof KEYS] ?? (key in PLACES ? `${key}Left` : key);
  const held = { ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, repeat: false, isComposing: false, keyCode: 0 };
  const event = Object.assign(new Event(type, { cancelable: true }), {
    ...held,
    key,
    code,
    location: PLACES[key as keyof typeof PLACES] ?? 0,
    getModifierState: () => false,
    ...more,
  });
  window.dispatchEvent(event);
  return event;
}

const down = (key: string, more = {}) => press("keydown", key, more);
const up = (key: string, more = {}) => press("keyup", key, more);

/** What was sent since the last look, without heartbeats. */
function news(): string[] {
  return sent.splice(0).filter((text) => !text.startsWith("kh,"));
}

function keyboard(mac: boolean | null = null): Keyboard {
  const keys = mac === null ? null : new MacKeys(() => mac);
  const made = new Keyboard(field as unknown as HTMLTextAreaElement, {}, () => true, () => false, (text) => sent.push(text), () => null, keys);
  stop = () => made.releaseAll();
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  field = new FakeField();
  page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", page);
});

afterEach(() => {
  stop?.();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("keys go down and up, and are named while they are held", () => {
  keyboard();
  expect(down("a").defaultPrevented).toBe(true);
  vi.advanceTimersByTime(250);
  expect(sent).toEqual(["kd,97", "kh,97", "kh,97"]);
  up("a");
  vi.advanceTimersByTime(250);
  expect(sent.slice(3)).toEqual(["ku,97"]);
});

test("a held key is repeated as what it went down as, other keys are the server's to repeat", () => {
  keyboard();
  down("a");
  down("A", { repeat: true, shiftKey: true });
  down("Tab");
  down("Tab", { repeat: true });
  up("A");
  expect(news()).toEqual(["kd,97", "kd,97", "kd,65289", "ku,97"]);
});

test.each([
  ["the window loses the focus", () => window.dispatchEvent(new Event("blur"))],
  ["the page is hidden", () => ((page.hidden = true), page.dispatchEvent(new Event("visibilitychange")))],
])("everything is released when %s", (_, leave) => {
  keyboard();
  down("Shift");
  down("a");
  news();
  leave();
  vi.advanceTimersByTime(500);
  expect(sent).toEqual(["kr"]);
  up("a");
  expect(sent).toEqual(["kr"]);
});

test("shortcuts of another script's layout are the Latin ones", () => {
  keyboard();
  down("Control", { ctrlKey: true });
  down("с", { ctrlKey: true });
  up("с", { ctrlKey: true });
  up("Control");
  down("с");
  up("с");
  expect(news()).toEqual(["kd,65507", "kd,99", "ku,99", "ku,65507", "kd,16778305", "ku,16778305"]);
});

test("composed text is typed, a single character as a key", () => {
  keyboard();
  const compose = (data: string) => field.dispatchEvent(Object.assign(new Event("compositionend"), { data }));
  expect(down("Process", { keyCode: 229 }).defaultPrevented).toBe(false);
  field.value = "にほん";
  compose("日本, 語");
  expect(field.value).toBe("");
  compose("ê");
  compose("");
  expect(news()).toEqual(["co,end,日本, 語", "kd,234", "ku,234"]);
});

test("an on-screen keyboard stays until it is put away, and has something to delete", () => {
  const keys = keyboard();
  const input = (inputType: string, data: string | null = null) =>
    field.dispatchEvent(Object.assign(new Event("input"), { inputType, data, isComposing: false }));
  keys.focus();
  expect([field.inputMode, field.value, keys.onScreen]).toEqual(["none", "", false]);
  keys.focus(true);
  keys.focus();
  expect([field.inputMode, field.value, keys.onScreen]).toEqual(["text", " ", true]);
  field.value = "";
  input("deleteContentBackward");
  expect(field.value).toBe(" ");
  input("insertText", "hi");
  input("insertLineBreak");
  expect(news()).toEqual(["kd,65288", "ku,65288", "co,end,hi", "kd,65293", "ku,65293"]);
  keys.focus(false);
  expect([field.inputMode, field.value]).toEqual(["none", ""]);
});

test("a Mac's Cmd is Ctrl, and keys with it are released at once", () => {
  keyboard(true);
  down("Meta", { metaKey: true });
  down("c", { metaKey: true });
  down("c", { metaKey: true, repeat: true });
  // macOS tells of no release of C.
  up("Meta");
  expect(news()).toEqual(["kd,65507", "kd,99", "ku,99", "kd,99", "ku,99", "ku,65507"]);
});

test("a Mac's Cmd is Super where the user wants that", () => {
  keyboard(false);
  down("Meta", { metaKey: true });
  down("c", { metaKey: true });
  up("Meta");
  expect(news()).toEqual(["kd,65515", "kd,99", "ku,99", "ku,65515"]);
});

test("a Mac's Option makes characters here, and is Alt for other keys and for the pointer", () => {
  const keys = keyboard(true);
  down("Alt", { altKey: true });
  down("å", { altKey: true });
  up("å", { altKey: true });
  up("Alt");
  expect(news()).toEqual(["kd,229", "ku,229"]);
  down("Alt", { altKey: true });
  down("Tab", { altKey: true });
  up("Tab", { altKey: true });
  up("Alt");
  expect(news()).toEqual(["kd,65513", "kd,65289", "ku,65289", "ku,65513"]);
  down("Alt", { altKey: true });
  keys.settle();
  up("Alt");
  expect(news()).toEqual(["kd,65513", "ku,65513"]);
  // With Ctrl it is a shortcut of the key, not of what Option makes of it.
  down("Alt", { altKey: true });
  down("å", { altKey: true, ctrlKey: true });
  expect(news()).toEqual(["kd,65513", "kd,97"]);
});

test("a Mac's Caps Lock goes down or up with its light", () => {
  keyboard(true);
  down("CapsLock");
  up("CapsLock");
  expect(news()).toEqual(["kd,65509", "ku,65509", "kd,65509", "ku,65509"]);
});
