import { expect, test } from "vitest";
import { addressOf, folderOf, sizeText } from "../src/file-list";
import { filesOf, type Entry } from "../src/dropped";
import { type Means, SLICE, transferOf, type Upload, type UploadPhase, Uploads } from "../src/uploads";
import { fileRights, type Settings } from "../src/wire";

/** A host that keeps what comes, and a network that fails when told to. */
class Host {
  readonly files = new Map<string, Uint8Array>();
  readonly log: string[] = [];
  private readonly parts = new Map<string, Uint8Array>();
  /** Called before each request; what it answers is the answer. */
  before: (method: string, offset: number) => Response | "cut" | null = () => null;
  now = 0;

  readonly means: Means = {
    fetch: (_, init) => this.answer(init),
    pause: (ms) => ((this.now += ms), Promise.resolve()),
    now: () => this.now,
  };

  private async answer({ method = "GET", headers, body, signal }: RequestInit): Promise<Response> {
    const header = (name: string) => (headers as Record<string, string>)[name] ?? "";
    const [key, path] = [header("X-Upload-Id"), decodeURIComponent(header("X-Upload-Path"))];
    const offset = Number(header("X-Upload-Offset") || "0");
    this.log.push(`${method} ${offset}`);
    await Promise.resolve();
    if (signal?.aborted) throw new Error("aborted");
    const part = this.parts.get(key) ?? new Uint8Array();
    const early = this.before(method, offset);
    if (early === "cut") {
      if (body) {
        // Half of it came.
        const bytes = new Uint8Array(await (body as Blob).arrayBuffer());
        this.parts.set(key, join(part, bytes.subarray(0, bytes.length / 2)));
      }
      throw new TypeError("network");
    }
    if (early) return early;
    if (method === "GET") return json(200, { offset: part.length });
    if (method === "DELETE") {
      this.parts.delete(key);
      return json(200, { offset: 0 });
    }
    if (offset !== 0 && offset !== part.length) return json(409, { offset: part.length, message: "elsewhere" });
    const whole = join(offset === 0 ? new Uint8Array() : part, new Uint8Array(await (body as Blob).arrayBuffer()));
    this.parts.set(key, whole);
    if (header("X-Upload-Final") === "1") {
      if (whole.length !== Number(header("X-Upload-Total"))) return json(400, { message: "size" });
      this.files.set(path, whole);
      this.parts.delete(key);
    }
    return json(200, { offset: whole.length });
  }
}

const json = (status: number, body: object) => new Response(JSON.stringify(body), { status });

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function file(size: number, seed = 1): File {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (Math.imul(at + seed, 2654435761) >>> 11) & 255;
  return new File([bytes], "f", { lastModified: 5 });
}

/** A matcher would print megabytes. */
async function isSame(bytes: Uint8Array | undefined, source: Blob): Promise<boolean> {
  return bytes !== undefined && Buffer.compare(bytes, new Uint8Array(await source.arrayBuffer())) === 0;
}

/** Resolves when an upload has come to an end. */
function watch(): { changed: (upload: Upload) => void; ended: (upload: Upload) => Promise<UploadPhase>; phases: UploadPhase[] } {
  const waiting = new Map<number, (phase: UploadPhase) => void>();
  const phases: UploadPhase[] = [];
  return {
    phases,
    changed: ({ id, phase }) => {
      phases.push(phase);
      if (["done", "failed", "cancelled"].includes(phase)) waiting.get(id)?.(phase);
    },
    ended: (upload) =>
      new Promise((done) => (["done", "failed", "cancelled"].includes(upload.phase) ? done(upload.phase) : waiting.set(upload.id, done))),
  };
}

test("files arrive one after the other, whole", async () => {
  const [host, seen] = [new Host(), watch()];
  const uploads = new Uploads("u", "me", seen.changed, host.means);
  const sources = [file(10), file(SLICE * 2 + 5), file(0)];
  const sent = sources.map((source, at) => uploads.add(`d/${at} ü`, source));
  for (const upload of sent) expect(await seen.ended(upload)).toBe("done");
  for (const [at, source] of sources.entries()) expect(await isSame(host.files.get(`d/${at} ü`), source)).toBe(true);
  expect(host.log).toEqual(["POST 0", "GET 0", "POST 0", `POST ${SLICE}`, `POST ${SLICE * 2}`, "POST 0"]);
  expect(sent.map(({ sent: bytes }) => bytes)).toEqual(sources.map(({ size }) => size));
});

test("a lost connection goes on where it ended, also for a page that was loaded anew", async () => {
  const [host, seen] = [new Host(), watch()];
  let cuts = 0;
  host.before = (method) => (method === "POST" && cuts++ < 2 ? "cut" : null);
  const source = file(SLICE * 2);
  const upload = new Uploads("u", "me", seen.changed, host.means).add("big", source);
  expect(await seen.ended(upload)).toBe("done");
  expect(await isSame(host.files.get("big"), source)).toBe(true);
  expect(host.log).toEqual(["GET 0", "POST 0", "GET 0", `POST ${SLICE / 2}`, "GET 0", `POST ${SLICE}`]);
  expect(seen.phases).toContain("stalled");

  // The page is closed in the middle, and its user chooses the same file again.
  const half = watch();
  const before = new Uploads("u", "me", half.changed, host.means);
  host.before = (method, offset) => (method === "POST" && offset > 0 ? json(403, { message: "off" }) : null);
  expect(await half.ended(before.add("again", source))).toBe("failed");
  host.before = () => null;
  host.log.length = 0;
  const after = watch();
  expect(await after.ended(new Uploads("u", "me", after.changed, host.means).add("again", source))).toBe("done");
  expect(host.log).toEqual(["GET 0", `POST ${SLICE}`]);
  expect(await isSame(host.files.get("again"), source)).toBe(true);
});

test("what the host refuses fails with its words, and the next file goes on", async () => {
  const [host, seen] = [new Host(), watch()];
  host.before = (method) => (method === "POST" && host.log.length === 1 ? json(507, { message: "FI019 the disk has no room" }) : null);
  const uploads = new Uploads("u", "me", seen.changed, host.means);
  const [first, second] = [uploads.add("a", file(3)), uploads.add("b", file(3))];
  expect(await seen.ended(first)).toBe("failed");
  expect(first.reason).toBe("FI019 the disk has no room");
  expect(await seen.ended(second)).toBe("done");
});

test("a busy host is waited for, but not for ever", async () => {
  const [host, seen] = [new Host(), watch()];
  host.before = (method) => (method === "POST" && host.log.length < 6 ? json(409, { message: "busy" }) : null);
  expect(await seen.ended(new Uploads("u", "me", seen.changed, host.means).add("a", file(3)))).toBe("done");
  host.before = (method) => (method === "POST" ? "cut" : null);
  const never = watch();
  expect(await never.ended(new Uploads("u", "me", never.changed, host.means).add("b", file(0)))).toBe("failed");
  expect(host.now).toBeGreaterThan(600_000);
});

test("a cancelled upload leaves nothing, and one that waits is not begun", async () => {
  const [host, seen] = [new Host(), watch()];
  const uploads = new Uploads("u", "me", seen.changed, host.means);
  const first = uploads.add("a", file(SLICE * 3));
  const second = uploads.add("b", file(3));
  host.before = (method, offset) => {
    if (method === "POST" && offset === SLICE) uploads.cancel(first.id);
    return null;
  };
  uploads.cancel(second.id);
  expect(await seen.ended(first)).toBe("cancelled");
  await new Promise((done) => setTimeout(done, 0));
  expect(host.log.at(-1)).toBe("DELETE 0");
  expect([...host.files]).toEqual([]);
  expect(second.phase).toBe("cancelled");
});

test("a transfer's name is that of its file", () => {
  expect(transferOf("a")).toBe(transferOf("a"));
  expect(transferOf("a")).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(["a", "b", "ab", "ba", ""].map(transferOf)).size).toBe(5);
});

test("folders that are dropped bring what is in them", async () => {
  const leaf = (name: string): Entry => ({ name, isFile: true, isDirectory: false, file: (found) => found(new File([], name)) });
  const broken: Entry = { name: "x", isFile: true, isDirectory: false, file: (_, failed) => failed(new Error("gone")) };
  const folder = (name: string, ...batches: Entry[][]): Entry => {
    const left = [...batches];
    return { name, isFile: false, isDirectory: true, createReader: () => ({ readEntries: (found) => found(left.shift() ?? []) }) };
  };
  const tree = folder("d", [leaf("1"), folder("e", [leaf("2")])], [broken, leaf("3")]);
  const found = await filesOf([tree, leaf("4")]);
  expect(found.map(({ path }) => path)).toEqual(["d/1", "d/e/2", "d/3", "4"]);
});

test("lists of the host are read with care", () => {
  const entries = [
    { name: "a b", kind: "folder", size: 0 },
    { name: "<c>", kind: "file", size: 1234567 },
    { name: "x/y", kind: "file" },
    { name: ".." },
    { name: "" },
    null,
    7,
  ];
  expect(folderOf({ entries, cut: true })).toEqual({
    entries: [
      { name: "a b", folder: true, size: 0 },
      { name: "<c>", folder: false, size: 1234567 },
    ],
    cut: true,
  });
  for (const none of [null, 1, [], {}, { entries: 5 }]) expect(folderOf(none)).toBeNull();
  expect(addressOf("http://h/api/files/?token=t", ["a b", "ü#?"], false)).toBe("http://h/api/files/a%20b/%C3%BC%23%3F?token=t");
  expect(addressOf("http://h/api/files/", ["a"], true)).toBe("http://h/api/files/a/");
  expect(addressOf("http://h/api/files/", [], true)).toBe("http://h/api/files/");
  expect([999, 1234567].map(sizeText)).toEqual(["999 B", "1.2 MB"]);
});

test("the page does with files what the server allows", () => {
  const rights = (value: unknown) => fileRights(new Map([["file_transfers", { value }]]) as Settings);
  expect(rights(["upload", "download"])).toEqual({ upload: true, download: true });
  expect(rights(["download"])).toEqual({ upload: false, download: true });
  for (const none of [[], "upload", null, undefined]) expect(rights(none)).toEqual({ upload: false, download: false });
});
