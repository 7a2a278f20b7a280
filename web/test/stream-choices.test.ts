import { expect, test, vi } from "vitest";
import { events, forget, log, say, settings, settle, socket, start, stream, useFakes } from "./fake-stream";

useFakes();

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
    forget();
    stream.command({ type: "view", view });
    expect(log).toEqual([]);
  }
});

test("where the operator wants it stretched, the size is in CSS pixels and nothing is scaled", async () => {
  start({ view: { width: 1600, height: 900, dpi: 192, ratio: 2 } });
  settings({ use_css_scaling: { value: true } });
  await settle();
  expect(log[1]).toContain('"scaling_dpi":96');
  expect(log[1]).toContain('"initialClientWidth":800,"initialClientHeight":450');
  forget();
  stream.command({ type: "view", view: { width: 1602, height: 900, dpi: 192, ratio: 2 } });
  expect(log).toEqual([]);
  stream.command({ type: "view", view: { width: 1280, height: 720, dpi: 192, ratio: 2 } });
  expect(log).toEqual(["r,640x360,primary"]);
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
  forget();
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
  forget();
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
