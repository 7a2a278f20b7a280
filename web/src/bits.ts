// Reading the headers of video streams: bits, and the NAL units of H.264 and H.265. Pure.

/** Reads numbers of any number of bits, most significant first; what lies beyond the end is zero. */
export class BitReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** True when something beyond the end was read. */
  get exhausted(): boolean {
    return this.at > this.bytes.length * 8;
  }

  /** The next `count` bits, up to 32, as a number. */
  u(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      const byte = this.bytes[this.at >> 3] ?? 0;
      value = value * 2 + ((byte >> (7 - (this.at & 7))) & 1);
      this.at += 1;
    }
    return value;
  }

  /** The next bit as a flag. */
  flag(): boolean {
    return this.u(1) === 1;
  }

  skip(count: number): void {
    this.at += count;
  }

  /** A number of variable length as AV1 has it (uvlc, AV1 4.10.3). */
  uvlc(): number {
    let zeros = 0;
    while (!this.exhausted && !this.flag()) zeros += 1;
    return zeros < 32 ? this.u(zeros) + 2 ** zeros - 1 : 2 ** 32 - 1;
  }
}

/** Headers stand at the beginning: NAL units that begin later are not looked at. */
const MAX_SEARCH = 4096;
/** Bytes of a NAL unit that are looked at. */
const MAX_NAL = 256;

/**
 * The first NAL unit of an Annex B stream for which `wanted` is true of its first byte, without its emulation
 * prevention bytes (H.264 7.4.1, H.265 7.4.2); null where there is none.
 */
export function nalUnit(stream: Uint8Array, wanted: (header: number) => boolean): Uint8Array | null {
  const end = Math.min(stream.length - 3, MAX_SEARCH);
  for (let at = 0; at < end; at += 1) {
    if (stream[at] !== 0 || stream[at + 1] !== 0 || stream[at + 2] !== 1 || !wanted(stream[at + 3]!)) continue;
    const unit: number[] = [];
    let zeros = 0;
    for (const byte of stream.subarray(at + 3, at + 3 + MAX_NAL)) {
      if (zeros >= 2 && byte === 3) {
        zeros = 0;
        continue;
      }
      if (zeros >= 2 && byte <= 1) break;
      zeros = byte === 0 ? zeros + 1 : 0;
      unit.push(byte);
    }
    return Uint8Array.from(unit);
  }
  return null;
}
