import { describe, expect, test } from "vitest";
import { LEAST, MOST, SKIP, SoundBuffer, START } from "../src/sound-buffer";

const RATE = 48_000;
const PULL = 128;

/** A buffer with a server that sends and a loudspeaker that pulls, in virtual time. */
class Bench {
  readonly buffer = new SoundBuffer(1, RATE);
  readonly heard: number[] = [];
  private sent = 0;
  private phase = 0;

  /** Sends `ms` of a sine of 440 Hz. */
  send(ms: number): void {
    const plane = new Float32Array((ms * RATE) / 1000).map(() => Math.sin((2 * Math.PI * 440 * this.phase++) / RATE));
    this.buffer.push([plane]);
  }

  /** Runs for `seconds`: packets of 10 ms, `skew` faster than the loudspeaker, each late by `delay(n)` ms. */
  run(seconds: number, { skew = 0, delay = (_: number): number => 0 } = {}): void {
    const end = seconds * 1000;
    const arrivals: number[] = [];
    const spacing = 10 / (1 + skew);
    for (let n = 0; n * spacing < end; n += 1) {
      // In order, as TCP has it.
      arrivals.push(Math.max(arrivals.at(-1) ?? 0, n * spacing + delay(this.sent + n)));
    }
    this.sent += arrivals.length;
    for (let now = 0; now < end; now += (PULL * 1000) / RATE) {
      while (arrivals.length > 0 && arrivals[0]! <= now) {
        arrivals.shift();
        this.send(10);
      }
      this.pull();
    }
    for (const _ of arrivals) this.send(10);
  }

  pull(): Float32Array {
    const out = new Float32Array(PULL);
    this.buffer.pull([out]);
    for (const sample of out) this.heard.push(sample);
    return out;
  }

  get figures() {
    return this.buffer.figures;
  }
}

/** Largest step between neighbours: a sine of 440 Hz has 0.058, a click more. */
function roughness(samples: readonly number[]): number {
  let most = 0;
  for (let i = 1; i < samples.length; i += 1) most = Math.max(most, Math.abs(samples[i]! - samples[i - 1]!));
  return most;
}

test("it begins with what it aims at, gently, and plays what it was given", () => {
  const bench = new Bench();
  bench.send(20);
  expect(bench.pull().every((sample) => sample === 0)).toBe(true);
  bench.send(20);
  bench.pull();
  bench.pull();
  expect(bench.heard.some((sample) => Math.abs(sample) > 0.3)).toBe(true);
  expect(roughness(bench.heard)).toBeLessThan(0.06);
});

test("on a steady path it never runs dry, and holds little", () => {
  const bench = new Bench();
  bench.run(30);
  expect(bench.figures.underruns).toBe(0);
  expect(bench.figures.level).toBeGreaterThan(10);
  expect(bench.figures.level).toBeLessThan(START + 10);
  expect(bench.figures.target).toBeLessThanOrEqual(START);
  expect(roughness(bench.heard)).toBeLessThan(0.06);
});

describe("clocks that differ", () => {
  for (const skew of [0.0005, -0.0005]) {
    test(`by ${skew * 1e6} parts per million are followed without a gap`, { timeout: 60_000 }, () => {
      const bench = new Bench();
      bench.run(120, { skew });
      const { underruns, skipped, dropped, stretched, level, target } = bench.figures;
      expect([underruns, skipped]).toEqual([0, 0]);
      // 500 ppm of two minutes are 2880 samples.
      const followed = skew > 0 ? dropped - stretched : stretched - dropped;
      expect(followed).toBeGreaterThan(2000);
      expect(followed).toBeLessThan(4200);
      expect(Math.abs(level - target)).toBeLessThan(15);
      expect(roughness(bench.heard)).toBeLessThan(0.06);
    });
  }
});

test("it takes more when the network is restless, and less again when that is over", { timeout: 60_000 }, () => {
  const bench = new Bench();
  // Every second packet burst is 80 ms late.
  bench.run(20, { delay: (n) => (n % 40 < 8 ? 80 - (n % 40) * 10 : 0) });
  const restless = bench.figures;
  expect(restless.target).toBeGreaterThan(60);
  expect(restless.target).toBeLessThanOrEqual(MOST);
  bench.run(10, { delay: (n) => (n % 40 < 8 ? 80 - (n % 40) * 10 : 0) });
  expect(bench.figures.underruns - restless.underruns).toBeLessThanOrEqual(1);
  bench.run(100);
  expect(bench.figures.target).toBeLessThan(restless.target - 30);
  expect(bench.figures.target).toBeGreaterThanOrEqual(LEAST);
  expect(bench.figures.level).toBeLessThan(restless.level);
});

test("what comes in one piece after a pause is skipped, not played late for ever", () => {
  const bench = new Bench();
  bench.run(2);
  bench.send(500);
  bench.pull();
  expect(bench.figures.skipped).toBeGreaterThan(0);
  expect(bench.figures.level).toBeLessThan(START + SKIP);
});

test("silence that was told is no underrun", () => {
  const bench = new Bench();
  for (let i = 0; i < 20; i += 1) {
    bench.send(60);
    bench.buffer.end();
    for (let n = 0; n < 40; n += 1) bench.pull();
  }
  expect(bench.figures.underruns).toBe(0);
  expect(bench.figures.target).toBeLessThanOrEqual(START);
  // Not told, the same is one each time.
  bench.send(60);
  for (let n = 0; n < 40; n += 1) bench.pull();
  expect(bench.figures.underruns).toBe(1);
});

test("a sound shorter than the aim is played, too", () => {
  const bench = new Bench();
  bench.send(10);
  for (let n = 0; n < 100; n += 1) bench.pull();
  expect(bench.heard.some((sample) => Math.abs(sample) > 0.3)).toBe(true);
});

test("it never holds more than a second, whatever comes", () => {
  const bench = new Bench();
  for (let n = 0; n < 1000; n += 1) bench.send(20);
  bench.pull();
  expect(bench.figures.level).toBeLessThan(1000);
});

test("one channel is heard on all loudspeakers", () => {
  const buffer = new SoundBuffer(2, RATE);
  buffer.push([new Float32Array(4800).fill(0.5)]);
  const [left, right] = [new Float32Array(PULL), new Float32Array(PULL)];
  for (let n = 0; n < 4; n += 1) buffer.pull([left, right]);
  expect(left[PULL - 1]).toBeCloseTo(0.5);
  expect(right).toEqual(left);
});
