//! The sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1 and E.1.1), as far as a decoder's choice and the colours
//! need it.

use super::colour::{BT601, BT709, BT2020, Colour};

/// What a sequence parameter set says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sequence {
    /// `profile_idc`.
    pub(super) profile: u32,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub(super) chroma: u32,
    /// Bits of a luma sample.
    pub(super) depth: u32,
    /// Pictures may be fields.
    pub(super) interlaced: bool,
    pub(super) colour: Colour,
}

/// Profiles whose parameter sets name the sampling and the depth.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

impl Sequence {
    /// Reads a NAL unit, its header included. `None` when it ends too early or is none.
    pub(super) fn read(unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit.get(1..)?);
        let profile = bits.take(8)?;
        bits.take(16)?; // constraints and level
        bits.number()?; // seq_parameter_set_id
        let (mut chroma, mut depth) = (1, 8);
        if HIGH.contains(&profile) {
            chroma = bits.number()?;
            if chroma == 3 {
                bits.take(1)?;
            }
            depth = bits.number()?.checked_add(8)?;
            bits.number()?; // of the colour differences
            bits.take(1)?;
            if bits.take(1)? == 1 {
                for list in 0..if chroma == 3 { 12 } else { 8 } {
                    if bits.take(1)? == 1 {
                        bits.scaling_list(if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        bits.number()?; // log2_max_frame_num_minus4
        match bits.number()? {
            0 => drop(bits.number()?),
            1 => {
                bits.take(1)?;
                bits.number()?;
                bits.number()?;
                for _ in 0..bits.number()?.min(255) {
                    bits.number()?;
                }
            }
            _ => {}
        }
        bits.number()?; // max_num_ref_frames
        bits.take(1)?;
        bits.number()?; // width and height in macroblocks
        bits.number()?;
        let interlaced = bits.take(1)? == 0;
        bits.take(if interlaced { 2 } else { 1 })?;
        if bits.take(1)? == 1 {
            for _edge in 0..4 {
                bits.number()?;
            }
        }
        let colour = if bits.take(1)? == 1 { bits.colour()? } else { Colour::unsaid() };
        Some(Self { profile, chroma, depth, interlaced, colour })
    }
}

/// Bits of a NAL unit, without the bytes that keep start codes out of it.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(unit: &[u8]) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(unit.len());
        let mut zeros = 0;
        for &byte in unit {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Self { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// An Exp-Golomb code without sign; those with sign are as long.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.take(zeros)?)
    }

    fn scaling_list(&mut self, len: usize) -> Option<()> {
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..len {
            if next != 0 {
                let code = i64::from(self.number()?);
                let delta = if code % 2 == 1 { code / 2 + 1 } else { -code / 2 };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }

    /// The beginning of the usability information.
    fn colour(&mut self) -> Option<Colour> {
        const EXTENDED_SHAPE: u32 = 255;
        if self.take(1)? == 1 && self.take(8)? == EXTENDED_SHAPE {
            self.take(32)?;
        }
        if self.take(1)? == 1 {
            self.take(1)?; // overscan
        }
        let mut colour = Colour::unsaid();
        if self.take(1)? == 1 {
            self.take(3)?;
            colour.full_range = self.take(1)? == 1;
            if self.take(1)? == 1 {
                self.take(16)?; // primaries and transfer
                match self.take(8)? {
                    1 => colour.matrices = vec![BT709],
                    5 | 6 => colour.matrices = vec![BT601],
                    9 => colour.matrices = vec![BT2020],
                    _ => {}
                }
            }
        }
        Some(colour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what [`Bits`] reads.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(&mut self, count: usize, value: u32) -> &mut Self {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn number(&mut self, value: u32) -> &mut Self {
            let len = (value + 1).ilog2() as usize;
            self.bits(len, 0).bits(len + 1, value + 1)
        }

        fn unit(&self) -> Vec<u8> {
            let byte = |bits: &[bool]| {
                (0..8).fold(0, |byte, bit| byte << 1 | u8::from(bits.get(bit).copied().unwrap_or(false)))
            };
            let mut unit = vec![0x67];
            for bits in self.0.chunks(8) {
                if unit.ends_with(&[0, 0]) && byte(bits) <= 3 {
                    unit.push(3);
                }
                unit.push(byte(bits));
            }
            unit
        }
    }

    /// 4:2:0 of 320x240 in this profile, up to the usability information.
    fn start(profile: u32) -> Writer {
        let mut writer = Writer::default();
        writer.bits(8, profile).bits(8, 0).bits(8, 31).number(0);
        if profile == 100 {
            writer.number(1).number(0).number(0).bits(2, 0);
        }
        writer.number(0).number(2).number(1).bits(1, 0).number(19).number(14).bits(2, 0b11).bits(1, 0);
        writer
    }

    #[test]
    fn colours_are_said_or_not() {
        for profile in [66, 100] {
            let mut silent = start(profile);
            let plain = Sequence::read(&silent.bits(1, 0).unit()).unwrap();
            assert_eq!((plain.profile, plain.chroma, plain.depth, plain.interlaced), (profile, 1, 8, false));
            assert_eq!(plain.colour, Colour::unsaid());
            let mut said = start(profile);
            said.bits(1, 1).bits(2, 0).bits(1, 1).bits(3, 5).bits(1, 1).bits(1, 1).bits(16, 0).bits(8, 6);
            let colour = Sequence::read(&said.unit()).unwrap().colour;
            assert_eq!(colour, Colour { matrices: vec![BT601], full_range: true });
            assert_eq!(Sequence::read(&said.unit()[..6]), None);
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm() {
        let mut random = crate::random::Random::new(3);
        for len in 0..200 {
            let mut unit: Vec<u8> = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
            if let Some(profile) = unit.get_mut(1) {
                *profile = 100;
            }
            let _ = Sequence::read(&unit);
        }
    }
}
