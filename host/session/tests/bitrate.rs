//! The choice of a bit rate in virtual time: a path that turns narrow and wide again, and pages that are slow themselves.

mod path;

use std::time::{Duration, Instant};

use path::{Control, MS, PERIOD, Path};
use selkies_session::pacing::BitrateSteps;

impl Control for BitrateSteps {
    fn look(&mut self, now: Instant, wait: Duration) -> Option<u32> {
        self.look(now, wait, PERIOD)
    }

    fn bytes(&self) -> usize {
        self.target() as usize * 1000 / 8 / 60
    }
}

fn path(decode: Duration) -> Path<BitrateSteps> {
    Path::new(BitrateSteps::new(8000), decode)
}

#[test]
fn a_path_that_takes_the_rate_changes_nothing() {
    let mut path = path(4 * MS);
    let fps = path.run(60, 50_000.0);
    assert!(fps > 58.0 && path.changes.is_empty(), "{fps} fps, {:?}", path.changes);
}

#[test]
fn a_narrow_path_gets_fewer_bits_and_keeps_its_frames() {
    let mut path = path(4 * MS);
    path.run(10, 50_000.0);
    path.run(15, 3000.0);
    let (fps, target) = (path.run(15, 3000.0), path.control.target());
    assert!((1500..=3300).contains(&target), "{target} kbit/s: {:?}", path.changes);
    assert!(fps > 50.0, "{fps} fps: {:?}", path.changes);
    // It is tried again, and ever more seldom.
    let before = path.changes.len();
    path.run(120, 3000.0);
    let tried = path.changes.len() - before;
    assert!(tried <= 60, "{tried} steps in two minutes: {:?}", path.changes);
    path.run(60, 50_000.0);
    assert_eq!(path.control.target(), 8000, "{:?}", path.changes);
}

#[test]
fn a_slow_page_is_not_helped_by_fewer_bits() {
    let mut path = path(45 * MS);
    path.run(30, 50_000.0);
    assert!(path.changes.is_empty(), "{:?}", path.changes);
}

#[test]
fn the_rate_stays_within_its_limits_and_rests_after_a_step() {
    let start = Instant::now();
    let (full, free) = (PERIOD * 10, Duration::ZERO);
    for (ceiling, least) in [(8000, 1000), (400, 100), (100, 100), (60, 60)] {
        let mut steps = BitrateSteps::new(ceiling);
        for round in 0..100 {
            steps.look(start + round * 500 * MS, full, PERIOD);
        }
        assert_eq!(steps.target(), least);
        let mut now = start + 50_000 * MS;
        while steps.target() < ceiling {
            now += 500 * MS;
            steps.look(now, free, PERIOD);
            assert!(now < start + 120_000 * MS, "it rises again");
        }
    }
    let mut steps = BitrateSteps::new(8000);
    assert_eq!(steps.look(start, full, PERIOD), None, "one bad moment is none");
    assert_eq!(steps.look(start + 100 * MS, full, PERIOD), None, "nor are two at once");
    assert_eq!(steps.look(start + 500 * MS, full, PERIOD), Some(4000), "half at most");
    for at in [1000, 2000, 3000, 4000] {
        assert_eq!(steps.look(start + at * MS, free, PERIOD), None, "{at} ms");
    }
    assert_eq!(steps.look(start + 4500 * MS, free, PERIOD), Some(4400));
    steps.look(start + 5000 * MS, PERIOD * 3 / 2, PERIOD);
    assert_eq!(
        steps.look(start + 5500 * MS, PERIOD * 3 / 2, PERIOD),
        Some(2493),
        "by the share that is missing"
    );
    for round in 12..100 {
        assert_eq!(
            steps.look(start + round * 500 * MS, PERIOD * 8 / 10, PERIOD),
            None,
            "neither full nor free"
        );
    }
}
