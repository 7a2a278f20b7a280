// Plays what the stream decodes: its packets come through a port of their own, past the page.

import { SoundBuffer } from "./sound-buffer";
import { worklet } from "./worklet-scope";

/** Page to worklet: where the packets come from now on. */
export interface SourceMessage {
  source: MessagePort;
}

/** Stream to worklet: samples of each channel, or none; `ends` where silence follows. */
export interface SamplesMessage {
  planes: Float32Array<ArrayBuffer>[];
  ends: boolean;
}

/** How often the figures are told, in ms. */
const INTERVAL = 500;

class SoundProcessor extends worklet.AudioWorkletProcessor {
  private source: MessagePort | null = null;
  private buffer: SoundBuffer;
  private passed = 0;

  constructor(options: AudioWorkletNodeOptions) {
    super();
    const channels = options.outputChannelCount?.[0] ?? 2;
    const fresh = () => new SoundBuffer(channels, worklet.sampleRate);
    this.buffer = fresh();
    this.port.onmessage = ({ data }: MessageEvent<SourceMessage>) => {
      this.source?.close();
      this.source = data.source;
      this.buffer = fresh();
      data.source.onmessage = ({ data: { planes, ends } }: MessageEvent<SamplesMessage>) => {
        this.buffer.push(planes);
        if (ends) this.buffer.end();
      };
    };
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0] ?? [];
    this.buffer.pull(out);
    this.passed += ((out[0]?.length ?? 0) * 1000) / worklet.sampleRate;
    if (this.passed >= INTERVAL) {
      this.passed = 0;
      this.port.postMessage(this.buffer.figures);
    }
    return true;
  }
}

worklet.registerProcessor("selkies-sound", SoundProcessor);
