// The stream over WebRTC: the browser receives, decodes and shows it in a video element; the page has the session.

import { CHANNEL_PART, MAX_CONTENT } from "./clipboard-wire";
import { Dialogue } from "./dialogue";
import { KeyRequests } from "./key-requests";
import type { RtcOptions, StreamCommand, StreamEvent } from "./messages";
import { BROWSER, RtcConnection, type RtcGround } from "./rtc-connection";
import { type RtcFigures, RtcMeter } from "./rtc-stats";
import { RateMeter } from "./stats";
import { pictureSize } from "./wire";

/** Interval of statistics and pings, in ms. */
const TICK = 1000;
/** Pointer movements are dropped while this many bytes wait to be sent. */
const MAX_BACKLOG = 64 << 10;
/** A movement that none follows for so long is sent once more, on the channel that loses nothing, in ms. */
const SETTLE = 60;
/** A session without a picture for so long, which the server says has none for this page, may do better otherwise, in ms. */
const BLIND_LIMIT = 3000;

/** The part of VideoFrameCallbackMetadata that is used. */
interface FrameMetadata {
  presentedFrames: number;
  /** When the frame's last packet came, as performance.now(). */
  receiveTime?: number;
  /** Decoding, in seconds. */
  processingDuration?: number;
}

/** A video element, as far as it is used; Firefox has had the frame callback since 132 only. */
export type VideoElement = Pick<HTMLVideoElement, "srcObject" | "videoWidth" | "videoHeight" | "play" | "addEventListener" | "removeEventListener"> & {
  requestVideoFrameCallback?(callback: (now: number, metadata: FrameMetadata) => void): number;
  cancelVideoFrameCallback?(handle: number): void;
};

/** Shows one stream in one video element until it is stopped. */
export class RtcStream {
  private readonly connection: RtcConnection;
  private readonly dialogue: Dialogue;
  private readonly meter = new RtcMeter();
  private readonly rates = new RateMeter(performance.now());
  private readonly keys = new KeyRequests(() => this.connection.send("REQUEST_KEYFRAME"));
  private readonly ticker: ReturnType<typeof setInterval>;
  private readonly onResize = () => this.resized();
  private settle: ReturnType<typeof setTimeout> | undefined;
  private frameCallback: number | undefined;
  /** Of the newest frame shown, in ms. */
  private shown = { held: 0, decode: 0, present: 0 };
  private frames = 0;
  private presented = 0;
  /** What the host told, else what the video has. */
  private size = { width: 0, height: 0 };
  private told = false;
  private figures: RtcFigures | null = null;
  /** Counts pointer messages: they go by two channels, of which one keeps no order. */
  private sequence = 0;
  private blindSince: number | null = null;
  private stopped = false;

  constructor(
    private readonly video: VideoElement,
    private readonly options: RtcOptions,
    private readonly emit: (event: StreamEvent) => void,
    ground: RtcGround = BROWSER,
  ) {
    this.dialogue = new Dialogue(options, {
      modes: ["webrtc", "websockets"],
      clipboard: { part: CHANNEL_PART, most: MAX_CONTENT },
      known: Promise.resolve(),
      codecs: () => [...options.codecs],
      send: (text) => this.connection.send(text),
      backlog: () => this.connection.backlog,
      emit: (event) => this.pass(event),
      sized: (width, height) => this.sized(width, height),
      reset: (told) => told && this.keys.came(),
      over: (state, reason) => this.over(state, reason),
    });
    this.connection = new RtcConnection({ signaling: options.url, turn: options.turn }, () => this.hello(), {
      state: (state, detail) => emit({ type: "state", state, detail }),
      opened: () => this.opened(),
      text: (text) => this.hear(text),
      track: (track) => this.show(track),
      unreachable: (reason) => emit({ type: "unreachable", reason }),
    }, ground);
    video.addEventListener("resize", this.onResize);
    this.watchFrames();
    this.ticker = setInterval(() => void this.tick(), TICK);
    this.connection.start();
  }

  /** Takes a command of the page. */
  command(command: StreamCommand): void {
    switch (command.type) {
      case "send":
        this.send(command.text, command.droppable);
        break;
      case "stop":
        this.over("ended", "");
        break;
      case "speech":
        if (this.connection.backlog <= MAX_BACKLOG) this.connection.send(command.message);
        break;
      default:
        this.dialogue.command(command);
        break;
    }
  }

  private hello() {
    const { viewer, slot, tabId, token, view, codecs } = this.options;
    return { viewer, slot, tabId, token, width: view.width, height: view.height, codecs };
  }

  private send(text: string, droppable: boolean): void {
    if (!/^m2?,/.test(text)) {
      this.dialogue.input(text);
      return;
    }
    if (droppable && this.connection.backlog > MAX_BACKLOG) return;
    clearTimeout(this.settle);
    const motion = droppable && this.connection.hasPointer;
    this.connection.send(this.numbered(text), motion);
    // The last one of a movement says where the pointer rests: it must not be the one that is lost.
    if (motion) this.settle = setTimeout(() => this.connection.send(this.numbered(text)), SETTLE);
  }

  private numbered(text: string): string {
    this.sequence += 1;
    return `${text},${this.sequence}`;
  }

  private opened(): void {
    this.told = false;
    this.blindSince = null;
    this.keys.came();
    this.dialogue.opened();
  }

  private hear(text: string): void {
    const pushed = pushedConfig(text);
    if (pushed) this.connection.configure(pushed);
    else this.dialogue.hear(text);
  }

  private pass(event: StreamEvent): void {
    if (event.type === "picture") this.blindSince = event.missing === null ? null : (this.blindSince ?? performance.now());
    this.emit(event);
  }

  private show(track: MediaStreamTrack): void {
    if (track.kind !== "video") {
      this.emit({ type: "track", track });
      return;
    }
    this.video.srcObject = new MediaStream([track]);
    // Muted video may always play; one that is taken away again meanwhile rejects.
    void this.video.play().catch(() => undefined);
  }

  private sized(width: number, height: number): void {
    this.told = true;
    this.resize(width, height);
  }

  private resized(): void {
    const size = pictureSize(this.video.videoWidth, this.video.videoHeight);
    if (size && !this.told) this.resize(size.width, size.height);
  }

  private resize(width: number, height: number): void {
    if (this.size.width === width && this.size.height === height) return;
    this.size = { width, height };
    this.emit({ type: "size", width, height });
  }

  private watchFrames(): void {
    this.frameCallback = this.video.requestVideoFrameCallback?.((now, metadata) => {
      const { presentedFrames, receiveTime, processingDuration = 0 } = metadata;
      // Another track counts from nothing.
      this.frames += presentedFrames > this.presented ? presentedFrames - this.presented : 1;
      this.presented = presentedFrames;
      const decode = processingDuration * 1000;
      const held = receiveTime === undefined ? 0 : Math.max(0, now - receiveTime);
      this.shown = { held, decode, present: Math.max(0, held - decode) };
      this.keys.came();
      this.watchFrames();
    });
  }

  private async tick(): Promise<void> {
    const now = performance.now();
    this.dialogue.tick(now);
    const report = await this.connection.stats();
    if (this.stopped) return;
    const figures = this.meter.read(report?.values() ?? []);
    this.watchStall(figures);
    this.figures = figures;
    if (this.blindSince !== null && this.frames === 0 && now - this.blindSince > BLIND_LIMIT) {
      this.blindSince = null;
      this.emit({ type: "unreachable", reason: "The server has no picture for this page over WebRTC." });
      if (this.stopped) return;
    }
    // Where the browser does not tell what it shows, what it decoded stands for it.
    const frames = this.video.requestVideoFrameCallback ? this.frames : figures.framesDecoded;
    const { width, height } = this.size;
    this.emit({
      type: "stats",
      stats: {
        ...this.rates.read(frames, figures.bytes, now),
        roundTrip: figures.roundTrip ?? this.dialogue.roundTrip,
        ...this.shown,
        width,
        height,
        framesDrawn: frames,
        stripesDrawn: 0,
        superseded: 0,
        decodeErrors: figures.framesDropped,
        acks: 0,
        lastAck: -1,
        rtc: figures,
      },
    });
  }

  /** Packets come and nothing can be made of them, or the first picture does not come: only a key frame helps. */
  private watchStall(figures: RtcFigures): void {
    if (!this.options.visible || this.blindSince !== null) return;
    const before = this.figures;
    const coming = before !== null && figures.packets > before.packets && figures.framesDecoded === before.framesDecoded;
    if (coming || figures.framesDecoded === 0) this.keys.ask();
  }

  private over(state: "ended" | "error", reason: string): void {
    this.stopped = true;
    this.connection.end(state, reason);
    clearInterval(this.ticker);
    clearTimeout(this.settle);
    this.keys.came();
    this.video.removeEventListener("resize", this.onResize);
    if (this.frameCallback !== undefined) this.video.cancelVideoFrameCallback?.(this.frameCallback);
  }
}

/** The ICE servers in a text of the server; null where it is about something else. */
function pushedConfig(text: string): unknown {
  if (!text.startsWith('{"type":"rtc_config"')) return null;
  try {
    return (JSON.parse(text) as { config?: unknown }).config ?? null;
  } catch {
    return null;
  }
}
