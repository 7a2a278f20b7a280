//! A stream of one stripe with a lead and a viewer.

use std::time::{Duration, Instant};

use selkies_session::pacing::{Batch, FanOut, Needs, Packet, Priority};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const LEAD: u8 = 0;
pub(crate) const VIEWER: u8 = 1;

pub(crate) fn packet(id: u16, needs: Needs) -> Packet<u16> {
    Packet { frame_id: id, y: 0, height: 64, needs, discardable: false, bytes: 1000, payload: id }
}

pub(crate) fn fan() -> FanOut<u8, u16> {
    let mut fan = FanOut::new();
    fan.start(LEAD, Priority::Lead);
    fan.start(VIEWER, Priority::Follower);
    fan
}

pub(crate) fn encode(fan: &mut FanOut<u8, u16>, now: Instant, id: u16, needs: Needs) {
    fan.encode_started(now);
    assert!(fan.publish(packet(id, needs)));
    fan.encode_finished(now, true);
}

/// Everybody who is ready takes a batch; those of `answering` draw and acknowledge it at once.
pub(crate) fn deliver(fan: &mut FanOut<u8, u16>, now: Instant, answering: &[u8]) -> Vec<(u8, Batch<u16>)> {
    fan.repeat(now);
    let ready = fan.ready(now);
    let mut batches = Vec::new();
    for client in ready {
        let batch = fan.take(now, client).expect("ready clients take");
        if answering.contains(&client) {
            let pacer = fan.pacer(client).unwrap();
            pacer.on_drained(now);
            pacer.on_ack(now, batch.frame_id, Some(0));
        }
        batches.push((client, batch));
    }
    batches
}
