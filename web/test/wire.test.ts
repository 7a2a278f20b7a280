import { expect, test } from "vitest";
import { commandMessage } from "../src/command-panel";
import * as wire from "../src/wire";

const bytes = (...values: number[]) => new Uint8Array(values).buffer;

test("a JPEG stripe has a 6-byte big-endian header", () => {
  const packet = wire.parseBinary(bytes(3, 0, 0xff, 0xfe, 0x01, 0x40, 0xff, 0xd8));
  expect(packet).toMatchObject({ kind: "jpeg", frame: 65534, y: 320, last: false });
  expect(wire.parseBinary(bytes(3, 1, 0, 0, 0, 0, 0xff))).toMatchObject({ last: true });
  expect([...packet!.payload]).toEqual([0xff, 0xd8]);
});

test("a video stripe has a 12-byte header with codec, anchor bit and kind in one byte", () => {
  const packet = wire.parseBinary(bytes(4, 0x19, 0, 7, 0, 64, 2, 0, 1, 0, 0, 6, 0xaa));
  expect(packet).toMatchObject({ kind: "video", codec: "h264", key: true, frame: 7, y: 64, width: 512, height: 256 });
  expect([...packet!.payload]).toEqual([0xaa]);
  expect(wire.parseBinary(bytes(4, 0x10, 0, 7, 0, 0, 2, 0, 1, 0, 0, 6, 0xaa))).toMatchObject({ key: false, last: false });
  expect(wire.parseBinary(bytes(4, 0x54, 0, 7, 0, 0, 2, 0, 1, 0, 0, 6, 0xaa))).toMatchObject({ codec: "h265", key: false, last: true });
});

test.each([
  ["nothing", bytes()],
  ["audio", bytes(1, 0, 1, 2, 3, 4, 5, 6)],
  ["a header without a picture", bytes(3, 0, 0, 1, 0, 0)],
  ["a cut video header", bytes(4, 0x11, 0, 1, 0, 0, 1, 0, 1, 0)],
  ["an unknown codec", bytes(4, 0xf1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 9)],
  ["a video without width", bytes(4, 0x11, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 9)],
])("binary: %s is ignored", (_, message) => expect(wire.parseBinary(message)).toBeNull());

test("server settings keep only entries that are objects", () => {
  const message = wire.parseText('{"type":"server_settings","settings":{"enable_resize":{"value":false,"locked":true},"x":3}}');
  expect(message).toEqual({ kind: "settings", settings: new Map([["enable_resize", { value: false, locked: true }]]) });
});

test.each([
  ['{"type":"stream_resolution","width":640,"height":480}', { kind: "resolution", width: 640, height: 480 }],
  ['{"type":"stream_resolution","width":640,"height":480,"displayId":"display2"}', null],
  ['{"type":"stream_resolution","width":-1,"height":480}', null],
  ['{"type":"pipeline_status","video":false,"reason":"the display is gone"}', { kind: "pipeline", missing: "the display is gone", notice: "" }],
  ['{"type":"pipeline_status","video":false}', { kind: "pipeline", missing: "", notice: "" }],
  ['{"type":"pipeline_status","video":true}', { kind: "pipeline", missing: null, notice: "" }],
  ['{"type":"pipeline_status","video":true,"reason":"another encoder goes on"}', { kind: "pipeline", missing: null, notice: "another encoder goes on" }],
  ['{"type":"pipeline_status","audio":true}', { kind: "sound", missing: "" }],
  ['{"type":"pipeline_status","audio":false,"reason":"nobody answers"}', { kind: "sound", missing: "The server has no sound. nobody answers" }],
  ["AUDIO_DISABLED", { kind: "sound", missing: "The server has its sound switched off." }],
  ["MICROPHONE_DISABLED", { kind: "speech-refused" }],
  ['{"type":"stream_resolution","width":99999,"height":480}', null],
  ['{"type":"stream_resolution","width":16000,"height":16000}', null],
  ["KILL Superseded, sorry", { kind: "kill", reason: "Superseded, sorry" }],
  ["MODE websockets", { kind: "mode", mode: "websockets" }],
  ["PIPELINE_RESETTING primary", { kind: "reset" }],
  ["PIPELINE_RESETTING display2", null],
  ['AUTH_SUCCESS,{"role":"viewer","slot":null}', { kind: "role", role: "viewer" }],
  ['ROLE_UPDATE,{"role":"controller","slot":1}', { kind: "role", role: "controller" }],
  ['ROLE_UPDATE,{"role":"king"}', null],
  ['DISPLAY_CONFIG_UPDATE,{"type":"display_config_update","displays":["primary",7]}', { kind: "displays", names: ["primary"] }],
  ['DISPLAY_CONFIG_UPDATE,{"displays":"primary"}', null],
  ["DISPLAY_OWNER primary", { kind: "owner" }],
  ["DISPLAY_OWNER display2", null],
  ['system,{"action":"encoder,h264enc"}', { kind: "encoder", name: "h264enc" }],
  ['system,{"action":"reload"}', { kind: "reload" }],
  ["system,{}", null],
  ["MK_ACCESS,1", { kind: "input-access", allowed: true }],
  ["MK_ACCESS,0", { kind: "input-access", allowed: false }],
  ["pong,1234", { kind: "pong", time: 1234 }],
  ["pong,x", null],
  ["VIDEO_STARTED", null],
  ["{broken", null],
  ["[]", null],
])("text %s", (text, meaning) => expect(wire.parseText(text)).toEqual(meaning));

test("a cursor is checked, its hotspot clamped", () => {
  const cursor = (value: object) => wire.parseText(`cursor,${JSON.stringify(value)}`);
  expect(cursor({ curdata: "iVBO", width: 24, height: 24, hotx: 3, hoty: 99, handle: 1 })).toEqual({
    kind: "cursor",
    cursor: { png: "iVBO", width: 24, height: 24, hotX: 3, hotY: 23 },
  });
  expect(cursor({ curdata: "", width: 0, height: 0 })).toMatchObject({ cursor: { png: "" } });
  expect(cursor({ curdata: 'a") url(http://x', width: 24, height: 24 })).toBeNull();
  expect(cursor({ curdata: "iVBO", width: 2000, height: 24 })).toBeNull();
});

test("text beyond the limit is ignored", () => {
  expect(wire.parseText(`KILL ${"x".repeat(wire.MAX_TEXT)}`)).toBeNull();
});

test("messages of the client", () => {
  expect(wire.ackMessage(65535, 3.6)).toBe("CLIENT_FRAME_ACK 65535 4");
  expect(wire.ackMessage(0, -1)).toBe("CLIENT_FRAME_ACK 0 0");
  expect(wire.resizeMessage(1280, 720)).toBe("r,1280x720,primary");
  expect(wire.keyMessage(true, 0xff0d)).toBe("kd,65293");
  expect(wire.keyMessage(false, 97)).toBe("ku,97");
  expect(wire.heldKeysMessage([97, 65505])).toBe("kh,97,65505");
  expect(wire.textMessage("a,b")).toBe("co,end,a,b");
  expect(wire.pointerMessage(false, 3, 4, 5, 0)).toBe("m,3,4,5,0");
  expect(wire.pointerMessage(true, -3, 4, 8, 2)).toBe("m2,-3,4,8,2");
  const settings = wire.settingsMessage({ tabId: "t", width: 800, height: 600, dpi: 96 }, { encoder: "jpeg" });
  expect(settings.startsWith("SETTINGS,{")).toBe(true);
  expect(JSON.parse(settings.slice(9))).toEqual({
    displayId: "primary",
    tabId: "t",
    initialClientWidth: 800,
    initialClientHeight: 600,
    scaling_dpi: 96,
    useCssScaling: false,
    audioRedundancy: true,
    encoder: "jpeg",
  });
  expect(wire.codecsMessage(["jpeg", "vp9"])).toBe("_codecs,jpeg,vp9");
  const wishes = wire.wishesMessage({ video_crf: 30 });
  expect(JSON.parse(wishes.slice(9))).toEqual({ displayId: "primary", video_crf: 30 });
});

test("what may be chosen is read with care", () => {
  const settings = (entries: Record<string, wire.Setting>) => new Map(Object.entries(entries));
  expect(wire.encodersOf(settings({ encoder: { allowed: ["h264enc", 3, "x".repeat(65), "jpeg"] } }))).toEqual(["h264enc", "jpeg"]);
  expect(wire.encodersOf(settings({}))).toEqual([]);
  expect(wire.rangeOf(settings({ video_crf: { min: 5, max: 50, default: 60 } }), "video_crf")).toEqual({ min: 5, max: 50, value: 50 });
  expect(wire.rangeOf(settings({ video_crf: { min: 25, max: 25, default: 25 } }), "video_crf")).toBeNull();
  const names = ["jpeg", "h264enc-striped", "vp9enc", "nvh264enc", "x265enc", "rav1enc", "ownenc"];
  expect(names.map(wire.codecOf)).toEqual(["jpeg", "h264", "vp9", "h264", "h265", "av1", null]);
});

test("a line is trimmed, and what the host would refuse is not sent", () => {
  expect(commandMessage("  xterm -e top ")).toBe("cmd,xterm -e top");
  for (const line of ["", "  ", "a\0b", "é".repeat(2049)]) expect(commandMessage(line)).toBeNull();
  expect(commandMessage("é".repeat(2048))).not.toBeNull();
});

test("what became of a line", () => {
  const parse = (message: object) => wire.parseText(`system,${JSON.stringify(message)}`);
  const done = { action: "command_done,echo a,b", status: 0, output: "a,b\n", cut: false };
  expect(parse(done)).toEqual({ kind: "command", done: true, told: "echo a,b", output: "a,b\n" });
  const failed = { action: "command_error,x: exit status 3", status: 3, output: "oops", cut: true };
  expect(parse(failed)).toEqual({ kind: "command", done: false, told: "x: exit status 3", output: "oops…" });
  // 2.1.0 says no more than this.
  expect(parse({ action: "command_done,x" })).toEqual({ kind: "command", done: true, told: "x", output: "" });
  expect(parse({ action: "command_other,x" })).toBeNull();
});
