//! Pacing in virtual time: a screen that changes 60 times a second, a page of given speed at the end of a path.

mod line;
mod screen;

use std::time::{Duration, Instant};

use line::{Acks, Line, Report};
use screen::{Scene, Screen};
use selkies_session::pacing::ClientPacer;

const MS: Duration = Duration::from_millis(1);

/// The stock page's habit: the newest drawn id every 50 ms, with the time it was held.
const STOCK: Acks = Acks::Every { tick: Duration::from_millis(50), held: true };
const PROMPT: Acks = Acks::Prompt;

fn check(line: Line, fps: f64, p95: Duration) -> Report {
    let report = line.run(Duration::from_secs(30));
    let described = format!("{line:?}: {report:?}");
    assert!(report.fps >= fps, "{described}");
    assert!(report.age_p95 <= p95, "{described}");
    report
}

#[test]
fn a_fast_client_gets_every_frame_at_any_distance() {
    for acks in [PROMPT, STOCK, Acks::Every { tick: 50 * MS, held: false }, Acks::Delivery] {
        for rtt in [1, 20, 50, 100, 200] {
            let line = Line { rtt: rtt * MS, decode: 4 * MS, acks, ..Line::default() };
            // Without held times the tick looks like delay, and the start takes a little longer.
            // Arrivals count only after half a second without an acknowledgement.
            let slow_start = matches!(acks, Acks::Every { held: false, .. } | Acks::Delivery);
            let fps = if slow_start { 50.0 } else { 58.0 };
            check(line, fps, rtt * MS / 2 + 30 * MS);
        }
    }
}

#[test]
fn a_slow_decoder_is_kept_busy_but_never_behind() {
    for acks in [PROMPT, STOCK] {
        for rtt in [1, 20, 50, 100] {
            for (decode, share) in [(20, 0.8), (25, 0.8), (40, 0.8), (66, 0.8), (100, 0.65)] {
                let line = Line { rtt: rtt * MS, decode: decode * MS, acks, ..Line::default() };
                // Drawing takes its time, and up to one more frame may wait before it. The slowest are rather kept
                // young than busy: a second frame in flight would be far older than 100 ms when it is drawn.
                let p95 = rtt * MS / 2 + (100 * MS).max(2 * decode * MS + 25 * MS);
                check(line, share * (1000.0 / f64::from(decode)).min(60.0), p95);
            }
        }
    }
}

#[test]
fn a_25_fps_decoder_sees_pictures_younger_than_100_ms_and_the_way() {
    for rtt in [1, 20, 50, 100, 200] {
        for acks in [PROMPT, STOCK] {
            let line = Line { rtt: rtt * MS, decode: 40 * MS, acks, ..Line::default() };
            check(line, 20.0, rtt * MS + 100 * MS);
        }
    }
}

#[test]
fn jitter_costs_neither_rate_nor_age() {
    for rtt in [20, 50, 100] {
        let line = Line { rtt: rtt * MS, decode: 5 * MS, jitter: 25 * MS, acks: STOCK, ..Line::default() };
        check(line, 55.0, rtt * MS / 2 + 80 * MS);
    }
}

#[test]
fn a_narrow_path_fills_no_queue() {
    // 20 Mbit/s and 100 kB a frame: 40 ms each on the wire.
    let line = Line { rtt: 20 * MS, bytes: 100_000, bytes_per_s: 2_500_000, acks: STOCK, ..Line::default() };
    check(line, 18.0, 10 * MS + 120 * MS);
}

#[test]
fn a_client_that_turns_slow_is_followed() {
    let line = Line {
        rtt: 10 * MS,
        decode: 5 * MS,
        slow_from: Some((10_000 * MS, 80 * MS)),
        acks: STOCK,
        ..Line::default()
    };
    let report = line.run(Duration::from_secs(40));
    assert!(report.worst_age <= Duration::from_millis(700), "{report:?}");
    assert!(report.age_p95 <= Duration::from_millis(200), "{report:?}");
    // And back again.
    let line = Line {
        rtt: 10 * MS,
        decode: 80 * MS,
        slow_from: Some((5_000 * MS, 5 * MS)),
        acks: STOCK,
        ..Line::default()
    };
    let report = line.run(Duration::from_secs(60));
    assert!(report.fps_last_seconds >= 58.0, "{report:?}");
}

#[test]
fn a_client_that_never_acknowledges_but_answers_pings_is_served() {
    let line = Line { rtt: 40 * MS, decode: 10 * MS, acks: Acks::Delivery, ..Line::default() };
    let report = check(line, 58.0, 60 * MS);
    assert!(report.most_in_flight <= 8, "{report:?}");
}

#[test]
fn a_client_that_answers_nothing_gets_a_frame_every_two_seconds() {
    let report = Line { acks: Acks::Never, ..Line::default() }.run(Duration::from_secs(60));
    assert!((25..=35).contains(&report.sent), "{report:?}");
    assert!(report.most_in_flight <= 2, "{report:?}");
    assert!(report.stalled);
}

#[test]
fn a_client_that_reads_nothing_gets_one_frame() {
    let report = Line { reads: false, ..Line::default() }.run(Duration::from_secs(60));
    assert_eq!(report.sent, 1);
    assert!(report.stalled);
}

#[test]
fn a_client_that_falls_silent_and_returns_recovers_at_once() {
    let (start, mut pacer) = (Instant::now(), ClientPacer::new());
    let at = |ms: u64| start + Duration::from_millis(ms);
    for i in 0..50u16 {
        pacer.on_sent(at(u64::from(i) * 20), i, 1080, 1000);
        pacer.on_drained(at(u64::from(i) * 20));
        pacer.on_ack(at(u64::from(i) * 20 + 10), i, Some(0));
    }
    let mut id = 50;
    let mut sent = 0;
    for ms in 1000..20_000 {
        if pacer.can_take(at(ms)) {
            pacer.on_sent(at(ms), id, 1080, 1000);
            pacer.on_drained(at(ms));
            (id, sent) = (id + 1, sent + 1);
        }
    }
    assert!(pacer.is_stalled(at(20_000)) && sent <= 15, "{sent}");
    pacer.on_ack(at(20_000), id - 1, Some(0));
    assert!(!pacer.is_stalled(at(20_000)) && pacer.can_take(at(20_001)));
}

#[test]
fn acknowledgements_of_frames_never_sent_change_nothing() {
    let (start, mut pacer) = (Instant::now(), ClientPacer::new());
    pacer.on_ack(start, 7, None);
    pacer.on_sent(start, 65_535, 64, 10);
    pacer.on_drained(start);
    pacer.on_sent(start + 20 * MS, 2, 64, 10);
    pacer.on_drained(start + 20 * MS);
    for bogus in [3, 40, 30_000, 65_000] {
        pacer.on_ack(start + 30 * MS, bogus, Some(u32::MAX));
        assert_eq!(pacer.stats(start).in_flight, 2, "{bogus}");
    }
    // A stripe between the two batches' newest ids settles the first.
    pacer.on_ack(start + 30 * MS, 0, None);
    assert_eq!(pacer.stats(start).in_flight, 1);
    pacer.on_ack(start + 30 * MS, 2, Some(u32::MAX));
    assert!(pacer.is_idle());
}

#[test]
fn waiting_bytes_block_and_wakeups_tell_the_truth() {
    let (start, mut pacer) = (Instant::now(), ClientPacer::new());
    assert!(pacer.can_take(start) && pacer.next_wakeup(start).is_none());
    pacer.on_sent(start, 1, 64, 10);
    assert!(!pacer.can_take(start) && pacer.next_wakeup(start).is_none(), "only the socket can help");
    pacer.on_drained(start);
    pacer.on_sent(start, 2, 64, 10);
    pacer.on_drained(start);
    let wakeup = pacer.next_wakeup(start).unwrap();
    assert!(!pacer.can_take(wakeup - MS) && pacer.can_take(wakeup));
}

#[test]
fn input_lets_one_frame_ahead_of_the_clients_interval() {
    let mut pacer = ClientPacer::new();
    let (mut now, draws) = (Instant::now(), Duration::from_millis(10));
    let mut next = 0;
    let mut send = |pacer: &mut ClientPacer, now| {
        pacer.on_sent(now, next, 1080, 1000);
        pacer.on_drained(now);
        next += 1;
    };
    // Always one frame being drawn and one behind it.
    send(&mut pacer, now);
    for id in 0..200 {
        send(&mut pacer, now);
        now += draws;
        pacer.on_ack(now, id, Some(0));
    }
    assert!(pacer.stats(now).draw_interval.is_some(), "the client's interval is known");
    pacer.on_ack(now, 200, Some(0));
    send(&mut pacer, now);
    now += Duration::from_millis(2);
    assert!(!pacer.can_take(now), "it keeps its distance");
    pacer.hurry(now + Duration::from_millis(80));
    assert!(pacer.can_take(now));
    send(&mut pacer, now);
    now += Duration::from_millis(1);
    assert!(!pacer.can_take(now), "one frame, not two");
}

fn stays_young(scene: Scene) {
    let mut wrong = Vec::new();
    for rtt in [0, 20, 50, 150] {
        for decode in [5, 16, 25, 35, 45, 60, 75, 90, 120, 200, 400] {
            for (decoders, tick) in [(1, None), (2, None), (1, Some(50 * MS))] {
                let (rtt, decode) = (rtt * MS, decode * MS);
                let screen = Screen { scene, tick, rtt, decode, decoders, ..Screen::default() };
                let report = screen.run();
                println!("{scene:?} R {rtt:?} D {decode:?} x{decoders} tick {tick:?}: {report}");
                // What the page could draw, less what it waits for.
                let whole = if scene == Scene::Motion { 58.0 } else { 41.0 };
                let least = (880.0 / decode.as_secs_f64() / 1000.0).min(whole);
                let whole_frames =
                    decode > 60 * MS || report.rows >= if scene == Scene::Motion { 1088 } else { 832 };
                let right = report.age_p95 < 100.0
                    && report.unseen_p95 < 130.0 + 1300.0 * decode.as_secs_f64()
                    && report.pictures >= least
                    && report.passed <= 12
                    && report.in_page <= 4
                    && whole_frames
                    && report.complete;
                if !right {
                    wrong.push(format!("R {rtt:?} D {decode:?} x{decoders} tick {tick:?}: {report}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn motion_stays_young_however_slow_the_page_is() {
    stays_young(Scene::Motion);
}

#[test]
fn scrolling_stays_young_however_slow_the_page_is() {
    stays_young(Scene::Scroll);
}

#[test]
fn a_page_that_names_its_decoders_pace_gets_no_more_for_a_while() {
    let start = Instant::now();
    let mut pacer = ClientPacer::new();
    let mut sent = Vec::new();
    let mut count = |pacer: &mut ClientPacer, from: u64, to: u64| {
        let before = sent.len();
        for ms in from..to {
            let now = start + Duration::from_millis(ms);
            if ms % 16 == 0 && pacer.can_take(now) {
                let id = sent.len() as u16;
                sent.push(now);
                pacer.on_sent(now, id, 1080, 1000);
                pacer.on_drained(now);
                pacer.on_ack(now + MS, id, Some(0));
            }
        }
        sent.len() - before
    };
    assert!(count(&mut pacer, 0, 1000) >= 60);
    pacer.decodes(start + 1000 * MS, 10.0);
    let paced = count(&mut pacer, 1000, 6000);
    assert!((45..=56).contains(&paced), "a tenth more than 10 a second: {paced} in 5 s");
    assert!(count(&mut pacer, 6000, 7000) >= 60, "the word is forgotten");
    pacer.decodes(start + 7000 * MS, 10.0);
    pacer.decodes(start + 7001 * MS, 0.0);
    assert!(count(&mut pacer, 7000, 8000) >= 60, "any rate");
    for odd in [f64::NAN, f64::INFINITY, -3.0] {
        pacer.decodes(start + 8000 * MS, odd);
    }
    pacer.decodes(start + 8000 * MS, 1e-300);
    assert!((1..=3).contains(&count(&mut pacer, 8000, 10_000)), "one a second at least");
}
