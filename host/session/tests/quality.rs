//! The choice of a quality in virtual time: a path that turns narrow and wide again, and pages that are slow themselves.

mod path;

use std::time::{Duration, Instant};

use path::{Control, MS, PERIOD, Path};
use selkies_session::pacing::QualitySteps;

/// Bytes of a frame at 25.
const BYTES: f64 = 30_000.0;
/// Width of a path on which every frame at 25 takes the time between two frames.
const FITS: f64 = BYTES * 8.0 * 60.0 / 1000.0;

/// With steps, or always 25.
struct Quality(Option<QualitySteps>);

impl Control for Quality {
    fn look(&mut self, now: Instant, wait: Duration) -> Option<u32> {
        let steps = self.0.as_mut()?;
        let chosen = steps.look(now, wait, PERIOD)?;
        steps.takes(chosen);
        Some(chosen)
    }

    fn bytes(&self) -> usize {
        let finer = self.0.as_ref().map_or(0.0, |steps| 25.0 - f64::from(steps.target()));
        (BYTES * (finer / 6.0).exp2()) as usize
    }
}

fn path(decode: Duration) -> Path<Quality> {
    Path::new(Quality(Some(QualitySteps::new(25, 51))), decode)
}

fn target(path: &Path<Quality>) -> u32 {
    path.control.0.as_ref().unwrap().target()
}

#[test]
fn a_path_that_takes_half_the_frames_changes_nothing() {
    for share in [2.0, 1.0, 0.66] {
        let mut path = path(4 * MS);
        path.run(10, FITS * 4.0);
        let fps = path.run(60, FITS * share);
        assert!(fps > 30.0 && path.changes.is_empty(), "{share}: {fps} fps, {:?}", path.changes);
    }
}

#[test]
fn a_narrow_path_gets_coarser_motion_and_more_of_it() {
    for share in [0.45, 0.2, 0.1] {
        let mut fixed = Path::new(Quality(None), 4 * MS);
        let mut path = path(4 * MS);
        for (seconds, width) in [(10, 4.0), (15, share)] {
            fixed.run(seconds, FITS * width);
            path.run(seconds, FITS * width);
        }
        let (before, after) = (fixed.run(20, FITS * share), path.run(20, FITS * share));
        assert!(
            before < 30.0 && after > before * 1.7,
            "{share}: {before} fps became {after}: {:?}",
            path.changes
        );
        assert!((29..=33).contains(&target(&path)), "{share}: {:?}", path.changes);
        let tried = path.changes.len();
        path.run(60, FITS * share);
        assert!(path.changes.len() - tried <= 30, "{share}: it settles: {:?}", path.changes);
        path.run(60, FITS * 4.0);
        assert_eq!(target(&path), 25, "{share}: {:?}", path.changes);
    }
}

#[test]
fn a_slow_page_is_not_helped_by_coarser_motion() {
    let mut path = path(45 * MS);
    path.run(30, FITS * 4.0);
    assert!(path.changes.is_empty(), "{:?}", path.changes);
}

#[test]
fn no_quality_is_beyond_the_encoders_or_eight_steps() {
    let start = Instant::now();
    for (finest, worst, coarsest) in [(25, 51, 33), (48, 51, 51), (51, 51, 51), (10, 63, 18)] {
        let mut steps = QualitySteps::new(finest, worst);
        for round in 0..40 {
            if let Some(chosen) = steps.look(start + round * 500 * MS, PERIOD * 20, PERIOD) {
                steps.takes(chosen);
            }
        }
        assert_eq!((steps.finest(), steps.target()), (finest, coarsest));
        for round in 40..200 {
            if let Some(chosen) = steps.look(start + round * 500 * MS, Duration::ZERO, PERIOD) {
                steps.takes(chosen);
            }
        }
        assert_eq!(steps.target(), finest);
    }
}

#[test]
fn what_the_encoder_did_not_take_is_asked_for_again() {
    let start = Instant::now();
    let mut steps = QualitySteps::new(25, 51);
    let chosen = (0..4).find_map(|round| steps.look(start + round * 500 * MS, PERIOD * 20, PERIOD));
    let chosen = chosen.expect("coarser");
    assert_eq!(steps.target(), 25, "the encoder was not heard");
    assert!(steps.look(start + 2000 * MS, PERIOD * 20, PERIOD).expect("once more") >= chosen);
}

/// Steps that follow a transport's estimate.
struct Estimated {
    steps: QualitySteps,
    now: Instant,
    changes: usize,
}

impl Estimated {
    fn new() -> Self {
        Self { steps: QualitySteps::new(25, 51), now: Instant::now(), changes: 0 }
    }

    /// One frame, in so many bytes at 25.
    fn frame(&mut self, bytes: f64, kbps: f64) {
        if let Some(chosen) = self.steps.follow(self.now, kbps as u32) {
            self.changes += 1;
            self.steps.takes(chosen);
        }
        let finer = 25.0 - f64::from(self.steps.target());
        self.steps.spends((bytes * (finer / 6.0).exp2()) as u64);
        self.now += PERIOD;
    }

    /// Motion for so long; answers the changes.
    fn run(&mut self, seconds: u32, kbps: f64) -> usize {
        let before = self.changes;
        (0..seconds * 60).for_each(|_| self.frame(BYTES, kbps));
        self.changes - before
    }
}

#[test]
fn motion_takes_what_a_transport_estimates_and_is_fine_again_when_there_is_more() {
    let mut path = Estimated::new();
    assert_eq!(path.run(30, FITS * 1.2), 0);
    for share in [0.9, 0.6, 0.45] {
        assert!(path.run(3, FITS * share) >= 1, "{share}");
        let took = FITS * ((25.0 - f64::from(path.steps.target())) / 6.0).exp2();
        assert!(took <= FITS * share && took > FITS * share * 0.75, "{share}: {took}");
        assert_eq!(path.run(60, FITS * share), 0, "{share}: it settles");
        path.run(6, FITS * 2.0);
        assert_eq!(path.steps.target(), 25, "{share}");
    }
    path.run(3, FITS * 0.1);
    assert_eq!(path.steps.target(), 33, "no coarser than eight steps");
}

#[test]
fn a_key_frame_alone_is_no_reason_for_coarser_motion() {
    let mut path = Estimated::new();
    for _ in 0..5 {
        path.frame(BYTES * 20.0, FITS * 0.5);
        (0..90).for_each(|_| path.frame(BYTES * 0.1, FITS * 0.5));
        path.now += 5000 * MS;
    }
    assert_eq!((path.changes, path.steps.target()), (0, 25));
}
