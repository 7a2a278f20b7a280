import { expect, test, vi } from "vitest";
import { decode, decoding, events, log, say, settings, socket, start, stripe, useFakes } from "./fake-stream";

useFakes();

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
