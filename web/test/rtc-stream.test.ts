import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RtcOptions, StreamEvent } from "../src/messages";
import { RtcStream, type VideoElement } from "../src/rtc-stream";
import { FakeGround, offer } from "./rtc-fakes";

class FakeVideo {
  srcObject: unknown = null;
  videoWidth = 0;
  videoHeight = 0;
  callback: ((now: number, metadata: object) => void) | null = null;
  private readonly listeners = new Map<string, () => void>();

  play = () => Promise.resolve();
  addEventListener = (name: string, listener: () => void) => void this.listeners.set(name, listener);
  removeEventListener = (name: string) => void this.listeners.delete(name);
  cancelVideoFrameCallback = () => (this.callback = null);

  requestVideoFrameCallback(callback: (now: number, metadata: object) => void) {
    this.callback = callback;
    return 1;
  }

  resize(width: number, height: number) {
    [this.videoWidth, this.videoHeight] = [width, height];
    this.listeners.get("resize")?.();
  }
}

const OPTIONS: RtcOptions = {
  url: "ws://host/signaling",
  turn: "http://host/turn",
  token: null,
  slot: null,
  codecs: ["vp8", "vp9"],
  tabId: "tab",
  viewer: false,
  encoder: null,
  view: { width: 800, height: 600, dpi: 96 },
  visible: true,
};

let ground: FakeGround;
let video: FakeVideo;
let events: StreamEvent[];
let stream: RtcStream;
const peer = () => ground.peers.at(-1)!;
const sent = () => peer().input.sent;
const settle = () => vi.advanceTimersByTimeAsync(0);
const newest = <T extends StreamEvent["type"]>(type: T) => events.findLast((event) => event.type === type) as Extract<StreamEvent, { type: T }> | undefined;
const SETTINGS = '{"type":"server_settings","settings":{"encoder":{"value":"vp8enc","allowed":["vp8enc","h264enc"]}}}';

async function start(options: Partial<RtcOptions> = {}): Promise<void> {
  stream = new RtcStream(video as unknown as VideoElement, { ...OPTIONS, ...options }, (event) => events.push(event), ground);
  ground.sockets.at(-1)!.pair();
  ground.sockets.at(-1)!.say(offer("7"));
  await settle();
  peer().connect();
  peer().input.say("MODE webrtc");
  peer().input.say(SETTINGS);
  await settle();
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("MediaStream", class { constructor(readonly tracks: unknown[]) {} });
  [ground, video, events] = [new FakeGround(), new FakeVideo(), []];
});

afterEach(() => {
  stream.command({ type: "stop" });
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the session begins as over WebSocket, with the codecs of WebRTC", async () => {
  await start();
  expect(sent()[0]).toBe("_codecs,vp8,vp9");
  expect(JSON.parse(sent()[1]!.slice(9))).toMatchObject({ tabId: "tab", initialClientWidth: 800, initialClientHeight: 600 });
  expect(newest("choices")?.choices?.encoders).toEqual([{ name: "vp8enc", decoded: true }, { name: "h264enc", decoded: false }]);
  stream.command({ type: "view", view: { width: 640, height: 480, dpi: 96 } });
  stream.command({ type: "visible", visible: false });
  stream.command({ type: "wish", wishes: { video_crf: 20 } });
  expect(sent().slice(2)).toEqual(["r,640x480,primary", "STOP_VIDEO", 'SETTINGS,{"displayId":"primary","video_crf":20}']);
  peer().input.say('cursor,{"curdata":"","width":0,"height":0,"hotx":0,"hoty":0}');
  expect(newest("cursor")?.cursor.png).toBe("");
});

test("a viewer starts its picture and sends no settings", async () => {
  await start({ viewer: true });
  await vi.advanceTimersByTimeAsync(300);
  expect(sent().filter((text) => !text.startsWith("_"))).toEqual(["STOP_VIDEO", "START_VIDEO"]);
  const hello = JSON.parse(ground.sockets[0]!.sent[0]!.slice(13));
  expect(hello).toMatchObject({ client_type: "viewer", client_strict_viewer: true, client_slot: -1 });
});

test("a player says in which slot it plays, as the host counts them", async () => {
  await start({ viewer: true, slot: 2 });
  const hello = JSON.parse(ground.sockets[0]!.sent[0]!.slice(13));
  expect(hello).toMatchObject({ client_type: "viewer", client_strict_viewer: false, client_slot: 3 });
});

test("movement goes where it may be lost, everything else where it may not, and all of it is numbered", async () => {
  await start();
  peer().input.sent = [];
  stream.command({ type: "send", text: "m,1,2,0,0", droppable: true });
  stream.command({ type: "send", text: "m,1,2,1,0", droppable: false });
  stream.command({ type: "send", text: "m2,1,2,1,0", droppable: false });
  stream.command({ type: "send", text: "kd,97", droppable: false });
  expect(peer().pointer.sent).toEqual(["m,1,2,0,0,1"]);
  expect(sent()).toEqual(["m,1,2,1,0,2", "m2,1,2,1,0,3", "kd,97"]);
});

test("where the pointer comes to rest is not lost", async () => {
  await start();
  peer().input.sent = [];
  stream.command({ type: "send", text: "m,1,2,0,0", droppable: true });
  stream.command({ type: "send", text: "m,3,4,0,0", droppable: true });
  await vi.advanceTimersByTimeAsync(200);
  expect(peer().pointer.sent).toEqual(["m,1,2,0,0,1", "m,3,4,0,0,2"]);
  expect(sent()).toEqual(["m,3,4,0,0,3"]);
});

test("without a channel of its own movement goes with the rest", async () => {
  await start();
  peer().pointer.readyState = "closed";
  peer().input.sent = [];
  stream.command({ type: "send", text: "m,1,2,0,0", droppable: true });
  await vi.advanceTimersByTimeAsync(200);
  expect(sent()).toEqual(["m,1,2,0,0,1"]);
});

test("movement is left out while messages wait, clicks are not", async () => {
  await start();
  peer().input.sent = [];
  peer().input.bufferedAmount = 1 << 20;
  stream.command({ type: "send", text: "m,1,2,0,0", droppable: true });
  stream.command({ type: "send", text: "m,1,2,1,0", droppable: false });
  expect([peer().pointer.sent, sent()]).toEqual([[], ["m,1,2,1,0,1"]]);
});

test("the picture's size is the one that the server told, else the video's", async () => {
  await start();
  peer().ontrack?.({ track: { kind: "video" }, receiver: {} });
  expect(video.srcObject).toMatchObject({ tracks: [{ kind: "video" }] });
  video.resize(320, 240);
  expect(newest("size")).toMatchObject({ width: 320, height: 240 });
  peer().input.say('{"type":"stream_resolution","width":322,"height":242}');
  video.resize(320, 240);
  expect(newest("size")).toMatchObject({ width: 322, height: 242 });
});

const VIDEO = { id: "v", type: "inbound-rtp", kind: "video", packetsReceived: 0, framesDecoded: 0 };

test("packets of which no picture comes are answered by asking for a key frame", async () => {
  await start();
  peer().report = [{ ...VIDEO, packetsReceived: 10, framesDecoded: 3 }];
  await vi.advanceTimersByTimeAsync(1000);
  peer().report = [{ ...VIDEO, packetsReceived: 20, framesDecoded: 9 }];
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent()).not.toContain("REQUEST_KEYFRAME");
  peer().report = [{ ...VIDEO, packetsReceived: 40, framesDecoded: 9 }];
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent()).toContain("REQUEST_KEYFRAME");
});

test("a screen that stands still asks for nothing, nor does a hidden page", async () => {
  await start();
  peer().report = [{ ...VIDEO, packetsReceived: 10, framesDecoded: 3 }];
  await vi.advanceTimersByTimeAsync(5000);
  stream.command({ type: "visible", visible: false });
  for (let packets = 20; packets < 60; packets += 10) {
    peer().report = [{ ...VIDEO, packetsReceived: packets, framesDecoded: 3 }];
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(sent()).not.toContain("REQUEST_KEYFRAME");
});

test("a picture that does not come is asked for", async () => {
  await start();
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent()).toContain("REQUEST_KEYFRAME");
});

test("figures are those of the frames shown and of the path", async () => {
  await start();
  video.callback?.(1000, { presentedFrames: 1, receiveTime: 990, processingDuration: 0.004 });
  video.callback?.(1016, { presentedFrames: 3, receiveTime: 1008, processingDuration: 0.002 });
  peer().report = [
    { ...VIDEO, codecId: "c", packetsReceived: 90, packetsLost: 10, jitter: 0.002, bytesReceived: 5000, framesDecoded: 3 },
    { id: "c", type: "codec", mimeType: "video/VP8" },
    { id: "p", type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.02 },
  ];
  await vi.advanceTimersByTimeAsync(1000);
  expect(newest("stats")?.stats).toMatchObject({
    framesDrawn: 3, held: 8, decode: 2, present: 6, roundTrip: 20, bytesPerSecond: 5000, fps: 3,
    rtc: { codec: "VP8", loss: 0.1, jitter: 2 },
  });
});

test("a server that has no picture for WebRTC is told to the page, one that only waits for its display is not, once it showed one", async () => {
  await start();
  peer().input.say('{"type":"pipeline_status","video":false,"reason":"this page does not decode jpeg"}');
  await vi.advanceTimersByTimeAsync(5000);
  expect(events.filter(({ type }) => type === "unreachable").length).toBe(1);
  stream.command({ type: "stop" });
  events = [];
  await start();
  video.callback?.(1, { presentedFrames: 1 });
  peer().input.say('{"type":"pipeline_status","video":false,"reason":"no display"}');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(events.some(({ type }) => type === "unreachable")).toBe(false);
});

test("a pushed configuration is no text of the session", async () => {
  await start();
  peer().input.say('{"type":"rtc_config","config":{"iceServers":[{"urls":"stun:new.test"}]}}');
  expect(peer().calls.at(-1)).toBe('servers [{"urls":["stun:new.test"]}]');
});

test("KILL ends it, with its peer connection", async () => {
  await start();
  peer().input.say("KILL another client");
  expect(newest("state")).toMatchObject({ state: "ended", detail: "another client" });
  expect([peer().closed, ground.sockets[0]!.closed, video.callback]).toEqual([true, true, null]);
});
