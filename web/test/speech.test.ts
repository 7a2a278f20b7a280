import { expect, test } from "vitest";
import { SPEECH_FRAME, SPEECH_RATE, SpeechFramer } from "../src/speech";

/** The samples of all messages of a tone, given in pieces of 128. */
function spoken(rate: number, hertz: number, seconds = 1, channels = 1): { samples: number[]; messages: number } {
  const framer = new SpeechFramer(rate);
  const samples: number[] = [];
  let messages = 0;
  for (let at = 0; at < rate * seconds; at += 128) {
    const piece = Float32Array.from({ length: 128 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * (at + i)) / rate));
    for (const { message } of framer.take(Array<Float32Array>(channels).fill(piece))) {
      if (!message) continue;
      messages += 1;
      const view = new DataView(message);
      expect([message.byteLength, view.getUint8(0)]).toEqual([1 + 2 * SPEECH_FRAME, 2]);
      for (let i = 0; i < SPEECH_FRAME; i += 1) samples.push(view.getInt16(1 + 2 * i, true) / 32768);
    }
  }
  return { samples, messages };
}

/** How strong one frequency is, 1 for a full sine. */
function strength(samples: readonly number[], hertz: number): number {
  let [sin, cos] = [0, 0];
  samples.forEach((sample, i) => {
    sin += sample * Math.sin((2 * Math.PI * hertz * i) / SPEECH_RATE);
    cos += sample * Math.cos((2 * Math.PI * hertz * i) / SPEECH_RATE);
  });
  return (2 * Math.hypot(sin, cos)) / samples.length;
}

test("a tone comes out as it went in, whatever the microphone's rate", () => {
  for (const rate of [24_000, 44_100, 48_000, 96_000]) {
    const { samples, messages } = spoken(rate, 1000);
    expect(messages, `${rate}`).toBeGreaterThanOrEqual(48);
    expect(messages).toBeLessThanOrEqual(51);
    const whole = samples.slice(SPEECH_FRAME, SPEECH_FRAME + SPEECH_RATE / 2);
    expect(strength(whole, 1000), `${rate}`).toBeCloseTo(0.5, 1);
  }
});

test("what the wire cannot carry does not come back as another tone", () => {
  // 20 kHz would be 4 kHz.
  const { samples } = spoken(48_000, 20_000);
  expect(strength(samples, 4000)).toBeLessThan(0.01);
});

test("silence is not sent, and its level is nothing", () => {
  const framer = new SpeechFramer(48_000);
  const frames = framer.take([new Float32Array(48_000)]);
  expect(frames.length).toBe(50);
  expect(frames.every(({ message, level }) => message === null && level === 0)).toBe(true);
});

test("channels are mixed, and loudness is told", () => {
  const framer = new SpeechFramer(24_000);
  const [left, right] = [new Float32Array(480).fill(0.5), new Float32Array(480).fill(-0.25)];
  const [frame] = framer.take([left, right]);
  expect(frame!.level).toBeCloseTo(0.125, 3);
  expect(new DataView(frame!.message!).getInt16(3, true)).toBe(Math.round(0.125 * 32767));
  expect(framer.take([])).toEqual([]);
  const [loud] = framer.take([new Float32Array(480).fill(7)]);
  expect(new DataView(loud!.message!).getInt16(3, true)).toBe(32767);
});
