//! Stripes and fan-out: whoever takes whenever, all end with the newest picture.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use selkies_session::pacing::{
    Bounds, ClientPacer, ClientView, Demand, FanOut, Needs, Packet, Priority, StripeCache,
};

const HEIGHT: u16 = 64;

fn stripe(frame_id: u16, index: u16, independent: bool, payload: u32) -> Packet<u32> {
    let needs = if independent { Needs::Nothing } else { Needs::Before };
    Packet { frame_id, y: index * HEIGHT, height: HEIGHT, needs, discardable: false, bytes: 100, payload }
}

/// A page's decoder: applies packets and fails on a delta whose predecessor it has not got.
#[derive(Default)]
struct Page {
    picture: BTreeMap<u16, u32>,
    newest: Option<u16>,
}

impl Page {
    fn apply(&mut self, packet: &Packet<u32>) {
        if packet.needs != Needs::Nothing {
            assert_eq!(self.picture.get(&packet.y), Some(&(packet.payload - 1)), "delta without its base");
        }
        // Ids never run backwards on one connection, wrapping considered.
        assert!(self.newest.is_none_or(|n| packet.frame_id.wrapping_sub(n) < 0x8000));
        self.newest = Some(packet.frame_id);
        self.picture.insert(packet.y, packet.payload);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Publish { changed: u8, independent: bool },
    Take(usize),
    Forget(usize),
}

fn steps(independent: impl Strategy<Value = bool> + Clone) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..=255u8, independent).prop_map(|(changed, independent)| Step::Publish { changed, independent }),
        (0..3usize).prop_map(Step::Take),
        (0..3usize).prop_map(Step::Forget),
    ];
    proptest::collection::vec(step, 1..200)
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut cache = StripeCache::new();
    let mut views: [ClientView; 3] = Default::default();
    let mut pages: [Page; 3] = Default::default();
    let mut newest: BTreeMap<u16, u32> = BTreeMap::new();
    let mut frame_id = 65_500u16;
    let take = |cache: &StripeCache<u32>, view: &mut ClientView, page: &mut Page| {
        if let Some(batch) = cache.take(view, Bounds::default()) {
            assert_eq!(batch.frame_id, batch.packets.last().unwrap().frame_id);
            assert_eq!(batch.bytes, 100 * batch.packets.len());
            batch.packets.iter().for_each(|p| page.apply(p));
        }
        assert!(
            !cache.has_news(view, Bounds::default()) && cache.take(view, Bounds::default()).is_none(),
            "each stripe is given once"
        );
    };
    for step in steps {
        match step {
            Step::Publish { changed, independent } => {
                frame_id = frame_id.wrapping_add(1);
                for index in (0..8).filter(|i| changed & (1 << i) != 0) {
                    let payload = newest.get(&(index * HEIGHT)).map_or(1, |p| p + 1);
                    // The first packet of a stripe is always a key frame, as encoders make it.
                    let packet = stripe(frame_id, index, independent || payload == 1, payload);
                    prop_assert!(cache.publish(packet));
                    newest.insert(index * HEIGHT, payload);
                }
            }
            Step::Take(i) => take(&cache, &mut views[i], &mut pages[i]),
            Step::Forget(i) => {
                views[i].reset();
                pages[i] = Page::default();
            }
        }
        prop_assert!(cache.len() <= 8);
    }
    // One key frame at the end repairs whoever lost a delta; nobody else needs it.
    for (view, page) in views.iter_mut().zip(&mut pages) {
        take(&cache, view, page);
        prop_assert!(cache.needs_keyframe(view, Bounds::default()) || page.picture == newest);
    }
    frame_id = frame_id.wrapping_add(1);
    for (y, payload) in &mut newest {
        *payload += 1;
        cache.publish(stripe(frame_id, y / HEIGHT, true, *payload));
    }
    for (view, page) in views.iter_mut().zip(&mut pages) {
        take(&cache, view, page);
        prop_assert!(!cache.needs_keyframe(view, Bounds::default()));
        prop_assert_eq!(&page.picture, &newest);
    }
    Ok(())
}

proptest! {
    #[test]
    fn independent_stripes_reach_everybody_without_key_frames(steps in steps(Just(true))) {
        run(steps)?;
    }

    #[test]
    fn deltas_never_go_without_their_base(steps in steps(any::<bool>())) {
        run(steps)?;
    }
}

#[test]
fn a_changed_layout_drops_what_it_covers() {
    let mut cache = StripeCache::new();
    for index in 0..4 {
        cache.publish(stripe(1, index, true, 1));
    }
    let whole = Packet {
        frame_id: 2,
        y: 0,
        height: 256,
        needs: Needs::Nothing,
        discardable: false,
        bytes: 9,
        payload: 7,
    };
    cache.publish(whole.clone());
    assert_eq!(cache.take(&mut ClientView::new(), Bounds::default()).unwrap().packets, vec![whole]);
    cache.publish(stripe(3, 2, true, 1));
    assert_eq!(cache.len(), 1);
}

#[test]
fn memory_is_bounded_whatever_is_published() {
    let mut cache = StripeCache::new();
    for y in 0..=u16::MAX {
        cache.publish(Packet {
            frame_id: 0,
            y,
            height: 1,
            needs: Needs::Nothing,
            discardable: false,
            bytes: 0,
            payload: 0u8,
        });
    }
    assert_eq!(cache.len(), 1024);
}

#[test]
fn clearing_makes_everybody_start_anew() {
    let (mut cache, mut view) = (StripeCache::new(), ClientView::new());
    cache.publish(stripe(1, 0, true, 1));
    cache.take(&mut view, Bounds::default());
    cache.clear();
    assert!(!cache.has_news(&view, Bounds::default()));
    cache.publish(stripe(2, 0, true, 2));
    assert_eq!(cache.take(&mut view, Bounds::default()).unwrap().packets[0].payload, 2);
}

fn at(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

#[test]
fn nothing_is_encoded_without_damage_or_without_a_ready_client() {
    let start = Instant::now();
    let mut fan = FanOut::<u8, u32>::new();
    fan.on_damage();
    assert_eq!(fan.demand(start), Demand::Wait(None), "nobody watches");
    fan.start(1, Priority::Lead);
    assert_eq!(fan.demand(start), Demand::Encode);
    fan.encode_started(start);
    assert_eq!(fan.demand(start), Demand::Wait(None), "one frame at a time");
    fan.encode_finished(start, false);
    assert_eq!(fan.demand(start), Demand::Encode, "a failed encode leaves the damage");
    fan.encode_started(start);
    fan.publish(stripe(1, 0, true, 1));
    fan.encode_finished(start, true);
    assert_eq!(fan.demand(start), Demand::Wait(None), "no damage");
    assert_eq!(fan.ready(start), [1]);
    assert_eq!(fan.take(start, 1).unwrap().frame_id, 1);
    fan.on_damage();
    assert_eq!(fan.demand(start), Demand::Wait(None), "its bytes wait in the socket");
    fan.pacer(1).unwrap().on_drained(start);
    assert_eq!(fan.demand(start), Demand::Encode);
    fan.stop(1);
    assert_eq!(fan.demand(start), Demand::Wait(None), "video is stopped");
}

#[test]
fn a_late_joiner_gets_the_whole_picture_without_an_encode() {
    let start = Instant::now();
    let mut fan = FanOut::<u8, u32>::new();
    fan.start(1, Priority::Lead);
    for index in 0..4 {
        fan.publish(stripe(index + 1, index, true, 1));
    }
    fan.take(start, 1);
    fan.start(2, Priority::Follower);
    assert_eq!(fan.keyframe_due(start), None);
    assert_eq!(fan.take(start, 2).unwrap().packets.len(), 4);
    assert!(matches!(fan.demand(start), Demand::Wait(_)));
}

#[test]
fn a_busy_lead_is_not_outrun_where_frames_build_on_each_other() {
    let start = Instant::now();
    let mut fan = FanOut::<u8, u32>::new();
    fan.start(1, Priority::Lead);
    fan.start(2, Priority::Follower);
    let send = |fan: &mut FanOut<u8, u32>, independent| {
        fan.publish(stripe(if independent { 1 } else { 2 }, 0, independent, 1));
        fan.encode_started(start);
        fan.encode_finished(start, true);
        fan.take(start, 1).unwrap();
        fan.on_damage();
    };
    send(&mut fan, true);
    // The lead's bytes are still queued, the follower is ready: with stripes that stand alone it may have an encode …
    assert_eq!(fan.demand(at(start, 10)), Demand::Wait(Some(at(start, 50))), "but not at once");
    assert_eq!(fan.demand(at(start, 50)), Demand::Encode);
    fan.pacer(1).unwrap().on_drained(start);
    // … with deltas it waits for the lead.
    send(&mut fan, false);
    assert_eq!(fan.demand(at(start, 50)), Demand::Wait(Some(at(start, 4000))), "until that is stalled");
    // A lead gone silent holds nobody.
    fan.pacer(1).unwrap().on_drained(start);
    assert!(fan.pacer(1).unwrap().is_stalled(at(start, 5000)));
    assert_eq!(fan.demand(at(start, 5000)), Demand::Encode);
}

#[test]
fn a_bounded_batch_takes_the_stripes_that_waited_longest() {
    let (mut cache, mut view) = (StripeCache::<u32>::new(), ClientView::new());
    let mut taken = Vec::new();
    for frame in 1..=12 {
        // Everything changes, and the top all the more.
        for index in [0, 0, 0, 1, 2, 3, 4] {
            cache.publish(stripe(frame, index, true, 1));
        }
        let batch = cache.take(&mut view, Bounds { rows: Some(2 * 64), links: None }).unwrap();
        assert_eq!((batch.packets.len(), batch.rows), (2, 128));
        assert_eq!(batch.frame_id, frame);
        taken.extend(batch.packets.iter().map(|packet| packet.y / 64));
    }
    for index in 0..5 {
        let turns: Vec<usize> = (0..taken.len()).filter(|&at| taken[at] == index).collect();
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] <= 6), "{index}: {taken:?}");
    }
    assert_eq!(
        cache.take(&mut view, Bounds { rows: Some(1), links: None }).unwrap().packets.len(),
        1,
        "at least one"
    );
    assert_eq!(cache.take(&mut view, Bounds::default()).unwrap().packets.len(), 2, "the rest");
    // Where packets build on each other, none is left out.
    for index in 0..5 {
        cache.publish(stripe(13, index, true, 1));
    }
    cache.take(&mut view, Bounds::default());
    for index in 0..5 {
        cache.publish(stripe(14, index, false, 1));
    }
    assert_eq!(cache.take(&mut view, Bounds { rows: Some(64), links: None }).unwrap().packets.len(), 5);
}

#[test]
fn the_rest_of_a_frame_waits_until_its_acknowledgement_can_be_told_from_the_first_part() {
    let start = Instant::now();
    let mut pacer = ClientPacer::new();
    pacer.on_sent(start, 7, 64, 10);
    assert!(pacer.tells_apart_at(start, 8).is_none());
    assert!(pacer.tells_apart_at(start, 7).is_some() && pacer.tells_apart_at(start, 6).is_some());
    pacer.on_ack(at(start, 20), 7, Some(0));
    assert!(pacer.tells_apart_at(at(start, 20), 7).is_none());
}
