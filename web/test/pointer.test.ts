import { expect, test } from "vitest";
import { cursorStyle } from "../src/cursor";
import { fit, shownRatio, toStream, viewDpi, viewSize } from "../src/geometry";
import { buttonMask } from "../src/mouse";
import { notchesOf } from "../src/wheel";
import { FINGER_NOTCH, scrollMessage } from "../src/wire";

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

test("the pointer is as large as the picture around it, and not resampled for a few pixels", () => {
  expect(shownRatio(box, { width: 2000, height: 1000 }, 2)).toBe(2);
  expect(shownRatio(box, { width: 1998, height: 998 }, 2)).toBe(2);
  expect(shownRatio(box, { width: 1000, height: 500 }, 2)).toBe(1);
  expect(shownRatio({ ...box, width: 0 }, { width: 1000, height: 500 }, 2)).toBe(2);
});

test("buttons: the wire has middle before right", () => {
  expect([1, 2, 4, 8, 16, 31].map(buttonMask)).toEqual([1, 4, 2, 8, 16, 31]);
  // A pen's eraser draws.
  expect(buttonMask(32)).toBe(1);
});

const pixels = (delta: number) => notchesOf({ delta, mode: 0, legacy: 0 });

test("pixels of a touchpad are parts of a notch", () => {
  expect([40, -25, 250].map(pixels)).toEqual([0.4, -0.25, 2.5]);
});

test("a notched wheel gives its notches whatever pixels the browser makes of them", () => {
  expect(notchesOf({ delta: 53, mode: 0, legacy: -120 })).toBe(1);
  expect(notchesOf({ delta: -106, mode: 0, legacy: 240 })).toBe(-2);
});

test("a touchpad is no notched wheel, even where its legacy delta looks so", () => {
  expect(notchesOf({ delta: 40, mode: 0, legacy: -120 })).toBe(0.4);
});

test("lines and pages", () => {
  expect(notchesOf({ delta: 3, mode: 1, legacy: 0 })).toBe(1);
  expect(notchesOf({ delta: -1, mode: 2, legacy: 0 })).toBe(-1);
});

test("absurd wheel steps are limited", () => {
  expect([1e9, -1e9, Number.NaN, 0].map(pixels)).toEqual([64, -64, 0, 0]);
});

test("parts of a notch are scrolled in the wire's pixels", () => {
  expect(scrollMessage(0.4 * FINGER_NOTCH, -0.001)).toBe("sf,6,0");
  expect(scrollMessage(-0.0004, 1e-7)).toBe("sf,0,0");
  expect(scrollMessage(1 / 3, -12.346)).toBe("sf,0.33,-12.35");
});

test("cursors become CSS, hidden and oversized ones included", () => {
  const shape = { png: "iVBO", width: 24, height: 24, hotX: 4, hotY: 6 };
  expect(cursorStyle(shape, 1)).toBe('url("data:image/png;base64,iVBO") 4 6, default');
  expect(cursorStyle(shape, 2)).toBe('image-set(url("data:image/png;base64,iVBO") 2x) 2 3, default');
  expect(cursorStyle({ ...shape, png: "" }, 1)).toBe("none");
  expect(cursorStyle({ ...shape, width: 256 }, 1)).toBe("default");
});
