//! Pictures are taken and encoded only when something changed and somebody can take them.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, SOON, settings};
use selkies_config::StreamSettings;
use selkies_session::pacing::Priority;

/// Pictures a second of a pattern that moves all the time.
const RESTLESS: u32 = 60;

#[test]
fn frames_come_while_a_client_watches_and_acknowledges() {
    let bench = Bench::pattern(640, 192, RESTLESS, settings());
    bench.heard.wait("display 640x192", SOON);
    bench.assert_idle(Duration::from_millis(400));
    assert_eq!(bench.figures().frames, 0, "nobody watches");

    let mut client = bench.join(1, Priority::Lead);
    let drawn = client.draw_for(Duration::from_secs(2));
    // 60 a second is what comes on a quiet machine.
    assert!((20..=125).contains(&drawn), "{drawn} deliveries in 2 s");
    assert!(bench.figures().frames >= drawn as u64);

    let unanswered = client.receive_for(Duration::from_millis(1500));
    // Those of 110 ms, and a try after half a second and after one more.
    assert!(unanswered <= 12, "{unanswered} deliveries without an acknowledgement");

    bench.stream.stop(client.id);
    bench.assert_idle(Duration::from_millis(400));
    bench.stream.start(client.id, Priority::Lead);
    let first = client.draw(SOON).expect("a whole picture for a start anew");
    let rows: u32 = first.packets.iter().map(|sent| sent.info.area.height).sum();
    assert!(rows >= 192, "{rows} rows");
    bench.stream.leave(client.id);
    bench.assert_idle(Duration::from_millis(400));
}

#[test]
fn nothing_runs_when_nothing_changes() {
    let settings = StreamSettings {
        use_paint_over_quality: true,
        jpeg_quality: 40,
        paint_over_jpeg_quality: 90,
        ..settings()
    };
    let bench = Bench::pattern(640, 192, 0, settings);
    let mut client = bench.join(1, Priority::Lead);
    let first = client.draw(SOON).expect("the picture");
    assert_eq!(first.packets.len(), 3, "three stripes of 64 rows");
    let better = client.draw(SOON).expect("the picture at rest, in better quality");
    assert_eq!(better.packets.len(), 3);
    let bytes =
        |delivery: &bench::Delivery| delivery.packets.iter().map(|sent| sent.payload.len()).sum::<usize>();
    assert!(bytes(&better) > bytes(&first), "{} bytes after {}", bytes(&better), bytes(&first));
    bench.assert_idle(Duration::from_millis(800));
    let figures = bench.figures();
    assert_eq!((figures.frames, figures.refinements, figures.packets), (2, 1, 6));
    assert_eq!(figures.encoder, "selkies.striped-jpeg/jpeg");

    // Who comes later gets what there is, and nothing is encoded for that.
    let mut late = bench.join(2, Priority::Follower);
    assert_eq!(bytes(&late.draw(SOON).expect("the kept picture")), bytes(&better));
    bench.assert_idle(Duration::from_millis(300));
    assert_eq!(bench.figures(), figures);
}

#[test]
fn a_client_that_never_answers_gets_a_bounded_number_of_frames() {
    let bench = Bench::pattern(640, 192, RESTLESS, settings());
    let mut silent = bench.join(1, Priority::Lead);
    let count = silent.receive_for(Duration::from_secs(3));
    // Two at once, then one after 0.5, 1 and 2 s, give or take the marks nobody answers.
    assert!((2..=6).contains(&count), "{count} deliveries in 3 s");
    assert!(bench.figures().frames <= 8, "{:?}", bench.figures());
    let pacing = bench.stream.pacing(silent.id).expect("a known client");
    assert!(!pacing.acknowledges && pacing.in_flight <= 2, "{pacing:?}");
}

#[test]
fn a_silent_lead_does_not_hold_the_others() {
    let bench = Bench::pattern(640, 192, RESTLESS, settings());
    let _silent = bench.join(1, Priority::Lead);
    let mut other = bench.join(2, Priority::Follower);
    let drawn = other.draw_for(Duration::from_secs(2));
    // 20 a second until the lead counts as stalled.
    assert!(drawn >= 10, "{drawn} deliveries in 2 s beside a silent lead");
}

#[test]
fn a_lead_whose_socket_is_full_does_not_hold_the_others() {
    let bench = Bench::pattern(640, 192, RESTLESS, settings());
    // Its first packets lie in the socket's queue for ever.
    let lead = bench.join(1, Priority::Lead);
    let mut other = bench.join(2, Priority::Follower);
    let drawn = other.draw_for(Duration::from_secs(3));
    assert!(drawn >= 20, "{drawn} deliveries in 3 s beside a stuck lead");
    let pacing = bench.stream.pacing(lead.id).expect("a known client");
    assert!(pacing.queued_bytes > 0 && pacing.in_flight == 1, "{pacing:?}");
}

#[test]
fn a_viewer_that_only_answers_pings_gets_a_moving_picture() {
    let bench = Bench::pattern(640, 192, RESTLESS, settings());
    let mut viewer = bench.join(1, Priority::Lead);
    let (end, mut count, mut answered) = (Instant::now() + Duration::from_secs(2), 0, 0);
    while Instant::now() < end {
        if viewer.receive(Duration::from_millis(20)).is_some() {
            count += 1;
        }
        let marks = bench.recorder.marks(viewer.id);
        for mark in &marks[answered..] {
            bench.stream.delivered(viewer.id, *mark);
        }
        answered = marks.len();
    }
    assert!(count >= 20, "{count} deliveries in 2 s");
    // The newest mark follows its packets by a moment.
    let limit = Instant::now() + SOON;
    while bench.recorder.marks(viewer.id).len() < count && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
    let marks = bench.recorder.marks(viewer.id).len();
    assert!(marks >= count, "{marks} marks for {count} deliveries");
}
