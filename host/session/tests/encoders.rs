//! Another encoder goes on with the picture.

mod pair;

use std::time::Instant;

use pair::{LEAD, MS, VIEWER, deliver, encode, fan, packet};
use selkies_session::pacing::{Bounds, ClientView, Demand, Needs, Packet, StripeCache};

#[test]
fn an_encoder_of_independent_packets_after_one_of_deltas_is_paced_as_such() {
    let (mut cache, mut view) = (StripeCache::new(), ClientView::new());
    let stripes = |cache: &mut StripeCache<u16>, id, needs| {
        for y in [0, 64] {
            assert!(cache.publish(Packet { y, ..packet(id, needs) }));
        }
    };
    let rows = Bounds { rows: Some(64), links: None };
    stripes(&mut cache, 1, Needs::Nothing);
    stripes(&mut cache, 2, Needs::Before);
    cache.succeed();
    // Until the new encoder's first frame is there, whoever comes has the old picture.
    assert_eq!(cache.take(&mut view, rows).expect("a picture").packets.len(), 4);
    stripes(&mut cache, 3, Needs::Nothing);
    let turns: Vec<usize> =
        std::iter::from_fn(|| cache.take(&mut view, rows)).map(|batch| batch.packets.len()).collect();
    assert_eq!(turns, [1, 1], "batches are bounded again");
    cache.lose(&mut view, None);
    assert_eq!(cache.take(&mut view, Bounds::default()).expect("it is sent again").packets.len(), 2);
    // Of deltas again.
    stripes(&mut cache, 4, Needs::Before);
    assert_eq!(cache.take(&mut view, rows).expect("deltas").packets.len(), 2);
}

#[test]
fn viewers_have_their_turn_beside_a_slow_controller_once_packets_stand_alone() {
    let start = Instant::now();
    let mut fan = fan();
    encode(&mut fan, start, 1, Needs::Nothing);
    deliver(&mut fan, start, &[LEAD, VIEWER]);
    encode(&mut fan, start + 20 * MS, 2, Needs::Before);
    deliver(&mut fan, start + 20 * MS, &[LEAD, VIEWER]);
    fan.succeed();
    encode(&mut fan, start + 500 * MS, 3, Needs::Nothing);
    // The lead's socket is full from here on.
    let sent = deliver(&mut fan, start + 500 * MS, &[VIEWER]);
    assert_eq!(sent.len(), 2, "{sent:?}");
    fan.on_damage();
    assert_eq!(fan.demand(start + 1000 * MS), Demand::Encode);
}
