//! What silence is, and when nothing is sent for it.

/// Below half a step of 16 bits: a player that plays nothing.
const INAUDIBLE: f32 = 1.0 / 65_536.0;
/// Silence that is still sent, microseconds: music pauses, and a decoder that rests begins anew.
const LINGER_US: u64 = 1_000_000;

/// How long it has been silent.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    silent_us: u64,
}

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It is sent.
    Sound,
    /// It is sent, and it is the last one for now.
    Last,
    /// It is not sent.
    Nothing,
}

impl Quiet {
    /// Judges a block of this duration.
    pub(super) fn judge(&mut self, samples: &[f32], duration_us: u32) -> Passage {
        if !samples.iter().all(|sample| sample.abs() < INAUDIBLE) {
            self.silent_us = 0;
            return Passage::Sound;
        }
        let before = self.silent_us;
        self.silent_us = before.saturating_add(duration_us.into());
        match (before > LINGER_US, self.silent_us > LINGER_US) {
            (false, false) => Passage::Sound,
            (false, true) => Passage::Last,
            _ => Passage::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_silence_is_sent_and_its_end_marked_once() {
        let (silence, sound) = ([0.0; 4], [0.0, 0.0, 0.0, 0.001]);
        let mut quiet = Quiet::default();
        for _ in 0..100 {
            assert_eq!(quiet.judge(&silence, 10_000), Passage::Sound);
        }
        assert_eq!(quiet.judge(&silence, 10_000), Passage::Last);
        for _ in 0..1000 {
            assert_eq!(quiet.judge(&silence, 10_000), Passage::Nothing);
        }
        assert_eq!(quiet.judge(&sound, 10_000), Passage::Sound);
        assert_eq!(quiet.judge(&silence, 10_000), Passage::Sound, "the second counts anew");
    }

    #[test]
    fn what_16_bits_do_not_hold_is_silence() {
        let mut quiet = Quiet { silent_us: LINGER_US };
        assert_eq!(quiet.judge(&[-1e-6, 1e-6], 20_000), Passage::Last);
        assert_eq!(quiet.judge(&[1.0 / 32_768.0, 0.0], 20_000), Passage::Sound);
    }
}
