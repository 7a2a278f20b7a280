//! Clients whose transport controls congestion itself, in virtual time.

use std::time::{Duration, Instant};

use selkies_session::pacing::{BitrateSteps, ClientPacer, PathReport};

const FRAME: Duration = Duration::from_millis(16);

fn arrived(id: u16) -> PathReport {
    PathReport { arrived: Some(id), queued_bytes: 0, estimate_kbps: Some(8000) }
}

/// Frames that went in this time over a path whose reports come every 100 ms, so long after the frames.
fn sent_in(pacer: &mut ClientPacer, start: Instant, frames: u16, delay: u16) -> u16 {
    let mut sent = 0;
    for turn in 0..frames {
        let now = start + FRAME * u32::from(turn);
        if turn % 6 == 0 && sent > delay {
            pacer.on_report(now, arrived(sent - delay));
        }
        if pacer.can_take(now) {
            sent += 1;
            pacer.on_sent(now, sent, 64, 20_000);
        }
    }
    sent
}

#[test]
fn rare_reports_and_long_paths_hold_no_frame_back() {
    for delay in [1, 6, 19] {
        let mut pacer = ClientPacer::new();
        pacer.reports();
        assert_eq!(sent_in(&mut pacer, Instant::now(), 600, delay), 600, "{delay} frames on the way");
    }
}

#[test]
fn a_path_that_takes_nothing_gets_only_probes_and_a_full_one_waits() {
    let start = Instant::now();
    let mut pacer = ClientPacer::new();
    pacer.reports();
    let silent = |turn: u32| start + FRAME * turn;
    let mut sent = 0;
    for turn in 0..300 {
        if pacer.can_take(silent(turn)) {
            sent += 1;
            pacer.on_sent(silent(turn), sent, 64, 20_000);
        }
    }
    assert!((20..=45).contains(&sent), "{sent} in five seconds of silence");
    assert!(pacer.is_stalled(silent(300)));
    let now = silent(300);
    assert!(pacer.on_report(now, arrived(sent)));
    assert!(pacer.can_take(now) && !pacer.is_stalled(now));
    // 200 ms of 8 Mbit/s wait.
    pacer.on_sent(now, sent + 1, 64, 20_000);
    pacer.on_report(now, PathReport { arrived: None, queued_bytes: 200_000, estimate_kbps: Some(8000) });
    assert!(!pacer.can_take(now + FRAME));
    assert!(pacer.can_take(now + Duration::from_millis(201)), "the next report did not come");
}

#[test]
fn while_the_transport_speaks_probes_stay_frequent_and_the_client_stalls_all_the_same() {
    let start = Instant::now();
    let mut pacer = ClientPacer::new();
    pacer.reports();
    let nothing = PathReport { arrived: None, queued_bytes: 0, estimate_kbps: Some(500) };
    let (mut sent, mut newest, mut longest) = (0, start, Duration::ZERO);
    for turn in 0..300 {
        let now = start + FRAME * turn;
        if turn % 18 == 0 {
            assert!(!pacer.on_report(now, nothing));
        }
        if pacer.can_take(now) {
            sent += 1;
            longest = longest.max(now - newest);
            newest = now;
            pacer.on_sent(now, sent, 64, 20_000);
        }
        assert_eq!(pacer.is_stalled(now), now >= start + Duration::from_secs(4), "{:?}", now - start);
    }
    assert!(longest < Duration::from_millis(600), "{longest:?}");
    assert!((44..=50).contains(&sent), "{sent}: 600 ms of frames, and lone probes");
    let now = start + FRAME * 300;
    assert!(pacer.on_report(now, arrived(sent)));
    assert!(pacer.can_take(now) && !pacer.is_stalled(now));
}

#[test]
fn a_transport_that_asks_for_a_key_frame_ends_the_silence() {
    let start = Instant::now();
    for speaks in [false, true] {
        let mut pacer = ClientPacer::new();
        pacer.reports();
        for turn in 0..120 {
            let now = start + FRAME * turn;
            if speaks && turn % 18 == 0 {
                pacer.on_report(now, PathReport::default());
            }
            if pacer.can_take(now) {
                pacer.on_sent(now, turn as u16 + 1, 64, 20_000);
            }
        }
        let mut now = start + FRAME * 120;
        while pacer.can_take(now) {
            pacer.on_sent(now, 1000, 64, 20_000);
            now += FRAME;
        }
        pacer.resume(now);
        assert!(pacer.can_take(now) && pacer.is_idle(), "{speaks}");
        // What was sent a moment ago may yet arrive.
        pacer.on_sent(now, 1001, 64, 20_000);
        pacer.resume(now + FRAME);
        assert!(!pacer.is_idle());
        assert!(pacer.on_report(now + FRAME * 2, arrived(1001)));
    }
    let mut other = ClientPacer::new();
    other.on_sent(start, 1, 64, 1000);
    other.on_drained(start);
    other.resume(start + Duration::from_secs(3));
    assert!(!other.is_idle(), "without reports");
}

#[test]
fn the_rate_follows_the_estimate_down_at_once_and_up_to_the_ceiling() {
    let start = Instant::now();
    let mut steps = BitrateSteps::new(8000);
    assert_eq!(steps.follow(start, 20_000), None, "it is there");
    assert_eq!(steps.follow(start, 2000), Some(1860));
    assert_eq!(steps.follow(start, 1980), None, "noise");
    assert_eq!(steps.follow(start, 4000), None, "not so soon");
    let later = start + Duration::from_millis(250);
    assert_eq!(steps.follow(later, 4000), Some(3720));
    assert_eq!(steps.follow(later + Duration::from_millis(250), 50_000), Some(8000));
    assert_eq!(steps.follow(later + Duration::from_millis(251), 1), Some(100));
}
