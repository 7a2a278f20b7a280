//! Encoders that fail in the middle of a stream, inside the host's process: the next one goes on.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, Client, SOON};
use selkies_session::pacing::Priority;

/// The frame at which the fault shows.
const AFTER: u32 = 20;

/// Draws until the events that begin so were heard, and answers the longest time between two frames.
fn draw_until(bench: &Bench, client: &mut Client<'_>, event: &str) -> Duration {
    let (mut longest, end) = (Duration::ZERO, Instant::now() + SOON);
    let mut drawn = Instant::now();
    while bench.heard.count(event) == 0 {
        assert!(Instant::now() < end, "no {event:?}");
        if client.draw(Duration::from_millis(20)).is_some() {
            longest = longest.max(drawn.elapsed());
            drawn = Instant::now();
        }
    }
    longest
}

/// Another encoder than the one in use draws frames.
fn goes_on(bench: &Bench, client: &mut Client<'_>) {
    for _ in 0..30 {
        client.draw(SOON).expect("a frame of the next encoder");
    }
    assert_eq!(bench.figures().encoder, "selkies.striped-jpeg/jpeg");
    assert_eq!(bench.heard.count("failed"), 0, "there was a picture all the time");
}

#[test]
fn the_next_encoder_goes_on_after_a_broken_contract() {
    for name in ["empty-packet", "wrong-frame-id", "panic"] {
        let bench =
            Bench::encoders(false, |plugins| [plugins.faulty(name, AFTER), plugins.encoders()].concat());
        let mut client = bench.join(1, Priority::Lead);
        client.draw(SOON).expect("a first frame");
        let longest = draw_until(&bench, &mut client, "replaced by jpeg");
        println!("{name}: at most {longest:?} between two frames");
        goes_on(&bench, &mut client);
        let faults = bench.heard.wait(&format!("fault faulty.{name} encoder SI00"), SOON);
        assert_eq!(bench.heard.count("fault"), 1, "{name}: {faults:?}");
        bench.studio.stop();
    }
}

#[test]
fn the_next_encoder_goes_on_after_a_frame_that_is_never_done() {
    let bench =
        Bench::encoders(false, |plugins| [plugins.faulty("never-done", AFTER), plugins.encoders()].concat());
    let mut client = bench.join(1, Priority::Lead);
    client.draw(SOON).expect("a first frame");
    draw_until(&bench, &mut client, "replaced by jpeg");
    goes_on(&bench, &mut client);
    bench.heard.wait("fault faulty.never-done encoder MD010", SOON);
    bench.studio.stop();
}

#[test]
fn an_encoder_that_hangs_while_it_is_made_does_not_hold_the_picture() {
    // The second instance hangs: that of the first change of size or encoder.
    let bench =
        Bench::encoders(false, |plugins| [plugins.faulty("hang-create", 1), plugins.encoders()].concat());
    let mut client = bench.join(1, Priority::Lead);
    client.draw(Duration::from_secs(4)).expect("a frame of the next encoder");
    goes_on(&bench, &mut client);
    bench.studio.stop();
}

#[test]
fn the_next_encoder_stands_by() {
    let bench =
        Bench::encoders(true, |plugins| [plugins.faulty("empty-packet", AFTER), plugins.encoders()].concat());
    let mut client = bench.join(1, Priority::Lead);
    let longest = draw_until(&bench, &mut client, "replaced by jpeg");
    println!("with a standby: at most {longest:?} between two frames");
    goes_on(&bench, &mut client);
    bench.studio.stop();
}

#[test]
fn without_another_encoder_the_same_one_starts_again() {
    let bench = Bench::encoders(false, |plugins| plugins.faulty("empty-packet", AFTER));
    let mut client = bench.join(1, Priority::Lead);
    let end = Instant::now() + SOON;
    while bench.heard.count("fault") < 3 {
        assert!(Instant::now() < end);
        client.draw(SOON).expect("a frame");
    }
    assert_eq!(bench.heard.count("replaced"), 0);
    bench.studio.stop();
}

#[test]
fn a_barred_encoder_is_not_used_until_it_is_admitted() {
    let bench = Bench::encoders(false, |plugins| plugins.faulty("empty-packet", AFTER));
    *bench.heard.bars.lock().expect("nobody panicked") = true;
    let mut client = bench.join(1, Priority::Lead);
    draw_until(&bench, &mut client, "fault");
    let heard = bench.heard.wait("failed MD011", SOON);
    assert!(heard.iter().all(|event| !event.starts_with("recovered")), "{heard:?}");
    *bench.heard.bars.lock().expect("nobody panicked") = false;
    bench.studio.admit("faulty.empty-packet");
    client.draw(SOON).expect("a frame after it was let in again");
    bench.heard.wait("recovered", SOON);
    bench.studio.stop();
}
