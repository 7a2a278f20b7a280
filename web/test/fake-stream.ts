// A stream with a fake socket, canvas and decoders, for the tests of its parts.

import { afterEach, beforeEach, vi } from "vitest";
import type { DecodeJob, StreamEvent, StreamOptions } from "../src/messages";
import { Stream } from "../src/stream";
import { keyFrames } from "./key-frames";

/** What happened, in order: drawing, sending, and the page's events. */
export let log: string[];
export let events: StreamEvent[];
export let stream: Stream;
export let socket: FakeWebSocket;
/** Decoding that the test finishes by hand, oldest first. */
export let decoding: { job: DecodeJob; finish(picture: boolean): void }[];

class FakeWebSocket {
  readyState = 1;
  bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(readonly url: string) {
    socket = this;
  }

  send(text: string) {
    log.push(text);
  }

  close() {
    log.push("closed");
  }
}

class FakeBitmap {
  readonly width = 64;
  readonly height = 16;
  constructor(readonly name: number) {}
  close() {
    log.push(`free ${this.name}`);
  }
}

/** Takes everything and gives nothing. */
class SilentDecoder {
  static isConfigSupported = () => Promise.resolve({ supported: true });
  state = "configured";
  decodeQueueSize = 0;
  configure() {}
  decode() {}
  flush = () => new Promise<void>(() => {});
  close() {
    this.state = "closed";
    log.push("decoder closed");
  }
}

const canvas = {
  width: 1,
  height: 1,
  getContext: () => ({ drawImage: (picture: FakeBitmap, _x: number, y: number) => log.push(`draw ${picture.name} at ${y}`) }),
};

const OPTIONS: StreamOptions = {
  url: "ws://host/",
  tabId: "tab",
  viewer: false,
  encoder: null,
  view: { width: 800, height: 600, dpi: 96 },
  visible: true,
};

export function start(options: Partial<StreamOptions> = {}): void {
  const decoder = {
    decode: (job: DecodeJob) =>
      new Promise<ImageBitmap | null>((resolve) => {
        const name = new DataView(job.message).getUint16(2);
        const finish = (picture: boolean) => resolve(picture ? (new FakeBitmap(name) as unknown as ImageBitmap) : null);
        decoding.push({ job, finish });
      }),
  };
  stream = new Stream(canvas as unknown as OffscreenCanvas, [decoder, { ...decoder }], { ...OPTIONS, ...options }, (event) =>
    events.push(event),
  );
  socket.onopen?.();
}

export const say = (data: string) => socket.onmessage?.({ data });
export const settings = (entries: object = {}) => say(JSON.stringify({ type: "server_settings", settings: entries }));

/** A stripe whose JPEG is a header only, 64 x 16; the decoder is a fake. */
export function stripe(frame: number, y: number, last = false): void {
  const jpeg = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 64, 1, 1, 0x11, 0];
  socket.onmessage?.({ data: new Uint8Array([3, last ? 1 : 0, frame >> 8, frame & 255, y >> 8, y & 255, ...jpeg]).buffer });
}

/** A picture of H.264, 64 x 16. */
export function video(frame: number, key: boolean): void {
  const head = [4, key ? 0x11 : 0x10, frame >> 8, frame & 255, 0, 0, 0, 64, 0, 16, 0, 0];
  socket.onmessage?.({ data: new Uint8Array([...head, ...keyFrames.h264]).buffer });
}

/** Starts a stream where there are video decoders that give nothing, and forgets what was said until then. */
export async function startSilent(): Promise<void> {
  vi.stubGlobal("VideoDecoder", SilentDecoder);
  vi.stubGlobal("EncodedVideoChunk", class {});
  start();
  settings();
  await settle();
  say('{"type":"stream_resolution","width":64,"height":16}');
  forget();
}

/** How often a key frame was asked for. */
export const keyRequests = () => log.filter((text) => text === "REQUEST_KEYFRAME").length;

/** Lets promises be kept that wait for nothing. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

export async function decode(index = 0, picture = true): Promise<void> {
  decoding.splice(index, 1)[0]!.finish(picture);
  await vi.advanceTimersByTimeAsync(0);
}

/** Forgets what happened until now. */
export function forget(): void {
  log = [];
}

/** Each test of the file has a page and a server of its own. */
export function useFakes(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", FakeWebSocket);
    vi.stubGlobal("ImageBitmap", FakeBitmap);
    [log, events, decoding] = [[], [], []];
    [canvas.width, canvas.height] = [1, 1];
  });

  afterEach(() => {
    stream.command({ type: "stop" });
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
}
