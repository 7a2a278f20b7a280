// The WebSocket wire of Selkies 2.1.0: text verbs both ways, binary video from the server. Pure functions; every
// field that comes from the server is checked and limited here, so that the rest of the client need not.

import type { ClipboardRules } from "./messages";

/** Largest text message that is looked at, in UTF-16 units; cursors and server settings are far smaller. */
export const MAX_TEXT = 1 << 20;
/** Largest binary message that is looked at, in bytes (the hard cap of the protocol). */
export const MAX_BINARY = 32 << 20;
/** Largest stream width or height, in pixels. */
export const MAX_SIDE = 16384;
/** Largest picture, in pixels: a little more than 8K. Decoded, it takes four bytes for each. */
export const MAX_PIXELS = 1 << 25;
/** Pixels of `sf` that scroll as far as one notch of a wheel. */
export const FINGER_NOTCH = 15;
/** The display this client shows and resizes. */
export const DISPLAY = "primary";

const MAX_CURSOR_SIDE = 512;
const MAX_CURSOR_DATA = 512 << 10;
const MAX_REASON = 300;
const MAX_NAME = 64;
/** What a command line printed, UTF-16 units. */
const MAX_OUTPUT = 64 << 10;
/** Most encoders that a menu shows. */
const MAX_ENCODERS = 64;
const MAX_DISPLAYS = 16;

/** One entry of `server_settings`; which fields exist depends on the setting's kind. */
export interface Setting {
  value?: unknown;
  locked?: unknown;
  allowed?: unknown;
  min?: unknown;
  max?: unknown;
  default?: unknown;
}

/** Server settings by name. */
export type Settings = ReadonlyMap<string, Setting>;

/** A pointer image; `png` is base64, an empty one means that the pointer is hidden. Sizes in stream pixels. */
export interface CursorShape {
  png: string;
  width: number;
  height: number;
  hotX: number;
  hotY: number;
}

/** What a text message of the server means to this client. */
export type ServerText =
  | { kind: "mode"; mode: string }
  | { kind: "settings"; settings: Settings }
  | { kind: "resolution"; width: number; height: number }
  | { kind: "cursor"; cursor: CursorShape }
  | { kind: "role"; role: "controller" | "viewer" }
  | { kind: "input-access"; allowed: boolean }
  | { kind: "reset" }
  /** The displays that have an owner. */
  | { kind: "displays"; names: string[] }
  /** This page owns the display from now on. */
  | { kind: "owner" }
  /** Why there is no picture; null where there is one. */
  | { kind: "pipeline"; missing: string | null; notice: string }
  /** Why there is no sound; empty where there is some. */
  | { kind: "sound"; missing: string }
  /** The server takes no voice from this page. */
  | { kind: "speech-refused" }
  /** The encoder in use. */
  | { kind: "encoder"; name: string }
  /** A program lets a gamepad rumble. */
  | { kind: "rumble"; slot: number; strong: number; weak: number; ms: number }
  /** A command line ended: the line or why it failed, and what it printed. */
  | { kind: "command"; done: boolean; told: string; output: string }
  /** The server has another mode: what it serves is to be asked again. */
  | { kind: "reload" }
  | { kind: "kill"; reason: string }
  | { kind: "pong"; time: number };

/** Video codecs of a 0x04 message; each is one more than its index on the wire (2.1.0's numbers, as its names). */
export const VIDEO_CODECS = ["h264", "vp8", "vp9", "av1", "h265"] as const;
/** Video codec of a 0x04 message. */
export type VideoCodec = (typeof VIDEO_CODECS)[number];

/**
 * A stripe of a picture; `payload` is a view into the message. `last` marks the last stripe of a frame: bit 0 of the
 * second byte, which is 0 in Selkies 2.1.0 and which its clients ignore; a server that sets it spares the client a pause.
 */
export interface JpegPacket {
  kind: "jpeg";
  frame: number;
  y: number;
  last: boolean;
  payload: Uint8Array;
}

/** A stripe of a video, or all of it where `y` is 0 and the size is the stream's. */
export interface VideoPacket {
  kind: "video";
  codec: VideoCodec;
  key: boolean;
  /** Bit 2 of the second byte, which 2.1.0 does not use: the last stripe of a frame, as in JPEG; deltas only. */
  last: boolean;
  frame: number;
  y: number;
  width: number;
  height: number;
  payload: Uint8Array;
}

/** Answers null for a message that this client has no use for, or that is malformed. */
export function parseText(text: string): ServerText | null {
  if (text.length > MAX_TEXT) return null;
  if (text.startsWith("{")) return parseTyped(record(text));
  if (text.startsWith("cursor,")) return parseCursor(record(text.slice(7)));
  if (text.startsWith("system,")) return parseAction(record(text.slice(7)));
  if (text.startsWith("AUTH_SUCCESS,")) return parseRole(record(text.slice(13)));
  if (text.startsWith("ROLE_UPDATE,")) return parseRole(record(text.slice(12)));
  if (text.startsWith("MK_ACCESS,")) return { kind: "input-access", allowed: text.slice(10) === "1" };
  if (text.startsWith("MODE ")) return { kind: "mode", mode: text.slice(5, 5 + MAX_REASON) };
  if (text.startsWith("KILL")) return { kind: "kill", reason: text.slice(5, 5 + MAX_REASON) };
  if (text.startsWith("PIPELINE_RESETTING")) return text.slice(19) === DISPLAY ? { kind: "reset" } : null;
  if (text.startsWith("DISPLAY_CONFIG_UPDATE,")) return parseDisplays(record(text.slice(22)));
  if (text.startsWith("DISPLAY_OWNER")) return text.slice(14) === DISPLAY ? { kind: "owner" } : null;
  if (text === "AUDIO_DISABLED") return { kind: "sound", missing: "The server has its sound switched off." };
  if (text === "MICROPHONE_DISABLED") return { kind: "speech-refused" };
  if (text.startsWith("pong,")) {
    const time = Number(text.slice(5));
    return Number.isFinite(time) ? { kind: "pong", time } : null;
  }
  return null;
}

/** Answers null for audio and for unknown or malformed messages. Numbers on the wire are big-endian. */
export function parseBinary(message: ArrayBuffer): JpegPacket | VideoPacket | null {
  if (message.byteLength > MAX_BINARY || message.byteLength < 7) return null;
  const view = new DataView(message);
  const [type, flags, frame, y] = [view.getUint8(0), view.getUint8(1), view.getUint16(2), view.getUint16(4)];
  if (type === 0x03) {
    return { kind: "jpeg", frame, y, last: (flags & 1) === 1, payload: new Uint8Array(message, 6) };
  }
  if (type !== 0x04 || message.byteLength < 13) return null;
  const codec = VIDEO_CODECS[(flags >> 4) - 1];
  const size = pictureSize(view.getUint16(6), view.getUint16(8));
  if (!codec || !size) return null;
  const key = (flags & 0x07) === 1;
  const last = (flags & 0x07) === 4;
  return { kind: "video", codec, key, last, frame, y, ...size, payload: new Uint8Array(message, 12) };
}

/** What a controller says first; names and meaning are those of the server's settings. */
export interface ClientSettings {
  tabId: string;
  width: number;
  height: number;
  dpi: number;
}

/** The controller's first message; it starts the stream of its display. */
export function settingsMessage(client: ClientSettings, wishes: Wishes): string {
  return `SETTINGS,${JSON.stringify({
    displayId: DISPLAY,
    tabId: client.tabId,
    initialClientWidth: client.width,
    initialClientHeight: client.height,
    scaling_dpi: client.dpi,
    useCssScaling: false,
    audioRedundancy: true,
    ...wishes,
  })}`;
}

/** What this page decodes; the host encodes nothing else for it where it can. */
export function codecsMessage(codecs: readonly string[]): string {
  return ["_codecs", ...codecs].join(",");
}

/** The newest drawn frame; `heldMs` is the time since it was drawn. */
export function ackMessage(frame: number, heldMs: number): string {
  return `CLIENT_FRAME_ACK ${frame} ${Math.max(0, Math.round(heldMs))}`;
}

/** What one drawn and acknowledged frame took in here, in ms. */
export interface FrameStages {
  frame: number;
  /** From its last byte to its last decoded part. */
  decode: number;
  /** From there until it was drawn. */
  present: number;
}

/** Longest time that is told, in µs. */
const MAX_STAGE = 10_000_000;

/** What frames took, oldest first; at most 128 fit the server's limit. */
export function stagesMessage(frames: readonly FrameStages[]): string {
  const us = (ms: number) => Math.min(MAX_STAGE, Math.max(0, Math.round(ms * 1000)));
  return `_stages,${frames.map(({ frame, decode, present }) => `${frame}:${us(decode)}:${us(present)}`).join(",")}`;
}

/** Settings that the user changes while the stream runs, by the server's names for them. */
export interface Wishes {
  encoder?: string;
  /** Constant rate factor of video: 0 is the best, 51 the smallest. */
  video_crf?: number;
  /** 1 to 100. */
  jpeg_quality?: number;
  /** Pictures and lists of files by the clipboard. */
  enable_binary_clipboard?: boolean;
}

/** Changes settings of the running stream. */
export function wishesMessage(wishes: Wishes): string {
  return `SETTINGS,${JSON.stringify({ displayId: DISPLAY, ...wishes })}`;
}

/** The encoders that the server lets a page choose from. */
export function encodersOf(settings: Settings): string[] {
  const allowed = settings.get("encoder")?.allowed;
  const names = Array.isArray(allowed) ? allowed.filter((name) => typeof name === "string" && name.length <= MAX_NAME) : [];
  return names.slice(0, MAX_ENCODERS) as string[];
}

/** What a range of the server's settings spans, and where it begins; null where it is fixed or not there. */
export function rangeOf(settings: Settings, name: string): { min: number; max: number; value: number } | null {
  const { min, max, default: value } = settings.get(name) ?? {};
  if (typeof min !== "number" || typeof max !== "number" || typeof value !== "number" || min >= max) return null;
  return { min, max, value: Math.min(max, Math.max(min, value)) };
}

/** What the settings let a page that may use the desktop exchange by the clipboard; `binary` is what its user wishes. */
export function clipboardRules(settings: Settings, binary: boolean | undefined): ClipboardRules | null {
  const value = (name: string) => settings.get(name)?.value;
  const direction = value("enable_clipboard");
  if (direction === undefined || value("clipboard_enabled") === false) return null;
  const open = (way: "in" | "out") => direction === "true" || direction === true || direction === way;
  const kinds = settings.get("enable_binary_clipboard");
  const binaryLocked = kinds?.locked === true;
  return {
    inward: open("in") && value("clipboard_in_enabled") !== false,
    outward: open("out") && value("clipboard_out_enabled") !== false,
    seamless: value("clipboard_seamless") !== false,
    binary: (binaryLocked ? undefined : binary) ?? kinds?.value === true,
    binaryLocked,
  };
}

/** Whether the server runs command lines. */
export function runsCommands(settings: Settings): boolean {
  return settings.get("command_enabled")?.value === true;
}

/** What the server allows with files. */
export function fileRights(settings: Settings): { upload: boolean; download: boolean } {
  const ways = settings.get("file_transfers")?.value;
  const allows = (way: string) => Array.isArray(ways) && ways.includes(way);
  return { upload: allows("upload"), download: allows("download") };
}

/** The codec of an encoder, by its name on the wire; null for names that do not tell. */
export function codecOf(encoder: string): string | null {
  const name = /jpeg|[hx]26[45]|vp8|vp9|av1/.exec(encoder)?.[0] ?? null;
  return name?.startsWith("x") ? `h${name.slice(1)}` : name;
}

/** Asks for a new size of the display, in pixels. */
export function resizeMessage(width: number, height: number): string {
  return `r,${width}x${height},${DISPLAY}`;
}

/** A key going down or up; `keysym` is an X keysym. */
export function keyMessage(down: boolean, keysym: number): string {
  return `${down ? "kd" : "ku"},${keysym}`;
}

/** Tells that these keys are still held; a server releases keys whose heartbeats stop. */
export function heldKeysMessage(keysyms: Iterable<number>): string {
  return `kh,${[...keysyms].join(",")}`;
}

/** Text that no key event carries: the result of a composition. */
export function textMessage(text: string): string {
  return `co,end,${text}`;
}

/** Pointer state: stream pixels, or pixels moved when `relative`; `scroll` is the number of wheel notches. */
export function pointerMessage(relative: boolean, x: number, y: number, mask: number, scroll: number): string {
  return `${relative ? "m2" : "m"},${x},${y},${mask},${scroll}`;
}

/** Scrolling by parts of notches, in the wire's pixels of a touchpad, of which {@link FINGER_NOTCH} are one notch. */
export function scrollMessage(dx: number, dy: number): string {
  const hundredths = (value: number) => Math.round(value * 100) / 100 + 0; // never -0
  return `sf,${hundredths(dx)},${hundredths(dy)}`;
}

/** The size of a picture; null where it is none, or larger than this client takes. */
export function pictureSize(width: unknown, height: unknown): { width: number; height: number } | null {
  if (typeof width !== "number" || typeof height !== "number") return null;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) return null;
  return width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS ? { width, height } : null;
}

function record(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseTyped(message: Record<string, unknown> | null): ServerText | null {
  if (message?.type === "server_settings" && isRecord(message.settings)) {
    const settings = new Map<string, Setting>();
    for (const [name, entry] of Object.entries(message.settings)) if (isRecord(entry)) settings.set(name, entry);
    return { kind: "settings", settings };
  }
  if (message?.type === "stream_resolution") {
    const size = pictureSize(message.width, message.height);
    const ours = message.displayId === undefined || message.displayId === DISPLAY;
    return size && ours ? { kind: "resolution", ...size } : null;
  }
  if (message?.type === "pipeline_status" && typeof message.video === "boolean") {
    const reason = typeof message.reason === "string" ? message.reason.slice(0, MAX_REASON) : "";
    return message.video ? { kind: "pipeline", missing: null, notice: reason } : { kind: "pipeline", missing: reason, notice: "" };
  }
  if (message?.type === "pipeline_status" && typeof message.audio === "boolean") {
    const reason = typeof message.reason === "string" ? message.reason.slice(0, MAX_REASON) : "";
    return { kind: "sound", missing: message.audio ? "" : `The server has no sound. ${reason}`.trim() };
  }
  return null;
}

function parseRole(message: Record<string, unknown> | null): ServerText | null {
  const role = message?.role;
  return role === "controller" || role === "viewer" ? { kind: "role", role } : null;
}

function parseDisplays(message: Record<string, unknown> | null): ServerText | null {
  const displays = message?.displays;
  if (!Array.isArray(displays)) return null;
  const names = displays.slice(0, MAX_DISPLAYS).filter((name): name is string => typeof name === "string");
  return { kind: "displays", names };
}

function parseAction(message: Record<string, unknown> | null): ServerText | null {
  const action = message?.action;
  if (action === "reload") return { kind: "reload" };
  if (typeof action !== "string") return null;
  if (action.startsWith("rumble,")) return parseRumble(action.slice(7));
  const [verb, told] = [action.split(",", 1)[0]!, action.slice(action.indexOf(",") + 1)];
  if (verb === "command_done" || verb === "command_error") {
    const printed = typeof message?.output === "string" ? message.output.slice(0, MAX_OUTPUT) : "";
    const output = message?.cut === true ? `${printed}…` : printed;
    return { kind: "command", done: verb === "command_done", told: told.slice(0, MAX_REASON), output };
  }
  if (!action.startsWith("encoder,")) return null;
  return { kind: "encoder", name: action.slice(8, 8 + MAX_NAME) };
}

/** `<slot>,<heavy>,<light>,<ms>`, motors from 0 to 1. */
function parseRumble(text: string): ServerText | null {
  if (!/^[0-3],[01](\.\d+)?,[01](\.\d+)?,\d{1,10}$/.test(text)) return null;
  const [slot = 0, strong = 0, weak = 0, ms = 0] = text.split(",").map(Number);
  return strong <= 1 && weak <= 1 ? { kind: "rumble", slot, strong, weak, ms } : null;
}

function parseCursor(message: Record<string, unknown> | null): ServerText | null {
  if (!message) return null;
  const { curdata, hotx, hoty } = message;
  if (curdata === "") {
    return { kind: "cursor", cursor: { png: "", width: 0, height: 0, hotX: 0, hotY: 0 } };
  }
  if (typeof curdata !== "string" || curdata.length > MAX_CURSOR_DATA) return null;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(curdata)) return null;
  const size = pictureSize(message.width, message.height);
  if (!size || size.width > MAX_CURSOR_SIDE || size.height > MAX_CURSOR_SIDE) return null;
  const inside = (at: unknown, length: number) => (Number.isInteger(at) ? Math.min(Math.max(at as number, 0), length - 1) : 0);
  const [hotX, hotY] = [inside(hotx, size.width), inside(hoty, size.height)];
  return { kind: "cursor", cursor: { png: curdata, ...size, hotX, hotY } };
}
