//! An encoder in a child.

use std::{collections::BTreeMap, sync::Arc};

use super::{Packets, Place};
use crate::{
    BufferLease, Damage, EncodedPacket, EncoderInstance, EncoderOffer, EncoderSettings, EncoderSink,
    FaultClass, FaultDetail, FrameFinished, PluginError, SharedBuffer, SubmitOptions, VideoFrame,
    child::{
        outbox::Outbox,
        wire::{Event, Reply, Submit, Task, WirePacket, color_of},
    },
    services::Arena,
};

/// The encoder, which reads the host's buffers and fills slabs of the arena.
pub(super) struct ServedEncoder {
    encoder: EncoderInstance,
}

/// Passes on what the plugin's threads say.
struct Teller {
    arena: Arena,
    packets: Arc<Packets>,
    outbox: Arc<Outbox>,
}

impl EncoderSink for Teller {
    fn packet(&self, packet: EncodedPacket) {
        let EncodedPacket { info, data } = packet;
        // Every slab of this process is in the arena, and none is longer than 32 bits count.
        let (Some(place), Ok(len)) = (self.arena.place(data.slab()), u32::try_from(data.payload().len()))
        else {
            return;
        };
        let packet = WirePacket {
            place,
            len,
            codec: info.codec,
            flags: info.flags,
            layer: info.layer,
            frame_id: info.frame_id,
            reference_frame_id: info.reference_frame_id,
            duration_ns: info.duration_ns,
            area: info.area.into(),
        };
        self.packets.keep(place.unit, data);
        self.outbox.tell(Event::Packet(packet));
    }

    fn done(&self, done: FrameFinished) {
        let FrameFinished { frame_id, outcome, refine_at_ns, convert_ns } = done;
        let outcome = outcome.map_err(Into::into);
        self.outbox.tell(Event::Done { frame_id, outcome, refine_at_ns, convert_ns });
    }
}

/// Memory of a frame: tells the host when the plugin does not need it any more.
struct Lent {
    token: u64,
    outbox: Arc<Outbox>,
    _lease: BufferLease,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.outbox.tell(Event::Returned(self.token));
    }
}

impl ServedEncoder {
    pub(super) fn create(
        place: &Place,
        offer: &EncoderOffer,
        settings: EncoderSettings,
    ) -> Result<Self, PluginError> {
        let sink = Arc::new(Teller {
            arena: place.arena.clone(),
            packets: Arc::clone(&place.packets),
            outbox: Arc::clone(&place.outbox),
        });
        Ok(Self { encoder: EncoderInstance::create(&place.origin(), offer, settings, sink)? })
    }

    pub(super) fn serve(
        &mut self,
        task: Task,
        buffers: &BTreeMap<u32, Arc<SharedBuffer>>,
        place: &Place,
    ) -> Result<Reply, PluginError> {
        match task {
            Task::Submit(submit) => self.submit(*submit, buffers, place).map(|()| Reply::Done),
            Task::Configure(settings) => self.encoder.configure(settings).map(|()| Reply::Done),
            Task::Drain => self.encoder.drain().map(|()| Reply::Done),
            Task::SetRate(change) => self.encoder.set_rate(change).map(Reply::Rate),
            _ => Err(place.misdirected()),
        }
    }

    fn submit(
        &mut self,
        submit: Submit,
        buffers: &BTreeMap<u32, Arc<SharedBuffer>>,
        place: &Place,
    ) -> Result<(), PluginError> {
        // Answered, whatever happens to the frame.
        let lent = |lease| Lent { token: submit.token, outbox: Arc::clone(&place.outbox), _lease: lease };
        let Some(buffer) = buffers.get(&submit.slot) else {
            place.outbox.tell(Event::Returned(submit.token));
            let account = place.services.account(place.plugin.id());
            let (class, detail) = (FaultClass::FatalInstance, FaultDetail::OutOfResources);
            let text = "the frame's buffer could not be mapped";
            return Err(PluginError::caller(&account, "encoder.submit", class, detail, text));
        };
        let damage = submit
            .damage
            .map_or(Damage::Full, |rects| Damage::Rects(rects.into_iter().map(Into::into).collect()));
        let lease = buffer.lend();
        let keep = Arc::new(lent(lease.clone()));
        let frame = VideoFrame::of_host(
            &lease,
            &submit.planes,
            color_of(submit.color),
            submit.timestamp_ns,
            damage,
            keep,
        );
        drop(lease);
        let roi: Vec<_> = submit.roi.into_iter().map(Into::into).collect();
        let options = SubmitOptions {
            keyframe: submit.keyframe,
            refine: submit.refine,
            deadline_ns: submit.deadline_ns,
            known_frame_id: submit.known_frame_id,
            roi: &roi,
        };
        let outcome = self.encoder.submit(&frame, submit.frame_id, &options);
        drop(frame);
        outcome
    }
}
