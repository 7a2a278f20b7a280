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
        self.0.as_mut()?.look(now, wait, PERIOD)
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
            steps.look(start + round * 500 * MS, PERIOD * 20, PERIOD);
        }
        assert_eq!((steps.finest(), steps.target()), (finest, coarsest));
        for round in 40..200 {
            steps.look(start + round * 500 * MS, Duration::ZERO, PERIOD);
        }
        assert_eq!(steps.target(), finest);
    }
}
