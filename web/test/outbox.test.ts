import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MAX_WAITING, Outbox, PATIENCE } from "../src/outbox";

let sent: string[];
let line: { waits: number; open: boolean; backlog(): number; send(text: string): boolean };
let outbox: Outbox;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  line = {
    waits: 0,
    open: true,
    backlog() {
      return this.waits;
    },
    send(text) {
      if (this.open) sent.push(text);
      return this.open;
    },
  };
  outbox = new Outbox(line, () => Date.now());
});
afterEach(() => vi.useRealTimers());

/** The socket takes what waits, and time passes until that is noticed. */
function take(ms = 50): void {
  line.waits = 0;
  vi.advanceTimersByTime(ms);
}

test("keys come after a content, all else overtakes it", () => {
  outbox.send("kd,65507");
  line.waits = MAX_WAITING;
  outbox.give(["part 1", "part 2"].values());
  for (const text of ["kd,118", "m,1,2,0,0", "ku,118", "ku,65507", "co,end,x", "kr"]) outbox.send(text);
  expect(sent).toEqual(["kd,65507", "m,1,2,0,0"]);
  take();
  expect(sent.slice(2)).toEqual(["part 1", "part 2", "kd,118", "ku,118", "ku,65507", "co,end,x", "kr"]);
  outbox.send("kd,97");
  expect(sent.at(-1)).toBe("kd,97");
});

test("a part goes when little waits", () => {
  const parts = Array.from({ length: 5 }, (_, at) => `part ${at}`);
  line.send = function (text) {
    sent.push(text);
    this.waits += MAX_WAITING;
    return true;
  };
  outbox.give(parts.values());
  for (let count = 1; count <= 5; count += 1) {
    vi.advanceTimersByTime(100);
    expect(sent).toEqual(parts.slice(0, count));
    take(6);
  }
  expect(vi.getTimerCount()).toBe(0);
});

test("what is held stays held while keys wait", () => {
  outbox.send("kd,65507");
  line.waits = MAX_WAITING;
  outbox.give(["content"].values());
  outbox.send("kd,118");
  outbox.send("ku,118");
  outbox.send("ku,65507");
  vi.advanceTimersByTime(2000);
  const beats = sent.slice(1);
  expect(beats.length).toBeGreaterThan(10);
  expect(new Set(beats)).toEqual(new Set(["kh,65507"]));
  take();
  expect(sent.slice(1 + beats.length)).toEqual(["content", "kd,118", "ku,118", "ku,65507"]);
});

test("nobody waits for ever to type, and contents keep their order", () => {
  line.waits = MAX_WAITING;
  outbox.give(["one"].values());
  outbox.send("kd,97");
  outbox.give(["two"].values());
  outbox.send("ku,97");
  vi.advanceTimersByTime(PATIENCE - 100);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(sent.filter((text) => !text.startsWith("kh"))).toEqual(["kd,97", "ku,97"]);
  take();
  expect(sent.slice(-2)).toEqual(["one", "two"]);
});

test("another connection begins with nothing", () => {
  line.waits = MAX_WAITING;
  outbox.give(["content"].values());
  outbox.send("kd,97");
  outbox.clear();
  take();
  expect(sent).toEqual([]);
  line.waits = MAX_WAITING;
  outbox.give(["lost"].values());
  outbox.send("kd,97");
  line.open = false;
  take();
  line.open = true;
  vi.advanceTimersByTime(1000);
  expect(sent).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
