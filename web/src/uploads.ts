// Files on their way to the desktop: one after the other, in slices, going on where a lost connection ended.
//
// The requests are those of Selkies 2.1.0 (`POST /api/upload` with X-Upload-* headers); this host answers besides where an
// interrupted transfer goes on (GET), and gives it up (DELETE).

/** Bytes of one request: proxies limit bodies, and progress is told once for each. */
export const SLICE = 8 << 20;
/** A file is looked for on the host before it is sent from this size on, in bytes. */
const WORTH_ASKING = SLICE;
/** Pauses between tries, in ms: doubling, up to the longest. */
const PAUSES = { first: 500, longest: 5000 };
/** How long a transfer is tried again without getting on, in ms. */
const PATIENCE = 10 * 60_000;
const MAX_REASON = 200;

/** What an upload is doing. */
export type UploadPhase = "waiting" | "sending" | "stalled" | "done" | "failed" | "cancelled";

/** One file on its way. */
export interface Upload {
  readonly id: number;
  readonly path: string;
  readonly size: number;
  /** Bytes that the host has. */
  sent: number;
  phase: UploadPhase;
  /** Why it failed or stalls; for people. */
  reason: string;
}

/** What the network and the clock are to uploads. */
export interface Means {
  fetch(url: string, init: RequestInit): Promise<Response>;
  pause(ms: number): Promise<void>;
  now(): number;
}

/** What a file is to uploads. */
export interface Source {
  readonly size: number;
  readonly lastModified: number;
  slice(from: number, to: number): Blob;
}

interface Job {
  upload: Upload;
  source: Source;
  transfer: string;
  abort: AbortController;
}

/** The host's answer to a slice. */
interface Progress {
  /** Bytes that it has, where it says so. */
  offset: number | null;
  message: string;
}

const REAL: Means = {
  fetch: (url, init) => fetch(url, init),
  pause: (ms) => new Promise((done) => setTimeout(done, ms)),
  now: () => performance.now(),
};

/** Sends files one after the other, and tells of every change. */
export class Uploads {
  private readonly jobs: Job[] = [];
  private running = false;
  private count = 0;

  /** `owner` tells this browser's transfers from those of others. */
  constructor(
    private readonly url: string,
    private readonly owner: string,
    private readonly changed: (upload: Upload) => void,
    private readonly means: Means = REAL,
  ) {}

  /** Queues a file; `path` is where it goes, below the host's folder. */
  add(path: string, source: Source): Upload {
    const upload: Upload = { id: ++this.count, path, size: source.size, sent: 0, phase: "waiting", reason: "" };
    const transfer = transferOf(`${this.owner}\n${path}\n${source.size}\n${source.lastModified}`);
    this.jobs.push({ upload, source, transfer, abort: new AbortController() });
    this.changed(upload);
    if (!this.running) void this.run();
    return upload;
  }

  /** Gives an upload up. */
  cancel(id: number): void {
    const job = this.jobs.find(({ upload }) => upload.id === id);
    if (!job) return;
    this.end(job, "cancelled");
    job.abort.abort();
  }

  private async run(): Promise<void> {
    this.running = true;
    for (let job = this.jobs[0]; job; job = this.jobs[0]) {
      const sending = job;
      await this.send(sending).catch((error: unknown) => this.end(sending, "failed", String(error)));
      this.jobs.shift();
    }
    this.running = false;
  }

  private async send(job: Job): Promise<void> {
    const { upload, source } = job;
    if (isOver(upload)) return;
    this.enter(job, "sending", "");
    let offset = source.size >= WORTH_ASKING ? await this.banked(job) : 0;
    let pause = PAUSES.first;
    let lastGain = this.means.now();
    while (!isOver(upload)) {
      upload.sent = offset;
      this.changed(upload);
      const end = Math.min(offset + SLICE, source.size);
      const last = end === source.size;
      const answer = await this.ask(job, "POST", offset, source.slice(offset, end), last);
      if (isOver(upload)) return this.forget(job);
      if (answer instanceof Response && answer.ok) {
        offset = end;
        if (last) return this.end(job, "done");
        this.enter(job, "sending", "");
        pause = PAUSES.first;
        lastGain = this.means.now();
        continue;
      }
      const { offset: there, message } = await progressOf(answer);
      if (there !== null && there !== offset && there <= source.size) {
        // What the host has beyond our count is a gain, less is a new beginning.
        if (there > offset) lastGain = this.means.now();
        offset = there;
        pause = PAUSES.first;
        if (this.means.now() - lastGain < PATIENCE) continue;
      }
      if (!isPassing(answer) || this.means.now() - lastGain >= PATIENCE) return this.end(job, "failed", message);
      this.enter(job, "stalled", message);
      await this.means.pause(pause);
      pause = Math.min(pause * 2, PAUSES.longest);
      if (!isOver(upload)) offset = await this.banked(job, offset);
    }
    this.forget(job);
  }

  /** Bytes that the host has of a file; `otherwise` where it does not say. */
  private async banked(job: Job, otherwise = 0): Promise<number> {
    const answer = await this.ask(job, "GET");
    const { offset } = answer instanceof Response && answer.ok ? await progressOf(answer) : { offset: null };
    return offset !== null && offset <= job.source.size ? offset : otherwise;
  }

  private forget(job: Job): void {
    // What stays behind on the host, it removes after a day.
    void this.ask({ ...job, abort: new AbortController() }, "DELETE");
  }

  private async ask(job: Job, method: string, offset?: number, body?: Blob, last = false): Promise<Response | string> {
    const headers: Record<string, string> = {
      "X-Upload-Path": encodeURIComponent(job.upload.path),
      "X-Upload-Id": job.transfer,
      "X-Upload-Total": String(job.source.size),
    };
    if (offset !== undefined) headers["X-Upload-Offset"] = String(offset);
    if (last) headers["X-Upload-Final"] = "1";
    const init: RequestInit = { method, headers, signal: job.abort.signal, ...(body === undefined ? {} : { body }) };
    try {
      return await this.means.fetch(this.url, init);
    } catch {
      return "The connection was lost.";
    }
  }

  private enter(job: Job, phase: UploadPhase, reason: string): void {
    Object.assign(job.upload, { phase, reason: reason.slice(0, MAX_REASON) });
    this.changed(job.upload);
  }

  private end(job: Job, phase: UploadPhase, reason = ""): void {
    if (isOver(job.upload)) return;
    if (phase === "done") job.upload.sent = job.upload.size;
    this.enter(job, phase, reason);
  }
}

/** True for an upload to which nothing happens any more. */
export function isOver({ phase }: Upload): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled";
}

/** Whether a failure may pass: the network's, a busy host's, a proxy's whose host is away. */
function isPassing(answer: Response | string): boolean {
  return typeof answer === "string" || [408, 409, 425, 429, 502, 503, 504].includes(answer.status);
}

async function progressOf(answer: Response | string): Promise<Progress> {
  if (typeof answer === "string") return { offset: null, message: answer };
  const message = `The host refused it (${answer.status}).`;
  try {
    const body: unknown = JSON.parse((await answer.text()).slice(0, 4096));
    if (typeof body !== "object" || body === null) return { offset: null, message };
    const { offset, message: told } = body as Record<string, unknown>;
    const known = typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 0 ? offset : null;
    return { offset: known, message: typeof told === "string" ? told : message };
  } catch {
    return { offset: null, message };
  }
}

/** A name of 16 letters and digits for a transfer: the same for the same file, so that a reloaded page goes on with it. */
export function transferOf(text: string): string {
  // FNV-1a, twice; it only has to differ between files of one user.
  const hash = (seed: number) => {
    let h = seed;
    for (const unit of text) h = Math.imul(h ^ (unit.codePointAt(0) ?? 0), 0x01000193);
    return (h >>> 0).toString(16).padStart(8, "0");
  };
  return hash(0x811c9dc5) + hash(0x050c5d1f);
}
