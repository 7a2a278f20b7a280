// The stream: socket, decoding, drawing and acknowledging. Runs in the stream worker, or in the page where a canvas
// cannot be handed to a worker.

import { Abilities } from "./abilities";
import { Connection } from "./connection";
import { DecoderPool, type JpegDecoder } from "./decoder-pool";
import { jpegSize } from "./jpeg";
import { KeyRequests } from "./key-requests";
import type { DecodeJob, StreamCommand, StreamEvent, StreamOptions } from "./messages";
import { Ownership } from "./ownership";
import { type Picture, Screen } from "./screen";
import { PingProbe, RateMeter, StageLog } from "./stats";
import { type Stripe, StripeBoard } from "./stripes";
import { VideoDecoders } from "./video";
import * as wire from "./wire";

/** Interval of statistics, pings and repeated acknowledgements, in ms. */
const TICK = 1000;
/** A viewer's stream is restarted this long after it was stopped, in ms: what servers of this protocol expect. */
const VIEWER_RESTART = 250;
/** Pointer movements are dropped while this many bytes wait to be sent. */
const MAX_BACKLOG = 64 << 10;

/** Draws one stream on one canvas until it is stopped. */
export class Stream {
  private readonly connection: Connection;
  private readonly screen: Screen;
  private readonly pool: DecoderPool;
  private readonly board = new StripeBoard<DecodeJob | null, Picture>((picture) => picture.close());
  private readonly abilities = new Abilities(() => this.tellCodecs());
  private readonly video: VideoDecoders<DecodeJob | null>;
  private readonly rates = new RateMeter(performance.now());
  private readonly totals = { bytes: 0, frames: 0, stripes: 0, errors: 0, acks: 0 };
  private readonly ticker: ReturnType<typeof setInterval>;
  private readonly stages = new StageLog();
  private ping = new PingProbe();
  private viewer: boolean;
  private ownership = new Ownership();
  private settings: wire.Settings | null = null;
  /** The host knows what this page decodes and wants. */
  private introduced = false;
  private connections = 0;
  /** What the user changed. */
  private wishes: wire.Wishes = {};
  /** The encoder in use, as the server calls it. */
  private encoder = "";
  private requested = { size: "", dpi: 0 };
  private drawn: { frame: number; at: number; held: number } | null = null;
  private ackedAt = 0;
  private presenter: ReturnType<typeof setTimeout> | undefined;
  private readonly keys = new KeyRequests(() => this.connection.send("REQUEST_KEYFRAME"));

  constructor(
    canvas: OffscreenCanvas | HTMLCanvasElement,
    decoders: readonly JpegDecoder[],
    private readonly options: StreamOptions,
    private readonly emit: (event: StreamEvent) => void,
  ) {
    this.viewer = options.viewer;
    this.screen = new Screen(canvas, (width, height) => emit({ type: "size", width, height }));
    this.pool = new DecoderPool(decoders);
    this.video = new VideoDecoders(this.abilities, (stripe, frame) => this.settled(stripe, frame), () => this.requestKey());
    this.connection = new Connection(options.url, {
      state: (state, detail) => emit({ type: "state", state, detail }),
      opened: () => this.opened(),
      text: (text) => this.onText(text),
      binary: (message) => this.onBinary(message),
    });
    this.ticker = setInterval(() => this.tick(), TICK);
    this.connection.start();
  }

  /** Takes a command of the page. */
  command(command: StreamCommand): void {
    switch (command.type) {
      case "send":
        if (command.droppable && this.connection.backlog > MAX_BACKLOG) return;
        this.connection.send(command.text);
        break;
      case "wish":
        // Also what a new connection begins with.
        this.wishes = { ...this.wishes, ...command.wishes };
        if (!this.introduced || !this.decides) return;
        this.connection.send(wire.wishesMessage(command.wishes));
        this.offerChoices();
        break;
      case "view":
        this.options.view = command.view;
        this.requestSize();
        break;
      case "visible":
        this.options.visible = command.visible;
        if (!this.introduced) return;
        this.connection.send(command.visible ? "START_VIDEO" : "STOP_VIDEO");
        if (!command.visible) this.forgetPictures();
        break;
      case "stop":
        this.connection.end("ended", "");
        this.close();
        break;
    }
  }

  private opened(): void {
    this.settings = null;
    this.introduced = false;
    this.connections += 1;
    this.encoder = "";
    this.requested = { size: "", dpi: 0 };
    this.ping = new PingProbe();
    this.viewer = this.options.viewer;
    this.ownership = new Ownership();
    this.emit({ type: "input", allowed: !this.viewer });
    this.emit({ type: "choices", choices: null });
    this.emit({ type: "picture", missing: null, notice: "" });
    this.forget();
    this.screen.forgetAll();
  }

  private onText(text: string): void {
    this.totals.bytes += text.length;
    const message = wire.parseText(text);
    switch (message?.kind) {
      case "mode":
        if (message.mode !== "websockets") this.fail(`This page does not speak the server's mode, ${message.mode}.`);
        break;
      case "role":
        this.viewer = this.options.viewer || message.role === "viewer";
        this.emit({ type: "input", allowed: !this.viewer });
        break;
      case "input-access":
        this.emit({ type: "input", allowed: message.allowed });
        break;
      case "settings":
        this.onSettings(message.settings);
        break;
      case "resolution":
        this.screen.setSize(message.width, message.height);
        break;
      case "encoder":
        this.encoder = message.name;
        this.offerChoices();
        break;
      case "cursor":
        this.emit({ type: "cursor", cursor: message.cursor });
        break;
      case "displays":
        this.ownership.displays(message.names);
        this.requestSize();
        if (this.introduced) this.offerChoices();
        break;
      case "owner":
        this.ownership.inherited();
        if (this.introduced && !this.viewer) this.inherit();
        break;
      case "reset":
        this.ownership.reset();
        this.forget();
        // A server that tells the size tells a new one, too, and before the pictures of that size.
        this.screen.forgetSize();
        break;
      case "pipeline":
        this.emit({ type: "picture", missing: message.missing, notice: message.notice });
        break;
      case "pong":
        this.ping.answered(message.time, performance.now());
        break;
      case "kill":
        this.connection.end("ended", message.reason);
        this.close();
        break;
    }
  }

  private onSettings(settings: wire.Settings): void {
    const first = this.settings === null;
    this.settings = settings;
    if (this.introduced) this.offerChoices();
    const { connections } = this;
    if (first) void this.abilities.known.then(() => this.connections === connections && this.introduce());
  }

  /** Says what this page decodes, and what it wants: the stream starts with that. */
  private introduce(): void {
    this.introduced = true;
    this.tellCodecs();
    if (this.viewer) {
      this.connection.send("STOP_VIDEO");
      setTimeout(() => this.options.visible && this.connection.send("START_VIDEO"), VIEWER_RESTART);
      return;
    }
    this.sendSettings();
    if (!this.options.visible) this.connection.send("STOP_VIDEO");
  }

  private sendSettings(): void {
    const { tabId, view } = this.options;
    const wishes = { ...(this.options.encoder === null ? {} : { encoder: this.options.encoder }), ...this.wishes };
    this.connection.send(wire.settingsMessage({ tabId, ...view }, wishes));
    this.requested = { size: wire.resizeMessage(view.width, view.height), dpi: view.dpi };
    this.ownership.settingsSent();
  }

  /** The host heeds what this page wants from now on; the size in settings counts only where they begin a stream. */
  private inherit(): void {
    this.sendSettings();
    this.requested.size = "";
    this.requestSize();
    this.offerChoices();
  }

  /** The display is this page's to size and to set up. */
  private get decides(): boolean {
    return !this.viewer && this.ownership.owned;
  }

  private tellCodecs(): void {
    if (!this.introduced) return;
    this.connection.send(wire.codecsMessage(this.abilities.codecs()));
    this.offerChoices();
  }

  /** Tells the page what its user may change. */
  private offerChoices(): void {
    const { settings, encoder, wishes } = this;
    if (!settings || !this.decides) {
      this.emit({ type: "choices", choices: null });
      return;
    }
    const decoded = this.abilities.codecs();
    const encoders = wire.encodersOf(settings).map((name) => {
      const codec = wire.codecOf(name);
      return { name, decoded: codec === null || decoded.includes(codec) };
    });
    const range = (name: "video_crf" | "jpeg_quality") => {
      const limits = wire.rangeOf(settings, name);
      return limits && { ...limits, value: wishes[name] ?? limits.value };
    };
    this.emit({ type: "choices", choices: { encoders, encoder, crf: range("video_crf"), jpeg: range("jpeg_quality") } });
  }

  private requestSize(): void {
    const allowed = (name: string) => this.settings?.get(name)?.value;
    if (!this.settings || !this.introduced || !this.decides || allowed("enable_resize") === false) return;
    if (allowed("manual_resolution") === true || allowed("is_manual_resolution_mode") === true) return;
    const { width, height, dpi } = this.options.view;
    const { requested } = this;
    const size = wire.resizeMessage(width, height);
    this.requested = { size, dpi };
    if (size !== requested.size) this.connection.send(size);
    if (dpi !== requested.dpi) this.connection.send(`s,${dpi}`);
  }

  private onBinary(message: ArrayBuffer): void {
    this.totals.bytes += message.byteLength;
    const packet = wire.parseBinary(message);
    if (packet?.kind === "jpeg") this.onJpeg(message, packet);
    else if (packet) this.onVideo(packet);
    // The first stripe of a frame completes the frame before it.
    this.present();
  }

  private onJpeg(message: ArrayBuffer, { frame, y, last, payload }: wire.JpegPacket): void {
    const header = jpegSize(payload);
    const size = header && wire.pictureSize(header.width, y + header.height);
    if (!header || !size) {
      this.totals.errors += 1;
      return;
    }
    const { height } = header;
    const place = { y, height, last: last || this.screen.reaches(y + height) };
    this.board.add(frame, place, { message, offset: payload.byteOffset }, performance.now());
    this.video.rest();
    this.pump();
  }

  private onVideo(packet: wire.VideoPacket): void {
    const { frame, y, height } = packet;
    const bottom = this.screen.reaches(y + height);
    const place = { y, height, last: packet.last || bottom };
    const stripe = this.board.addStarted(frame, place, null, performance.now());
    const whole = y === 0 && bottom;
    if (whole && packet.key) this.keys.came();
    if (stripe) this.video.decode(stripe, packet, whole);
    else this.video.skipped(packet, whole);
  }

  private pump(): void {
    while (this.pool.ready) {
      const stripe = this.board.next();
      if (!stripe?.source) return;
      void this.pool.decode(stripe.source).then((picture) => {
        this.settled(stripe, picture);
        this.pump();
      });
    }
  }

  private requestKey(): void {
    // What is under way to a hidden page needs none: the start brings one.
    if (this.options.visible) this.keys.ask();
  }

  private settled(stripe: Stripe<DecodeJob | null>, picture: Picture | null): void {
    if (picture === null) this.totals.errors += 1;
    this.board.decoded(stripe, picture, performance.now());
    this.present();
  }

  /** Draws and acknowledges what is complete; comes back by itself for a frame that may still get stripes. */
  private present(): void {
    const drawable = this.board.take(performance.now());
    if (drawable) {
      if (drawable.pictures.length > 0) this.screen.draw(drawable.pictures);
      this.totals.frames += drawable.frames;
      this.totals.stripes += drawable.pictures.length;
      if (drawable.done) {
        const at = performance.now();
        const { frame, arrived, decoded } = drawable.done;
        this.drawn = { frame, at, held: at - arrived };
        this.acknowledge();
        this.stages.add({ frame, decode: decoded - arrived, present: at - decoded });
      }
    }
    clearTimeout(this.presenter);
    const due = this.board.due(performance.now());
    if (due !== null) this.presenter = setTimeout(() => this.present(), due);
  }

  private acknowledge(): void {
    if (!this.drawn) return;
    const now = performance.now();
    // The server takes this time off: decoding and waiting in here must not be in it, or it could not see them.
    if (this.connection.send(wire.ackMessage(this.drawn.frame, now - this.drawn.at))) this.totals.acks += 1;
    this.ackedAt = now;
  }

  private tick(): void {
    const now = performance.now();
    this.video.watch(now);
    const ping = this.settings ? this.ping.next(now) : null;
    if (ping) this.connection.send(ping);
    // A repeated acknowledgement tells a client with nothing new from one that has gone silent.
    if (now - this.ackedAt >= TICK) this.acknowledge();
    const stages = this.stages.take();
    // Servers that answer pings of this page know this, too.
    const isKnown = this.ping.roundTrip !== null && this.connection.backlog <= MAX_BACKLOG;
    if (isKnown && stages.length > 0) this.connection.send(wire.stagesMessage(stages));
    const { bytes, frames, stripes, errors, acks } = this.totals;
    this.emit({
      type: "stats",
      stats: {
        ...this.rates.read(frames, bytes, now),
        roundTrip: this.ping.roundTrip,
        held: this.drawn?.held ?? 0,
        decode: this.stages.decode,
        present: this.stages.present,
        width: this.screen.width,
        height: this.screen.height,
        framesDrawn: frames,
        stripesDrawn: stripes,
        superseded: this.board.superseded,
        decodeErrors: errors,
        acks,
        lastAck: this.drawn?.frame ?? -1,
      },
    });
  }

  /** Frame ids and decoders start over; the last picture stays until the next one. */
  private forget(): void {
    this.forgetPictures();
    this.drawn = null;
    this.stages.take();
  }

  /** What comes next builds on nothing from before. Browsers take idle decoders back from hidden pages: none is left. */
  private forgetPictures(): void {
    this.board.reset();
    this.video.reset();
    this.keys.came();
  }

  private fail(reason: string): void {
    this.connection.end("error", reason);
    this.close();
  }

  private close(): void {
    clearInterval(this.ticker);
    this.forget();
  }
}
