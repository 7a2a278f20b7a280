import { afterEach, expect, test, vi } from "vitest";
import type { StreamEvent } from "../src/messages";
import { fetchServed, type Mode, parseStatus, pickMode, PLAIN, type Served } from "../src/modes";
import { Player } from "../src/player";
import { rtcCodecs } from "../src/rtc-codecs";
import { fetchRtcConfig, parseRtcConfig } from "../src/rtc-config";
import { RtcMeter } from "../src/rtc-stats";

const BOTH: Served = { current: "webrtc", modes: ["webrtc", "websockets"] };
const RTC_ONLY: Served = { current: "webrtc", modes: ["webrtc"] };

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("both modes are served where dual mode is on", () => {
  const status = { current_mode: "webrtc", available_modes: ["websockets", "webrtc"] };
  expect(parseStatus({ ...status, enable_dual_mode: true })).toEqual(BOTH);
  expect(parseStatus({ ...status, enable_dual_mode: false })).toEqual(RTC_ONLY);
  expect(parseStatus({ current_mode: "websockets", available_modes: "x" })).toEqual(PLAIN);
  for (const bad of [null, 3, {}, { current_mode: "carrier pigeon" }]) expect(parseStatus(bad)).toBeNull();
});

test("address, user and server decide, in this order", () => {
  const pick = (served: Served, preference: Partial<Parameters<typeof pickMode>[1]>) =>
    pickMode(served, { forced: null, chosen: null, withoutRtc: false, ...preference });
  expect(pick(BOTH, {})).toBe("webrtc");
  expect(pick(BOTH, { chosen: "websockets" })).toBe("websockets");
  expect(pick(RTC_ONLY, { chosen: "websockets" })).toBe("webrtc");
  expect(pick(PLAIN, { chosen: "webrtc" })).toBe("websockets");
  expect(pick(BOTH, { withoutRtc: true })).toBe("websockets");
  expect(pick(RTC_ONLY, { withoutRtc: true })).toBe("webrtc");
  expect(pick(PLAIN, { forced: "webrtc", chosen: "websockets", withoutRtc: true })).toBe("webrtc");
});

test("a server without a status is one of WebSocket, one that is not there is unknown", async () => {
  const answers = (status: number, text = "") => vi.stubGlobal("fetch", async () => new Response(text, { status }));
  answers(404);
  expect(await fetchServed("http://host/")).toEqual(PLAIN);
  answers(502);
  expect(await fetchServed("http://host/")).toBeNull();
  answers(200, "not JSON");
  expect(await fetchServed("http://host/")).toBeNull();
  vi.stubGlobal("fetch", () => Promise.reject(new Error("offline")));
  expect(await fetchServed("http://host/")).toBeNull();
});

interface Started {
  mode: Mode;
  say: (event: StreamEvent) => void;
  commands: string[];
}

function player({ forced = null as Mode | null, chosen = null as Mode | null, served = BOTH as Served | null, codecs = ["h264"] } = {}) {
  const state = { served, started: [] as Started[], events: [] as StreamEvent[], modes: [] as string[] };
  const made = new Player(forced, chosen, {
    served: async () => state.served,
    rtcCodecs: () => codecs,
    start: (mode, say) => {
      const commands: string[] = [];
      state.started.push({ mode, say, commands });
      return (command) => commands.push(JSON.stringify(command));
    },
  }, { event: (event) => state.events.push(event), mode: (mode, _, reason) => state.modes.push(`${mode}: ${reason}`) });
  const begin = async () => {
    await made.start();
    return state;
  };
  return { made, state, begin };
}

const kept = () => new Promise((done) => setTimeout(done, 0));

test("WebRTC that does not come about is followed by WebSocket, with the reason and the user's wishes", async () => {
  const { made, begin } = player();
  const state = await begin();
  made.send({ type: "wish", wishes: { video_crf: 20 } });
  const [first] = state.started;
  first!.say({ type: "unreachable", reason: "no way" });
  expect(state.modes).toEqual(["webrtc: ", "websockets: no way"]);
  expect(first!.commands.at(-1)).toBe('{"type":"stop"}');
  expect(state.started[1]!.commands).toEqual(['{"type":"wish","wishes":{"video_crf":20}}']);
  // What the old one still says is not heard.
  first!.say({ type: "state", state: "ended", detail: "" });
  expect(state.events).toEqual([]);
});

test.each([
  { served: RTC_ONLY, forced: null },
  { served: BOTH, forced: "webrtc" as const },
])("where there is nothing to fall back to, or may not be, the reason is shown: %j", async (options) => {
  const state = await player(options).begin();
  state.started[0]!.say({ type: "unreachable", reason: "no way" });
  expect(state.started.length).toBe(1);
  expect(state.events).toEqual([{ type: "state", state: "reconnecting", detail: "no way" }]);
});

test("a browser without codecs for WebRTC begins with WebSocket", async () => {
  const state = await player({ codecs: [] }).begin();
  expect(state.modes).toEqual(["websockets: This browser has no video codec for WebRTC."]);
});

test("the user's choice is tried at once, also after WebRTC failed", async () => {
  const { made, begin } = player();
  const state = await begin();
  state.started[0]!.say({ type: "unreachable", reason: "no way" });
  made.choose("webrtc");
  await kept();
  expect(state.modes).toEqual(["webrtc: ", "websockets: no way", "webrtc: "]);
  made.choose("websockets");
  await kept();
  expect(state.modes.at(-1)).toBe("websockets: ");
});

test("a server that changed its mode is followed, when it says so and when it refuses", async () => {
  const state = await player({ served: PLAIN }).begin();
  state.served = RTC_ONLY;
  state.started[0]!.say({ type: "reload" });
  await kept();
  expect(state.modes).toEqual(["websockets: ", "webrtc: "]);
  state.started[1]!.say({ type: "state", state: "reconnecting", detail: "" });
  await kept();
  expect(state.started.length).toBe(2);
  state.served = null; // not there: nothing to decide by
  state.started[1]!.say({ type: "state", state: "reconnecting", detail: "" });
  await kept();
  expect(state.started.length).toBe(2);
  state.served = PLAIN;
  state.started[1]!.say({ type: "state", state: "reconnecting", detail: "" });
  await kept();
  expect(state.modes.at(-1)).toBe("websockets: ");
});

test("codecs of WebRTC are named as the host names them, in its order", () => {
  const codecs = ["video/VP8", "video/rtx", "video/H264", "video/H264", "video/AV1", "video/red"].map((mimeType) => ({ mimeType }));
  expect(rtcCodecs({ codecs })).toEqual(["h264", "vp8", "av1"]);
  expect(rtcCodecs(null)).toEqual([]);
  expect(rtcCodecs()).toEqual([]); // here is no browser
});

test("ICE servers are checked: one bad entry would make the browser refuse them all", () => {
  expect(parseRtcConfig({
    lifetimeDuration: "86400s",
    iceTransportPolicy: "relay",
    iceServers: [
      { urls: ["stun:a:3478", "http://b", 7] },
      { urls: "turns:c?transport=tcp", username: "u", credential: "p" },
      { urls: ["turn:d"] },
      { urls: [] },
      null,
    ],
  })).toEqual({
    iceTransportPolicy: "relay",
    iceServers: [{ urls: ["stun:a:3478"] }, { urls: ["turns:c?transport=tcp"], username: "u", credential: "p" }],
  });
  expect(parseRtcConfig({ iceServers: Array(99).fill({ urls: "stun:a" }) }).iceServers?.length).toBe(16);
  for (const bad of [null, "x", 3]) expect(parseRtcConfig(bad)).toEqual({});
});

test("ICE servers that are not there yet are asked for again", async () => {
  vi.useFakeTimers();
  const statuses = [503, 200];
  vi.stubGlobal("fetch", async () => new Response('{"iceServers":[{"urls":"stun:a"}]}', { status: statuses.shift() ?? 500 }));
  const answer = fetchRtcConfig("http://host/");
  await vi.advanceTimersByTimeAsync(1000);
  expect(await answer).toEqual({ iceServers: [{ urls: ["stun:a"] }] });
  expect(await fetchRtcConfig("http://host/")).toEqual({});
  vi.stubGlobal("fetch", () => Promise.reject(new Error("offline")));
  expect(await fetchRtcConfig("http://host/")).toEqual({});
});

test("figures of a path are of the time since the last ones, also on another peer connection", () => {
  const meter = new RtcMeter();
  const video = (numbers: object) => ({ id: "v", type: "inbound-rtp", kind: "video", ...numbers });
  meter.read([video({ packetsReceived: 100, packetsLost: 50, totalDecodeTime: 1, framesDecoded: 100 })]);
  const second = meter.read([
    video({ packetsReceived: 190, packetsLost: 60, totalDecodeTime: 1.03, framesDecoded: 110, jitterBufferDelay: 0.2, jitterBufferEmittedCount: 10 }),
    { id: "t", type: "transport", selectedCandidatePairId: "p" },
    { id: "p", type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r" },
    { id: "l", type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tls" },
    { id: "r", type: "remote-candidate", candidateType: "host", protocol: "udp" },
  ]);
  expect(second).toMatchObject({ loss: 0.1, roundTrip: null, route: "relay tls" });
  expect([second.decode, second.buffered].map(Math.round)).toEqual([3, 20]);
  expect(meter.read([video({ packetsReceived: 10, packetsLost: 0 })]).loss).toBe(0);
  expect(meter.read([])).toMatchObject({ packets: 0, codec: "", route: "" });
});
