//! Streams whose packets build on each other: who missed some, what it gets, and what that costs the others.

mod delta;

use std::time::{Duration, Instant};

use delta::{Kind, Outcome, Viewer, run};
use selkies_session::pacing::{Bounds, ClientView, FanOut, Needs, Packet, Priority, StripeCache};

const MS: Duration = Duration::from_millis(1);

fn packet(frame_id: u16, needs: Needs, bytes: usize) -> Packet<u16> {
    Packet { frame_id, y: 0, height: 64, needs, discardable: false, bytes, payload: frame_id }
}

fn ids(cache: &StripeCache<u16>, view: &mut ClientView) -> Vec<u16> {
    cache
        .take(view, Bounds::default())
        .map_or(Vec::new(), |batch| batch.packets.iter().map(|p| p.frame_id).collect())
}

#[test]
fn who_missed_little_gets_it_all_and_who_missed_much_waits_for_a_key_frame() {
    let (mut cache, mut view) = (StripeCache::new(), ClientView::new());
    cache.publish(packet(1, Needs::Nothing, 100_000));
    for id in 2..=5 {
        cache.publish(packet(id, Needs::Before, 1000));
    }
    assert_eq!(ids(&cache, &mut view), [1, 2, 3, 4, 5], "a newcomer needs no key frame of its own");
    for id in 6..=17 {
        cache.publish(packet(id, Needs::Before, 1000));
    }
    assert_eq!(ids(&cache, &mut view), (6..=17).collect::<Vec<_>>());
    for id in 18..=30 {
        cache.publish(packet(id, Needs::Before, 1000));
    }
    assert!(cache.needs_keyframe(&view, Bounds::default()), "thirteen are too many");
    assert_eq!(ids(&cache, &mut view), [0; 0]);
    cache.publish(packet(31, Needs::Nothing, 100_000));
    cache.publish(packet(32, Needs::Before, 30_000));
    assert_eq!(ids(&cache, &mut view), [31, 32]);
    for id in 33..=35 {
        cache.publish(packet(id, Needs::Before, 30_000));
    }
    assert!(cache.needs_keyframe(&view, Bounds::default()), "90 kB are more than half a key frame");
    assert!(cache.needs_keyframe(&ClientView::new(), Bounds::default()));
}

#[test]
fn discardable_packets_are_left_out_for_those_who_are_behind() {
    let (mut cache, mut view, mut slow) = (StripeCache::new(), ClientView::new(), ClientView::new());
    let layers = |id: u16| Packet { discardable: id.is_multiple_of(2), ..packet(id, Needs::Before, 1000) };
    cache.publish(packet(1, Needs::Nothing, 100_000));
    for view in [&mut view, &mut slow] {
        ids(&cache, view);
    }
    for id in 2..=9 {
        cache.publish(layers(id));
        assert_eq!(ids(&cache, &mut view), [id]);
    }
    assert_eq!(ids(&cache, &mut slow), [3, 5, 7, 9]);
    cache.publish(layers(10));
    assert_eq!(ids(&cache, &mut slow), [10], "the newest may be one of them");
}

#[test]
fn a_packet_that_builds_on_an_older_one_serves_whoever_has_that() {
    let (mut cache, mut view, mut slow) = (StripeCache::new(), ClientView::new(), ClientView::new());
    cache.publish(packet(1, Needs::Nothing, 1000));
    for view in [&mut view, &mut slow] {
        ids(&cache, view);
    }
    for id in 2..=6 {
        cache.publish(packet(id, Needs::Before, 10_000));
        assert_eq!(ids(&cache, &mut view), [id]);
    }
    assert!(cache.needs_keyframe(&slow, Bounds::default()));
    cache.publish(packet(7, Needs::Frame(1), 10_000));
    assert_eq!((ids(&cache, &mut view), ids(&cache, &mut slow)), (vec![7], vec![7]));
    cache.publish(packet(8, Needs::Before, 10_000));
    assert_eq!((ids(&cache, &mut view), ids(&cache, &mut slow)), (vec![8], vec![8]));
    // Nobody can use what builds on a picture that is long forgotten.
    cache.publish(packet(9, Needs::Frame(40_000), 10_000));
    assert!(cache.needs_keyframe(&view, Bounds::default()) && cache.needs_keyframe(&slow, Bounds::default()));
}

#[test]
fn a_decoder_that_dropped_a_frame_goes_on_from_the_ones_before() {
    let (mut cache, mut view) = (StripeCache::new(), ClientView::new());
    cache.publish(packet(1, Needs::Nothing, 1000));
    for id in 2..=6 {
        ids(&cache, &mut view);
        cache.publish(packet(id, Needs::Before, 1000));
    }
    ids(&cache, &mut view);
    assert_eq!(view.known(), Some(6));
    cache.lose(&mut view, Some(5));
    assert_eq!(view.known(), Some(4));
    assert!(
        cache.needs_keyframe(&view, Bounds::default()),
        "nothing old is sent again: its decoder is past that"
    );
    cache.publish(packet(7, Needs::Before, 1000));
    assert_eq!(ids(&cache, &mut view), [0; 0]);
    cache.publish(packet(8, Needs::Frame(4), 1000));
    assert_eq!(ids(&cache, &mut view), [8]);
    cache.lose(&mut view, None);
    assert_eq!((view.known(), ids(&cache, &mut view)), (None, vec![]));
    cache.publish(packet(9, Needs::Nothing, 1000));
    assert_eq!(ids(&cache, &mut view), [9]);
    // A key frame that waits for it is not lost with the rest.
    cache.publish(packet(10, Needs::Nothing, 1000));
    cache.lose(&mut view, None);
    cache.publish(packet(11, Needs::Before, 1000));
    assert_eq!(ids(&cache, &mut view), [10, 11]);
    // What stands alone is simply sent again.
    let (mut cache, mut view) = (StripeCache::new(), ClientView::new());
    cache.publish(packet(1, Needs::Nothing, 1000));
    ids(&cache, &mut view);
    cache.lose(&mut view, Some(1));
    assert_eq!(ids(&cache, &mut view), [1]);
}

#[test]
fn a_lead_that_lost_its_picture_has_a_key_frame_at_once_and_a_viewer_that_always_asks_has_few() {
    let start = Instant::now();
    let mut fan = FanOut::<u8, u16>::new();
    fan.start(0, Priority::Lead);
    fan.start(1, Priority::Follower);
    let (mut now, mut id, mut keyframes) = (start, 0, 0);
    let mut frame = |fan: &mut FanOut<u8, u16>, now: Instant, key: bool| {
        id += 1;
        fan.encode_started(now);
        fan.publish(packet(id, if key { Needs::Nothing } else { Needs::Before }, 1000));
        fan.encode_finished(now, true);
        for client in fan.ready(now) {
            let batch = fan.take(now, client).unwrap();
            let pacer = fan.pacer(client).unwrap();
            pacer.on_drained(now);
            pacer.on_ack(now, batch.frame_id, Some(0));
        }
    };
    frame(&mut fan, now, true);
    frame(&mut fan, now + MS, false);
    now += 500 * MS;
    fan.lose(0, Some(2));
    assert_eq!(fan.keyframe_due(now), Some(now));
    fan.keyframe_asked(now);
    frame(&mut fan, now, true);
    assert_eq!(fan.keyframe_due(now), None);
    while now < start + Duration::from_secs(120) {
        now += 20 * MS;
        fan.lose(1, None);
        let key = fan.keyframe_due(now).is_some_and(|due| due <= now);
        if key {
            fan.keyframe_asked(now);
            keyframes += 1;
        }
        frame(&mut fan, now, key);
    }
    // After 1, 2, 4, 8 s, and every 16 s from then on.
    assert!((8..=13).contains(&keyframes), "{keyframes} key frames in two minutes");
    // Once it has calmed down it is served as anybody else.
    for _ in 0..40 {
        now += Duration::from_secs(2);
        frame(&mut fan, now, false);
    }
    fan.lose(1, None);
    assert_eq!(fan.keyframe_due(now), Some(now));
}

fn shown(outcome: &Outcome) -> String {
    let of =
        |viewer: &Viewer| format!("{:?} {:.1} fps age {:?}", viewer.kind, viewer.fps(), viewer.age_p95());
    outcome.viewers.iter().map(of).collect::<Vec<_>>().join("; ")
        + &format!("; {} key frames", outcome.keyframes)
}

/// Nine viewers that cannot follow.
fn slow() -> Vec<Kind> {
    let mut kinds = vec![Kind::Narrow; 3];
    kinds.extend([Kind::Stalled; 3]);
    kinds.extend([Kind::Far; 3]);
    kinds
}

#[test]
fn nine_slow_viewers_cost_the_fast_one_nothing() {
    for anchors in [false, true] {
        let alone = run(&[Kind::Fast], anchors);
        let together = run(&[&[Kind::Fast][..], &slow()].concat(), anchors);
        let described = format!("alone {}; together {}", shown(&alone), shown(&together));
        let (before, after) = (&alone.viewers[0], &together.viewers[0]);
        assert!(after.frames() + 5 >= before.frames(), "{described}");
        assert!(after.age_p95() <= before.age_p95() + 2 * MS, "{described}");
        assert_eq!(alone.keyframes, 1, "{described}");
        // A minute: the narrow ones share one in 8 s, after the first few.
        assert!(together.keyframes <= 12, "{described}");
        for viewer in &together.viewers {
            match viewer.kind {
                Kind::Far => assert!(viewer.fps() >= 40.0, "{described}"),
                Kind::Narrow => assert!(viewer.frames() >= 2, "{described}"),
                _ => {}
            }
        }
    }
}

#[test]
fn a_slow_decoder_gets_fewer_frames_and_they_are_young() {
    let without = run(&[Kind::Fast, Kind::SlowPage], false);
    let with = run(&[Kind::Fast, Kind::SlowPage], true);
    let described = format!("without {}; with anchors {}", shown(&without), shown(&with));
    assert!(with.viewers[0].frames() + 20 >= without.viewers[0].frames(), "{described}");
    let viewer = &with.viewers[1];
    assert!(viewer.fps() >= 8.0, "{described}");
    assert!(viewer.age_p95() <= 300 * MS, "{described}");
    assert!(with.keyframes <= 4, "{described}");
}

#[test]
fn a_slow_controller_has_fewer_frames_and_not_older_ones() {
    for kind in [Kind::SlowPage, Kind::Heavy] {
        let outcome = run(&[kind], true);
        let (lead, described) = (&outcome.viewers[0], shown(&outcome));
        assert!(lead.fps() >= 12.0 && lead.fps() < 40.0, "{described}");
        assert!(lead.age_p95() <= 170 * MS, "{described}");
        // Nor do they grow old with time.
        let ages = lead.ages();
        let (early, late) = (&ages[ages.len() / 4..ages.len() / 2], &ages[ages.len() * 3 / 4..]);
        let worst = |ages: &[Duration]| ages.iter().max().copied().unwrap_or_default();
        assert!(worst(late) <= worst(early) + 40 * MS, "{described}");
        assert_eq!(outcome.keyframes, 1, "{described}");
    }
}
