import { beforeEach, expect, test } from "vitest";
import { SETTLE, type Stripe, StripeBoard } from "../src/stripes";

let released: string[];
let board: StripeBoard<string, string>;

beforeEach(() => {
  released = [];
  board = new StripeBoard((picture) => released.push(picture), 8);
});

const at = (y: number, height = 64, last = false) => ({ y, height, last });
const add = (frame: number, y: number, now = 0) => board.add(frame, at(y), `${frame}/${y}`, now);
/** Long after everything arrived, so that no frame waits for more stripes. */
const take = () => board.take(1000);
const start = () => board.next()!;
const finish = (...stripes: Stripe<string>[]) => stripes.forEach((stripe) => board.decoded(stripe, stripe.source, 20));

test("a frame is drawn in one go when all that arrived of it is decoded", () => {
  add(1, 0, 10);
  add(1, 64, 12);
  const [top, bottom] = [start(), start()];
  finish(bottom);
  expect(take()).toBeNull();
  finish(top);
  expect(take()).toEqual({
    pictures: [
      { y: 0, picture: "1/0" },
      { y: 64, picture: "1/64" },
    ],
    done: { frame: 1, arrived: 12, decoded: 20 },
    frames: 1,
  });
  expect(take()).toBeNull();
});

test("the frame behind the one being decoded does not replace its stripes", () => {
  add(1, 0);
  add(1, 64);
  const top = start();
  add(2, 64);
  expect(board.superseded).toBe(0);
  const bottom = start();
  expect(bottom.source).toBe("1/64");
  finish(top, bottom);
  expect(take()).toMatchObject({ done: { frame: 1 }, pictures: [{ picture: "1/0" }, { picture: "1/64" }] });
  finish(start());
  expect(take()).toMatchObject({ done: { frame: 2 }, pictures: [{ picture: "2/64" }] });
});

test("of more than two frames, undecoded stripes are replaced; their frames wait for them no longer, nor are they acknowledged", () => {
  add(1, 0);
  add(1, 64);
  const top = start();
  add(2, 64);
  add(3, 64);
  expect(board.superseded).toBe(2);
  finish(top);
  expect(take()).toMatchObject({ done: null, pictures: [{ picture: "1/0" }] });
  const newer = start();
  expect(newer.source).toBe("3/64");
  expect(board.next()).toBeNull();
  finish(newer);
  expect(take()).toMatchObject({ done: { frame: 3 }, pictures: [{ picture: "3/64" }] });
});

test("a stripe that is being decoded is drawn, even when a newer one has come", () => {
  add(1, 0);
  const older = start();
  add(2, 0);
  finish(older);
  expect(take()).toMatchObject({ done: { frame: 1 }, pictures: [{ picture: "1/0" }] });
  expect(board.superseded).toBe(0);
});

test("a newer stripe takes the older one's turn, so that no place starves", () => {
  for (const y of [0, 64, 128]) add(1, y);
  start();
  add(2, 0);
  for (const y of [0, 64, 128]) add(3, y);
  expect([start(), start(), start()].map(({ source }) => source)).toEqual(["3/64", "3/128", "3/0"]);
});

test("frames are drawn and acknowledged in order, whichever is decoded first", () => {
  add(1, 0);
  const first = start();
  add(2, 64);
  const second = start();
  finish(second);
  expect(take()).toBeNull();
  finish(first);
  expect(take()).toMatchObject({ done: { frame: 2 }, frames: 2, pictures: [{ picture: "1/0" }, { picture: "2/64" }] });
});

test("a frame that was dropped whole is acknowledged by the one that replaced it", () => {
  add(1, 0);
  add(2, 64);
  add(3, 0);
  const [newest, other] = [start(), start()];
  expect([newest.source, other.source]).toEqual(["3/0", "2/64"]);
  finish(newest, other);
  expect(take()).toMatchObject({ done: { frame: 3 }, frames: 2 });
});

test("a frame that cannot be decoded is acknowledged all the same, or the server would wait for ever", () => {
  add(1, 0);
  board.decoded(start(), null, 7);
  expect(take()).toEqual({ pictures: [], done: { frame: 1, arrived: 0, decoded: 7 }, frames: 0 });
});

test("a late stripe of a drawn frame is drawn and acknowledged again", () => {
  add(5, 0);
  finish(start());
  expect(take()).toMatchObject({ done: { frame: 5 } });
  add(5, 64, 3);
  finish(start());
  expect(take()).toMatchObject({ done: { frame: 5, arrived: 3 }, pictures: [{ y: 64 }] });
});

test("a frame without a marked end waits for more stripes a moment only", () => {
  add(1, 0, 100);
  expect(board.due(100)).toBeNull(); // decoding is not a matter of time
  finish(start());
  expect(board.take(101)).toBeNull();
  expect(board.due(101)).toBe(SETTLE - 1);
  add(1, 64, 102);
  finish(start());
  expect(board.take(100 + SETTLE)).toBeNull();
  expect(board.take(102 + SETTLE)).toMatchObject({ pictures: [{ y: 0 }, { y: 64 }] });
  expect(board.due(200)).toBeNull();
});

test("a marked end or the next frame ends the wait", () => {
  board.add(1, at(0, 64, true), "1/0", 100);
  finish(start());
  expect(board.take(100)).toMatchObject({ done: { frame: 1 } });
  add(2, 0, 100);
  finish(start());
  expect(board.take(100)).toBeNull();
  add(3, 64, 101);
  expect(board.take(101)).toMatchObject({ done: { frame: 2 } });
});

test("ids wrap without being taken for older ones", () => {
  add(65535, 0);
  const last = start();
  add(0, 64);
  finish(last, start());
  expect(take()).toMatchObject({ done: { frame: 0 }, frames: 2 });
});

test("a lower stripe of another height does not replace a taller one", () => {
  board.add(1, at(0, 128), "tall", 0);
  board.add(2, at(0), "flat", 0);
  expect([start().source, start().source]).toEqual(["tall", "flat"]);
});

test("stripes that others depend on are never replaced", () => {
  const first = board.addStarted(1, at(0), "delta 1", 0)!;
  const second = board.addStarted(2, at(0), "delta 2", 0)!;
  finish(first, second);
  expect(take()).toMatchObject({ done: { frame: 2 }, pictures: [{ picture: "delta 1" }, { picture: "delta 2" }] });
});

test("a reset releases pictures, also those that come after it", () => {
  add(1, 0);
  add(1, 64);
  const [done, running] = [start(), start()];
  finish(done);
  board.reset();
  finish(running);
  expect(released).toEqual(["1/0", "1/64"]);
  expect(take()).toBeNull();
  expect(board.next()).toBeNull();
});

test("a server that ignores acknowledgements cannot fill the memory", () => {
  for (let frame = 0; frame < 100; frame += 1) add(frame, frame * 64);
  let stripes = 0;
  while (board.next()) stripes += 1;
  expect(stripes).toBe(8);
});
