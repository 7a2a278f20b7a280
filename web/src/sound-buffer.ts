// What waits between the decoder and the loudspeaker. Pure; lengths in samples unless they say ms.
//
// As little as the network allows: it begins with START ms, takes more when it ran dry, and less again where the least that
// was left for a while shows that it can.
// The clocks of server and loudspeaker differ: single samples are left out or stretched, which nobody hears.

/** Aims in ms: at the start, least, most. */
export const START = 30;
export const LEAST = 12;
export const MOST = 250;
/** What is beyond the aim by so much is skipped, in ms: it came in one piece, after a pause of the network or the page. */
export const SKIP = 150;
/** The mean may be off the aim by so much before samples are left out or stretched, in ms. */
const SLACK = 2;
/** Off by so much it is hurried, in ms. */
const FAR = 50;
/** After so long without running dry the aim falls by what was left all the time, but for SPARE, and by SHRINK at most; in ms. */
const CALM = 2000;
const SPARE = 5;
const SHRINK = 4;
/** Sound begins and ends over so long, in ms: a step would click. */
const FADE = 4;
/** What never becomes enough is played after so long, in ms. */
const PATIENCE = 200;
/** Of the mean, in ms. */
const MEMORY = 1000;
/** In pulls: one sample is left out or stretched in so many. */
const GENTLE = 4;

/** What a buffer has done since its start. */
export interface BufferFigures {
  /** What waits, on average, and what should, in ms. */
  level: number;
  target: number;
  /** How often it ran dry. */
  underruns: number;
  /** Samples that were left out, or played twice, to follow the server's clock. */
  dropped: number;
  stretched: number;
  /** Samples that were skipped because too many waited. */
  skipped: number;
}

/** A ring of samples; pushed in packets, pulled in small pieces. */
export class SoundBuffer {
  private readonly ring: Float32Array[];
  private readonly capacity: number;
  private start = 0;
  private count = 0;
  private aim = START;
  private mean = 0;
  private playing = false;
  private ending = false;
  private waited = 0;
  private calm = 0;
  /** The least that was left since the aim was looked at. */
  private left = Infinity;
  private gain = 0;
  private pulls = 0;
  private readonly totals = { underruns: 0, dropped: 0, stretched: 0, skipped: 0 };

  constructor(
    channels: number,
    private readonly rate = 48_000,
  ) {
    this.capacity = rate;
    this.ring = Array.from({ length: channels }, () => new Float32Array(this.capacity));
  }

  get figures(): BufferFigures {
    return { level: this.toMs(this.mean), target: this.aim, ...this.totals };
  }

  /** Adds samples of every channel; fewer channels than the buffer's are repeated. */
  push(planes: readonly Float32Array[]): void {
    const length = planes[0]?.length ?? 0;
    if (length === 0 || length > this.capacity) return;
    const surplus = this.count + length - this.capacity;
    if (surplus > 0) this.skip(surplus);
    const at = (this.start + this.count) % this.capacity;
    const first = Math.min(length, this.capacity - at);
    this.ring.forEach((ring, channel) => {
      const plane = planes[Math.min(channel, planes.length - 1)]!;
      ring.set(plane.subarray(0, first), at);
      if (first < length) ring.set(plane.subarray(first), 0);
    });
    this.count += length;
    this.ending = false;
  }

  /** Silence follows what is there: running dry then is no sign of a slow network. */
  end(): void {
    this.ending = true;
  }

  /** Fills every channel of `out`. */
  pull(out: readonly Float32Array[]): void {
    const length = out[0]?.length ?? 0;
    this.pulls += 1;
    if (!this.playing && !this.begins(length)) {
      for (const plane of out) plane.fill(0);
      return;
    }
    this.follow(length);
    const taken = length + this.correction();
    // One more, because between two samples there are two.
    if (this.count <= taken) {
      this.runDry(out, length);
      return;
    }
    this.read(out, length, taken);
    if (taken > length) this.totals.dropped += 1;
    if (taken < length) this.totals.stretched += 1;
    this.advance(taken);
    this.calm += length;
    this.left = Math.min(this.left, this.count);
    if (this.toMs(this.calm) >= CALM) {
      const spare = this.toMs(this.left) - SPARE;
      this.calm = 0;
      this.left = Infinity;
      if (spare > 0) this.aim = Math.max(LEAST, this.aim - Math.min(SHRINK, spare));
    }
  }

  private begins(length: number): boolean {
    this.waited = this.count === 0 ? 0 : this.waited + length;
    const enough = this.count >= this.toSamples(this.aim);
    const now = enough || (this.count > 0 && (this.ending || this.toMs(this.waited) > PATIENCE));
    if (!now) return false;
    this.playing = true;
    this.waited = 0;
    this.gain = 0;
    this.mean = this.count;
    return true;
  }

  private follow(length: number): void {
    const target = this.toSamples(this.aim);
    if (this.count > target + this.toSamples(SKIP)) {
      this.skip(this.count - target);
      this.mean = this.count;
      this.gain = 0;
    }
    this.mean += (this.count - this.mean) * Math.min(1, this.toMs(length) / MEMORY);
  }

  /** How many samples more than it plays this pull takes. */
  private correction(): number {
    // What ends is not stretched.
    if (this.ending) return 0;
    const off = this.toMs(this.mean) - this.aim;
    const due = Math.abs(off) > FAR || this.pulls % GENTLE === 0;
    if (!due || Math.abs(off) <= SLACK) return 0;
    return off > 0 ? 1 : -1;
  }

  private read(out: readonly Float32Array[], length: number, taken: number): void {
    const step = taken / length;
    const rise = 1 / this.toSamples(FADE);
    out.forEach((plane, channel) => {
      const ring = this.ring[Math.min(channel, this.ring.length - 1)]!;
      let gain = this.gain;
      for (let i = 0; i < length; i += 1) {
        const place = i * step;
        const before = Math.floor(place);
        const share = place - before;
        const a = ring[(this.start + before) % this.capacity]!;
        const b = share === 0 ? a : ring[(this.start + before + 1) % this.capacity]!;
        plane[i] = (a + (b - a) * share) * gain;
        gain = Math.min(1, gain + rise);
      }
    });
    this.gain = Math.min(1, this.gain + rise * length);
  }

  /** Plays what is left, ever more quietly, and waits for more. */
  private runDry(out: readonly Float32Array[], length: number): void {
    const left = Math.min(this.count, length);
    out.forEach((plane, channel) => {
      const ring = this.ring[Math.min(channel, this.ring.length - 1)]!;
      for (let i = 0; i < left; i += 1) plane[i] = ring[(this.start + i) % this.capacity]! * this.gain * (1 - (i + 1) / left);
      plane.fill(0, left);
    });
    this.advance(left);
    this.playing = false;
    if (!this.ending) {
      this.totals.underruns += 1;
      this.aim = Math.min(MOST, this.aim * 1.25 + 5);
      this.calm = 0;
      this.left = Infinity;
    }
    this.ending = false;
  }

  private skip(samples: number): void {
    this.totals.skipped += samples;
    this.advance(samples);
  }

  private advance(samples: number): void {
    this.start = (this.start + samples) % this.capacity;
    this.count -= samples;
  }

  private toSamples(ms: number): number {
    return Math.round((ms * this.rate) / 1000);
  }

  private toMs(samples: number): number {
    return (samples * 1000) / this.rate;
  }
}
