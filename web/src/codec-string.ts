// The names by which WebCodecs know a stream, read from the key frame that begins it: a decoder that is told a lower
// profile or level than the stream has may refuse it, one that is told a higher one may not be there. Pure.
// Names: RFC 6381, ISO/IEC 14496-15 annex E, and the codec registrations of WebCodecs.

import { BitReader, nalUnit } from "./bits";
import type { VideoPacket } from "./wire";

/** The WebCodecs name of what a key frame begins; null where its header cannot be read. */
export function codecString(key: Pick<VideoPacket, "codec" | "payload" | "width" | "height">): string | null {
  const { codec, payload, width, height } = key;
  switch (codec) {
    case "h264":
      return avcString(payload);
    case "h265":
      return hevcString(payload);
    case "vp8":
      return "vp8";
    case "vp9":
      return vp9String(payload, width, height);
    case "av1":
      return av1String(payload);
  }
}

const hex = (byte: number) => byte.toString(16).padStart(2, "0");
const two = (number: number) => String(number).padStart(2, "0");

/** Profile, constraints and level are the three bytes after the header of the SPS (H.264 7.3.2.1.1). */
function avcString(stream: Uint8Array): string | null {
  const sps = nalUnit(stream, (header) => (header & 31) === 7);
  return sps && sps.length >= 4 ? `avc1.${[...sps.subarray(1, 4)].map(hex).join("")}` : null;
}

/** profile_tier_level() begins behind one byte of ids in the SPS (H.265 7.3.2.2.1 and 7.3.3). */
function hevcString(stream: Uint8Array): string | null {
  const sps = nalUnit(stream, (header) => ((header >> 1) & 63) === 33);
  if (!sps || sps.length < 15) return null;
  const bits = new BitReader(sps.subarray(3));
  const space = ["", "A", "B", "C"][bits.u(2)];
  const tier = bits.flag() ? "H" : "L";
  const profile = bits.u(5);
  let compatibility = 0;
  for (let i = 0; i < 32; i += 1) compatibility += bits.u(1) * 2 ** i; // written in reverse
  const constraints = Array.from({ length: 6 }, () => bits.u(8));
  while (constraints.at(-1) === 0) constraints.pop();
  const level = bits.u(8);
  const tail = constraints.map((byte) => `.${byte.toString(16).toUpperCase()}`).join("");
  return `hev1.${space}${profile}.${compatibility.toString(16).toUpperCase()}.${tier}${level}${tail}`;
}

/** Level times ten, luma samples per second, luma samples per picture (VP9 annex A.3). */
const VP9_LEVELS: readonly (readonly [number, number, number])[] = [
  [10, 829_440, 36_864],
  [11, 2_764_800, 73_728],
  [20, 4_608_000, 122_880],
  [21, 9_216_000, 245_760],
  [30, 20_736_000, 552_960],
  [31, 36_864_000, 983_040],
  [40, 83_558_400, 2_228_224],
  [41, 160_432_128, 2_228_224],
  [50, 311_951_360, 8_912_896],
  [51, 588_251_136, 8_912_896],
  [52, 1_176_502_272, 8_912_896],
  [60, 1_176_502_272, 35_651_584],
  [61, 2_353_004_544, 35_651_584],
  [62, 4_706_009_088, 35_651_584],
];
/** VP9 says nothing of the rate; a level for this many pictures a second is asked for. */
const VP9_RATE = 60;

/** uncompressed_header() and color_config() (VP9 6.2, 6.2.2); the level is not in the stream, it follows from the size. */
function vp9String(stream: Uint8Array, width: number, height: number): string | null {
  const bits = new BitReader(stream.subarray(0, 16));
  if (bits.u(2) !== 2) return null;
  const profile = bits.u(1) + 2 * bits.u(1);
  if (profile === 3) bits.skip(1);
  const shownAgain = bits.flag();
  const delta = bits.flag();
  bits.skip(2);
  if (shownAgain || delta || bits.u(24) !== 0x498342) return null;
  const depth = profile < 2 ? 8 : bits.flag() ? 12 : 10;
  const isRgb = bits.u(3) === 7;
  // The range bit; RGB has none and is not subsampled.
  if (!isRgb) bits.skip(1);
  const across = profile % 2 === 0 || (!isRgb && bits.flag());
  const down = profile % 2 === 0 || (!isRgb && bits.flag());
  // Numbers of "VP Codec ISO Media File Format Binding": 1 is 4:2:0 in one place with luma, 2 is 4:2:2, 3 is 4:4:4.
  const chroma = across ? (down ? 1 : 2) : 3;
  const samples = width * height;
  const level = VP9_LEVELS.find(([, rate, picture]) => samples <= picture && samples * VP9_RATE <= rate)?.[0] ?? 62;
  const short = `vp09.${two(profile)}.${level}.${two(depth)}`;
  // The rest may be left out only as a whole; 2 is "unspecified" for primaries, transfer and matrix.
  return profile % 2 === 0 ? short : `${short}.${two(chroma)}.02.02.02.00`;
}

const OBU_SEQUENCE_HEADER = 1;

/** Finds the sequence header among the OBUs at the beginning (AV1 5.3). */
function av1String(stream: Uint8Array): string | null {
  for (let at = 0, count = 0; at < stream.length && count < 8; count += 1) {
    const header = stream[at]!;
    at += header & 4 ? 2 : 1;
    let size = stream.length - at;
    if (header & 2) {
      size = 0;
      for (let i = 0; i < 4; i += 1) {
        const byte = stream[at] ?? 0;
        at += 1;
        size |= (byte & 127) << (7 * i);
        if (byte < 128) break;
      }
    }
    if (((header >> 3) & 15) === OBU_SEQUENCE_HEADER) return sequenceString(new BitReader(stream.subarray(at, at + size)));
    at += size;
  }
  return null;
}

/** sequence_header_obu() as far as the depth of the samples (AV1 5.5.1, 5.5.2). */
function sequenceString(bits: BitReader): string | null {
  const profile = bits.u(3);
  bits.skip(1);
  const isStill = bits.flag();
  let level = 0;
  let tier = "M";
  if (isStill) level = bits.u(5);
  else [level, tier] = operatingPoint(bits);
  const [acrossBits, downBits] = [bits.u(4) + 1, bits.u(4) + 1];
  bits.skip(acrossBits + downBits);
  if (!isStill && bits.flag()) bits.skip(7); // lengths of frame ids
  bits.skip(3);
  if (!isStill) {
    bits.skip(4);
    const ordered = bits.flag();
    if (ordered) bits.skip(2);
    const screenTools = bits.flag() || bits.flag();
    if (screenTools && !bits.flag()) bits.skip(1);
    if (ordered) bits.skip(3);
  }
  bits.skip(3);
  const depth = !bits.flag() ? 8 : profile === 2 && bits.flag() ? 12 : 10;
  return bits.exhausted ? null : `av01.${profile}.${two(level)}${tier}.${two(depth)}`;
}

/** Timing and decoder model, then level and tier of the first operating point. */
function operatingPoint(bits: BitReader): [number, string] {
  let delayBits = 0;
  if (bits.flag()) {
    bits.skip(64);
    if (bits.flag()) bits.uvlc();
    if (bits.flag()) {
      delayBits = bits.u(5) + 1;
      bits.skip(42);
    }
  }
  const delayed = bits.flag();
  let first: [number, string] | null = null;
  for (let left = bits.u(5) + 1; left > 0; left -= 1) {
    bits.skip(12);
    const level = bits.u(5);
    const tier = level > 7 && bits.flag() ? "H" : "M";
    if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1);
    if (delayed && bits.flag()) bits.skip(4);
    first ??= [level, tier];
  }
  return first ?? [0, "M"];
}
