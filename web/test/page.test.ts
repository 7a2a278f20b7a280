import { expect, test } from "vitest";
import { targetOf } from "../src/address";
import { PingProbe, RateMeter, StageLog } from "../src/stats";
import { stagesMessage } from "../src/wire";

const page = (parts: object) => targetOf({ protocol: "http:", host: "h:8080", pathname: "/", search: "", hash: "", ...parts });

test("the WebSocket lies beside the page", () => {
  expect(page({}).url).toBe("ws://h:8080/api/websockets");
  expect(page({ protocol: "https:", pathname: "/desk/index.html" }).url).toBe("wss://h:8080/desk/api/websockets");
  expect(page({ search: "?token=a%26b" }).url).toBe("ws://h:8080/api/websockets?token=a%26b");
});

test("what WebRTC needs lies beside the page, too", () => {
  expect(page({ protocol: "https:", pathname: "/desk/", search: "?token=a%26b&role=viewer&mode=webrtc" })).toMatchObject({
    signaling: "wss://h:8080/desk/api/webrtc/signaling?token=a%26b&role=viewer",
    turn: "https://h:8080/desk/api/turn?token=a%26b",
    status: "https://h:8080/desk/api/status?token=a%26b",
    token: "a&b",
    mode: "webrtc",
  });
  expect(page({ search: "?mode=telepathy" })).toMatchObject({ mode: null, token: null, turn: "http://h:8080/api/turn" });
});

test("watching only, by fragment or by role", () => {
  expect(page({ hash: "#shared" })).toMatchObject({ viewer: true, url: "ws://h:8080/api/websockets?role=viewer" });
  expect(page({ search: "?role=viewer" }).viewer).toBe(true);
  expect(page({ search: "?role=controller" }).viewer).toBe(false);
});

test("rates are those of the time since the last reading", () => {
  const meter = new RateMeter(1000);
  expect(meter.read(30, 5000, 2000)).toEqual({ fps: 30, bytesPerSecond: 5000 });
  expect(meter.read(45, 6000, 2500)).toEqual({ fps: 30, bytesPerSecond: 2000 });
});

test("times of frames are kept for the next report, the newest ones", () => {
  const log = new StageLog();
  for (let frame = 0; frame < 300; frame += 1) log.add({ frame, decode: frame, present: 2 });
  const report = log.take();
  expect([report.length, report[0]?.frame, report.at(-1)?.frame]).toEqual([128, 172, 299]);
  expect([log.decode, log.present]).toEqual([236, 2]);
  // A quiet second leaves the figures as they were.
  expect(log.take()).toEqual([]);
  expect(log.decode).toBe(236);
});

test("a report is in microseconds, and the longest one is within the server's limit", () => {
  const frames = [
    { frame: 513, decode: 5.2, present: 0.9 },
    { frame: 514, decode: -0.1, present: 1e9 },
  ];
  expect(stagesMessage(frames)).toBe("_stages,513:5200:900,514:0:10000000");
  const longest = stagesMessage(Array(128).fill({ frame: 65535, decode: 1e9, present: 1e9 }));
  expect(longest.length).toBeLessThanOrEqual(4096);
});

test("the round trip is measured, and a server that does not answer is left alone", () => {
  const probe = new PingProbe();
  expect(probe.next(1000.4)).toBe("_ping,1000");
  probe.answered(1000, 1012);
  expect(probe.roundTrip).toBe(12);
  probe.answered(1000, 1500); // a second answer to one question
  expect(probe.roundTrip).toBe(12);
  expect([2000, 3000, 4000, 5000].map((now) => probe.next(now))).toEqual(["_ping,2000", "_ping,3000", "_ping,4000", null]);
});
