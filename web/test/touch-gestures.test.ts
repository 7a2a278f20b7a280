import { beforeEach, expect, test } from "vitest";
import { LONG_PRESS, TouchGestures } from "../src/touch-gestures";

let did: string[];
let touch: TouchGestures;

const target = {
  point: (x: number, y: number) => did.push(`to ${x},${y}`),
  nudge: (dx: number, dy: number) => did.push(`by ${dx},${dy}`),
  press: (button: string, down: boolean) => did.push(`${button} ${down ? "down" : "up"}`),
  scroll: (dx: number, dy: number) => did.push(`scroll ${dx + 0},${dy + 0}`),
  scrollEnd: () => did.push("end"),
};

beforeEach(() => {
  did = [];
  touch = new TouchGestures(target);
});

/** What was done since the last look. */
function news(): string[] {
  return did.splice(0);
}

test("a tap clicks where it was", () => {
  touch.down(1, 40, 50, 0);
  expect(news()).toEqual(["to 40,50"]);
  touch.move(1, 44, 53);
  touch.up(1, 80);
  expect(news()).toEqual(["left down", "left up"]);
  expect(touch.deadline()).toBeNull();
});

test("a finger that moves drags from where it came", () => {
  touch.down(1, 40, 50, 0);
  touch.move(1, 60, 50);
  touch.move(1, 70, 55);
  expect(news()).toEqual(["to 40,50", "left down", "to 60,50", "to 70,55"]);
  // Another finger does not end the drag.
  touch.down(2, 200, 200, 100);
  touch.move(2, 250, 250);
  touch.up(2, 150);
  expect(news()).toEqual([]);
  touch.up(1, 900);
  expect(news()).toEqual(["left up"]);
});

test("a finger that rests is the right button", () => {
  touch.down(1, 40, 50, 1000);
  expect(touch.deadline()).toBe(1000 + LONG_PRESS);
  touch.tick(1000 + LONG_PRESS - 1);
  expect(news()).toEqual(["to 40,50"]);
  touch.tick(1000 + LONG_PRESS);
  expect(news()).toEqual(["right down", "right up"]);
  touch.move(1, 90, 90);
  touch.up(1, 2000);
  expect(news()).toEqual([]);
});

test("two fingers scroll, and what is under them follows", () => {
  touch.down(1, 100, 100, 0);
  touch.down(2, 200, 100, 20);
  expect(touch.deadline()).toBeNull();
  touch.move(1, 100, 70);
  touch.move(2, 200, 70);
  expect(news()).toEqual(["to 100,100", "scroll 0,15", "scroll 0,15"]);
  // One of them leaving is no step.
  touch.up(1, 400);
  expect(news()).toEqual([]);
  touch.up(2, 420);
  expect(news()).toEqual(["end"]);
});

test("two fingers that tap are the right button, three the middle one", () => {
  touch.down(1, 100, 100, 0);
  touch.down(2, 200, 100, 20);
  touch.up(1, 100);
  touch.up(2, 110);
  expect(news()).toEqual(["to 100,100", "right down", "right up"]);
  [1, 2, 3].forEach((id) => touch.down(id, 100 * id, 100, 500));
  [3, 2, 1].forEach((id) => touch.up(id, 600));
  expect(news()).toEqual(["to 100,100", "middle down", "middle up"]);
  // Too long for a tap.
  touch.down(1, 100, 100, 1000);
  touch.down(2, 200, 100, 1020);
  touch.up(1, 2000);
  touch.up(2, 2000);
  expect(news()).toEqual(["to 100,100"]);
});

test("a trackpad moves the pointer from where it is", () => {
  touch.trackpad = true;
  touch.down(1, 40, 50, 0);
  touch.move(1, 60, 50);
  touch.move(1, 70, 40);
  touch.up(1, 200);
  expect(news()).toEqual(["by 30,0", "by 15,-15"]);
  touch.down(1, 10, 10, 1000);
  touch.up(1, 1080);
  expect(news()).toEqual(["left down", "left up"]);
});

test("on a trackpad a tap and a finger that comes back drags", () => {
  touch.trackpad = true;
  touch.down(1, 10, 10, 0);
  touch.up(1, 80);
  touch.down(1, 10, 10, 200);
  touch.move(1, 30, 10);
  touch.up(1, 500);
  expect(news()).toEqual(["left down", "left up", "left down", "by 30,0", "left up"]);
});

test("fingers that the browser takes leave nothing pressed", () => {
  touch.down(1, 40, 50, 0);
  touch.move(1, 80, 50);
  news();
  touch.cancel();
  expect(news()).toEqual(["left up"]);
  touch.up(1, 100);
  expect(news()).toEqual([]);
});
