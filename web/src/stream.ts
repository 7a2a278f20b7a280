// The stream over WebSocket: decoding, drawing and acknowledging. Runs in the stream worker, or in the page where a canvas
// cannot be handed to a worker.

import { Abilities } from "./abilities";
import { MAX_CONTENT, SOCKET_PART } from "./clipboard-wire";
import { Connection } from "./connection";
import { DecoderPool, type JpegDecoder } from "./decoder-pool";
import { Dialogue } from "./dialogue";
import { jpegSize } from "./jpeg";
import { KeyRequests } from "./key-requests";
import type { DecodeJob, StreamCommand, StreamEvent, StreamOptions } from "./messages";
import { type Picture, Screen } from "./screen";
import { SoundDecoder } from "./sound-decoder";
import { isSound } from "./sound-wire";
import { RateMeter, StageLog } from "./stats";
import { type Stripe, StripeBoard } from "./stripes";
import { VideoDecoders } from "./video";
import * as wire from "./wire";

/** Interval of statistics, pings and repeated acknowledgements, in ms. */
const TICK = 1000;
/** Pointer movements are dropped while this many bytes wait to be sent. */
const MAX_BACKLOG = 64 << 10;

/** Draws one stream on one canvas until it is stopped. */
export class Stream {
  private readonly connection: Connection;
  private readonly screen: Screen;
  private readonly pool: DecoderPool;
  private readonly board = new StripeBoard<DecodeJob | null, Picture>((picture) => picture.close());
  private readonly dialogue: Dialogue;
  private readonly abilities = new Abilities(() => this.dialogue.tellCodecs());
  private readonly video: VideoDecoders<DecodeJob | null>;
  private readonly rates = new RateMeter(performance.now());
  private readonly totals = { bytes: 0, frames: 0, stripes: 0, errors: 0, acks: 0 };
  private readonly ticker: ReturnType<typeof setInterval>;
  private readonly stages = new StageLog();
  private drawn: { frame: number; at: number; held: number } | null = null;
  private ackedAt = 0;
  private presenter: ReturnType<typeof setTimeout> | undefined;
  private sound: SoundDecoder | null = null;
  private readonly keys = new KeyRequests(() => this.connection.send("REQUEST_KEYFRAME"));

  constructor(
    canvas: OffscreenCanvas | HTMLCanvasElement,
    decoders: readonly JpegDecoder[],
    private readonly options: StreamOptions,
    private readonly emit: (event: StreamEvent) => void,
  ) {
    this.screen = new Screen(canvas, (width, height) => emit({ type: "size", width, height }));
    this.pool = new DecoderPool(decoders);
    this.video = new VideoDecoders(this.abilities, (stripe, frame) => this.settled(stripe, frame), () => this.requestKey());
    this.dialogue = new Dialogue(options, {
      modes: ["websockets"],
      clipboard: { part: SOCKET_PART, most: MAX_CONTENT },
      known: this.abilities.known,
      codecs: () => this.abilities.codecs(),
      send: (text) => this.connection.send(text),
      backlog: () => this.connection.backlog,
      emit,
      sized: (width, height) => this.screen.setSize(width, height),
      reset: (told) => this.reset(told),
      over: (state, reason) => this.over(state, reason),
    });
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
        this.dialogue.input(command.text);
        break;
      case "stop":
        this.over("ended", "");
        break;
      case "speech":
        // What cannot be said now is not said later.
        if (this.connection.backlog <= MAX_BACKLOG) this.connection.send(command.message);
        break;
      case "listen":
        this.sound?.close();
        this.sound = command.port && new SoundDecoder(command.port, command.channels, (reason) => this.emit({ type: "sound-missing", reason }));
        this.dialogue.command(command);
        break;
      default:
        this.dialogue.command(command);
        break;
    }
  }

  private opened(): void {
    this.dialogue.opened();
    this.forget();
    this.screen.forgetAll();
  }

  private onText(text: string): void {
    this.totals.bytes += text.length;
    this.dialogue.hear(text);
  }

  private reset(told: boolean): void {
    if (!told) {
      this.forgetPictures();
      return;
    }
    this.forget();
    // A server that tells the size tells a new one, too, and before the pictures of that size.
    this.screen.forgetSize();
  }

  private onBinary(message: ArrayBuffer): void {
    this.totals.bytes += message.byteLength;
    if (isSound(message)) {
      this.sound?.take(message);
      return;
    }
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
    this.dialogue.tick(now);
    // A repeated acknowledgement tells a client with nothing new from one that has gone silent.
    if (now - this.ackedAt >= TICK) this.acknowledge();
    const stages = this.stages.take();
    // Servers that answer pings of this page know this, too.
    const isKnown = this.dialogue.roundTrip !== null && this.connection.backlog <= MAX_BACKLOG;
    if (isKnown && stages.length > 0) this.connection.send(wire.stagesMessage(stages));
    const { bytes, frames, stripes, errors, acks } = this.totals;
    this.emit({
      type: "stats",
      stats: {
        ...this.rates.read(frames, bytes, now),
        roundTrip: this.dialogue.roundTrip,
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
        rtc: null,
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

  private over(state: "ended" | "error", reason: string): void {
    this.connection.end(state, reason);
    clearInterval(this.ticker);
    this.sound?.close();
    this.sound = null;
    this.forget();
  }
}
