import { expect, test, vi } from "vitest";
import { decode, keyRequests, log, say, startSilent, stream, stripe, useFakes, video } from "./fake-stream";

useFakes();

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
