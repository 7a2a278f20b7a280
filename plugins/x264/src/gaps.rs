//! Lets decoders know that pictures may be missing on purpose (H.264, 7.3.2.1.1: gaps_in_frame_num_value_allowed_flag).
//!
//! A client that missed pictures goes on with one that is predicted from an older one. libx264 makes such streams, but
//! has no parameter for the flag, without which some decoders take the gap for damage.

/// Sets the flag in the sequence parameter sets of an Annex B unit. What it does not know it leaves as it is.
pub(crate) fn allow(unit: &mut [u8]) {
    let mut at = 0;
    while let Some(start) = unit[at..].windows(3).position(|bytes| bytes == [0, 0, 1]) {
        at += start + 3;
        // nal_unit_type 7.
        if unit.get(at).is_some_and(|byte| byte & 0x1f == 7)
            && let Some((byte, mask)) = flag(&unit[at + 1..])
        {
            unit[at + 1 + byte] |= mask;
        }
    }
}

/// Where the flag is: its byte and bit.
fn flag(set: &[u8]) -> Option<(usize, u8)> {
    let mut bits = Bits { set, at: 0, zeros: 0, bit: 0 };
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
    bits.exp()?;
    match bits.exp()? {
        0 => {
            bits.exp()?;
        }
        2 => {}
        _ => return None,
    }
    // max_num_ref_frames
    bits.exp()?;
    bits.skip_escape();
    (bits.at < set.len()).then_some((bits.at, 0x80 >> bits.bit))
}

/// Bits of a NAL unit without its emulation prevention bytes.
struct Bits<'a> {
    set: &'a [u8],
    at: usize,
    /// Zero bytes before `at`.
    zeros: u32,
    bit: u32,
}

impl Bits<'_> {
    fn skip_escape(&mut self) {
        if self.bit == 0 && self.zeros >= 2 && self.set.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            self.skip_escape();
            let byte = *self.set.get(self.at)?;
            value = value << 1 | u32::from(byte >> (7 - self.bit) & 1);
            self.bit += 1;
            if self.bit == 8 {
                self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
                (self.at, self.bit) = (self.at + 1, 0);
            }
        }
        Some(value)
    }

    /// ue(v), 9.1.
    fn exp(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.read(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_found_and_nothing_else_is_touched() {
        // profile 66, level 31, set 0, log2_max_frame_num 4, order type 2, 8 references: 1 1 011 0001001 0 …
        let set = [0, 0, 0, 1, 0x67, 66, 0xc0, 31, 0b1101_1000, 0b1001_0110, 0x80];
        let mut unit = [&set[..], &[0, 0, 1, 0x68, 0xce]].concat();
        let before = unit.clone();
        allow(&mut unit);
        let changed: Vec<_> = (0..unit.len()).filter(|&at| unit[at] != before[at]).collect();
        assert_eq!((changed, unit[9]), (vec![9], 0b1001_1110));
        let once = unit.clone();
        allow(&mut unit);
        assert_eq!(unit, once);
    }

    #[test]
    fn what_is_cut_or_unknown_stays() {
        let set = [0, 0, 1, 0x67, 66, 0xc0, 31, 0b1101_1000, 0b1001_0110];
        for end in 0..set.len() {
            let mut unit = set[..end].to_vec();
            allow(&mut unit);
            assert_eq!(unit, set[..end]);
        }
        for byte in [0, 255, 7] {
            let mut unit = [&[0, 0, 1, 0x67][..], &[byte; 40]].concat();
            allow(&mut unit);
            assert_eq!(unit.len(), 44);
        }
    }
}
