// From messages of sound to samples, where the stream runs.

import type { SamplesMessage } from "./sound-worklet";
import { opusHead, SoundReader } from "./sound-wire";

/** Packets that may wait for the decoder; it is far faster than they come. */
const MAX_WAITING = 50;
/** What a page without a decoder says. */
const NO_DECODER = "This browser cannot decode sound (WebCodecs with Opus); WebRTC carries it as well.";

/** Decodes one stream of sound and hands the samples to `port` until it is closed. */
export class SoundDecoder {
  private readonly reader = new SoundReader();
  private decoder: AudioDecoder | null = null;
  private ended = false;
  private time = 0;

  constructor(
    private readonly port: MessagePort,
    private readonly channels: number,
    private readonly failed: (reason: string) => void,
  ) {
    if (typeof AudioDecoder === "undefined") this.give(NO_DECODER);
    else void this.begin();
  }

  /** Takes a message of sound. */
  take(message: ArrayBuffer): void {
    const heard = this.reader.read(message);
    if (!heard || this.ended) return;
    for (const packet of heard.packets) this.decode(packet);
    if (heard.ends) this.finish();
  }

  close(): void {
    this.ended = true;
    this.drop();
    this.port.close();
  }

  private async begin(): Promise<void> {
    const description = opusHead(this.channels);
    const config: AudioDecoderConfig = {
      codec: "opus",
      sampleRate: 48_000,
      numberOfChannels: this.channels,
      ...(description ? { description } : {}),
    };
    const { supported } = await AudioDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (this.ended) return;
    if (!supported) {
      this.give(NO_DECODER);
      return;
    }
    // A packet that is none ends a decoder; the next packet has a new one.
    const decoder = new AudioDecoder({
      output: (data) => this.pass(data),
      error: () => {
        if (this.decoder === decoder) this.decoder = null;
        if (!this.ended) void this.begin();
      },
    });
    decoder.configure(config);
    this.decoder = decoder;
  }

  private decode(packet: Uint8Array<ArrayBuffer>): void {
    const { decoder } = this;
    if (decoder?.state !== "configured" || decoder.decodeQueueSize > MAX_WAITING) return;
    // What they say of time does not matter here, but it must rise.
    this.time += 10_000;
    decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: this.time, data: packet }));
  }

  private finish(): void {
    const tell = () => {
      if (!this.ended) this.port.postMessage({ planes: [], ends: true } satisfies SamplesMessage);
    };
    if (this.decoder?.state === "configured") void this.decoder.flush().then(tell, () => undefined);
    else tell();
  }

  private pass(data: AudioData): void {
    const planes: Float32Array<ArrayBuffer>[] = [];
    for (let planeIndex = 0; planeIndex < data.numberOfChannels; planeIndex += 1) {
      const plane = new Float32Array(data.numberOfFrames);
      data.copyTo(plane, { planeIndex, format: "f32-planar" });
      planes.push(plane);
    }
    data.close();
    if (this.ended) return;
    this.port.postMessage({ planes, ends: false } satisfies SamplesMessage, planes.map((plane) => plane.buffer));
  }

  private give(reason: string): void {
    this.ended = true;
    this.failed(reason);
  }

  private drop(): void {
    const { decoder } = this;
    this.decoder = null;
    if (decoder && decoder.state !== "closed") decoder.close();
  }
}
