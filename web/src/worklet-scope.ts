// What audio worklets stand on; the DOM library types only describe pages.

/** The part of AudioWorkletProcessor that is used. */
export interface Processor {
  readonly port: MessagePort;
}

/** The part of a worklet's global scope that is used. */
export interface WorkletScope {
  readonly sampleRate: number;
  readonly AudioWorkletProcessor: new () => Processor;
  registerProcessor(name: string, processor: new (options: AudioWorkletNodeOptions) => Processor): void;
}

/** The global scope, seen as a worklet's. */
export const worklet = globalThis as unknown as WorkletScope;
