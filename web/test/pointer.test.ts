import { expect, test } from "vitest";
import { cursorStyle } from "../src/cursor";
import { fit, toStream, viewDpi, viewSize } from "../src/geometry";
import { buttonMask } from "../src/mouse";
import { WheelAxis } from "../src/wheel";

const box = { left: 0, top: 0, width: 1000, height: 500 };

test("the picture is centred with its aspect ratio kept", () => {
  expect(fit(box, { width: 500, height: 500 })).toEqual({ left: 250, top: 0, width: 500, height: 500 });
  expect(fit({ ...box, left: 10, top: 20 }, { width: 2000, height: 500 })).toEqual({ left: 10, top: 145, width: 1000, height: 250 });
});

test("points map to stream pixels; beside the picture they belong to its edge", () => {
  const stream = { width: 500, height: 500 };
  expect(toStream(250, 0, box, stream)).toEqual({ x: 0, y: 0 });
  expect(toStream(749.9, 499.9, box, stream)).toEqual({ x: 499, y: 499 });
  expect(toStream(500, 250, box, stream)).toEqual({ x: 250, y: 250 });
  expect(toStream(0, 900, box, stream)).toEqual({ x: 0, y: 499 });
  expect(toStream(10, 10, box, { width: 2000, height: 1000 })).toEqual({ x: 20, y: 20 });
});

test("the size asked for is even, in device pixels, and bounded", () => {
  expect(viewSize({ width: 801, height: 601 }, 1)).toEqual({ width: 800, height: 600 });
  expect(viewSize({ width: 640.5, height: 360 }, 2)).toEqual({ width: 1280, height: 720 });
  expect(viewSize({ width: 1066.67, height: 600 }, 1.5)).toEqual({ width: 1600, height: 900 });
  expect(viewSize({ width: 0, height: 99999 }, 1)).toEqual({ width: 64, height: 4320 });
});

test("the DPI follows the pixel ratio in steps", () => {
  expect([0.5, 1, 1.25, 1.5, 2, 4].map(viewDpi)).toEqual([96, 96, 120, 144, 192, 288]);
});

test("buttons: the wire has middle before right", () => {
  expect([1, 2, 4, 8, 16, 31].map(buttonMask)).toEqual([1, 4, 2, 8, 16, 31]);
});

const pixels = (delta: number) => ({ delta, mode: 0, legacy: 0 });

test("small wheel steps collect to notches", () => {
  const axis = new WheelAxis();
  expect([40, 40, 40, 40, 40].map((delta) => axis.add(pixels(delta)))).toEqual([0, 0, 1, 0, 1]);
});

test("a turn of direction forgets the rest", () => {
  const axis = new WheelAxis();
  expect([90, -20, -90].map((delta) => axis.add(pixels(delta)))).toEqual([0, 0, -1]);
});

test("a notched wheel gives its notches whatever pixels the browser makes of them", () => {
  const axis = new WheelAxis();
  expect([1, 2, 3].map(() => axis.add({ delta: 53, mode: 0, legacy: -120 }))).toEqual([1, 1, 1]);
  expect(axis.add({ delta: -106, mode: 0, legacy: 240 })).toBe(-2);
});

test("a touchpad is no notched wheel, even where its legacy delta looks so", () => {
  expect(new WheelAxis().add({ delta: 40, mode: 0, legacy: -120 })).toBe(0);
});

test("lines and pages", () => {
  expect(new WheelAxis().add({ delta: 3, mode: 1, legacy: 0 })).toBe(1);
  expect(new WheelAxis().add({ delta: -1, mode: 2, legacy: 0 })).toBe(-1);
});

test("absurd wheel steps are limited", () => {
  expect(new WheelAxis().add(pixels(1e9))).toBe(64);
  expect(new WheelAxis().add(pixels(Number.NaN))).toBe(0);
});

test("cursors become CSS, hidden and oversized ones included", () => {
  const shape = { png: "iVBO", width: 24, height: 24, hotX: 4, hotY: 6 };
  expect(cursorStyle(shape, 1)).toBe('url("data:image/png;base64,iVBO") 4 6, default');
  expect(cursorStyle(shape, 2)).toBe('image-set(url("data:image/png;base64,iVBO") 2x) 2 3, default');
  expect(cursorStyle({ ...shape, png: "" }, 1)).toBe("none");
  expect(cursorStyle({ ...shape, width: 256 }, 1)).toBe("default");
});
