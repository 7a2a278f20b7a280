// From a microphone's samples to messages: mono, 24 kHz, 16 bits, 20 ms each, and nothing where there is silence. Pure.

/** Samples a second on the wire (2.1.0). */
export const SPEECH_RATE = 24_000;
/** Samples of one message: 20 ms. */
export const SPEECH_FRAME = 480;
const OPCODE = 0x02;
/** Length of the low-pass that keeps what 24 kHz cannot carry from coming back as something else. */
const TAPS = 47;
/** Its edge, in Hz: speech has little above. */
const EDGE = 10_500;

/** One message, with how loud it is: 0 to 1. */
export interface SpeechFrame {
  /** Null for silence, which is not sent. */
  message: ArrayBuffer | null;
  level: number;
}

/** Cuts one microphone's samples into messages. */
export class SpeechFramer {
  private readonly taps: readonly number[];
  private readonly history: Float32Array;
  private at = 0;
  /** Distance of output samples in input samples. */
  private readonly step: number;
  /** Where the next one lies, behind the newest filtered sample but one. */
  private due = 0;
  private before = 0;
  private frame = new Int16Array(SPEECH_FRAME);
  private filled = 0;

  constructor(rate: number) {
    this.step = rate / SPEECH_RATE;
    this.taps = this.step > 1 ? lowPass(EDGE / rate) : [1];
    this.history = new Float32Array(this.taps.length);
  }

  /** Takes samples of one or more channels and answers the messages that are full. */
  take(channels: readonly Float32Array[]): SpeechFrame[] {
    const frames: SpeechFrame[] = [];
    const length = channels[0]?.length ?? 0;
    for (let i = 0; i < length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i]!;
      const sample = this.filter(sum / channels.length);
      for (; this.due < 1; this.due += this.step) {
        this.put(this.before + (sample - this.before) * this.due, frames);
      }
      this.due -= 1;
      this.before = sample;
    }
    return frames;
  }

  private filter(sample: number): number {
    const { history, taps } = this;
    history[this.at] = sample;
    let sum = 0;
    for (let i = 0, from = this.at; i < taps.length; i += 1) {
      sum += taps[i]! * history[from]!;
      from = from === 0 ? taps.length - 1 : from - 1;
    }
    this.at = (this.at + 1) % taps.length;
    return sum;
  }

  private put(sample: number, frames: SpeechFrame[]): void {
    this.frame[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
    this.filled += 1;
    if (this.filled < SPEECH_FRAME) return;
    this.filled = 0;
    frames.push(finished(this.frame));
  }
}

function finished(samples: Int16Array): SpeechFrame {
  let loudest = 0;
  for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
  if (loudest === 0) return { message: null, level: 0 };
  const message = new ArrayBuffer(1 + 2 * samples.length);
  const view = new DataView(message);
  view.setUint8(0, OPCODE);
  samples.forEach((sample, i) => view.setInt16(1 + 2 * i, sample, true));
  return { message, level: loudest / 32768 };
}

/** A windowed sinc; `edge` as a share of the sampling rate. */
function lowPass(edge: number): number[] {
  const middle = (TAPS - 1) / 2;
  const taps = Array.from({ length: TAPS }, (_, i) => {
    const x = i - middle;
    const sinc = x === 0 ? 2 * edge : Math.sin(2 * Math.PI * edge * x) / (Math.PI * x);
    // Hamming's window.
    return sinc * (0.54 + 0.46 * Math.cos((Math.PI * x) / (middle + 1)));
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}
