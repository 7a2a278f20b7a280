// Sound on the WebSocket: the packets of a message, those before it that it repeats, and what the server says of sound. Pure.
//
// [01][flags] packet, or with n = flags & 127 older packets: [01][flags][time u32] n × [1 | type 7, offset 14, length 10]
// [0 | type 7] n older packets, packet; numbers are big-endian, times in samples of 48 kHz. Flag 128: silence follows.
// Source: Selkies 2.1.0's page.

import type { Settings } from "./wire";

const OPCODE = 0x01;
const ENDS = 0x80;
/** Most older packets that are looked at. */
const MAX_OLDER = 16;
/** What lies further back is of another stream: the server was started anew. In samples. */
const MAX_BACK = 480_000;
/** Longest message of sound, in bytes. */
const MAX_MESSAGE = 64 << 10;

/** What one message brings. */
export interface Heard {
  /** Opus packets that were not heard yet, oldest first. */
  packets: Uint8Array<ArrayBuffer>[];
  /** Silence follows. */
  ends: boolean;
}

/** True for a message that is for a SoundReader. */
export function isSound(message: ArrayBuffer): boolean {
  return message.byteLength >= 2 && new Uint8Array(message, 0, 1)[0] === OPCODE;
}

/** Reads the messages of one stream: what was heard before is not given again. */
export class SoundReader {
  /** The time of the newest packet; null where packets come without times. */
  private newest: number | null = null;

  /** Null for a message that is malformed; the stream goes on with the next one. */
  read(message: ArrayBuffer): Heard | null {
    const view = new DataView(message);
    const flags = view.getUint8(1);
    const ends = (flags & ENDS) !== 0;
    const count = flags & ~ENDS;
    if (count === 0) {
      this.newest = null;
      const packet = new Uint8Array(message, 2);
      return message.byteLength <= MAX_MESSAGE ? { packets: packet.length > 0 ? [packet] : [], ends } : null;
    }
    const blocks = count <= MAX_OLDER && message.byteLength <= MAX_MESSAGE ? blocksOf(view, count) : null;
    if (!blocks) {
      this.newest = null;
      return null;
    }
    const last = blocks.at(-1)!;
    const isOther = this.newest !== null && !isAfter(last.time, this.newest) && ((this.newest - last.time) >>> 0) > MAX_BACK;
    // Of the time before the first message nothing is missing.
    let newest = this.newest === null || isOther ? (last.time - 1) >>> 0 : this.newest;
    const packets: Heard["packets"] = [];
    for (const { time, packet } of blocks) {
      if (!isAfter(time, newest) || packet.length === 0) continue;
      packets.push(packet);
      newest = time;
    }
    this.newest = newest;
    return { packets, ends };
  }
}

interface Block {
  time: number;
  packet: Uint8Array<ArrayBuffer>;
}

function blocksOf(view: DataView<ArrayBuffer>, count: number): Block[] | null {
  let at = 6 + 4 * count + 1;
  if (view.byteLength < at) return null;
  const time = view.getUint32(2);
  const blocks: Block[] = [];
  for (let i = 0; i < count; i += 1) {
    const field = view.getUint32(6 + 4 * i) & 0xffffff;
    const length = field & 0x3ff;
    if (at + length > view.byteLength) return null;
    blocks.push({ time: (time - (field >> 10)) >>> 0, packet: new Uint8Array(view.buffer, at, length) });
    at += length;
  }
  blocks.push({ time, packet: new Uint8Array(view.buffer, at) });
  return blocks;
}

/** Times run over. */
function isAfter(time: number, other: number): boolean {
  const ahead = (time - other) >>> 0;
  return ahead !== 0 && ahead < 0x80000000;
}

/** What the server lets a page have of sound. */
export interface SoundGates {
  sound: boolean;
  microphone: boolean;
  /** The controls are shown. */
  panel: boolean;
  channels: number;
}

/** What the server's settings say of sound; a switch that they do not have is off. */
export function gatesOf(settings: Settings): SoundGates {
  const on = (name: string) => settings.get(name)?.value === true;
  const channels = Number(settings.get("audio_channels")?.value ?? 2);
  return {
    sound: on("audio_enabled"),
    microphone: on("microphone_enabled"),
    panel: settings.get("ui_sidebar_show_audio_settings")?.value !== false,
    channels: [1, 2, 6, 8].includes(channels) ? channels : 2,
  };
}

/**
 * The head of an Opus stream with more than two channels (RFC 7845, mapping family 1); null for one or two, which need
 * none. The order of streams is libopus's for surround.
 */
export function opusHead(channels: number): Uint8Array<ArrayBuffer> | null {
  const layouts: Readonly<Record<number, readonly [number, number, readonly number[]]>> = {
    6: [4, 2, [0, 4, 1, 2, 3, 5]],
    8: [5, 3, [0, 6, 1, 2, 3, 4, 5, 7]],
  };
  const layout = layouts[channels];
  if (!layout) return null;
  const [streams, coupled, mapping] = layout;
  const head = new Uint8Array(21 + channels);
  head.set(new TextEncoder().encode("OpusHead"));
  head[8] = 1;
  head[9] = channels;
  // 48 000, little-endian, after two bytes of pre-skip: a live stream has none.
  head.set([0x80, 0xbb], 12);
  head[18] = 1;
  head.set([streams, coupled, ...mapping], 19);
  return head;
}
