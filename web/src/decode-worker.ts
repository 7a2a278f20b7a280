// Decodes JPEG stripes for the stream worker. The page makes it and hands it one end of a channel.

import { localDecoder } from "./decoder-pool";
import type { DecodeJob, WorkerScope } from "./messages";

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data: port }: MessageEvent<MessagePort>) => {
  port.onmessage = async ({ data: job }: MessageEvent<DecodeJob>) => {
    const picture = await localDecoder.decode(job);
    port.postMessage(picture, picture ? [picture] : []);
  };
};
