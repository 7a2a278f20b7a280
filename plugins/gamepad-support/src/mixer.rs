//! The effects that programs play on one gamepad, mixed into what its two motors do. Time is an argument.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Longest time for which motors are told to run; where effects go on they are told anew after half of it, so that a
/// gamepad whose host falls silent falls still (Selkies 2.1.0 has the same).
const LEASE: Duration = Duration::from_secs(2);
/// Effects that one program may have playing.
const MAX_EFFECTS: usize = 64;

/// What a program does with its effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// An effect begins, or begins anew.
    Play {
        /// Its number, the program's own.
        effect: u16,
        /// The heavy motor, 0 to 65535.
        strong: u16,
        /// The light motor.
        weak: u16,
        /// Milliseconds; 0: until it is ended.
        length_ms: u16,
        /// Milliseconds before it begins.
        delay_ms: u16,
        /// How often it plays; 0 ends it.
        count: u16,
    },
    /// An effect ends.
    Stop {
        /// Its number.
        effect: u16,
    },
    /// All effects of the program are to be so strong, 65535 as they say.
    Gain(u16),
}

/// What motors are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motors {
    /// The heavy motor, 0 to 65535.
    pub strong: u16,
    /// The light motor; both 0: stop.
    pub weak: u16,
    /// Milliseconds.
    pub duration_ms: u32,
}

/// The effects of all programs.
#[derive(Debug, Default)]
pub struct Mixer {
    programs: BTreeMap<u64, Program>,
    /// What the motors were told last.
    told: (u16, u16),
    /// When they are to be told the same again.
    again: Option<Instant>,
}

#[derive(Debug)]
struct Program {
    gain: u16,
    effects: BTreeMap<u16, Effect>,
}

#[derive(Debug)]
struct Effect {
    strong: u16,
    weak: u16,
    begin: Instant,
    end: Option<Instant>,
}

impl Mixer {
    /// A program said this.
    pub fn take(&mut self, program: u64, record: Record, now: Instant) {
        let program =
            self.programs.entry(program).or_insert(Program { gain: u16::MAX, effects: BTreeMap::new() });
        let ms = |ms: u16| Duration::from_millis(ms.into());
        match record {
            Record::Gain(gain) => program.gain = gain,
            Record::Play { effect, strong, weak, length_ms, delay_ms, count } if count > 0 => {
                if program.effects.len() >= MAX_EFFECTS && !program.effects.contains_key(&effect) {
                    return;
                }
                let begin = now + ms(delay_ms);
                let end = (length_ms > 0).then(|| begin + ms(length_ms) * count.into());
                program.effects.insert(effect, Effect { strong, weak, begin, end });
            }
            Record::Play { effect, .. } | Record::Stop { effect } => {
                program.effects.remove(&effect);
            }
        }
    }

    /// A program is gone, and its effects are.
    pub fn forget(&mut self, program: u64) {
        self.programs.remove(&program);
    }

    /// What the motors are to be told now, if anything.
    pub fn mix(&mut self, now: Instant) -> Option<Motors> {
        let (mut strong, mut weak) = (0u16, 0u16);
        for program in self.programs.values_mut() {
            program.effects.retain(|_, effect| effect.end.is_none_or(|end| end > now));
            let scaled =
                |motor: u16| u16::try_from(u32::from(motor) * u32::from(program.gain) / 0xffff).unwrap_or(0);
            for effect in program.effects.values().filter(|effect| effect.begin <= now) {
                // As the kernel mixes for such devices (ff-memless.c).
                strong = strong.saturating_add(scaled(effect.strong));
                weak = weak.saturating_add(scaled(effect.weak));
            }
        }
        let is_due = self.again.is_some_and(|again| again <= now);
        if (strong, weak) == self.told && !is_due {
            return None;
        }
        self.told = (strong, weak);
        if self.told == (0, 0) {
            self.again = None;
            return Some(Motors { strong, weak, duration_ms: 0 });
        }
        let left = self.next_change(now).map_or(LEASE, |next| next.saturating_duration_since(now));
        self.again = (left >= LEASE).then(|| now + LEASE / 2);
        let duration_ms = u32::try_from(left.min(LEASE).as_millis()).unwrap_or(0).max(1);
        Some(Motors { strong, weak, duration_ms })
    }

    /// When there may be something to tell, if no program says anything until then.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.next_change(now).into_iter().chain(self.again).min()
    }

    /// When an effect begins or ends.
    fn next_change(&self, now: Instant) -> Option<Instant> {
        let effects = self.programs.values().flat_map(|program| program.effects.values());
        effects.filter_map(|effect| if effect.begin > now { Some(effect.begin) } else { effect.end }).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(effect: u16, strong: u16, length_ms: u16, delay_ms: u16, count: u16) -> Record {
        Record::Play { effect, strong, weak: 1, length_ms, delay_ms, count }
    }

    fn motors(strong: u16, weak: u16, duration_ms: u32) -> Option<Motors> {
        Some(Motors { strong, weak, duration_ms })
    }

    #[test]
    fn effects_of_all_programs_add_up_and_end() {
        let (mut mixer, start) = (Mixer::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(mixer.mix(start), None);
        mixer.take(1, play(0, 60_000, 100, 0, 2), start);
        assert_eq!(mixer.mix(start), motors(60_000, 1, 200));
        assert_eq!(mixer.mix(at(10)), None, "nothing new");
        mixer.take(2, play(0, 10_000, 0, 50, 1), at(10));
        assert_eq!(mixer.mix(at(10)), None, "it has not begun");
        assert_eq!(mixer.deadline(at(10)), Some(at(60)));
        assert_eq!(mixer.mix(at(60)), motors(65_535, 2, 140));
        // The one without an end goes on, on leases.
        assert_eq!(mixer.mix(at(200)), motors(10_000, 1, 2000));
        assert_eq!(mixer.deadline(at(200)), Some(at(1200)));
        assert_eq!(mixer.mix(at(1199)), None);
        assert_eq!(mixer.mix(at(1200)), motors(10_000, 1, 2000));
        mixer.forget(2);
        assert_eq!(mixer.mix(at(1201)), motors(0, 0, 0));
        assert_eq!((mixer.mix(at(9999)), mixer.deadline(at(9999))), (None, None));
    }

    #[test]
    fn gains_and_ends_are_heard() {
        let (mut mixer, now) = (Mixer::default(), Instant::now());
        mixer.take(1, Record::Gain(0x8000), now);
        mixer.take(1, play(5, 0xc000, 0, 0, 1), now);
        assert_eq!(mixer.mix(now), motors(0x6000, 0, 2000));
        mixer.take(1, Record::Stop { effect: 4 }, now);
        assert_eq!(mixer.mix(now), None);
        mixer.take(1, play(5, 1, 1, 0, 0), now);
        assert_eq!(mixer.mix(now), motors(0, 0, 0), "played no more times");
        for effect in 0..1000 {
            mixer.take(1, play(effect, 1, 0, 0, 1), now);
        }
        mixer.take(1, Record::Gain(u16::MAX), now);
        assert_eq!(mixer.mix(now), motors(64, 64, 2000), "there are limits");
    }
}
