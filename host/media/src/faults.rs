//! What an encoder did wrong lately.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a fault counts.
const MEMORY: Duration = Duration::from_secs(600);
/// Faults within [`MEMORY`] after which an encoder is the last choice.
const MANY: usize = 3;

/// The times of an encoder's faults. One hiccup says nothing, several do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    times: VecDeque<Instant>,
    banned: bool,
}

impl Faults {
    /// A frame failed.
    pub(crate) fn add(&mut self, now: Instant) {
        self.times.push_back(now);
        if self.times.len() > MANY {
            self.times.pop_front();
        }
    }

    /// The plugin said that it is unusable in this process.
    pub(crate) fn ban(&mut self) {
        self.banned = true;
    }

    /// True when nothing may be made from it again.
    pub(crate) fn banned(&self) -> bool {
        self.banned
    }

    /// True while the encoder is to be avoided.
    pub(crate) fn many(&self, now: Instant) -> bool {
        self.times.iter().filter(|at| now.saturating_duration_since(**at) < MEMORY).count() >= MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_faults_count_for_ten_minutes() {
        let (mut faults, start) = (Faults::default(), Instant::now());
        faults.add(start);
        faults.add(start);
        assert!(!faults.many(start));
        faults.add(start + Duration::from_secs(60));
        assert!(faults.many(start + Duration::from_secs(61)));
        assert!(!faults.many(start + Duration::from_secs(600)));
        for _ in 0..1000 {
            faults.add(start);
        }
        assert_eq!(faults.times.len(), MANY);
    }
}
