// Contents of the clipboard as messages, both ways. Pure; what comes from the server is checked and limited here.

/** What was copied, in one format; texts are `text/plain` in UTF-8. */
export interface ClipboardContent {
  mime: string;
  bytes: Uint8Array;
  /** A password or the like of the desktop: neither shown nor kept. */
  secret?: true;
}

/** Largest content either way, in bytes: the host's own limit. */
export const MAX_CONTENT = 32 << 20;
/** Raw bytes of one message over a WebSocket: 64 KiB of base64, which input waits for at most. */
export const SOCKET_PART = 48 * 1024;
/** Raw bytes of one message over a data channel. */
export const CHANNEL_PART = 24 * 1024;
/** Bytes per call of btoa; a multiple of 3, so that the pieces need no padding. */
const PIECE = 24 * 1024;

const TEXT = "text/plain";
const MIME = /^(text\/plain|text\/uri-list|image\/(png|jpeg|webp|bmp|svg\+xml))(;|$)/;

/** What of the clipboard a message of the server is about. */
export type ClipboardText =
  | { part: "whole"; mime: string; base64: string }
  | { part: "start"; mime: string; total: number }
  | { part: "data"; base64: string }
  | { part: "end" }
  /** The content that follows is a secret. */
  | { part: "secret" };

/** Answers null for what is no message about the clipboard, or a malformed one. */
export function parseClipboard(text: string): ClipboardText | null {
  if (text === "clipboard_finish") return { part: "end" };
  if (text === "clipboard_secret") return { part: "secret" };
  const [verb, rest] = split(text);
  if (verb === "clipboard") return { part: "whole", mime: TEXT, base64: rest };
  if (verb === "clipboard_data") return { part: "data", base64: rest };
  const [first, second] = split(rest);
  const mime = plainMime(first);
  if (mime === null) return null;
  if (verb === "clipboard_binary") return { part: "whole", mime, base64: second };
  const total = Number(second);
  if (verb !== "clipboard_start" || !Number.isInteger(total) || total < 0 || total > MAX_CONTENT) return null;
  return { part: "start", mime, total };
}

/** The format without its parameters; null for one that is not exchanged. */
export function plainMime(mime: string): string | null {
  const lower = mime.toLowerCase();
  return MIME.test(lower) ? lower.split(";", 1)[0]! : null;
}

/** Puts the parts of contents together. */
export class ClipboardInbox {
  private open: { content: ClipboardContent; at: number } | null = null;
  /** What begins next is a secret. */
  private secret = false;

  /** Answers a content when it is complete. */
  take(message: ClipboardText): ClipboardContent | null {
    switch (message.part) {
      case "secret":
        this.secret = true;
        return null;
      case "whole": {
        const bytes = decode(message.base64);
        const content = this.begun(message.mime, bytes ?? new Uint8Array());
        return bytes && content;
      }
      case "start":
        this.open = { content: this.begun(message.mime, new Uint8Array(message.total)), at: 0 };
        return null;
      case "data": {
        const { open } = this;
        const part = open && decode(message.base64);
        // One that breaks its own promise is dropped.
        if (!open || !part || open.at + part.length > open.content.bytes.length) this.open = null;
        else {
          open.content.bytes.set(part, open.at);
          open.at += part.length;
        }
        return null;
      }
      case "end": {
        const { open } = this;
        this.open = null;
        return open && open.at === open.content.bytes.length ? open.content : null;
      }
    }
  }

  /** Another connection: what was under way does not go on. */
  forget(): void {
    this.open = null;
    this.secret = false;
  }

  private begun(mime: string, bytes: Uint8Array): ClipboardContent {
    const { secret } = this;
    this.secret = false;
    return { mime, bytes, ...(secret ? { secret } : {}) };
  }
}

/** The messages that give the server a content, each with at most `part` bytes of it; `id` names the transfer. */
export function* clipboardMessages({ mime, bytes }: ClipboardContent, part: number, id: number): Generator<string> {
  const isText = mime === TEXT;
  if (bytes.length <= part) {
    yield isText ? `cw,${encode(bytes)}` : `cb,${mime},${encode(bytes)}`;
    return;
  }
  yield isText ? `cws,${id},${bytes.length}` : `cbs,${id},${mime},${bytes.length}`;
  const size = part - (part % 3);
  for (let at = 0; at < bytes.length; at += size) {
    yield `${isText ? "cwd" : "cbd"},${id},${encode(bytes.subarray(at, at + size))}`;
  }
  yield isText ? `cwe,${id}` : `cbe,${id}`;
}

/** Whether two contents are one. */
export function sameContent(one: ClipboardContent | null, other: ClipboardContent | null): boolean {
  if (one === null || other === null || one.mime !== other.mime || one.bytes.length !== other.bytes.length) return false;
  return one.bytes.every((byte, at) => byte === other.bytes[at]);
}

/** A short name of a content, by which it is known again without being kept (FNV-1a, and its length). */
export function fingerprint({ mime, bytes }: ClipboardContent): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${mime} ${bytes.length} ${hash >>> 0}`;
}

/** A text as content. */
export function textContent(text: string): ClipboardContent {
  return { mime: TEXT, bytes: new TextEncoder().encode(text) };
}

/** The text of a content; null for pictures. */
export function textOf({ mime, bytes }: ClipboardContent): string | null {
  return mime.startsWith("text/") ? new TextDecoder().decode(bytes) : null;
}

function split(text: string): [string, string] {
  const comma = text.indexOf(",");
  return comma < 0 ? [text, ""] : [text.slice(0, comma), text.slice(comma + 1)];
}

function encode(bytes: Uint8Array): string {
  let base64 = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    base64 += btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE)));
  }
  return base64;
}

function decode(base64: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
