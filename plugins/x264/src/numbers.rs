//! Lets pictures be missing from a stream of libx264 on purpose.
//!
//! A client that missed pictures goes on with one that is predicted from an older one. libx264 makes such streams, but
//! has no parameters for two fields of the sequence parameter set (H.264, 7.3.2.1.1) that decoders need for it:
//! `gaps_in_frame_num_value_allowed_flag`, without which a gap is damage; and `log2_max_frame_num_minus4`, because with
//! the 16 numbers that libx264 uses a gap is easily mistaken for a shorter one. So both are set here, and the pictures get
//! numbers of eight more bits: one byte more in each slice's header, behind which everything stays as it is.

use std::ops::Range;

/// Bits that frame numbers get.
const MORE: u32 = 8;
/// Bytes of a slice in which its frame number is found.
const HEAD: usize = 24;

/// The numbers of one stream.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// Bits of libx264's own numbers; 0 before the first parameter set.
    bits: u32,
}

impl Numbers {
    /// Pictures that have numbers of their own, in libx264's parameter set of `bits`.
    pub(crate) fn count(&self) -> u64 {
        1 << (self.bits + MORE)
    }

    /// Copies an Annex B unit of the picture with this `index`, counted from its key frame, to `out`. `None` when it is not
    /// what libx264 makes.
    pub(crate) fn rewrite(&mut self, unit: &[u8], index: u64, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        let mut rest = unit;
        loop {
            let next = rest.windows(3).position(|bytes| bytes == [0, 0, 1]);
            let (nal, after) = rest.split_at(next.map_or(rest.len(), |at| at + 3));
            // Behind a start code lies a unit, before it the end of the one before.
            let (body, code) = nal.split_at(next.unwrap_or(nal.len()));
            self.nal(body, index, out)?;
            out.extend_from_slice(code);
            if next.is_none() {
                return Some(());
            }
            rest = after;
        }
    }

    fn nal(&mut self, nal: &[u8], index: u64, out: &mut Vec<u8>) -> Option<()> {
        // Before the first start code, and zeros before the next one.
        let end = nal.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
        let (nal, zeros) = nal.split_at(end);
        let Some((&header, body)) = nal.split_first() else {
            out.extend_from_slice(zeros);
            return Some(());
        };
        out.push(header);
        match header & 0x1f {
            7 => self.parameters(body, out)?,
            1 | 5 => self.slice(body, index, out)?,
            _ => out.extend_from_slice(body),
        }
        out.extend_from_slice(zeros);
        Some(())
    }

    fn parameters(&mut self, body: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (set, _) = plain(body, usize::MAX);
        let mut bits = Bits { bytes: &set, at: 0 };
        let profile = bits.read(8)?;
        // Constraints and level.
        bits.read(16)?;
        bits.exp()?;
        // High and High 4:4:4 Predictive, the profiles with these fields that libx264 uses here.
        if matches!(profile, 100 | 244) {
            if bits.exp()? == 3 {
                bits.read(1)?;
            }
            bits.exp()?;
            bits.exp()?;
            bits.read(1)?;
            if bits.read(1)? == 1 {
                return None;
            }
        }
        let number = bits.at;
        self.bits = bits.exp()? + 4;
        let order = bits.at;
        // With order type 2, which libx264 uses without B pictures, there are no fields of its own.
        if bits.exp()? != 2 || self.bits + MORE > 16 {
            return None;
        }
        bits.exp()?;
        let gaps = bits.at;
        let end = (0..set.len() * 8).rev().find(|&at| bit(&set, at) == Some(1))?;
        let mut made = Made::default();
        made.copy(&set, 0..number)?;
        made.exp(self.bits - 4 + MORE);
        made.copy(&set, order..gaps)?;
        made.push(1);
        made.copy(&set, gaps + 1..end)?;
        made.push(1);
        escape(&made.bytes, out);
        Some(())
    }

    fn slice(&self, body: &[u8], index: u64, out: &mut Vec<u8>) -> Option<()> {
        let (head, read) = plain(body, HEAD);
        let mut bits = Bits { bytes: &head, at: 0 };
        // first_mb_in_slice, slice_type, pic_parameter_set_id
        for _ in 0..3 {
            bits.exp()?;
        }
        let (byte, shift) = (bits.at / 8, bits.at % 8);
        let own = 1u64.checked_shl(self.bits).filter(|_| self.bits > 0)?;
        if u64::from(bits.read(self.bits)?) != index % own || head.len() < byte + 4 && read < body.len() {
            return None;
        }
        let more = ((index / own) & 0xff) as u8;
        let split = *head.get(byte)?;
        let low = 0xff_u16 >> shift;
        // The byte of the new bits, between those before and those behind.
        let pair = (u16::from(split) & !low) << 8 | u16::from(more) << (8 - shift) | u16::from(split) & low;
        let pair = pair.to_be_bytes();
        let made = [&head[..byte], &pair, &head[byte + 1..]].concat();
        escape(&made, out);
        // Its last bytes are the same as before, so what follows is as escaped as it was.
        out.extend_from_slice(&body[read..]);
        Some(())
    }
}

/// The first `most` bytes without emulation prevention, and how many bytes they were.
fn plain(body: &[u8], most: usize) -> (Vec<u8>, usize) {
    let (mut bytes, mut zeros, mut read) = (Vec::new(), 0, 0);
    while let Some(&byte) = body.get(read).filter(|_| bytes.len() < most) {
        read += 1;
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    (bytes, read)
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let mut zeros = 0;
    for &byte in bytes {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
}

fn bit(bytes: &[u8], at: usize) -> Option<u8> {
    Some(bytes.get(at / 8)? >> (7 - at % 8) & 1)
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(bit(self.bytes, self.at)?);
            self.at += 1;
        }
        Some(value)
    }

    /// ue(v), 9.1.
    fn exp(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }
}

#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    bits: usize,
}

impl Made {
    fn push(&mut self, bit: u8) {
        if self.bits.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= bit << (7 - self.bits % 8);
        }
        self.bits += 1;
    }

    fn copy(&mut self, from: &[u8], bits: Range<usize>) -> Option<()> {
        for at in bits {
            self.push(bit(from, at)?);
        }
        Some(())
    }

    fn exp(&mut self, value: u32) {
        let bits = (value + 1).ilog2();
        (0..bits).for_each(|_| self.push(0));
        (0..=bits).rev().for_each(|at| self.push(((value + 1) >> at & 1) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// profile 66, level 31, set 0, 4 bits for frame numbers, order type 2, 8 references, no gaps, 1x1 macroblocks.
    const SET: [u8; 11] = [0, 0, 0, 1, 0x67, 66, 0xc0, 31, 0b1101_1000, 0b1001_0111, 0b1100_1000];

    #[test]
    fn parameter_sets_allow_gaps_and_long_numbers() {
        let (mut numbers, mut out) = (Numbers::default(), Vec::new());
        numbers.rewrite(&[&SET[..], &[0, 0, 1, 0x68, 0xce]].concat(), 0, &mut out).expect("a parameter set");
        // 1 0001001 011 0001001 1 1110 0100 and the end.
        let set = [0, 0, 0, 1, 0x67, 66, 0xc0, 31, 0b1000_1001, 0b0110_0010, 0b0111_1110, 0b0100_0000];
        assert_eq!(out[..10], set[..10]);
        assert_eq!(out[out.len() - 5..], [0, 0, 1, 0x68, 0xce]);
        assert_eq!(numbers.count(), 4096);
    }

    #[test]
    fn slices_get_a_byte_and_keep_the_rest() {
        let (mut numbers, mut out) = (Numbers::default(), Vec::new());
        numbers.rewrite(&SET, 0, &mut out).expect("a parameter set");
        // first_mb 0, slice type 5, set 0: 1 00110 1, then the number 0b0101.
        let slice = |more: &[u8]| [&[0, 0, 1, 0x41, 0b1001_1010][..], more].concat();
        let tail = [9, 0, 0, 3, 1, 0, 0, 3, 0, 7, 7, 7, 0, 0, 3, 2, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 3, 1];
        let unit = slice(&[&[0b1011_1111][..], &tail].concat());
        numbers.rewrite(&unit, 5, &mut out).expect("a slice");
        assert_eq!(out, slice(&[&[0b0000_0000, 0b1011_1111][..], &tail].concat()));
        numbers.rewrite(&unit, 0xa5 * 16 + 5, &mut out).expect("a slice");
        let with = [&[0, 0, 1, 0x41, 0b1001_1011, 0b0100_1010, 0b1011_1111][..], &tail].concat();
        assert_eq!(out, with);
        assert!(numbers.rewrite(&unit, 6, &mut out).is_none(), "another number");
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused_or_kept() {
        let (mut numbers, mut out) = (Numbers::default(), Vec::new());
        for end in 0..SET.len() {
            let _ = numbers.rewrite(&SET[..end], 0, &mut out);
        }
        assert!(Numbers::default().rewrite(&[0, 0, 1, 0x41, 0x9a, 0x3f, 1, 1, 1], 0, &mut out).is_none());
        let other = [0, 0, 0, 1, 6, 5, 1, 0, 0, 3, 1, 0x80, 0, 0, 0, 1, 9, 0x10];
        numbers.rewrite(&other, 0, &mut out).expect("other units");
        assert_eq!(out, other);
    }
}
