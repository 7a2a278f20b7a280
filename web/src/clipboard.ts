// The browser's clipboard and the desktop's. What browsers allow differs: all hand a page what its user pastes; only some
// let it look by itself, after asking; and where nothing else goes, there is the text box of the panel.

import { type ClipboardContent, fingerprint, MAX_CONTENT, plainMime, sameContent, textContent, textOf } from "./clipboard-wire";
import type { ClipboardRules } from "./messages";

/** The part of the browser's clipboard that is used; null functions where the browser has none (insecure pages). */
export interface ClipboardGround {
  /** Whether the page may look by itself, without the user being asked. */
  mayRead(): Promise<boolean>;
  /** What is on the clipboard. */
  read: ((pictures: boolean) => Promise<ClipboardContent | null>) | null;
  write: ((content: ClipboardContent) => Promise<void>) | null;
  /** The page is looked at. */
  focused(): boolean;
}

/** What a Clipboard tells; none of them may throw. */
export interface ClipboardEvents {
  /** Give this to the desktop. */
  send(content: ClipboardContent): void;
  /** Show what the desktop copied; `written` once the browser has it. */
  show(content: ClipboardContent, written: boolean): void;
}

/** What to do about the local clipboard before a key that pastes is sent. */
export class Clipboard {
  private rules: ClipboardRules | null = null;
  /** What both sides have, as far as this page knows. */
  private known: ClipboardContent | null = null;
  /** Names the secret that both sides have; it is not kept. */
  private secret: string | null = null;
  /** The desktop may have lost it since: it is another connection. */
  private unsure = false;
  /** What the browser did not take yet. */
  private waiting: ClipboardContent | null = null;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly ground: ClipboardGround,
    private readonly events: ClipboardEvents,
  ) {}

  /** What may be exchanged from now on; null for nothing. */
  allow(rules: ClipboardRules | null): void {
    this.rules = rules;
    if (!rules?.outward) this.waiting = null;
    if (!rules) this.unsure = true;
  }

  /** Whether what the user pastes goes to the desktop first. */
  get pastes(): boolean {
    return this.rules !== null && this.rules.inward && this.rules.seamless;
  }

  /** The desktop copied. */
  async receive(content: ClipboardContent): Promise<void> {
    this.knows(content);
    this.events.show(content, false);
    if (this.rules?.seamless && this.rules.outward) await this.write(content);
  }

  /** Writes what waits: browsers allow more while a user acts. */
  retry(): void {
    if (this.waiting) void this.write(this.waiting);
  }

  /** Writes what the desktop copied last, because the user said so; false where the browser does not let it. */
  async copy(): Promise<boolean> {
    const content = this.known ?? this.waiting;
    return content !== null && this.write(content);
  }

  /** The user pasted this; answers whether the desktop is given it. */
  async paste(data: DataTransfer | null): Promise<boolean> {
    const rules = this.rules;
    if (!rules?.inward || !data) return false;
    const text = data.getData("text/plain");
    if (text !== "") return this.give(textContent(text), this.unsure);
    const file = rules.binary ? [...data.files].find(({ type }) => plainMime(type) !== null) : undefined;
    return file !== undefined && this.give(await contentOf(file), this.unsure);
  }

  /** Gives the desktop a text of the panel; `again` even where it has it. */
  give(content: ClipboardContent | null, again = false): boolean {
    if (!content || !this.rules?.inward || content.bytes.length === 0 || content.bytes.length > MAX_CONTENT) return false;
    this.waiting = null;
    const has = sameContent(content, this.known) || (this.secret !== null && fingerprint(content) === this.secret);
    if (has && !again) return true;
    this.knows(content);
    this.events.send(content);
    return true;
  }

  /** The user turned to the page: what was copied elsewhere meanwhile goes to the desktop, if the browser lets the page look. */
  async look(asked = false): Promise<void> {
    const { rules, ground } = this;
    if (!rules?.inward || !ground.read || !(asked || rules.seamless)) return;
    // What the desktop copied goes first: it is newer than what is there.
    if (this.waiting) return this.retry();
    try {
      await this.writing;
      if (asked || (await ground.mayRead())) this.give(await ground.read(rules.binary));
    } catch {
      // Refused, or the page is not looked at any more.
    }
  }

  private knows(content: ClipboardContent): void {
    this.known = content.secret ? null : content;
    this.secret = content.secret ? fingerprint(content) : null;
    this.unsure = false;
  }

  private async write(content: ClipboardContent): Promise<boolean> {
    const { ground } = this;
    this.waiting = content;
    if (!ground.write || !ground.focused()) return false;
    const writing = ground.write(content);
    this.writing = writing.catch(() => undefined);
    try {
      await writing;
    } catch (error) {
      // What is no picture after all would be tried for ever, and nothing newer be looked at.
      const refused = error instanceof DOMException && error.name === "NotAllowedError";
      if (!refused && this.waiting === content) this.waiting = null;
      return false;
    }
    if (this.waiting === content) this.waiting = null;
    this.events.show(content, true);
    return true;
  }
}

/** A picture or a list of files; null for what is too large. */
export async function contentOf(blob: Blob): Promise<ClipboardContent | null> {
  const mime = plainMime(blob.type);
  if (mime === null || blob.size > MAX_CONTENT) return null;
  return { mime, bytes: new Uint8Array(await blob.arrayBuffer()) };
}

/** The browser's own. */
export function browserClipboard(): ClipboardGround {
  // Not there on insecure pages, and in part not in older browsers.
  const clipboard = navigator.clipboard as Partial<globalThis.Clipboard> | undefined;
  return {
    async mayRead() {
      try {
        // Firefox has no such permission: it asks each time.
        const { state } = await navigator.permissions.query({ name: "clipboard-read" as PermissionName });
        return state === "granted" && document.hasFocus();
      } catch {
        return false;
      }
    },
    read: clipboard?.read || clipboard?.readText ? (pictures) => read(clipboard, pictures) : null,
    write: clipboard?.writeText ? (content) => write(clipboard, content) : null,
    focused: () => document.hasFocus(),
  };
}

async function read(clipboard: Partial<globalThis.Clipboard>, pictures: boolean): Promise<ClipboardContent | null> {
  if (!clipboard.read || !pictures) return textContent((await clipboard.readText?.()) ?? "");
  for (const item of await clipboard.read()) {
    const type = ["text/plain", "image/png"].find((type) => item.types.includes(type));
    if (type) return contentOf(new Blob([await item.getType(type)], { type }));
  }
  return null;
}

async function write(clipboard: Partial<globalThis.Clipboard>, content: ClipboardContent): Promise<void> {
  const text = textOf(content);
  if (text !== null) return clipboard.writeText?.(text);
  if (!clipboard.write || typeof ClipboardItem === "undefined") throw new Error("this browser takes no pictures");
  const picture = new Blob([content.bytes as Uint8Array<ArrayBuffer>], { type: content.mime });
  // PNG is the one that all take.
  const png = content.mime === "image/png" ? picture : toPng(picture);
  await clipboard.write([new ClipboardItem({ "image/png": png })]);
}

async function toPng(picture: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(picture);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
