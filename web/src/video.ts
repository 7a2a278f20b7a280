// Video stripes (0x04) through WebCodecs: one decoder per stripe position, since each is a stream of its own.

import { type Abilities, type Failure, hasWebCodecs } from "./abilities";
import { codecString } from "./codec-string";
import type { Stripe } from "./stripes";
import type { VideoCodec, VideoPacket } from "./wire";

/** Pictures that may wait in one decoder before it starts over at a key frame. */
const MAX_QUEUE = 60;
/** Stripe positions of one display. */
const MAX_DECODERS = 64;
/** What a browser calls a configuration that it does not take: the standard's name, and Chromium's. */
const REFUSALS: ReadonlySet<string> = new Set(["NotSupportedError", "OperationError"]);
/** What Chromium calls it when it takes an idle decoder back: nothing is wrong with it. */
const RECLAIMED = "QuotaExceededError";
/** A decoder that has work and gave nothing for this long is asked for it, and after as long again given up, in ms. */
const SILENCE = 1000;

/** A stripe with what it was made of. */
interface Given<S> {
  stripe: S;
  packet: VideoPacket;
  whole: boolean;
  /** When it came, in ms. */
  at: number;
}

interface Lane<S> {
  decoder: VideoDecoder;
  kind: HardwareAcceleration;
  y: number;
  width: number;
  height: number;
  codec: VideoCodec;
  /** Stripes in the decoder in their order, by the timestamp that stands for them. */
  inside: Map<number, Given<S>>;
  /** It has given a picture. */
  proven: boolean;
  /** When it gave its last picture, or was made, in ms. */
  heard: number;
  /** Since when it is to give all that it has, in ms: it takes nothing after that. */
  flushed: number | null;
}

/** Decodes video stripes; `done` is called once for each, with null where there is no picture. */
export class VideoDecoders<Source> {
  private readonly lanes = new Map<number, Lane<Stripe<Source>>>();
  /** Lanes that get nothing any more and give what they have. */
  private readonly retired = new Set<Lane<Stripe<Source>>>();
  private timestamp = 0;

  constructor(
    private readonly abilities: Abilities,
    private readonly done: (stripe: Stripe<Source>, frame: VideoFrame | null) => void,
    private readonly requestKey: () => void,
  ) {}

  /**
   * Decodes a stripe, or a `whole` picture; without a key frame before it, it is dropped and a key frame is asked for.
   * A codec that this page does not decode is dropped without a word: the host has been told.
   */
  decode(stripe: Stripe<Source>, packet: VideoPacket, whole: boolean): void {
    let lane = this.lanes.get(packet.y);
    if (lane && lane.decoder.decodeQueueSize > MAX_QUEUE) {
      // One that takes everything and gives nothing would start over for ever.
      if (!lane.proven) this.abilities.failed(lane.codec, lane.kind, "broken", performance.now());
      this.drop(lane);
      lane = undefined;
    } else if (lane && packet.key && !fits(lane, packet)) {
      this.retire(lane);
      lane = undefined;
    }
    if (!lane && packet.key) lane = this.open(packet, whole);
    // A delta of another stream than the one in the lane: what it builds on was not seen.
    if (!lane || !fits(lane, packet)) {
      if (this.abilities.decoder(packet.codec, whole) !== null) this.requestKey();
      this.done(stripe, null);
      return;
    }
    this.timestamp += 1;
    lane.inside.set(this.timestamp, { stripe, packet, whole, at: performance.now() });
    // What comes of the flush says who decodes it.
    if (lane.flushed !== null) return;
    try {
      lane.decoder.decode(
        new EncodedVideoChunk({ type: packet.key ? "key" : "delta", timestamp: this.timestamp, data: packet.payload }),
      );
    } catch {
      this.drop(lane);
      this.requestKey();
    }
  }

  /** A stripe was left out: what is decoded goes on to be shown, what follows it waits for a key frame. */
  skipped({ y, codec }: VideoPacket, whole: boolean): void {
    const lane = this.lanes.get(y);
    if (lane) this.retire(lane);
    if (this.abilities.decoder(codec, whole) !== null) this.requestKey();
  }

  /** Finds decoders that neither give pictures nor fail; to be called about once a second. `now` in ms. */
  watch(now: number): void {
    for (const lane of [...this.lanes.values(), ...this.retired]) {
      const [oldest] = lane.inside.values();
      const since = Math.max(lane.heard, lane.flushed ?? oldest?.at ?? now);
      if (now - since < SILENCE) continue;
      if (lane.flushed === null) this.flush(lane, () => this.failed(lane, silence(lane)));
      else if (oldest) this.failed(lane, silence(lane));
      else this.drop(lane);
    }
  }

  /** No more video is to come for now: decoders give what they have and close. */
  rest(): void {
    for (const lane of [...this.lanes.values()]) this.retire(lane);
  }

  /** Closes every decoder; `done` is not called for the stripes inside them. */
  reset(): void {
    for (const lane of [...this.lanes.values(), ...this.retired]) {
      lane.inside.clear();
      this.drop(lane);
    }
  }

  private open(packet: VideoPacket, whole: boolean): Lane<Stripe<Source>> | undefined {
    const { codec, y, width, height } = packet;
    const kind = this.abilities.decoder(codec, whole);
    if (!hasWebCodecs() || kind === null) return undefined;
    const name = codecString(packet);
    if (name === null) {
      this.abilities.failed(codec, kind, "broken", performance.now());
      return undefined;
    }
    // What it covers is drawn over from now on.
    for (const other of [...this.lanes.values()]) {
      if (other.y < y + height && y < other.y + other.height) this.retire(other);
    }
    if (this.lanes.size >= MAX_DECODERS) return undefined;
    const decoder = new VideoDecoder({
      output: (frame) => {
        const given = lane.inside.get(frame.timestamp);
        lane.inside.delete(frame.timestamp);
        lane.proven = true;
        lane.heard = performance.now();
        if (given) this.done(given.stripe, frame);
        else frame.close();
      },
      error: ({ name }) => {
        if (name === RECLAIMED) this.reclaimed(lane);
        else this.failed(lane, REFUSALS.has(name) ? "refused" : "broken");
      },
    });
    const now = performance.now();
    const lane: Lane<Stripe<Source>> = {
      ...{ decoder, kind, y, width, height, codec },
      ...{ inside: new Map(), proven: false, heard: now, flushed: null },
    };
    try {
      decoder.configure({
        codec: name,
        codedWidth: width,
        codedHeight: height,
        optimizeForLatency: true,
        hardwareAcceleration: kind,
      });
    } catch {
      this.abilities.failed(codec, kind, "refused", performance.now());
      decoder.close();
      // There is one decoder less to choose from each time.
      return this.abilities.decoder(codec, whole) === kind ? undefined : this.open(packet, whole);
    }
    this.lanes.set(y, lane);
    return lane;
  }

  /** The decoder gave up: another one begins where this one did, if nothing has come of it yet. */
  private failed(lane: Lane<Stripe<Source>>, how: Failure): void {
    const { codec, kind, inside, proven } = lane;
    const current = this.isCurrent(lane);
    if (!current && !this.retired.has(lane)) return;
    const given = [...inside.values()];
    inside.clear();
    this.drop(lane);
    const soon = this.abilities.failed(codec, kind, how, performance.now());
    const left = this.abilities.codecs().includes(codec);
    const again = soon && left && current && !proven && given[0]?.packet.key === true;
    for (const { stripe, packet, whole } of given) {
      if (again) this.decode(stripe, packet, whole);
      else this.done(stripe, null);
    }
    if (left && current && !again) this.requestKey();
  }

  /** The browser took the decoder back. */
  private reclaimed(lane: Lane<Stripe<Source>>): void {
    const current = this.isCurrent(lane);
    this.drop(lane);
    if (current) this.requestKey();
  }

  private retire(lane: Lane<Stripe<Source>>): void {
    this.lanes.delete(lane.y);
    this.retired.add(lane);
    // Fails where it failed already, which `failed` hears of.
    this.flush(lane, () => this.drop(lane));
  }

  private flush(lane: Lane<Stripe<Source>>, then: () => void): void {
    lane.flushed = performance.now();
    lane.decoder.flush().then(then, then);
  }

  private isCurrent(lane: Lane<Stripe<Source>>): boolean {
    return this.lanes.get(lane.y) === lane;
  }

  private drop(lane: Lane<Stripe<Source>>): void {
    if (this.isCurrent(lane)) this.lanes.delete(lane.y);
    this.retired.delete(lane);
    if (lane.decoder.state !== "closed") lane.decoder.close();
    const given = [...lane.inside.values()];
    lane.inside.clear();
    for (const { stripe } of given) this.done(stripe, null);
  }
}

function fits(lane: Lane<unknown>, { width, height, codec }: VideoPacket): boolean {
  return lane.width === width && lane.height === height && lane.codec === codec;
}

/** What it is when a decoder gives nothing any more. */
function silence({ proven }: Lane<unknown>): Failure {
  return proven ? "broken" : "silent";
}
