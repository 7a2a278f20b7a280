// Keys that paste, with a window of which only the events are there.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Keyboard } from "../src/keyboard";

let listeners: Map<string, (event: unknown) => void>;
let sent: string[];

beforeEach(() => {
  vi.useFakeTimers();
  [listeners, sent] = [new Map(), []];
  const target = { addEventListener: (name: string, listener: (event: unknown) => void) => listeners.set(name, listener) };
  vi.stubGlobal("window", target);
  vi.stubGlobal("document", target);
  const taken = async () => void sent.push("content");
  new Keyboard(target as unknown as HTMLTextAreaElement, {}, () => true, () => false, (text) => sent.push(text), () => taken);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const happens = (name: string, event: object = {}) => listeners.get(name)!({ preventDefault() {}, stopPropagation() {}, ...event });
const v = (name: string) => happens(name, { key: "v", code: "KeyV", keyCode: 86, ctrlKey: true });
const keys = () => sent.filter((text) => !text.startsWith("kh"));

test("a key that pastes follows what is pasted, also on a busy machine", async () => {
  v("keydown");
  await vi.advanceTimersByTimeAsync(500);
  expect(keys()).toEqual([]);
  happens("paste", { clipboardData: null });
  await vi.advanceTimersByTimeAsync(0);
  expect(keys()).toEqual(["content", "kd,118"]);
});

test("where the browser tells nothing the next key waits less", async () => {
  v("keydown");
  await vi.advanceTimersByTimeAsync(700);
  v("keyup");
  expect(keys()).toEqual(["kd,118", "ku,118"]);
  v("keydown");
  await vi.advanceTimersByTimeAsync(200);
  expect(keys().length).toBe(3);
  v("keyup");
  // It tells after all.
  happens("paste", { clipboardData: null });
  await vi.advanceTimersByTimeAsync(0);
  v("keydown");
  await vi.advanceTimersByTimeAsync(500);
  expect(keys().length).toBe(5);
});
