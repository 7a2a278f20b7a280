//! How long frames take, by stage: what waits for a client is told apart from what works.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, SOON, settings};
use selkies_session::{
    latency::{Stage, Summary},
    pacing::Priority,
};

/// How long the client takes for each picture; the pattern moves at 60 Hz.
const SLOW: Duration = Duration::from_millis(120);

#[test]
fn a_change_that_waits_for_a_slow_client_waits_as_damage() {
    let bench = Bench::pattern(640, 192, 60, settings());
    let mut client = bench.join(1, Priority::Lead);
    let figures = bench.studio.figures();
    let found = |stage: Stage| figures.stages().get(stage).and_then(|found| found.summary(Instant::now()));
    let end = Instant::now() + SOON * 2;
    let count = |summary: Option<Summary>| summary.map_or(0, |found| found.count);
    while count(found(Stage::Damage)) < 30 {
        assert!(Instant::now() < end, "{:?}", found(Stage::Damage));
        let delivery = client.receive(SOON).expect("a delivery");
        std::thread::sleep(SLOW);
        bench.stream.acknowledge(client.id, delivery.frame_id, Some(0));
    }
    let [damage, grab, encode] = [Stage::Damage, Stage::Grab, Stage::Encode]
        .map(|stage| found(stage).unwrap_or_else(|| panic!("{} is not measured", stage.name())));
    // The pattern's next picture comes within 17 ms, and then waits for the client; the rest is work.
    assert!(damage.p50_us > 30_000, "{damage:?}");
    assert!(grab.p50_us < damage.p50_us && encode.p50_us < damage.p50_us, "{grab:?} {encode:?} {damage:?}");
    assert!(
        damage.count.abs_diff(grab.count) <= 2 && grab.count <= encode.count,
        "{damage:?} {grab:?} {encode:?}"
    );
    assert!(figures.stages().get(Stage::Convert).is_none(), "the JPEG encoder does not tell");

    // The client's own part: it reports nothing, so that its queue alone is known.
    let clients = bench.stream.stages();
    let [(id, stages)] = &clients[..] else { panic!("{} clients", clients.len()) };
    let names: Vec<_> = stages.measured().map(|(stage, _)| stage.name()).collect();
    assert_eq!((*id, names.as_slice()), (client.id, &["queue"][..]));
    bench.stream.leave(client.id);
    assert!(bench.stream.stages().is_empty(), "who leaves is forgotten");
}
