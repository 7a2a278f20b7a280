// What the page, the stream worker and the decode workers say to each other.

import type { ClipboardContent } from "./clipboard-wire";
import type { ConnectionState } from "./connection";
import type { SoundGates } from "./sound-wire";
import type { StreamStats } from "./stats";
import type { CursorShape, Wishes } from "./wire";

/** Size that the page has room for, in device pixels, and the DPI that suits it. */
export interface View {
  width: number;
  height: number;
  dpi: number;
  /** Device pixels of one CSS pixel; 1 where it is left out. */
  ratio?: number;
}

/** What a stream needs to know of the page; fixed for its life. */
export interface StreamOptions {
  url: string;
  tabId: string;
  viewer: boolean;
  /** Encoder that the address asks for; null leaves the choice to the server. */
  encoder: string | null;
  view: View;
  visible: boolean;
}

/** What a stream over WebRTC needs besides; its `url` is that of signaling. */
export interface RtcOptions extends StreamOptions {
  /** Where the ICE servers are asked for. */
  turn: string;
  token: string | null;
  /** The only slot in which the page plays, from 0 on; null for none of its own. */
  slot: number | null;
  /** What this browser takes over WebRTC, best first. */
  codecs: readonly string[];
}

/** Page to stream worker, once. */
export interface StartMessage {
  type: "start";
  canvas: OffscreenCanvas;
  decoders: MessagePort[];
  options: StreamOptions;
}

/** Page to stream; a `droppable` text may be left out while the connection is congested. */
export type StreamCommand =
  | { type: "send"; text: string; droppable: boolean }
  /** For the desktop's clipboard; keys that are sent later come later there. */
  | { type: "copied"; content: ClipboardContent }
  | { type: "wish"; wishes: Wishes }
  | { type: "view"; view: View }
  | { type: "visible"; visible: boolean }
  /** Sound is wanted, or not; a stream that decodes it sends the samples to `port`. */
  | { type: "listen"; on: boolean; port: MessagePort | null; channels: number }
  /** 20 ms of the user's voice, as it is sent. */
  | { type: "speech"; message: ArrayBuffer }
  | { type: "stop" };

/** What of a command goes over to the stream's worker and is the page's no more. */
export function transfers(command: StreamCommand): Transferable[] {
  if (command.type === "speech") return [command.message];
  return command.type === "listen" && command.port ? [command.port] : [];
}

/** What the user may change of the stream. */
export interface Choices {
  /** Encoders by the server's names, with whether this page decodes what they make. */
  encoders: { name: string; decoded: boolean }[];
  /** The encoder in use; empty where the server does not tell. */
  encoder: string;
  /** Ranges of the quality of video and of JPEG; null where it is fixed. */
  crf: Range | null;
  jpeg: Range | null;
}

/** What the server lets this page exchange by the clipboard. */
export interface ClipboardRules {
  /** From here to the desktop. */
  inward: boolean;
  /** From the desktop to here. */
  outward: boolean;
  /** Without the panel. */
  seamless: boolean;
  /** Pictures and lists of files, too. */
  binary: boolean;
  /** That is not for the user to change. */
  binaryLocked: boolean;
}

/** Limits and present value of a number. */
export interface Range {
  min: number;
  max: number;
  value: number;
}

/** Stream to page. */
export type StreamEvent =
  | { type: "state"; state: ConnectionState; detail: string }
  | { type: "size"; width: number; height: number }
  | { type: "cursor"; cursor: CursorShape }
  | { type: "input"; allowed: boolean }
  /** What may be exchanged by the clipboard; null for nothing. */
  | { type: "clipboard-rules"; rules: ClipboardRules | null }
  /** The desktop copied. */
  | { type: "clipboard"; content: ClipboardContent }
  /** What may be changed; null where that is not this page's to do. */
  | { type: "choices"; choices: Choices | null }
  /** Why the server has no picture; null where it has one, with what happened to it meanwhile, if anything. */
  | { type: "picture"; missing: string | null; notice: string }
  /** What the server allows of sound. */
  | { type: "sound-gates"; gates: SoundGates }
  /** Why there is no sound; empty where there is some. */
  | { type: "sound-missing"; reason: string }
  /** The server takes no voice from this page. */
  | { type: "speech-refused" }
  /** A track of WebRTC that is not the picture. */
  | { type: "track"; track: MediaStreamTrack }
  /** Whether the host takes gamepads; it knows of none of this page's yet. */
  | { type: "gamepads"; allowed: boolean }
  /** A program lets the gamepad of a slot rumble: heavy and light motor, 0 to 1. */
  | { type: "rumble"; slot: number; strong: number; weak: number; ms: number }
  /** Whether this page may run command lines. */
  | { type: "commands"; allowed: boolean }
  /** A command line ended: the line or why it failed, and what it printed. */
  | { type: "command"; done: boolean; told: string; output: string }
  /** Which buttons for touch screens the operator wants to be there. */
  | { type: "tools"; keyboard: boolean; trackpad: boolean }
  /** What may be done with files. */
  | { type: "files"; upload: boolean; download: boolean }
  /** The server has another mode from now on. */
  | { type: "reload" }
  /** Another transport may do where this one does not come about, for this reason. */
  | { type: "unreachable"; reason: string }
  | { type: "stats"; stats: StreamStats };

/** Stream to decode worker: the JPEG starts at `offset` of the transferred message. */
export interface DecodeJob {
  message: ArrayBuffer;
  offset: number;
}

/** Decode worker to stream: null where the bytes are no picture. */
export type DecodeResult = ImageBitmap | null;

/** The part of a dedicated worker's global scope that is used; the DOM library types only describe pages. */
export interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown, transfer?: Transferable[]): void;
}
