// What goes to the server beside contents of the clipboard. A content goes in parts, the next one when little waits, so that
// acknowledgements and the pointer overtake it. Keys do not: what pastes has to come after what is pasted.

import { heldKeysMessage } from "./wire";

/** Most bytes that wait in the browser when another part is sent. */
export const MAX_WAITING = 64 << 10;
/** Until it is looked again whether there is place, in ms. */
const PAUSE = 5;
/** Interval of the messages that say which keys the server is to keep held, in ms: it releases others after 2 s. */
const HEARTBEAT = 100;
/** Longest that keys wait for a content, in ms: on a slow path one would not type for minutes. */
export const PATIENCE = 10_000;

/** The connection that is sent over. */
export interface OutboxLine {
  /** Sends now or not at all. */
  send(text: string): boolean;
  /** Bytes that wait in the browser to be sent. */
  backlog(): number;
}

/** Sends contents and keys in order. */
export class Outbox {
  /** What waits, oldest first: the parts of contents, and keys between them. */
  private readonly queue: (Iterator<string> | { key: string; since: number })[] = [];
  /** Keysyms that the server was told to hold. */
  private readonly down = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private beaten = 0;

  constructor(
    private readonly line: OutboxLine,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Sends the messages of a content, and as much of them at once as there is place for. */
  give(messages: Iterator<string>): void {
    if (this.queue.push(messages) > 1) return;
    this.beaten = this.now();
    this.pump();
  }

  /** Sends what an input device did: a key after the contents that were given before, all else at once. */
  send(text: string): void {
    if (this.queue.length === 0 || !/^(k[dur]\b|co,)/.test(text)) {
      // The heartbeats name keys that the server has not heard of yet; those that it holds are told while it waits.
      this.pass(text);
      return;
    }
    this.queue.push({ key: text, since: this.now() });
    this.pump();
  }

  /** Another connection: what was under way does not go on there. */
  clear(): void {
    clearTimeout(this.timer);
    this.queue.length = 0;
    this.down.clear();
  }

  private pump(): void {
    clearTimeout(this.timer);
    for (let first = this.queue[0]; first; first = this.queue[0]) {
      if ("key" in first) {
        this.pass(first.key);
        this.queue.shift();
        continue;
      }
      if (this.line.backlog() >= MAX_WAITING) break;
      const { value, done } = first.next();
      if (done) this.queue.shift();
      else if (!this.line.send(value)) return this.clear();
    }
    if (this.queue.length === 0) return;
    this.release();
    this.beat();
    this.timer = setTimeout(() => this.pump(), PAUSE);
  }

  /** Lets keys overtake that waited for too long. */
  private release(): void {
    const late = this.now() - PATIENCE;
    const at = this.queue.findIndex((it) => "key" in it && it.since <= late);
    if (at < 0) return;
    const [key] = this.queue.splice(at, 1);
    if (key && "key" in key) this.pass(key.key);
    this.release();
  }

  private beat(): void {
    if (this.down.size === 0 || this.now() - this.beaten < HEARTBEAT) return;
    this.beaten = this.now();
    this.line.send(heldKeysMessage([...this.down].map(Number)));
  }

  private pass(text: string): void {
    const [verb, keysym = ""] = text.split(",", 2);
    if (verb === "kd") this.down.add(keysym);
    else if (verb === "ku") this.down.delete(keysym);
    else if (verb === "kr") this.down.clear();
    this.line.send(text);
  }
}
