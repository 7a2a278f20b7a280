//! Where the time goes between a change of the screen and the user's eye: one histogram per stage.
//!
//! Stages follow each other without overlap, so that their times add up. [`StageRecorder`] is for whoever measures (one
//! thread at a time, without locks), [`Stages`] for whoever asks; [`Trail`] follows the batches of one client.

mod histogram;
mod trail;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

pub use histogram::{Histogram, LONGEST, Recorder, Summary, Totals, WINDOW};
pub use trail::{StageReport, Trail};

/// One stage on the way from the screen to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From when the host heard of a change to the begin of the grab: waiting for a client's turn and the frame rate.
    Damage,
    /// Taking the picture.
    Grab,
    /// Converting its colours, as far as the encoder tells it apart.
    Convert,
    /// Encoding, up to the last packet.
    Encode,
    /// From there to the socket's acceptance of a client's last byte.
    Queue,
    /// From there to the arrival in the page, the way back taken off by estimate.
    Wire,
    /// From there to the last decoded part.
    Decode,
    /// From there to the drawn picture.
    Present,
}

/// Number of stages.
const STAGES: usize = 8;

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; STAGES] = [
        Self::Damage,
        Self::Grab,
        Self::Convert,
        Self::Encode,
        Self::Queue,
        Self::Wire,
        Self::Decode,
        Self::Present,
    ];

    /// The stage's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Grab => "grab",
            Self::Convert => "convert",
            Self::Encode => "encode",
            Self::Queue => "queue",
            Self::Wire => "wire",
            Self::Decode => "decode",
            Self::Present => "present",
        }
    }
}

/// The histograms of some stages, for readers of any thread. A stage that was never measured has none.
#[derive(Debug, Default)]
pub struct Stages {
    histograms: [OnceLock<Arc<Histogram>>; STAGES],
}

impl Stages {
    /// A stage's histogram; `None` while it has no value.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Option<&Histogram> {
        self.histograms[stage as usize].get().map(Arc::as_ref)
    }

    /// The stages that have values, in their order.
    pub fn measured(&self) -> impl Iterator<Item = (Stage, &Histogram)> {
        Stage::ALL.into_iter().filter_map(|stage| Some((stage, self.get(stage)?)))
    }
}

/// Records into [`Stages`].
#[derive(Debug, Default)]
pub struct StageRecorder {
    stages: Arc<Stages>,
    recorders: [Option<Recorder>; STAGES],
}

impl StageRecorder {
    /// What readers are given.
    #[must_use]
    pub fn stages(&self) -> Arc<Stages> {
        self.stages.clone()
    }

    /// Adds one value, measured at `now`.
    pub fn record(&mut self, stage: Stage, now: Instant, value: Duration) {
        let histogram = &self.stages.histograms[stage as usize];
        let recorder = &mut self.recorders[stage as usize];
        let recorder = recorder.get_or_insert_with(|| {
            let recorder = Recorder::new(now);
            // This is the only one that sets it.
            let _ = histogram.set(recorder.histogram());
            recorder
        });
        recorder.record(now, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_without_values_are_absent() {
        let now = Instant::now();
        let mut recorder = StageRecorder::default();
        let stages = recorder.stages();
        assert_eq!(stages.measured().count(), 0);
        recorder.record(Stage::Encode, now, Duration::from_millis(3));
        recorder.record(Stage::Damage, now, Duration::ZERO);
        let measured: Vec<_> =
            stages.measured().map(|(stage, found)| (stage.name(), found.totals().count())).collect();
        assert_eq!(measured, [("damage", 1), ("encode", 1)]);
    }

    #[test]
    fn every_stage_has_its_place_and_name() {
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, index);
        }
        let mut names: Vec<_> = Stage::ALL.map(Stage::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STAGES);
    }
}
