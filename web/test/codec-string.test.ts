import { expect, test } from "vitest";
import { codecString } from "../src/codec-string";
import type { VideoCodec } from "../src/wire";
import { keyFrames } from "./key-frames";

const nameOf = (codec: VideoCodec, payload: Uint8Array, width = 96, height = 64) => codecString({ codec, payload, width, height });

// What the streams are is what GStreamer's parsers say of them.
test.each([
  ["h264", keyFrames.h264, "avc1.42d00b"],
  ["h264", keyFrames.h264High, "avc1.640014"],
  ["h264", keyFrames.h264Hd, "avc1.42c02a"],
  ["h265", keyFrames.h265, "hev1.1.6.L63.90"],
  ["h265", keyFrames.h265Ten, "hev1.2.4.L63.90"],
  ["h265", keyFrames.h265Full, "hev1.4.10.L63.9E.8"],
  ["vp8", keyFrames.vp8, "vp8"],
  ["vp9", keyFrames.vp9, "vp09.00.10.08"],
  ["vp9", keyFrames.vp9Full, "vp09.01.10.08.03.02.02.02.00"],
  ["vp9", keyFrames.vp9Ten, "vp09.02.10.10"],
  ["av1", keyFrames.av1, "av01.0.00M.08"],
  ["av1", keyFrames.av1Full, "av01.1.00M.08"],
] as const)("%s: %#", (codec, stream, name) => {
  expect(nameOf(codec, stream)).toBe(name);
});

test("the level of VP9 follows from the size, at 60 pictures a second", () => {
  expect(nameOf("vp9", keyFrames.vp9, 1280, 720)).toBe("vp09.00.40.08");
  expect(nameOf("vp9", keyFrames.vp9, 1920, 1080)).toBe("vp09.00.41.08");
  expect(nameOf("vp9", keyFrames.vp9, 3840, 2160)).toBe("vp09.00.51.08");
  expect(nameOf("vp9", keyFrames.vp9, 16384, 2048)).toBe("vp09.00.61.08");
});

test("AV1 with timing, a decoder model and two operating points", () => {
  // AV1 5.5.1, bit by bit: profile 0, timing info, decoder model with delays of 10 bits, level 5.1 in the high tier.
  const bits = [
    "000 0 0", // profile, not still, not reduced
    "1" + "0".repeat(64) + "1 011", // timing info, equal intervals of one
    "1 01001" + "0".repeat(32) + "00000 00000", // decoder model
    "0 00001", // no delays of display, two points
    "0".repeat(12) + "01101 1 1" + "0".repeat(21), // level index 13, high tier, with a model
    "0".repeat(12) + "00100 0", // level index 4
    "1010 1010" + "0".repeat(22), // size of 11 bits a side
    "0 000 0000 1 00 1 1 000", // no frame ids, tools, order hints
    "000 1 0", // filters; ten bits
    "0".repeat(16),
  ];
  const all = bits.join("").replaceAll(" ", "");
  const header = Uint8Array.from(all.match(/.{8}/g)!, (byte) => parseInt(byte, 2));
  const stream = Uint8Array.from([0x12, 0x00, 0x0a, header.length, ...header]);
  expect(nameOf("av1", stream)).toBe("av01.0.13H.10");
});

test.each(["h264", "h265", "vp9", "av1"] as const)("%s: no name where there is no header", (codec) => {
  for (let length = 0; length < 24; length += 1) {
    expect(nameOf(codec, new Uint8Array(length))).toBeNull();
    expect(nameOf(codec, new Uint8Array(length).fill(255))).toBeNull();
  }
});

test.each([
  ["h264", keyFrames.h264],
  ["h265", keyFrames.h265],
  ["vp9", keyFrames.vp9],
  ["av1", keyFrames.av1],
] as const)("%s: cut anywhere, it has its name or none", (codec, stream) => {
  const whole = nameOf(codec, stream);
  for (let length = 0; length < stream.length; length += 1) {
    expect([whole, null]).toContain(nameOf(codec, stream.subarray(0, length)));
  }
});
