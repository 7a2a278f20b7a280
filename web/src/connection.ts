// One WebSocket that comes back: back-off, close codes, and the state that the page shows.

/** What the page shows; `ended` and `error` are final. */
export type ConnectionState = "connecting" | "connected" | "reconnecting" | "ended" | "error";

/** First pause before a new attempt, and the longest one, in ms. */
export const BACKOFF_FIRST = 500;
export const BACKOFF_LONGEST = 10_000;

/** Pause before attempt `attempt` (from 0): doubling, with the upper half of it random, so that clients spread. */
export function backoffDelay(attempt: number, random: number): number {
  const ceiling = Math.min(BACKOFF_LONGEST, BACKOFF_FIRST * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling * (0.5 + random / 2));
}

/** Close codes that another attempt cannot cure, with what they mean (2.1.0's codes). */
export const FINAL_CODES: ReadonlyMap<number, string> = new Map([
  [1008, "The server refused this page."],
  [4001, "The access token is missing or not valid."],
]);

/** The part of WebSocket that is used; tests bring their own. */
export interface Socket {
  binaryType: BinaryType;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | ArrayBuffer): void;
  close(): void;
}

/** Called by a Connection; none of them may throw. */
export interface ConnectionEvents {
  state(state: ConnectionState, detail: string): void;
  /** A new socket is there; everything known of the old one is void. */
  opened(): void;
  text(text: string): void;
  binary(message: ArrayBuffer): void;
}

const OPEN = 1;

/** Keeps a socket to `url` until `end` or until the server refuses for good. */
export class Connection {
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private finished = false;

  constructor(
    private readonly url: string,
    private readonly events: ConnectionEvents,
    private readonly open: (url: string) => Socket = (target) => new WebSocket(target),
    private readonly random: () => number = Math.random,
  ) {}

  /** Makes the first attempt. */
  start(): void {
    this.events.state("connecting", "");
    this.connect();
  }

  /** Sends now or not at all: input that waited for a reconnect would be wrong by then. */
  send(data: string | ArrayBuffer): boolean {
    if (this.socket?.readyState !== OPEN) return false;
    this.socket.send(data);
    return true;
  }

  /** Bytes that wait in the browser to be sent. */
  get backlog(): number {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** Closes for good and says why. */
  end(state: "ended" | "error", reason: string): void {
    if (this.finished) return;
    this.finished = true;
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    this.events.state(state, reason);
  }

  private connect(): void {
    let socket: Socket;
    try {
      socket = this.open(this.url);
    } catch {
      this.end("error", "This page's address gives no usable WebSocket address.");
      return;
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    let heard = false;
    socket.onopen = () => this.events.opened();
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      // Only a server that talks counts as there; one that accepts and closes must not reset the back-off.
      if (!heard) {
        heard = true;
        this.attempt = 0;
        this.events.state("connected", "");
      }
      if (typeof data === "string") this.events.text(data);
      else if (data instanceof ArrayBuffer) this.events.binary(data);
    };
    socket.onclose = (event) => this.lost(event);
  }

  private lost({ code, reason }: CloseEvent): void {
    this.socket = null;
    const final = FINAL_CODES.get(code);
    if (final !== undefined) {
      this.end("error", reason === "" ? final : reason);
      return;
    }
    const delay = backoffDelay(this.attempt, this.random());
    this.attempt += 1;
    this.events.state("reconnecting", `Next attempt in ${(delay / 1000).toFixed(1)} s`);
    this.timer = setTimeout(() => this.connect(), delay);
  }
}
