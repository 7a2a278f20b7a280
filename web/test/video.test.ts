import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Abilities } from "../src/abilities";
import type { Stripe } from "../src/stripes";
import { VideoDecoders } from "../src/video";
import type { VideoCodec, VideoPacket } from "../src/wire";
import { keyFrames } from "./key-frames";

/** Kinds of decoders that the fake browser says it has, by the first letters of the codec's name. */
let browser: Record<string, HardwareAcceleration[]>;
/** Decoders of the page, in the order of their making. */
let made: FakeDecoder[];
/** What became of stripes, and which abilities were told. */
let log: string[];
let abilities: Abilities;
let decoders: VideoDecoders<string>;

class FakeDecoder {
  static isConfigSupported({ codec, hardwareAcceleration }: VideoDecoderConfig) {
    const kinds = Object.entries(browser).find(([name]) => codec.startsWith(name))?.[1] ?? [];
    return Promise.resolve({ supported: kinds.includes(hardwareAcceleration!) });
  }

  state = "unconfigured";
  decodeQueueSize = 0;
  config: VideoDecoderConfig | null = null;
  chunks: FakeChunk[] = [];
  flushes = 0;
  private flushed: (() => void) | null = null;

  constructor(private readonly init: VideoDecoderInit) {
    made.push(this);
  }

  configure(config: VideoDecoderConfig) {
    this.state = "configured";
    this.config = config;
  }

  decode(chunk: FakeChunk) {
    this.chunks.push(chunk);
  }

  flush() {
    this.flushes += 1;
    return new Promise<void>((resolve) => (this.flushed = resolve));
  }

  close() {
    this.state = "closed";
  }

  /** Gives the picture of the oldest chunk. */
  give() {
    const { timestamp } = this.chunks.shift()!;
    this.init.output({ timestamp, close: () => log.push("freed") } as unknown as VideoFrame);
    if (this.chunks.length === 0) this.flushed?.();
  }

  fail(name: string) {
    this.state = "closed";
    this.init.error(Object.assign(new Error(name), { name }) as DOMException);
  }
}

class FakeChunk {
  readonly type: string;
  readonly timestamp: number;
  constructor({ type, timestamp }: EncodedVideoChunkInit) {
    [this.type, this.timestamp] = [type, timestamp];
  }
}

async function start(kinds: typeof browser): Promise<void> {
  browser = kinds;
  abilities = new Abilities(() => log.push(`told ${abilities.codecs().join()}`));
  decoders = new VideoDecoders<string>(
    abilities,
    (stripe, frame) => log.push(`${stripe.source} ${frame ? "picture" : "nothing"}`),
    () => log.push("key?"),
  );
  await abilities.known;
}

function packet(codec: VideoCodec, key: boolean, y: number, height: number): VideoPacket {
  return { kind: "video", codec, key, last: false, frame: 1, y, width: 96, height, payload: keyFrames[codec] };
}

function send(name: string, codec: VideoCodec, key: boolean, { y = 0, height = 64, whole = true } = {}): void {
  decoders.decode({ source: name, y } as Stripe<string>, packet(codec, key, y, height), whole);
}

/** A stripe that is left out. */
const skip = (codec: VideoCodec) => decoders.skipped(packet(codec, false, 0, 64), true);

beforeEach(() => {
  vi.stubGlobal("VideoDecoder", FakeDecoder);
  vi.stubGlobal("EncodedVideoChunk", FakeChunk);
  [made, log] = [[], []];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Time passes; decoders are looked after once a second. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    await vi.advanceTimersByTimeAsync(1000);
    decoders.watch(performance.now());
  }
}

const BOTH: HardwareAcceleration[] = ["prefer-hardware", "prefer-software"];
const SOFTWARE: HardwareAcceleration[] = ["prefer-software"];

test.each([
  ["h264", "avc1.42d00b"],
  ["h265", "hev1.1.6.L63.90"],
  ["vp8", "vp8"],
  ["vp9", "vp09.00.10.08"],
  ["av1", "av01.0.00M.08"],
] as const)("%s is decoded as what its key frame says, at once", async (codec, name) => {
  await start({ avc1: SOFTWARE, hev1: SOFTWARE, vp8: SOFTWARE, vp09: SOFTWARE, av01: SOFTWARE });
  send("a", codec, true);
  send("b", codec, false);
  expect(made.map(({ config }) => config)).toEqual([
    { codec: name, codedWidth: 96, codedHeight: 64, optimizeForLatency: true, hardwareAcceleration: "prefer-software" },
  ]);
  made[0]!.give();
  made[0]!.give();
  expect(log).toEqual(["a picture", "b picture"]);
});

test("codecs are those that the browser says it decodes", async () => {
  await start({ avc1: BOTH, vp09: SOFTWARE, av01: ["no-preference"] });
  expect(abilities.codecs()).toEqual(["jpeg", "h264", "vp9", "av1"]);
  expect(abilities.decoder("av1", true)).toBe("no-preference");
  expect(abilities.decoder("h265", true)).toBeNull();
});

test("without WebCodecs there is JPEG only, and nothing is asked for", async () => {
  vi.stubGlobal("VideoDecoder", undefined);
  await start({});
  expect(abilities.codecs()).toEqual(["jpeg"]);
  send("a", "h264", true);
  expect(log).toEqual(["a nothing"]);
});

test("a browser that does not answer is waited for a second; what it answers later is told", async () => {
  vi.useFakeTimers();
  let answer: ((support: object) => void) | undefined;
  const late = vi.spyOn(FakeDecoder, "isConfigSupported").mockImplementation(
    ({ codec, hardwareAcceleration }) =>
      new Promise((resolve) => {
        if (codec === "vp8" && hardwareAcceleration === "prefer-software") answer = resolve as typeof answer;
        else resolve({ supported: codec.startsWith("avc1") });
      }),
  );
  browser = {};
  abilities = new Abilities(() => log.push(`told ${abilities.codecs().join()}`));
  let known = false;
  void abilities.known.then(() => (known = true));
  await vi.advanceTimersByTimeAsync(999);
  expect(known).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect([known, abilities.codecs()]).toEqual([true, ["jpeg", "h264"]]);
  answer!({ supported: true });
  await vi.advanceTimersByTimeAsync(0);
  expect(log).toEqual(["told jpeg,h264,vp8"]);
  late.mockRestore();
  vi.useRealTimers();
});

test("whole pictures go to hardware, stripes do not", async () => {
  await start({ avc1: BOTH });
  send("top", "h264", true, { whole: false });
  send("bottom", "h264", true, { y: 64, whole: false });
  send("all", "h264", true, { height: 128 });
  expect(made.map(({ config }) => config!.hardwareAcceleration)).toEqual(["prefer-software", "prefer-software", "prefer-hardware"]);
});

test.each(["NotSupportedError", "OperationError"])("a refused decoder (%s) is replaced by the next kind, which begins where it did", async (name) => {
  await start({ avc1: BOTH });
  send("a", "h264", true);
  send("b", "h264", false);
  made[0]!.fail(name);
  expect(made[1]!.config!.hardwareAcceleration).toBe("prefer-software");
  made[1]!.give();
  made[1]!.give();
  expect(log).toEqual(["a picture", "b picture"]);
  expect(abilities.codecs()).toEqual(["jpeg", "h264"]);
});

test("a codec that no kind decodes is not one of the page's any more, and its packets ask for nothing", async () => {
  await start({ avc1: BOTH, vp8: SOFTWARE });
  send("a", "vp8", true);
  made[0]!.fail("NotSupportedError");
  expect(log).toEqual(["told jpeg,h264", "a nothing"]);
  send("b", "vp8", false);
  send("c", "vp8", true);
  expect(log.slice(2)).toEqual(["b nothing", "c nothing"]);
  expect(made.length).toBe(1);
});

test("a decoder that fails while it works starts over at a key frame, but not on and on", async () => {
  vi.useFakeTimers();
  await start({ avc1: SOFTWARE });
  for (const strike of [1, 2, 3]) {
    vi.advanceTimersByTime(500);
    send(`key ${strike}`, "h264", true);
    made.at(-1)!.give();
    send(`delta ${strike}`, "h264", false);
    made.at(-1)!.fail("EncodingError");
  }
  expect(log).toEqual([
    ...["key 1 picture", "delta 1 nothing", "key?"],
    ...["key 2 picture", "delta 2 nothing", "key?"],
    ...["key 3 picture", "told jpeg", "delta 3 nothing"],
  ]);
});

test("without a key frame nothing is decoded", async () => {
  await start({ avc1: SOFTWARE, vp8: SOFTWARE });
  send("delta", "h264", false);
  expect(log).toEqual(["key?", "delta nothing"]);
  send("key", "h264", true);
  send("of another", "vp8", false);
  expect(log.slice(2)).toEqual(["key?", "of another nothing"]);
});

test("a codec that takes over gets a decoder of its own, and what is under way is still shown", async () => {
  await start({ avc1: SOFTWARE, vp8: SOFTWARE });
  for (const y of [0, 64]) send(`stripe ${y}`, "h264", true, { y, whole: false });
  made[0]!.give();
  send("all", "vp8", true, { height: 128 });
  expect(made.map(({ state }) => state)).toEqual(["configured", "configured", "configured"]);
  made[1]!.give();
  made[2]!.give();
  await Promise.resolve();
  expect(log).toEqual(["stripe 0 picture", "stripe 64 picture", "all picture"]);
  await vi.waitFor(() => expect(made[1]!.state).toBe("closed"));
});

test("at rest and at a reset decoders close; a reset forgets what is inside", async () => {
  await start({ avc1: SOFTWARE });
  send("a", "h264", true);
  decoders.rest();
  made[0]!.give();
  await vi.waitFor(() => expect(made[0]!.state).toBe("closed"));
  send("b", "h264", true);
  decoders.reset();
  expect(made[1]!.state).toBe("closed");
  expect(log).toEqual(["a picture"]);
});

test("a decoder that neither gives pictures nor fails is flushed, then replaced by the next kind, which begins where it did", async () => {
  vi.useFakeTimers();
  await start({ avc1: BOTH });
  send("a", "h264", true);
  send("b", "h264", false);
  await pass(1);
  expect([made.length, made[0]!.flushes]).toEqual([1, 1]);
  send("c", "h264", false);
  await pass(1);
  expect(made.map(({ state, config }) => [state, config!.hardwareAcceleration])).toEqual([
    ["closed", "prefer-hardware"],
    ["configured", "prefer-software"],
  ]);
  for (const _ of "abc") made[1]!.give();
  expect(log).toEqual(["a picture", "b picture", "c picture"]);
  send("d", "h264", true);
  made[1]!.give();
  decoders.reset();
  send("e", "h264", true);
  expect(made.at(-1)!.config!.hardwareAcceleration).toBe("prefer-software");
});

test("a decoder that goes silent after pictures lets go of what is inside it and starts over at a key frame", async () => {
  vi.useFakeTimers();
  await start({ avc1: BOTH });
  send("a", "h264", true);
  made[0]!.give();
  send("b", "h264", false);
  await pass(2);
  expect(log).toEqual(["a picture", "b nothing", "key?"]);
  send("c", "h264", true);
  expect(made[1]!.config!.hardwareAcceleration).toBe("prefer-hardware");
});

test("a decoder that gives its pictures only when it is flushed starts over at a key frame, but not on and on", async () => {
  vi.useFakeTimers();
  await start({ avc1: BOTH });
  for (const name of "abc") {
    send(name, "h264", true);
    await pass(1);
    made.at(-1)!.give();
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(log).toEqual(["a picture", "key?", "b picture", "key?", "c picture", "key?"]);
  send("d", "h264", true);
  expect(made.map(({ config }) => config!.hardwareAcceleration)).toEqual([...Array(3).fill("prefer-hardware"), "prefer-software"]);
});

test("a slow decoder and an idle one are let be", async () => {
  vi.useFakeTimers();
  await start({ avc1: BOTH });
  for (const name of "abc") send(name, "h264", name === "a");
  for (const _ of "abc") {
    await vi.advanceTimersByTimeAsync(900);
    made[0]!.give();
    decoders.watch(performance.now());
  }
  await pass(5);
  expect([made.length, made[0]!.flushes, made[0]!.state]).toEqual([1, 0, "configured"]);
});

test("a decoder that stays silent at rest closes, and what is inside is let go", async () => {
  vi.useFakeTimers();
  await start({ avc1: BOTH });
  send("a", "h264", true);
  decoders.rest();
  await pass(1);
  expect([log, made[0]!.state]).toEqual([["a nothing"], "closed"]);
});

test("a decoder that takes everything and gives nothing does not start over for ever", async () => {
  vi.useFakeTimers();
  await start({ avc1: BOTH });
  for (const _ of "123") {
    send("key", "h264", true);
    made.at(-1)!.decodeQueueSize = 61;
    send("delta", "h264", false);
    await vi.advanceTimersByTimeAsync(500);
  }
  send("key", "h264", true);
  expect(made.map(({ config }) => config!.hardwareAcceleration)).toEqual([...Array(3).fill("prefer-hardware"), "prefer-software"]);
});

test("after a stripe that was left out nothing is decoded until a key frame", async () => {
  await start({ avc1: SOFTWARE });
  send("a", "h264", true);
  skip("h264");
  send("c", "h264", false);
  made[0]!.give();
  expect(log).toEqual(["key?", "key?", "c nothing", "a picture"]);
  skip("vp8");
  expect(log.length).toBe(4);
});

test("decoders that the browser takes back are not counted as failed", async () => {
  vi.useFakeTimers();
  await start({ avc1: SOFTWARE });
  for (const time of [1, 2, 3, 4]) {
    send(`${time}`, "h264", true);
    made.at(-1)!.give();
    made.at(-1)!.fail("QuotaExceededError");
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(log).toEqual(["1 picture", "key?", "2 picture", "key?", "3 picture", "key?", "4 picture", "key?"]);
  expect(abilities.codecs()).toEqual(["jpeg", "h264"]);
});

test("what ends the decoders of many stripes counts once", async () => {
  vi.useFakeTimers();
  await start({ avc1: SOFTWARE });
  const places = [0, 64, 128, 192];
  for (const time of [1, 2, 3]) {
    for (const y of places) send("key", "h264", true, { y, whole: false });
    const current = made.slice(-places.length);
    for (const decoder of current) decoder.give();
    expect([time, abilities.codecs()]).toEqual([time, ["jpeg", "h264"]]);
    for (const decoder of current) decoder.fail("EncodingError");
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(abilities.codecs()).toEqual(["jpeg"]);
});

test("a decoder that fails at every key frame is not tried again at once, over and over", async () => {
  vi.useFakeTimers();
  await start({ avc1: SOFTWARE });
  send("a", "h264", true);
  made[0]!.fail("EncodingError");
  made[1]!.fail("EncodingError");
  expect([made.length, log]).toEqual([2, ["a nothing", "key?"]]);
});
