import { beforeEach, expect, test } from "vitest";
import { Clipboard, type ClipboardGround } from "../src/clipboard";
import {
  type ClipboardContent,
  ClipboardInbox,
  clipboardMessages,
  parseClipboard,
  plainMime,
  sameContent,
  textContent,
  textOf,
} from "../src/clipboard-wire";
import type { ClipboardRules } from "../src/messages";
import { clipboardRules } from "../src/wire";

const picture: ClipboardContent = { mime: "image/png", bytes: Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7) & 255) };

/** What a server would make of the messages, as what it would send back. */
function echo(messages: Iterable<string>): (ClipboardContent | null)[] {
  const inbox = new ClipboardInbox();
  const told = [...messages].map((text) => {
    const [verb, ...fields] = text.split(",");
    if (verb === "cw") return `clipboard,${fields[0]}`;
    if (verb === "cb") return `clipboard_binary,${fields.join(",")}`;
    if (verb === "cws") return `clipboard_start,text/plain,${fields[1]}`;
    if (verb === "cbs") return `clipboard_start,${fields[1]},${fields[2]}`;
    if (verb === "cwd" || verb === "cbd") return `clipboard_data,${fields[1]}`;
    return "clipboard_finish";
  });
  return told.map((text) => inbox.take(parseClipboard(text)!)).filter((content) => content !== null);
}

test("contents go in one message or in parts and come back as they were", () => {
  const text = textContent("grün, 日本, ".repeat(5000));
  for (const content of [textContent("hi"), text, picture]) {
    for (const part of [1000, 48 * 1024, 1 << 20]) {
      const messages = [...clipboardMessages(content, part, 9)];
      expect(messages.length === 1).toBe(content.bytes.length <= part);
      expect(messages.every((message) => message.length <= part * 1.4 + 100)).toBe(true);
      const [back] = echo(messages);
      expect(sameContent(back ?? null, content)).toBe(true);
    }
  }
  expect([...clipboardMessages(textContent("12345678"), 4, 3)]).toEqual(["cws,3,8", "cwd,3,MTIz", "cwd,3,NDU2", "cwd,3,Nzg=", "cwe,3"]);
});

test("what breaks its promise is dropped", () => {
  const inbox = new ClipboardInbox();
  const hear = (text: string) => {
    const message = parseClipboard(text);
    return message && inbox.take(message);
  };
  for (const wrong of ["clipboard_reply,cr", "clipboard_start,text/plain,-1", "clipboard_start,text/plain,99999999", "clipboard_binary,text/html,AAAA"]) {
    expect(parseClipboard(wrong)).toBeNull();
  }
  expect(hear("clipboard,*")).toBeNull();
  expect(hear("clipboard_finish")).toBeNull();
  hear("clipboard_start,text/plain,2");
  hear("clipboard_data,aGlo");
  expect(hear("clipboard_finish")).toBeNull();
  hear("clipboard_start,text/plain,3");
  hear("clipboard_data,aGk=");
  expect(hear("clipboard_finish")).toBeNull();
  hear("clipboard_start,text/plain,2");
  hear("clipboard_data,aGk=");
  expect(textOf(hear("clipboard_finish")!)).toBe("hi");
  expect(plainMime("text/plain;charset=utf-8")).toBe("text/plain");
  expect(plainMime("image/pngx")).toBeNull();
});

test("a secret is told to be one, and only the content that follows is", () => {
  const inbox = new ClipboardInbox();
  const hear = (text: string) => inbox.take(parseClipboard(text)!);
  hear("clipboard_secret");
  hear("clipboard_start,text/plain,2");
  hear("clipboard_data,aGk=");
  expect(hear("clipboard_finish")).toMatchObject({ secret: true });
  expect(hear("clipboard,aGk=")?.secret).toBeUndefined();
  hear("clipboard_secret");
  expect(hear("clipboard,aGk=")?.secret).toBe(true);
  hear("clipboard_secret");
  inbox.forget();
  expect(hear("clipboard,aGk=")?.secret).toBeUndefined();
});

test("the server's settings say which way the clipboard goes", () => {
  const rules = (settings: Record<string, unknown>, wish?: boolean) =>
    clipboardRules(new Map(Object.entries(settings).map(([name, value]) => [name, typeof value === "object" ? (value as object) : { value }])), wish);
  expect(rules({})).toBeNull();
  const plain = { inward: true, outward: true, seamless: true, binary: false, binaryLocked: false };
  expect(rules({ enable_clipboard: "true" })).toEqual(plain);
  expect(rules({ enable_clipboard: "in" })).toEqual({ ...plain, outward: false });
  expect(rules({ enable_clipboard: "true", clipboard_in_enabled: false })).toEqual({ ...plain, inward: false });
  expect(rules({ enable_clipboard: "true", clipboard_seamless: false })).toEqual({ ...plain, seamless: false });
  expect(rules({ enable_clipboard: "true", clipboard_enabled: false })).toBeNull();
  const kinds = (value: boolean, locked: boolean) => ({ enable_clipboard: "true", enable_binary_clipboard: { value, locked } });
  expect(rules(kinds(true, false))?.binary).toBe(true);
  expect(rules(kinds(false, false), true)?.binary).toBe(true);
  expect(rules(kinds(false, true), true)).toMatchObject({ binary: false, binaryLocked: true });
});

let sent: (string | null)[];
let shown: string[];
let local: { text: string; refuses: boolean; granted: boolean };

const RULES: ClipboardRules = { inward: true, outward: true, seamless: true, binary: true, binaryLocked: false };

function clipboard(rules: ClipboardRules | null = RULES): Clipboard {
  const ground: ClipboardGround = {
    mayRead: async () => local.granted,
    read: async () => textContent(local.text),
    write: async (content) => {
      if (local.refuses) throw new DOMException("no gesture", "NotAllowedError");
      local.text = textOf(content) ?? content.mime;
    },
    focused: () => true,
  };
  const made = new Clipboard(ground, {
    send: (content) => sent.push(textOf(content) ?? content.mime),
    show: (content, written) => shown.push(`${textOf(content)} ${written}`),
  });
  made.allow(rules);
  return made;
}

beforeEach(() => {
  [sent, shown] = [[], []];
  local = { text: "", refuses: false, granted: true };
});

const settled = () => new Promise((resolve) => setTimeout(resolve));
const pasted = (text: string, files: File[] = []) => ({ getData: () => text, files }) as unknown as DataTransfer;

test("what is pasted goes to the desktop, once", async () => {
  const made = clipboard();
  await made.paste(pasted("hi"));
  await made.paste(pasted("hi"));
  const file = new File([picture.bytes as Uint8Array<ArrayBuffer>], "shot.png", { type: "image/png" });
  await made.paste(pasted("", [file]));
  expect(await made.paste(pasted(""))).toBe(false);
  expect(sent).toEqual(["hi", "image/png"]);
  for (const rules of [null, { ...RULES, inward: false }]) expect(await clipboard(rules).paste(pasted("hi"))).toBe(false);
  expect(await clipboard({ ...RULES, binary: false }).paste(pasted("", [file]))).toBe(false);
});

test("what the desktop copied is written, at the next gesture where the browser wants one", async () => {
  const made = clipboard();
  local.refuses = true;
  await made.receive(textContent("theirs"));
  expect(local.text).toBe("");
  // Looking now must not take the older content of the browser for a new one.
  local.text = "older";
  await made.look();
  expect(sent).toEqual([]);
  local.refuses = false;
  made.retry();
  await settled();
  expect([local.text, shown]).toEqual(["theirs", ["theirs false", "theirs true"]]);
  await made.look();
  expect(sent).toEqual([]);
  local.text = "mine";
  await made.look();
  expect(sent).toEqual(["mine"]);
});

test("without leave or without the wish nothing is read or written by itself", async () => {
  local = { text: "mine", refuses: false, granted: false };
  await clipboard().look();
  expect(sent).toEqual([]);
  await clipboard().look(true);
  expect(sent).toEqual(["mine"]);
  const quiet = clipboard({ ...RULES, seamless: false });
  local.granted = true;
  await quiet.look();
  await quiet.receive(textContent("theirs"));
  expect([sent, local.text, quiet.pastes]).toEqual([["mine"], "mine", false]);
  expect(await quiet.copy()).toBe(true);
  expect(local.text).toBe("theirs");
});

test("a secret is written, not kept, and not taken for something new", async () => {
  const made = clipboard();
  await made.receive({ ...textContent("hunter2"), secret: true });
  expect(local.text).toBe("hunter2");
  expect(JSON.stringify(made)).not.toContain(JSON.stringify(textContent("hunter2").bytes));
  await made.look();
  await made.paste(pasted("hunter2"));
  expect(sent).toEqual([]);
  await made.paste(pasted("hunter3"));
  expect(sent).toEqual(["hunter3"]);
});

test("what is pasted over another connection goes to the desktop once more", async () => {
  const made = clipboard();
  await made.paste(pasted("hi"));
  made.allow(null);
  made.allow(RULES);
  local.text = "hi";
  await made.look();
  expect(sent).toEqual(["hi"]);
  await made.paste(pasted("hi"));
  await made.paste(pasted("hi"));
  expect(sent).toEqual(["hi", "hi"]);
});
