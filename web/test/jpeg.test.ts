import { expect, test } from "vitest";
import { jpegSize } from "../src/jpeg";

const APP0 = [0xff, 0xe0, 0, 4, 1, 2];
const SOF0 = [0xff, 0xc0, 0, 11, 8, 0x01, 0x02, 0x03, 0x04, 1, 1, 0x11, 0];
const size = (...parts: number[][]) => jpegSize(new Uint8Array(parts.flat()));

test("the size stands in the frame header, after other segments and fill bytes", () => {
  expect(size([0xff, 0xd8], APP0, [0xff], SOF0)).toEqual({ width: 0x304, height: 0x102 });
});

test("a view into a larger buffer is read from its own start", () => {
  const whole = new Uint8Array([9, 9, 9, 0xff, 0xd8, ...SOF0]);
  expect(jpegSize(whole.subarray(3))).toEqual({ width: 0x304, height: 0x102 });
});

test.each([
  ["nothing", []],
  ["no JPEG", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
  ["a Huffman table instead of a frame", [0xff, 0xd8, 0xff, 0xc4, 0xff, 0xff, 0, 0, 0, 0, 0]],
  ["picture data without a frame", [0xff, 0xd8, 0xff, 0xda, 0, 4, 0, 0, 0, 0, 0, 0]],
  ["a cut frame header", [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 1]],
])("%s has no size", (_, bytes) => expect(size(bytes)).toBeNull());
