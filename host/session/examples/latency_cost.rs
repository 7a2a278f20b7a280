//! What measuring the stages costs, in nanoseconds: `cargo run --release -p selkies-session --example latency_cost`.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use selkies_session::latency::{Recorder, Stage, StageRecorder, StageReport, Trail};

const ROUNDS: u64 = 2_000_000;
/// Time between two frames; the window slides on the way.
const FRAME: Duration = Duration::from_micros(16_667);

fn main() {
    let began = Instant::now();
    let at = |round: u64| began + FRAME * (round as u32);
    let value = |round: u64| Duration::from_micros(round * 7919 % 50_000);

    let mut recorder = Recorder::new(began);
    time("one value", |round| recorder.record(at(round), value(round)));

    let histogram = recorder.histogram();
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                black_box(histogram.summary(Instant::now()));
            }
        });
        time("one value while somebody reads all the time", |round| recorder.record(at(round), value(round)));
        ends.store(true, Ordering::Relaxed);
    });

    let mut stages = StageRecorder::default();
    time("the video thread's four stages of a frame", |round| {
        for stage in [Stage::Damage, Stage::Grab, Stage::Convert, Stage::Encode] {
            stages.record(stage, at(round), value(round));
        }
    });

    let mut trail = Trail::default();
    time("a client's four stages of a frame", |round| {
        let (id, now) = (round as u16, at(round));
        trail.sent(id, Some(now));
        trail.handed(now + Duration::from_micros(100));
        trail.acked(now + Duration::from_millis(12), id, Some(0));
        let report =
            StageReport { frame_id: id, decode: Duration::from_millis(5), present: Duration::from_millis(1) };
        trail.reported(now + Duration::from_millis(900), report, Some(Duration::from_millis(2)));
    });

    let now = at(ROUNDS);
    time("the figures of one stage", |_| {
        black_box((histogram.summary(now), histogram.totals()));
    });
}

/// The best of twenty runs, which other work disturbed least.
fn time(what: &str, mut act: impl FnMut(u64)) {
    let rounds = ROUNDS / 20;
    let run = |act: &mut dyn FnMut(u64), run: u64| {
        let began = Instant::now();
        (run * rounds..(run + 1) * rounds).for_each(act);
        began.elapsed().as_nanos() as f64 / rounds as f64
    };
    let best = (0..20).map(|number| run(&mut act, number)).fold(f64::MAX, f64::min);
    println!("{what:45} {best:8.1} ns");
}
