// Runs the stream away from the page, so that neither the page's layout nor its scripts delay a frame.

import { portDecoder } from "./decoder-pool";
import type { StartMessage, StreamCommand, WorkerScope } from "./messages";
import { Stream } from "./stream";

const scope = self as unknown as WorkerScope;
let stream: Stream | null = null;

scope.onmessage = ({ data }: MessageEvent<StartMessage | StreamCommand>) => {
  if (data.type === "start") {
    stream = new Stream(data.canvas, data.decoders.map(portDecoder), data.options, (event) => scope.postMessage(event));
  } else {
    stream?.command(data);
  }
};
