import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backoffDelay, Connection } from "../src/connection";
import { FakeSocket } from "./fake-socket";

let sockets: FakeSocket[];
let log: string[];
let connection: Connection;
const newest = () => sockets.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  log = [];
  connection = new Connection(
    "ws://host/",
    {
      state: (state, detail) => log.push(detail === "" ? state : `${state}: ${detail}`),
      opened: () => log.push("opened"),
      text: (text) => log.push(`text ${text}`),
      binary: (message) => log.push(`binary ${message.byteLength}`),
    },
    (url) => {
      const socket = new FakeSocket(url);
      sockets.push(socket);
      return socket;
    },
    () => 1,
  );
  connection.start();
});

afterEach(() => vi.useRealTimers());

test("pauses double up to ten seconds, the upper half at random", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 99].map((attempt) => backoffDelay(attempt, 1))).toEqual([
    500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000,
  ]);
  expect(backoffDelay(2, 0)).toBe(1000);
  expect(backoffDelay(2, 0.5)).toBe(1500);
});

test("connected from the first message on, and only then is anything sent", () => {
  expect(connection.send("early")).toBe(false);
  newest().accept();
  newest().say("MODE websockets");
  newest().say(new ArrayBuffer(3));
  expect(connection.send("kd,97")).toBe(true);
  expect(newest().sent).toEqual(["kd,97"]);
  expect(newest().binaryType).toBe("arraybuffer");
  expect(log).toEqual(["connecting", "opened", "connected", "text MODE websockets", "binary 3"]);
});

test("a lost connection comes back, later each time until the server talks", () => {
  newest().lose();
  vi.advanceTimersByTime(499);
  expect(sockets.length).toBe(1);
  vi.advanceTimersByTime(1);
  expect(sockets.length).toBe(2);
  newest().accept(); // a server that accepts and closes at once does not reset the back-off
  newest().lose(1011);
  expect(log.at(-1)).toBe("reconnecting: Next attempt in 1.0 s");
  vi.advanceTimersByTime(1000);
  newest().accept();
  newest().say("MODE websockets");
  newest().lose();
  expect(log.at(-1)).toBe("reconnecting: Next attempt in 0.5 s");
});

test("after an end nothing is tried again", () => {
  newest().accept();
  connection.end("ended", "Superseded");
  newest().lose(1000);
  vi.advanceTimersByTime(60_000);
  expect(sockets.length).toBe(1);
  expect(newest().closed).toBe(true);
  expect(log.at(-1)).toBe("ended: Superseded");
});

test("an end during a pause cancels the attempt", () => {
  newest().lose();
  connection.end("ended", "");
  vi.advanceTimersByTime(60_000);
  expect(sockets.length).toBe(1);
});

test.each([
  [4001, "Invalid authentication token", "error: Invalid authentication token"],
  [1008, "", "error: The server refused this page."],
])("close code %i is final", (code, reason, shown) => {
  newest().lose(code, reason);
  vi.advanceTimersByTime(60_000);
  expect(sockets.length).toBe(1);
  expect(log.at(-1)).toBe(shown);
});
