// Starts the stream: in workers where a canvas can be handed over, else in the page.

import DecodeWorker from "./decode-worker?worker&inline";
import { localDecoder } from "./decoder-pool";
import { type StartMessage, type StreamCommand, type StreamEvent, type StreamOptions, transfers } from "./messages";
import { Stream } from "./stream";
import StreamWorker from "./stream-worker?worker&inline";

/** More decoders than this wait for each other's memory. */
const MAX_DECODERS = 4;

/** A stopped stream says goodbye to its server before its workers are ended, in ms. */
const FAREWELL = 500;

/** Draws the stream on `canvas`, which is good for one stream only, and answers what takes the page's commands. */
export function startStream(
  canvas: HTMLCanvasElement,
  options: StreamOptions,
  onEvent: (event: StreamEvent) => void,
): (command: StreamCommand) => void {
  const count = Math.min(MAX_DECODERS, navigator.hardwareConcurrency || 2);
  if (typeof Worker === "undefined" || typeof canvas.transferControlToOffscreen !== "function") {
    const stream = new Stream(canvas, Array<typeof localDecoder>(count).fill(localDecoder), options, onEvent);
    return (command) => stream.command(command);
  }
  const worker = new StreamWorker();
  worker.onmessage = ({ data }: MessageEvent<StreamEvent>) => onEvent(data);
  worker.onerror = () => onEvent({ type: "state", state: "error", detail: "The stream's worker failed; reload the page." });
  const workers: Worker[] = [worker];
  const decoders = Array.from({ length: count }, () => {
    const { port1, port2 } = new MessageChannel();
    const decoder = new DecodeWorker();
    decoder.postMessage(port2, [port2]);
    workers.push(decoder);
    return port1;
  });
  const start: StartMessage = { type: "start", canvas: canvas.transferControlToOffscreen(), decoders, options };
  worker.postMessage(start, [start.canvas, ...decoders]);
  return (command) => {
    worker.postMessage(command, transfers(command));
    if (command.type === "stop") setTimeout(() => workers.forEach((ended) => ended.terminate()), FAREWELL);
  };
}
