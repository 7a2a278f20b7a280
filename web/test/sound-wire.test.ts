import { describe, expect, test } from "vitest";
import { gatesOf, isSound, opusHead, SoundReader } from "../src/sound-wire";
import type { Setting } from "../src/wire";

const packet = (n: number) => new Uint8Array(10 + (n % 5)).fill(n);
const STEP = 960;

/** A message with the packet `n` and the `older` before it. */
function message(n: number, older: number, { ends = false, base = 0 } = {}): ArrayBuffer {
  const flags = older | (ends ? 0x80 : 0);
  if (older === 0) return new Uint8Array([1, flags, ...packet(n)]).buffer;
  const time = (base + n * STEP) >>> 0;
  const bytes = [1, flags, time >>> 24, (time >> 16) & 255, (time >> 8) & 255, time & 255];
  for (let k = older; k > 0; k -= 1) {
    const field = ((k * STEP) << 10) | packet(n - k).length;
    bytes.push(0x80 | 111, (field >> 16) & 255, (field >> 8) & 255, field & 255);
  }
  bytes.push(111);
  for (let k = older; k >= 0; k -= 1) bytes.push(...packet(n - k));
  return new Uint8Array(bytes).buffer;
}

const numbers = (reader: SoundReader, sent: ArrayBuffer) => reader.read(sent)?.packets.map((heard) => heard[0]);

test("a message alone is its packet", () => {
  expect(isSound(message(5, 0))).toBe(true);
  expect(isSound(new Uint8Array([3, 0, 0, 0]).buffer)).toBe(false);
  expect(isSound(new ArrayBuffer(1))).toBe(false);
  const heard = new SoundReader().read(message(5, 0));
  expect(heard).toEqual({ packets: [packet(5)], ends: false });
});

describe("with older packets", () => {
  test("each is heard once, in order, whatever gets lost within reach", () => {
    for (const base of [0, 2 ** 32 - 20 * STEP]) {
      const reader = new SoundReader();
      const heard: (number | undefined)[] = [];
      for (let n = 2; n < 60; n += 1) {
        // Two of three are lost.
        if (n === 2 || n % 3 === 0) heard.push(...numbers(reader, message(n, 2, { base }))!);
      }
      expect(heard).toEqual(Array.from({ length: heard.length }, (_, i) => i + 2));
      expect(heard.length).toBeGreaterThan(50);
    }
  });

  test("the first message gives its own packet only", () => {
    expect(numbers(new SoundReader(), message(9, 2))).toEqual([9]);
  });

  test("a server that was started anew is heard", () => {
    const reader = new SoundReader();
    expect(numbers(reader, message(10_000 % 256, 2, { base: 9_000_000 }))).toBeDefined();
    expect(numbers(reader, message(10, 2))).toEqual([10]);
    expect(numbers(reader, message(11, 2))).toEqual([11]);
  });

  test("lengths that do not fit are refused, and the next message is heard", () => {
    const reader = new SoundReader();
    const whole = new Uint8Array(message(10, 4));
    for (let length = 2; length < 6 + 17 + 4 * 10; length += 1) {
      const cut = whole.slice(0, length).buffer;
      expect(reader.read(cut), `${length} bytes`).toBeNull();
    }
    expect(numbers(reader, message(11, 2))).toEqual([11]);
    expect(reader.read(new Uint8Array([1, 0x7f, ...new Uint8Array(2000)]).buffer)).toBeNull();
  });
});

test("the end of a sound is told, with a packet or alone", () => {
  const reader = new SoundReader();
  expect(reader.read(message(3, 0, { ends: true }))).toEqual({ packets: [packet(3)], ends: true });
  expect(reader.read(message(3, 2, { ends: true }))?.ends).toBe(true);
  expect(reader.read(new Uint8Array([1, 0x80]).buffer)).toEqual({ packets: [], ends: true });
});

test("settings that are not there are switched off", () => {
  const settings = (entries: Record<string, Setting>) => new Map(Object.entries(entries));
  expect(gatesOf(settings({}))).toEqual({ sound: false, microphone: false, panel: true, channels: 2 });
  const given = settings({
    audio_enabled: { value: true },
    microphone_enabled: { value: true },
    ui_sidebar_show_audio_settings: { value: false },
    audio_channels: { value: 6 },
  });
  expect(gatesOf(given)).toEqual({ sound: true, microphone: true, panel: false, channels: 6 });
  expect(gatesOf(settings({ audio_channels: { value: 77 } })).channels).toBe(2);
});

test("surround has a head that names its streams", () => {
  expect(opusHead(2)).toBeNull();
  const head = opusHead(6)!;
  expect(new TextDecoder().decode(head.slice(0, 8))).toBe("OpusHead");
  expect([...head.slice(8, 10), ...head.slice(18)]).toEqual([1, 6, 1, 4, 2, 0, 4, 1, 2, 3, 5]);
  expect(new DataView(head.buffer).getUint32(12, true)).toBe(48_000);
});
