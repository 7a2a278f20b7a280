import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { events, log, say, settings, settle, socket, start, stream, useFakes } from "./fake-stream";

useFakes();

/** What reached the worklet's port. */
let port: { said: { planes: Float32Array[]; ends: boolean }[]; closed: boolean; postMessage(data: unknown): void; close(): void };
let decoders: FakeDecoder[];

class FakeDecoder {
  static isConfigSupported = (config: AudioDecoderConfig) => Promise.resolve({ supported: config.codec === "opus" });
  state = "unconfigured";
  decodeQueueSize = 0;
  packets: number[] = [];
  constructor(readonly init: AudioDecoderInit) {
    decoders.push(this);
  }
  configure() {
    this.state = "configured";
  }
  /** One sample with the packet's first byte; 99 is no packet. */
  decode({ data }: { data: Uint8Array }) {
    this.packets.push(data[0]!);
    if (data[0] === 99) {
      this.state = "closed";
      this.init.error(new DOMException("no packet"));
      return;
    }
    const copyTo = (plane: Float32Array) => plane.fill(data[0]!);
    this.init.output({ numberOfChannels: 2, numberOfFrames: 1, copyTo, close: () => undefined } as unknown as AudioData);
  }
  flush = () => Promise.resolve();
  close() {
    this.state = "closed";
  }
}

beforeEach(() => {
  decoders = [];
  port = {
    said: [],
    closed: false,
    postMessage(data) {
      this.said.push(data as (typeof port.said)[number]);
    },
    close() {
      this.closed = true;
    },
  };
  vi.stubGlobal("AudioDecoder", FakeDecoder);
  vi.stubGlobal("EncodedAudioChunk", class {
    constructor(init: object) {
      Object.assign(this, init);
    }
  });
});
afterEach(() => vi.unstubAllGlobals());

const listen = (on: boolean) =>
  stream.command({ type: "listen", on, port: on ? (port as unknown as MessagePort) : null, channels: 2 });
const sound = (...bytes: number[]) => socket.onmessage?.({ data: new Uint8Array([1, ...bytes]).buffer });
const asked = () => log.filter((text) => text.endsWith("_AUDIO"));

test("sound is asked for once the page has introduced itself, and again after a reconnection", async () => {
  start();
  listen(true);
  expect(asked()).toEqual([]);
  settings();
  await settle();
  expect(asked()).toEqual(["START_AUDIO"]);
  socket.onopen?.();
  settings();
  await settle();
  expect(asked()).toEqual(["START_AUDIO", "START_AUDIO"]);
  listen(false);
  listen(false);
  expect(asked()).toEqual(["START_AUDIO", "START_AUDIO", "STOP_AUDIO"]);
});

test("a page that was not asked says nothing of sound", async () => {
  start();
  settings();
  await settle();
  expect(asked()).toEqual([]);
});

test("packets are decoded and go to the loudspeaker, the end of a sound behind them", async () => {
  start();
  listen(true);
  await settle();
  sound(0, 7, 7);
  sound(0x80, 8);
  await settle();
  expect(port.said.map(({ planes, ends }) => [planes[0]?.[0] ?? null, ends])).toEqual([[7, false], [8, false], [null, true]]);
  expect(port.said[0]!.planes.length).toBe(2);
});

test("a packet that is none costs its own sound only", async () => {
  start();
  listen(true);
  await settle();
  sound(0, 99);
  await settle();
  sound(0, 5);
  expect(decoders.length).toBe(2);
  expect(port.said.map(({ planes }) => planes[0]?.[0])).toEqual([5]);
});

test("nothing is decoded for nobody", async () => {
  start();
  sound(0, 1);
  listen(true);
  await settle();
  listen(false);
  expect(port.closed).toBe(true);
  sound(0, 1);
  await settle();
  expect(decoders.flatMap(({ packets }) => packets)).toEqual([]);
  expect(decoders[0]!.state).toBe("closed");
});

test("a browser without a decoder says so once, and the picture goes on", async () => {
  vi.stubGlobal("AudioDecoder", undefined);
  start();
  listen(true);
  await settle();
  sound(0, 1);
  const said = events.filter(({ type }) => type === "sound-missing");
  expect(said).toEqual([{ type: "sound-missing", reason: expect.stringContaining("cannot decode sound") }]);
});

test("what the server allows and lacks is passed on", async () => {
  start();
  settings({ audio_enabled: { value: true }, microphone_enabled: { value: false } });
  say('{"type":"pipeline_status","audio":false,"reason":"no audio server"}');
  say("MICROPHONE_DISABLED");
  await settle();
  const heard = events.filter(({ type }) => type.startsWith("s") && type !== "state" && type !== "stats");
  expect(heard).toEqual([
    { type: "sound-gates", gates: { sound: true, microphone: false, panel: true, channels: 2 } },
    { type: "sound-missing", reason: "The server has no sound. no audio server" },
    { type: "speech-refused" },
  ]);
});

test("a voice is sent as it is, and not while the connection is congested", () => {
  start();
  const message = new Uint8Array([2, 1, 2]).buffer;
  stream.command({ type: "speech", message });
  expect(log.at(-1)).toBe(message);
  const before = log.length;
  (socket as { bufferedAmount: number }).bufferedAmount = 1 << 20;
  stream.command({ type: "speech", message });
  expect(log.length).toBe(before);
});
