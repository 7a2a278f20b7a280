//! What clients cost that lose frames or answer nothing.

mod pair;

use std::time::{Duration, Instant};

use pair::{LEAD, MS, VIEWER, deliver, encode, fan};
use selkies_session::pacing::{Demand, FanOut, Needs, PathReport};

/// Looks at the fan-out only when it says so, as the video thread does; the lead's socket takes nothing any more. Answers
/// when the viewer got something new.
fn until_the_viewer_goes_on(fan: &mut FanOut<u8, u16>, mut now: Instant, mut id: u16) -> Instant {
    for _ in 0..1000 {
        fan.on_damage();
        now = fan.next_wakeup(now).expect("somebody is to be woken").max(now);
        if fan.demand(now) == Demand::Encode {
            id += 1;
            encode(fan, now, id, Needs::Before);
        }
        if deliver(fan, now, &[VIEWER]).iter().any(|(client, _)| *client == VIEWER) {
            return now;
        }
    }
    panic!("the viewer stands still");
}

#[test]
fn viewers_go_on_when_the_controllers_socket_takes_nothing() {
    let start = Instant::now();
    let mut fan = fan();
    encode(&mut fan, start, 1, Needs::Nothing);
    deliver(&mut fan, start, &[LEAD, VIEWER]);
    encode(&mut fan, start + 20 * MS, 2, Needs::Before);
    deliver(&mut fan, start + 20 * MS, &[VIEWER]);
    let on = until_the_viewer_goes_on(&mut fan, start + 30 * MS, 2);
    assert!(on <= start + Duration::from_secs(5), "after {:?}", on - start);
}

#[test]
fn viewers_go_on_when_the_picture_began_anew_over_a_full_socket() {
    let start = Instant::now();
    let mut fan = fan();
    encode(&mut fan, start, 1, Needs::Nothing);
    deliver(&mut fan, start, &[VIEWER]);
    fan.restart();
    encode(&mut fan, start + 10 * MS, 2, Needs::Nothing);
    encode(&mut fan, start + 20 * MS, 3, Needs::Before);
    deliver(&mut fan, start + 20 * MS, &[VIEWER]);
    let on = until_the_viewer_goes_on(&mut fan, start + 30 * MS, 3);
    assert!(on <= start + Duration::from_secs(5), "after {:?}", on - start);
}

#[test]
fn asking_twice_does_not_void_the_key_frame_that_comes() {
    let start = Instant::now();
    let mut fan = fan();
    encode(&mut fan, start, 1, Needs::Nothing);
    deliver(&mut fan, start, &[LEAD, VIEWER]);
    encode(&mut fan, start + 20 * MS, 2, Needs::Before);
    deliver(&mut fan, start + 20 * MS, &[LEAD, VIEWER]);
    let now = start + Duration::from_secs(2);
    fan.lose(VIEWER, None);
    assert_eq!(fan.keyframe_due(now), Some(now));
    fan.keyframe_asked(now);
    encode(&mut fan, now, 3, Needs::Nothing);
    // It is made and not yet sent …
    fan.lose(VIEWER, None);
    let sent = deliver(&mut fan, now, &[LEAD]);
    assert!(sent.iter().any(|(client, batch)| *client == VIEWER && batch.frame_id == 3), "{sent:?}");
    // … and on its way.
    fan.lose(VIEWER, None);
    assert_eq!(fan.keyframe_due(now), None);
    let pacer = fan.pacer(VIEWER).unwrap();
    pacer.on_drained(now + 30 * MS);
    pacer.on_ack(now + 30 * MS, 3, Some(0));
    encode(&mut fan, now + 40 * MS, 4, Needs::Before);
    let sent = deliver(&mut fan, now + 40 * MS, &[LEAD, VIEWER]);
    assert!(sent.iter().any(|(client, batch)| *client == VIEWER && batch.frame_id == 4), "{sent:?}");
    // What it asks for after that counts.
    let later = now + Duration::from_secs(60);
    fan.lose(VIEWER, None);
    assert_eq!(fan.keyframe_due(later), Some(later));
}

#[test]
fn a_viewer_that_always_loses_frames_is_served_ever_more_rarely() {
    let start = Instant::now();
    let mut fan = fan();
    fan.set_anchors(true);
    let (mut now, mut id, mut newest_key, mut anchors, mut keyframes) = (start, 0, 0, 0, 0);
    let mut frame = |fan: &mut FanOut<u8, u16>, now: Instant| {
        let key = id == 0 || fan.keyframe_due(now).is_some_and(|due| due <= now);
        if key {
            fan.keyframe_asked(now);
        }
        let known = if key { None } else { fan.known_frame(now) };
        id += 1;
        newest_key = if key { id } else { newest_key };
        // Nothing before a key frame is left to predict from.
        let known = known.filter(|&known| known >= newest_key);
        let needs = match known {
            _ if key => Needs::Nothing,
            Some(known) => Needs::Frame(known),
            None => Needs::Before,
        };
        encode(fan, now, id, needs);
        (deliver(fan, now, &[LEAD, VIEWER]), known.is_some(), key)
    };
    while now < start + Duration::from_secs(60) {
        now += 17 * MS;
        let (sent, anchored, key) = frame(&mut fan, now);
        anchors += usize::from(anchored);
        keyframes += usize::from(key);
        // It says so of every frame that was not made for its sake.
        if let Some((_, batch)) =
            sent.iter().find(|(client, _)| *client == VIEWER).filter(|_| !anchored && !key)
        {
            fan.lose(VIEWER, Some(batch.frame_id));
        }
    }
    assert!((2..=60).contains(&anchors), "{anchors} anchored frames in a minute");
    assert!(keyframes <= 12, "{keyframes} key frames in a minute");
    // Once it has calmed down, what it loses costs no key frame.
    let mut viewer = 0;
    for _ in 0..8000 {
        now += 17 * MS;
        viewer += frame(&mut fan, now).0.iter().filter(|(client, _)| *client == VIEWER).count();
    }
    assert!(viewer > 4000, "{viewer} batches");
    let (sent, ..) = frame(&mut fan, now + 17 * MS);
    let newest = sent.iter().find(|(client, _)| *client == VIEWER).expect("it follows").1.frame_id;
    fan.lose(VIEWER, Some(newest));
    assert!(frame(&mut fan, now + 34 * MS).1, "served at once");
}

#[test]
fn who_missed_the_newest_frames_of_what_rests_gets_no_key_frame_unless_nothing_else_does() {
    let start = Instant::now();
    let mut fan = fan();
    fan.set_anchors(true);
    encode(&mut fan, start, 1, Needs::Nothing);
    deliver(&mut fan, start, &[LEAD, VIEWER]);
    for id in [2, 3] {
        let now = start + u32::from(id) * 100 * MS;
        encode(&mut fan, now, id, Needs::Before);
        deliver(&mut fan, now, &[LEAD, VIEWER]);
    }
    // Its decoder drops the last frame; nothing follows.
    let mut now = start + Duration::from_secs(2);
    fan.lose(VIEWER, Some(3));
    assert_eq!(fan.keyframe_due(now), Some(now));
    assert!(fan.anchor_does(now));
    assert_eq!(fan.known_frame(now), Some(2));
    encode(&mut fan, now, 4, Needs::Frame(2));
    let sent = deliver(&mut fan, now, &[LEAD, VIEWER]);
    assert!(sent.iter().any(|(client, batch)| *client == VIEWER && batch.frame_id == 4), "{sent:?}");
    assert_eq!(fan.keyframe_due(now), None);
    // The next time the encoder has forgotten what it had: nothing comes of that.
    now += Duration::from_secs(2);
    fan.lose(VIEWER, Some(4));
    assert!(fan.anchor_does(now));
    assert!(fan.known_frame(now).is_some());
    fan.encode_started(now);
    fan.encode_finished(now, true);
    now += Duration::from_secs(2);
    assert!(!fan.anchor_does(now), "tried already");
    assert_eq!(fan.keyframe_due(now), Some(now));
    fan.keyframe_asked(now);
    encode(&mut fan, now, 5, Needs::Nothing);
    let sent = deliver(&mut fan, now, &[LEAD, VIEWER]);
    assert!(sent.iter().any(|(client, batch)| *client == VIEWER && batch.frame_id == 5), "{sent:?}");
    // Without a picture of its own it needs a key frame.
    now += Duration::from_secs(2);
    fan.lose(VIEWER, None);
    assert!(!fan.anchor_does(now) && fan.keyframe_due(now).is_some());
}

/// A viewer that asks for a key frame after each one that it got; how many it gets in a minute.
fn keyframes_in_a_minute(reports: bool) -> usize {
    let start = Instant::now();
    let mut fan = fan();
    if reports {
        fan.reports(VIEWER);
    }
    let (mut now, mut keyframes) = (start, 0);
    for id in 1..3000 {
        now += 20 * MS;
        let key = id == 1 || fan.keyframe_due(now).is_some_and(|due| due <= now);
        if key {
            fan.keyframe_asked(now);
        }
        encode(&mut fan, now, id, if key { Needs::Nothing } else { Needs::Before });
        let sent = deliver(&mut fan, now, &[LEAD]);
        let Some((_, batch)) = sent.iter().find(|(client, _)| *client == VIEWER) else { continue };
        keyframes += usize::from(key);
        let pacer = fan.pacer(VIEWER).unwrap();
        if reports {
            pacer.on_report(now, PathReport { arrived: Some(batch.frame_id), ..PathReport::default() });
        } else {
            pacer.on_drained(now);
            pacer.on_ack(now, batch.frame_id, Some(0));
        }
        fan.lose(VIEWER, None);
    }
    keyframes
}

#[test]
fn a_viewer_whose_transport_reports_waits_two_seconds_at_most() {
    let [silent, reporting] = [false, true].map(keyframes_in_a_minute);
    assert!(silent <= 12, "{silent}");
    assert!((25..=62).contains(&reporting), "{reporting}");
}
