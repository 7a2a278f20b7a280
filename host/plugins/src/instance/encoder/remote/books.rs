//! What a child has of the host's, and what becomes of it by what the child says.

use std::{collections::BTreeMap, time::Duration};

use selkies_plugin_abi as abi;

use super::pace::Pace;
use crate::{
    child::{
        Link,
        wire::{Event, WirePacket},
    },
    services::{EncoderDesk, FrameFinished, Keep, PluginAccount, now_ns, slab_capacity},
    size::size_field,
};

/// What the child has, and how long it takes.
#[derive(Default)]
pub(super) struct Books {
    /// Frames whose memory the child has.
    pub(super) lent: BTreeMap<u64, Keep>,
    pub(super) next_token: u64,
    pub(super) pace: Pace,
}

/// Takes what the child says; answers what is wrong with it.
pub(super) fn hear(
    link: &Link,
    desk: &EncoderDesk,
    books: &mut Books,
    account: &PluginAccount,
    event: Event,
) -> Result<(), String> {
    match event {
        Event::Packet(packet) => {
            take(link, desk, &packet).map_err(|what| format!("sent a bad packet: {what}"))
        }
        Event::Done { frame_id, outcome, refine_at_ns, convert_ns } => {
            let Some(flight) = desk.frames().finish(frame_id) else {
                return Err(format!("finished frame {frame_id}, which is not in flight"));
            };
            let took = Duration::from_nanos(now_ns().saturating_sub(flight.submitted_ns));
            books.pace.note(took, link.deadlines());
            let outcome = outcome.map_err(|error| error.into_error(account, "encoder.done"));
            desk.finished(FrameFinished { frame_id, outcome, refine_at_ns, convert_ns });
            Ok(())
        }
        Event::Returned(token) => match books.lent.remove(&token) {
            Some(keep) => {
                drop(keep);
                Ok(())
            }
            None => Err(format!("gave back frame memory {token}, which it does not have")),
        },
    }
}

fn take(link: &Link, desk: &EncoderDesk, packet: &WirePacket) -> Result<(), &'static str> {
    let memory = link.arena().take(packet.place)?;
    let len = packet.len as usize;
    if len == 0 || len > slab_capacity(packet.place) {
        return Err("its length is 0 or over its slab's");
    }
    let raw = abi::Packet {
        struct_size: size_field::<abi::Packet>(),
        codec: packet.codec,
        flags: packet.flags,
        layer: packet.layer,
        len,
        frame_id: packet.frame_id,
        reference_frame_id: packet.reference_frame_id,
        timestamp_ns: 0,
        duration_ns: packet.duration_ns,
        area: packet.area.into(),
        stream: 0,
        reserved32: 0,
        reserved: [0; 3],
    };
    desk.accept(&raw, memory).map_err(|(what, _)| what)
}
