// What this browser decodes, with which kind of decoder, and what has proved not to work.

import { VIDEO_CODECS, type VideoCodec } from "./wire";

/** A stream of each codec that encoders for desktops make, at 1080p: what is asked about before anything is streamed. */
const SAMPLES: Readonly<Record<VideoCodec, string>> = {
  h264: "avc1.640028",
  h265: "hev1.1.6.L123.B0",
  vp8: "vp8",
  vp9: "vp09.00.41.08",
  av1: "av01.0.09M.08",
};
const SAMPLE_SIZE = { codedWidth: 1920, codedHeight: 1080 };

/** How long the browser may think about it, in ms; what it answers later counts from then on. */
const PATIENCE = 1000;
/** A decoder that fails this often within {@link STRIKE_MEMORY} ms is not used again. */
const MAX_STRIKES = 3;
const STRIKE_MEMORY = 10_000;
/** What happens to decoders of one kind within this time is one event, in ms: there is one for each stripe. */
const EVENT = 500;

/** How a decoder failed: the browser does not take it, it never gave a picture, or it worked until now. */
export type Failure = "refused" | "silent" | "broken";

/** True where there is a decoder for video at all: WebCodecs exist only in secure contexts. */
export const hasWebCodecs = (): boolean => typeof VideoDecoder !== "undefined";

/** Knows the decoders of each codec, best first, and steps down when one fails. */
export class Abilities {
  /** Resolved when the browser has answered, or has had its time. */
  readonly known: Promise<void>;

  private readonly ladders = new Map<VideoCodec, HardwareAcceleration[]>();
  private readonly strikes = new Map<string, number[]>();
  private settled = false;

  /** `changed` is called when {@link codecs} answers something else than before, once it is `known`. */
  constructor(private readonly changed: () => void) {
    const probes = hasWebCodecs() ? VIDEO_CODECS.map((codec) => this.probe(codec)) : [];
    const answered = Promise.all(probes);
    const patience = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PATIENCE);
      void answered.then(() => clearTimeout(timer));
    });
    this.known = Promise.race([answered, patience]).then(() => {
      this.settled = true;
    });
  }

  /** Names of what is decoded here, as the host knows them. */
  codecs(): string[] {
    return ["jpeg", ...VIDEO_CODECS.filter((codec) => this.ladders.has(codec))];
  }

  /**
   * The kind of decoder to use for a stream of this codec; null where there is none. `whole` pictures go to hardware
   * where it is there; stripes do not, for there are many of them, each too small for some hardware.
   */
  decoder(codec: VideoCodec, whole: boolean): HardwareAcceleration | null {
    if (!this.settled && hasWebCodecs()) return "no-preference";
    const ladder = this.ladders.get(codec);
    return (whole ? ladder?.[0] : ladder?.at(-1)) ?? null;
  }

  /**
   * Notes that a decoder failed: one that was refused is not tried again, nor is a silent one where there is another
   * kind. `now` in ms. Answers whether to try again at once: not where the same happened a moment ago.
   */
  failed(codec: VideoCodec, decoder: HardwareAcceleration, how: Failure, now: number): boolean {
    const key = `${codec} ${decoder}`;
    const recent = (this.strikes.get(key) ?? []).filter((at) => now - at < STRIKE_MEMORY);
    const counts = now - (recent.at(-1) ?? -Infinity) >= EVENT;
    if (counts) recent.push(now);
    this.strikes.set(key, recent);
    const ladder = this.ladders.get(codec);
    if (!ladder?.includes(decoder)) return true;
    const left = ladder.filter((kind) => kind !== decoder);
    if (how === "broken" || (how === "silent" && left.length === 0)) {
      if (recent.length < MAX_STRIKES) return counts;
    }
    if (left.length > 0) {
      this.ladders.set(codec, left);
      return true;
    }
    this.ladders.delete(codec);
    if (this.settled) this.changed();
    return true;
  }

  private async probe(codec: VideoCodec): Promise<void> {
    const supports = async (hardwareAcceleration: HardwareAcceleration) => {
      const config = { codec: SAMPLES[codec], ...SAMPLE_SIZE, optimizeForLatency: true, hardwareAcceleration };
      try {
        return (await VideoDecoder.isConfigSupported(config)).supported === true;
      } catch {
        return false;
      }
    };
    const kinds: HardwareAcceleration[] = ["prefer-hardware", "prefer-software"];
    const answers = await Promise.all(kinds.map(supports));
    let ladder = kinds.filter((_, i) => answers[i]);
    // A browser that keeps its decoders to itself.
    if (ladder.length === 0 && (await supports("no-preference"))) ladder = ["no-preference"];
    if (ladder.length === 0) return;
    this.ladders.set(codec, ladder);
    if (this.settled) this.changed();
  }
}
