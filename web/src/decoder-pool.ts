// Decoders of JPEG stripes, as many at once as there are workers.

import type { DecodeJob, DecodeResult } from "./messages";

/** Decodes one picture at a time. */
export interface JpegDecoder {
  decode(job: DecodeJob): Promise<DecodeResult>;
}

/** Decodes in the thread it is called in. */
export const localDecoder: JpegDecoder = {
  async decode({ message, offset }) {
    try {
      return await createImageBitmap(new Blob([new Uint8Array(message, offset)], { type: "image/jpeg" }));
    } catch {
      return null;
    }
  },
};

/** Decodes in the worker at the other end of `port`. */
export function portDecoder(port: MessagePort): JpegDecoder {
  return {
    decode: (job) =>
      new Promise((resolve) => {
        port.onmessage = ({ data }: MessageEvent<DecodeResult>) => resolve(data);
        port.postMessage(job, [job.message]);
      }),
  };
}

/** Hands jobs to idle decoders. */
export class DecoderPool {
  private readonly idle: JpegDecoder[];

  constructor(decoders: readonly JpegDecoder[]) {
    this.idle = [...decoders];
  }

  /** True where a job would start at once. */
  get ready(): boolean {
    return this.idle.length > 0;
  }

  /** Decodes with an idle decoder; call only while `ready`. */
  async decode(job: DecodeJob): Promise<DecodeResult> {
    const decoder = this.idle.pop();
    if (!decoder) return null;
    try {
      return await decoder.decode(job);
    } finally {
      this.idle.push(decoder);
    }
  }
}
