import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { DecodeJob, StreamEvent, StreamOptions } from "../src/messages";
import { Stream } from "../src/stream";
import { keyFrames } from "./key-frames";

/** What happened, in order: drawing, sending, and the page's events. */
let log: string[];
let events: StreamEvent[];
let stream: Stream;
let socket: FakeWebSocket;
/** Decoding that the test finishes by hand, oldest first. */
let decoding: { job: DecodeJob; finish(picture: boolean): void }[];

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

function start(options: Partial<StreamOptions> = {}): void {
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

const say = (data: string) => socket.onmessage?.({ data });
const settings = (entries: object = {}) => say(JSON.stringify({ type: "server_settings", settings: entries }));

/** A stripe whose JPEG is a header only, 64 x 16; the decoder is a fake. */
function stripe(frame: number, y: number, last = false): void {
  const jpeg = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 64, 1, 1, 0x11, 0];
  socket.onmessage?.({ data: new Uint8Array([3, last ? 1 : 0, frame >> 8, frame & 255, y >> 8, y & 255, ...jpeg]).buffer });
}

/** A picture of H.264, 64 x 16. */
function video(frame: number, key: boolean): void {
  const head = [4, key ? 0x11 : 0x10, frame >> 8, frame & 255, 0, 0, 0, 64, 0, 16, 0, 0];
  socket.onmessage?.({ data: new Uint8Array([...head, ...keyFrames.h264]).buffer });
}

/** Starts a stream where there are video decoders that give nothing, and forgets what was said until then. */
async function startSilent(): Promise<void> {
  vi.stubGlobal("VideoDecoder", SilentDecoder);
  vi.stubGlobal("EncodedVideoChunk", class {});
  start();
  settings();
  await settle();
  say('{"type":"stream_resolution","width":64,"height":16}');
  log = [];
}

/** How often a key frame was asked for. */
const keyRequests = () => log.filter((text) => text === "REQUEST_KEYFRAME").length;

/** Lets promises be kept that wait for nothing. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function decode(index = 0, picture = true): Promise<void> {
  decoding.splice(index, 1)[0]!.finish(picture);
  await vi.advanceTimersByTimeAsync(0);
}

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

test("a frame is acknowledged after its last stripe is drawn, and not before", async () => {
  start();
  stripe(9, 0);
  stripe(9, 16, true);
  await decode(1);
  expect(log).toEqual([]);
  await decode();
  expect(log).toEqual(["draw 9 at 0", "free 9", "draw 9 at 16", "free 9", "CLIENT_FRAME_ACK 9 0"]);
});

test("the time in the client is the server's to see", async () => {
  start();
  stripe(9, 0, true);
  await vi.advanceTimersByTimeAsync(25);
  await decode();
  expect(log.at(-1)).toBe("CLIENT_FRAME_ACK 9 0");
});

test("a frame without a marked end is drawn a moment after its last byte", async () => {
  start();
  stripe(3, 0);
  await decode();
  expect(log).toEqual([]);
  await vi.advanceTimersByTimeAsync(4);
  expect(log).toEqual(["draw 3 at 0", "free 3", "CLIENT_FRAME_ACK 3 0"]);
});

test("a stripe down to the stream's lower edge ends its frame", async () => {
  start();
  say('{"type":"stream_resolution","width":64,"height":32}');
  stripe(3, 16);
  await decode();
  expect(log.at(-1)).toBe("CLIENT_FRAME_ACK 3 0");
});

test("only as many pictures are decoded at once as there are decoders", async () => {
  start();
  for (const y of [0, 16, 32, 48]) stripe(1, y);
  expect(decoding.length).toBe(2);
  await decode();
  expect(decoding.length).toBe(2);
});

test("an acknowledgement is repeated every second while nothing new comes", async () => {
  start();
  stripe(7, 0, true);
  await decode();
  await vi.advanceTimersByTimeAsync(3000);
  expect(log.filter((text) => text.startsWith("CLIENT_FRAME_ACK 7")).length).toBeGreaterThanOrEqual(3);
  expect(log.filter((text) => /^CLIENT_FRAME_ACK 7 0$/.test(text)).length).toBe(1);
});

test("what frames took is told once a second, to servers that know this page's verbs", async () => {
  start();
  settings();
  stripe(7, 0, true);
  await vi.advanceTimersByTimeAsync(30);
  await decode();
  await vi.advanceTimersByTimeAsync(1000);
  const ping = log.find((text) => text.startsWith("_ping,"));
  expect(log.filter((text) => text.startsWith("_stages"))).toEqual([]);
  say(`pong,${ping!.slice(6)}`);
  stripe(8, 0);
  stripe(8, 16, true);
  await vi.advanceTimersByTimeAsync(20);
  await decode();
  await vi.advanceTimersByTimeAsync(12);
  await decode();
  stripe(9, 0, true);
  await decode();
  await vi.advanceTimersByTimeAsync(3000);
  expect(log.filter((text) => text.startsWith("_stages"))).toEqual(["_stages,8:32000:0,9:0:0"]);
  expect(events.findLast((event) => event.type === "stats")).toMatchObject({ stats: { decode: 32, present: 0 } });
});

test("a reset frees what is decoded and forgets what is acknowledged", async () => {
  start();
  stripe(1, 0);
  stripe(1, 16);
  await decode();
  say("PIPELINE_RESETTING primary");
  expect(log).toEqual(["free 1"]);
  await decode();
  expect(log).toEqual(["free 1", "free 1"]);
  await vi.advanceTimersByTimeAsync(3000);
  expect(log.some((text) => text.startsWith("CLIENT_FRAME_ACK"))).toBe(false);
});

test("the size that the server tells holds from the first stripe on", async () => {
  start();
  say('{"type":"stream_resolution","width":64,"height":32}');
  say("PIPELINE_RESETTING primary");
  stripe(1, 0, true);
  await decode();
  expect(events.filter(({ type }) => type === "size")).toEqual([{ type: "size", width: 64, height: 32 }]);
  expect(log).toEqual(["draw 1 at 0", "free 1", "CLIENT_FRAME_ACK 1 0"]);
  // A server that tells none: each start of the picture tells it anew.
  socket.onopen?.();
  stripe(2, 0, true);
  await decode();
  stripe(3, 16, true);
  await decode();
  say("PIPELINE_RESETTING primary");
  stripe(4, 0, true);
  await decode();
  const sizes = events.flatMap((event) => (event.type === "size" ? [event.height] : []));
  expect(sizes).toEqual([32, 16, 32, 16]);
});

test("a picture of absurd size is not decoded", () => {
  start();
  socket.onmessage?.({ data: new Uint8Array([3, 0, 0, 1, 0, 0, 0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 255, 255, 255, 255, 1]).buffer });
  expect(decoding.length).toBe(0);
});

test("a controller says what it decodes and its settings, once the server has said its own", async () => {
  start();
  say("MODE websockets");
  expect(log).toEqual([]);
  settings();
  settings();
  await settle();
  expect(log.length).toBe(2);
  expect(log[0]).toBe("_codecs,jpeg");
  const said = JSON.parse(log[1]!.slice(9));
  expect(said).toMatchObject({ tabId: "tab", initialClientWidth: 800 });
  expect(said).not.toHaveProperty("encoder");
});

test("the encoder of the address is asked for", async () => {
  start({ encoder: "vp9enc" });
  settings();
  await settle();
  expect(JSON.parse(log[1]!.slice(9))).toMatchObject({ encoder: "vp9enc" });
});

test("what was to be said to one server is not said to the next", async () => {
  start();
  settings();
  socket.onopen?.();
  await settle();
  expect(log).toEqual([]);
  settings();
  await settle();
  expect(log.length).toBe(2);
});

test.each([
  ["a link that only watches", { viewer: true }, null],
  ["a role that only watches", {}, 'AUTH_SUCCESS,{"role":"viewer","slot":null}'],
])("%s: says what it decodes and restarts the stream, sends neither settings nor size", async (_, options, role) => {
  start(options);
  if (role) say(role);
  settings();
  await vi.advanceTimersByTimeAsync(250);
  stream.command({ type: "view", view: { width: 640, height: 480, dpi: 96 } });
  expect(log).toEqual(["_codecs,jpeg", "STOP_VIDEO", "START_VIDEO"]);
  expect(events.filter(({ type }) => type === "input").at(-1)).toEqual({ type: "input", allowed: false });
});

test("a viewer with keyboard and mouse may send input", () => {
  start({ viewer: true });
  say("MK_ACCESS,1");
  expect(events.at(-1)).toEqual({ type: "input", allowed: true });
});

test("the size is asked for where it is another, and only where the server resizes", async () => {
  const view = { width: 640, height: 480, dpi: 96 };
  start();
  stream.command({ type: "view", view });
  settings();
  await settle();
  stream.command({ type: "view", view });
  stream.command({ type: "view", view: { width: 1280, height: 960, dpi: 192 } });
  expect(log.slice(2)).toEqual(["r,1280x960,primary", "s,192"]);
  expect(log[1]).toContain('"initialClientWidth":640');
  for (const forbidden of ["enable_resize", "manual_resolution"]) {
    socket.onopen?.();
    settings({ [forbidden]: { value: forbidden === "manual_resolution" } });
    await settle();
    log = [];
    stream.command({ type: "view", view });
    expect(log).toEqual([]);
  }
});

test("pointer movement is dropped while the connection is congested, clicks are not", () => {
  start();
  socket.bufferedAmount = 1 << 20;
  stream.command({ type: "send", text: "m,1,1,0,0", droppable: true });
  stream.command({ type: "send", text: "m,1,1,1,0", droppable: false });
  expect(log).toEqual(["m,1,1,1,0"]);
});

test("a hidden page stops the video and starts it again", async () => {
  start();
  settings();
  await settle();
  log = [];
  stream.command({ type: "visible", visible: false });
  stream.command({ type: "visible", visible: true });
  expect(log).toEqual(["STOP_VIDEO", "START_VIDEO"]);
});

test("the user's choices reach the running stream, and the next one", async () => {
  start();
  const choices = () => events.flatMap((event) => (event.type === "choices" ? [event.choices] : [])).at(-1);
  const menu = { encoder: { allowed: ["h264enc", "jpeg", "ownenc"] }, jpeg_quality: { min: 1, max: 100, default: 40 } };
  settings(menu);
  await settle();
  say('system,{"action":"encoder,jpeg"}');
  expect(choices()).toEqual({
    encoders: [
      { name: "h264enc", decoded: false },
      { name: "jpeg", decoded: true },
      { name: "ownenc", decoded: true },
    ],
    encoder: "jpeg",
    crf: null,
    jpeg: { min: 1, max: 100, value: 40 },
  });
  stream.command({ type: "wish", wishes: { jpeg_quality: 70 } });
  expect(log.at(-1)).toBe('SETTINGS,{"displayId":"primary","jpeg_quality":70}');
  expect(choices()?.jpeg?.value).toBe(70);
  socket.onopen?.();
  expect(choices()).toBeNull();
  settings(menu);
  await settle();
  expect(log.at(-1)).toContain('"jpeg_quality":70');
});

test("a viewer has nothing to choose", async () => {
  start({ viewer: true });
  settings({ encoder: { allowed: ["jpeg"] } });
  await settle();
  stream.command({ type: "wish", wishes: { encoder: "jpeg" } });
  expect(events.filter(({ type }) => type === "choices").at(-1)).toEqual({ type: "choices", choices: null });
  expect(log).toEqual(["_codecs,jpeg", "STOP_VIDEO"]);
});

test("KILL closes for good", async () => {
  start();
  say("KILL Superseded");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(log).toEqual(["closed"]);
  expect(events.at(-1)).toEqual({ type: "state", state: "ended", detail: "Superseded" });
});

test("a server in another mode is an error", () => {
  start();
  say("MODE webrtc");
  expect(events.at(-1)).toMatchObject({ type: "state", state: "error" });
});

test("pictures do not wait for ever behind a video decoder that gives nothing", async () => {
  await startSilent();
  video(1, true);
  stripe(2, 0, true);
  await decode();
  expect(log).toEqual([]);
  await vi.advanceTimersByTimeAsync(3000);
  expect(log).toContain("draw 2 at 0");
  expect(log).toContain("CLIENT_FRAME_ACK 2 0");
});

test("where more frames wait than are kept, a key frame is asked for", async () => {
  await startSilent();
  for (let frame = 0; frame < 1024; frame += 1) video(frame, frame === 0);
  expect(keyRequests()).toBe(0);
  video(1024, false);
  expect(keyRequests()).toBe(1);
});

test("a key frame that is needed soon after another request is asked for when the pause is over, once", async () => {
  await startSilent();
  video(1, false);
  expect(keyRequests()).toBe(1);
  await vi.advanceTimersByTimeAsync(100);
  video(2, false);
  video(3, false);
  await vi.advanceTimersByTimeAsync(399);
  expect(keyRequests()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(keyRequests()).toBe(2);
  await vi.advanceTimersByTimeAsync(5000);
  expect(keyRequests()).toBe(2);
});

test.each([
  ["a key frame", () => video(3, true)],
  ["a reset", () => say("PIPELINE_RESETTING primary")],
])("%s that comes meanwhile is not asked for", async (_, come) => {
  await startSilent();
  video(1, false);
  video(2, false);
  come();
  await vi.advanceTimersByTimeAsync(900);
  expect(keyRequests()).toBe(1);
});

test("a hidden page keeps no decoder, and asks for no key frame until it is shown", async () => {
  await startSilent();
  video(1, true);
  stream.command({ type: "visible", visible: false });
  expect(log).toEqual(["STOP_VIDEO", "decoder closed"]);
  video(2, false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(keyRequests()).toBe(0);
  stream.command({ type: "visible", visible: true });
  video(3, false);
  expect(keyRequests()).toBe(1);
});

/** The displays that have an owner, as the server tells them. */
const displays = (...names: string[]) => say(`DISPLAY_CONFIG_UPDATE,${JSON.stringify({ displays: names })}`);
const MENU = { encoder: { allowed: ["jpeg"] } };
const lastChoices = () => events.flatMap((event) => (event.type === "choices" ? [event.choices] : [])).at(-1);

test("a page beside the owner has nothing to choose and to size, until it inherits the display", async () => {
  start();
  displays("primary");
  settings(MENU);
  await settle();
  say("PIPELINE_RESETTING primary");
  // Another page takes over.
  displays("primary");
  log = [];
  stream.command({ type: "wish", wishes: { encoder: "jpeg" } });
  stream.command({ type: "view", view: { width: 640, height: 480, dpi: 96 } });
  expect([log, lastChoices()]).toEqual([[], null]);
  say("DISPLAY_OWNER primary");
  expect(JSON.parse(log[0]!.slice(9))).toMatchObject({ tabId: "tab", encoder: "jpeg", initialClientWidth: 640 });
  expect(log.slice(1)).toEqual(["r,640x480,primary"]);
  expect(lastChoices()?.encoders).toEqual([{ name: "jpeg", decoded: true }]);
});

test.each([
  ["that nobody owns", []],
  ["that it takes over", ["primary"]],
])("the display %s is a page's to set up as soon as it has said its settings", async (_, before) => {
  start();
  displays(...before);
  settings(MENU);
  await settle();
  stream.command({ type: "view", view: { width: 640, height: 480, dpi: 96 } });
  displays("primary");
  say("PIPELINE_RESETTING primary");
  expect(log.slice(2)).toEqual(["r,640x480,primary"]);
  expect(lastChoices()).not.toBeNull();
  stream.command({ type: "wish", wishes: { encoder: "jpeg" } });
  expect(log.at(-1)).toBe('SETTINGS,{"displayId":"primary","encoder":"jpeg"}');
});
