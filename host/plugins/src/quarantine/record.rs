//! The faults of one plugin. Time is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::LibraryIdentity;
use crate::{now_ns, refusal::clip};

/// Faults within [`FAULT_WINDOW`] that put a plugin into quarantine.
pub const FAULT_LIMIT: usize = 3;

/// How long a fault counts.
pub const FAULT_WINDOW: Duration = Duration::from_secs(600);

/// A moment on both clocks: one that people read and that may be set, one that only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since a fixed point of this boot.
    pub monotonic: Duration,
    /// Milliseconds since 1970, UTC.
    pub unix_ms: u64,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            monotonic: Duration::from_nanos(now_ns()),
            unix_ms: unix.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }

    fn monotonic_ms(self) -> i64 {
        self.monotonic.as_millis().try_into().unwrap_or(i64::MAX)
    }
}

/// What is known about one fault. Texts are kept on one line and cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultNote {
    /// The fault's code.
    pub code: String,
    /// Its class, such as `fatal-plugin`.
    pub class: String,
    /// What happened, for people.
    pub text: String,
    /// The plugin's version.
    pub version: String,
    /// How its process ended, such as `SIGSEGV` or `exit code 3`; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
    /// The call that was under way or was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call: Option<String>,
}

impl FaultNote {
    pub(super) fn bounded(self) -> Self {
        let short = |text: String| clip(&text, 64);
        Self {
            code: short(self.code),
            class: short(self.class),
            text: clip(&self.text, 300),
            version: short(self.version),
            ending: self.ending.map(short),
            last_call: self.last_call.map(short),
        }
    }

    /// In a few words: how it ended or what happened, and in which call.
    #[must_use]
    pub fn summary(&self) -> String {
        let what = match (&self.ending, self.text.as_str()) {
            (Some(ending), _) => ending.clone(),
            (None, "") => self.class.clone(),
            (None, text) => clip(text, 80),
        };
        match &self.last_call {
            Some(call) => format!("{what} in {call}"),
            None => what,
        }
    }
}

/// A plugin's most recent fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastFault {
    /// When, in milliseconds since 1970, UTC.
    pub unix_ms: u64,
    /// What.
    pub note: FaultNote,
}

/// Since when and why a plugin is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentence {
    /// Since when, in milliseconds since 1970, UTC.
    pub since_unix_ms: u64,
    /// Why.
    pub reason: String,
}

/// What a fault leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many faults within [`FAULT_WINDOW`]: fewer than the limit.
    Count(usize),
    /// The plugin is in quarantine.
    Quarantined,
}

/// A fault that still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recent {
    pub(super) unix_ms: u64,
    /// On this process's clock, before whose start it may lie; a fault that was read from a file has none yet.
    #[serde(skip)]
    pub(super) monotonic_ms: Option<i64>,
}

/// The faults of one library of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRecord {
    pub(super) library: LibraryIdentity,
    pub(super) faults: u64,
    pub(super) recent: Vec<Recent>,
    pub(super) last: LastFault,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quarantined: Option<Sentence>,
}

impl FaultRecord {
    /// A record without faults of `library`; `note` and `now` become the last fault.
    pub(super) fn new(library: LibraryIdentity, note: FaultNote, now: Moment) -> Self {
        let last = LastFault { unix_ms: now.unix_ms, note };
        Self { library, faults: 0, recent: Vec::new(), last, quarantined: None }
    }

    /// Counts a fault.
    pub(super) fn fault(&mut self, note: FaultNote, now: Moment) -> Verdict {
        self.settle(now);
        self.recent.push(Recent { unix_ms: now.unix_ms, monotonic_ms: Some(now.monotonic_ms()) });
        // A plugin in quarantine may fail on; what decides are the first faults over the limit.
        let surplus = self.recent.len().saturating_sub(FAULT_LIMIT);
        self.recent.drain(..surplus);
        self.faults = self.faults.saturating_add(1);
        if self.quarantined.is_none() && self.recent.len() >= FAULT_LIMIT {
            let minutes = FAULT_WINDOW.as_secs() / 60;
            let reason = format!("{FAULT_LIMIT} faults in {minutes} minutes, the last: {}", note.summary());
            self.quarantined = Some(Sentence { since_unix_ms: now.unix_ms, reason: clip(&reason, 140) });
        }
        self.last = LastFault { unix_ms: now.unix_ms, note };
        match self.quarantined {
            Some(_) => Verdict::Quarantined,
            None => Verdict::Count(self.recent.len()),
        }
    }

    /// Gives faults of a file their place on this process's clock, and forgets those that no longer count. A fault of the
    /// future (the clock was set back) counts as one of now.
    pub(super) fn settle(&mut self, now: Moment) {
        let monotonic_ms = now.monotonic_ms();
        for recent in &mut self.recent {
            let age = now.unix_ms.saturating_sub(recent.unix_ms);
            let age = i64::try_from(age).unwrap_or(i64::MAX);
            recent.monotonic_ms.get_or_insert(monotonic_ms.saturating_sub(age));
        }
        let window = i64::try_from(FAULT_WINDOW.as_millis()).unwrap_or(i64::MAX);
        self.recent
            .retain(|recent| recent.monotonic_ms.is_some_and(|at| monotonic_ms.saturating_sub(at) < window));
    }

    /// The library whose faults these are.
    #[must_use]
    pub fn library(&self) -> &LibraryIdentity {
        &self.library
    }

    /// All faults that were counted.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// The most recent one.
    #[must_use]
    pub fn last(&self) -> &LastFault {
        &self.last
    }

    /// Why this library is in quarantine; nothing when it is not.
    #[must_use]
    pub fn quarantined(&self) -> Option<&Sentence> {
        self.quarantined.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(1000 + seconds), unix_ms: 1_700_000_000_000 + seconds * 1000 }
    }

    fn note() -> FaultNote {
        FaultNote {
            code: "PF001".into(),
            class: "fatal-plugin".into(),
            ending: Some("SIGSEGV".into()),
            last_call: Some("submit".into()),
            ..FaultNote::default()
        }
    }

    fn record() -> FaultRecord {
        FaultRecord::new(LibraryIdentity::of_hash("AA"), note(), at(0))
    }

    #[test]
    fn three_faults_in_ten_minutes_are_too_many() {
        let mut record = record();
        assert_eq!(record.fault(note(), at(0)), Verdict::Count(1));
        assert_eq!(record.fault(note(), at(300)), Verdict::Count(2));
        assert!(record.quarantined().is_none());
        assert_eq!(record.fault(note(), at(599)), Verdict::Quarantined);
        let sentence = record.quarantined().cloned();
        let reason = "3 faults in 10 minutes, the last: SIGSEGV in submit";
        assert_eq!(sentence.as_ref().map(|sentence| sentence.reason.as_str()), Some(reason));
        assert_eq!(record.fault(note(), at(9000)), Verdict::Quarantined, "it does not wear off");
        assert_eq!(record.quarantined(), sentence.as_ref(), "since the third fault");
        assert_eq!((record.faults(), record.last().unix_ms), (4, at(9000).unix_ms));
    }

    #[test]
    fn faults_that_lie_apart_are_not_too_many() {
        let mut record = record();
        for n in 0..50 {
            let verdict = record.fault(note(), at(n * 300));
            assert_eq!(verdict, Verdict::Count(if n == 0 { 1 } else { 2 }), "fault {n}");
        }
        assert_eq!(record.faults(), 50);
    }

    #[test]
    fn a_clock_that_is_set_does_not_change_the_count() {
        for unix_ms in [0, u64::MAX] {
            let mut record = record();
            record.fault(note(), at(0));
            record.fault(note(), Moment { unix_ms, ..at(1) });
            assert_eq!(record.fault(note(), Moment { unix_ms, ..at(2) }), Verdict::Quarantined);
            let mut apart = self::record();
            apart.fault(note(), at(0));
            apart.fault(note(), Moment { unix_ms: at(1).unix_ms, ..at(700) });
            assert_eq!(
                apart.fault(note(), Moment { unix_ms: at(2).unix_ms, ..at(1400) }),
                Verdict::Count(1),
                "the wall clock stood still"
            );
        }
    }

    #[test]
    fn faults_of_an_earlier_process_count_by_the_wall_clock() {
        let read = |seconds| Recent { unix_ms: at(seconds).unix_ms, monotonic_ms: None };
        // The machine has just started: its clock is younger than the faults.
        let young = |seconds| Moment { monotonic: Duration::from_secs(5), ..at(seconds) };
        for now in [at, young] {
            let mut record = record();
            record.recent = vec![read(0), read(100)];
            assert_eq!(record.clone().fault(note(), now(650)), Verdict::Count(2));
            assert_eq!(record.fault(note(), now(500)), Verdict::Quarantined);
        }
        let mut future = record();
        future.recent = vec![read(100_000)];
        future.settle(at(0));
        future.settle(at(599));
        assert_eq!(future.recent.len(), 1);
        future.settle(at(600));
        assert!(future.recent.is_empty(), "a fault of the future ends as one of now does");
    }

    #[test]
    fn foreign_texts_are_bounded() {
        let long = "x\n".repeat(5000);
        let note =
            FaultNote { text: long.clone(), ending: Some(long.clone()), code: long, ..note() }.bounded();
        assert!(note.text.chars().count() <= 300 && !note.text.contains('\n'));
        assert!(
            note.code.chars().count() <= 64 && note.ending.is_some_and(|text| text.chars().count() <= 64)
        );
    }
}
