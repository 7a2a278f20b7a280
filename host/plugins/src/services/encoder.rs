//! `selkies.host.encoder/1`: packets and finished frames come back.

use core::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use selkies_plugin_abi as abi;

use super::context::{Context, enter};
use super::frames::{Flight, FrameTable, HoldRefusal, Keep};
use super::memory::{INVALID, WRONG_STATE, fresh_token};
use super::packet::{EncodedPacket, PacketBuf, PacketInfo};
use super::slab::SlabMemory;
use super::{failure, foreign};
use crate::instance::PluginError;
use crate::size::size_field;

pub(crate) static HOST_ENCODER: abi::HostEncoderV1 =
    abi::HostEncoderV1 { struct_size: size_field::<abi::HostEncoderV1>(), reserved: 0, done: Some(done) };

/// The metric by which an encoder says, before a frame's `done`, how many seconds of it went into converting colours.
pub(crate) const CONVERT_SECONDS: &str = "convert_seconds";
/// The longest conversion that is believed, in nanoseconds: ten seconds.
const LONGEST_CONVERT: u64 = 10_000_000_000;

/// Who receives what an encoder makes.
///
/// Both functions are called by the plugin's threads, several at a time, from within `submit` or later, and never
/// for a call that began after the encoder was dropped. They must not block and must not call the encoder.
pub trait EncoderSink: Send + Sync {
    /// One packet of a frame in flight. Packets of a frame arrive before its `done`.
    fn packet(&self, packet: EncodedPacket);
    /// A frame is finished. Exactly once for each successful submit, unless the encoder was dropped before.
    fn done(&self, done: FrameFinished);
}

/// How a frame ended.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameFinished {
    /// The frame.
    pub frame_id: u64,
    /// A failure's class decides what follows.
    pub outcome: Result<(), PluginError>,
    /// When the encoder would like to see the frame again if nothing changes, nanoseconds of `CLOCK_MONOTONIC`.
    pub refine_at_ns: Option<u64>,
    /// Nanoseconds that went into converting the frame's colours, at most ten seconds; `None` when the encoder does not
    /// tell. With several frames in flight, it may be that of a neighbour.
    pub convert_ns: Option<u64>,
}

/// Where one encoder's packets arrive, and which frames it has.
pub(crate) struct EncoderDesk {
    sink: Arc<dyn EncoderSink>,
    codec: u32,
    max_retained: u32,
    frames: Mutex<FrameTable>,
    /// What was wrong with the first packet that was refused.
    broken: OnceLock<String>,
    /// Nanoseconds of the conversion that was last told and not yet asked for, and one more; else 0.
    converted: AtomicU64,
}

impl EncoderDesk {
    pub(crate) fn new(sink: Arc<dyn EncoderSink>, codec: u32, max_retained: u32) -> Self {
        Self {
            sink,
            codec,
            max_retained,
            frames: Mutex::default(),
            broken: OnceLock::new(),
            converted: AtomicU64::new(0),
        }
    }

    pub(crate) fn frames(&self) -> MutexGuard<'_, FrameTable> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A packet was refused: nothing more is expected of the instance, whatever it answers.
    pub(super) fn breaks(&self, what: &str) {
        self.broken.get_or_init(|| what.to_owned());
    }

    /// Why a packet was refused, if one was.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// The plugin says how long it converted colours, in seconds.
    pub(super) fn converts(&self, seconds: f64) {
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(LONGEST_CONVERT);
        self.converted.store(ns + 1, Ordering::Relaxed);
    }

    /// Enters a frame before its `submit`; answers the token that names it in the call.
    pub(crate) fn begin(&self, flight: Flight, keep: Keep) -> u64 {
        let token = fresh_token();
        self.frames().begin(flight, token, keep);
        token
    }

    /// Takes a filled slab as a packet, or answers what is wrong with it.
    pub(crate) fn accept(
        &self,
        packet: &abi::Packet,
        memory: SlabMemory,
    ) -> Result<(), (&'static str, abi::Status)> {
        if packet.codec != self.codec {
            return Err(("the packet's codec is not the instance's", INVALID));
        }
        let Some(flight) = self.frames().flight(packet.frame_id) else {
            return Err(("the packet's frame_id is not in flight", WRONG_STATE));
        };
        if !flight.contains(&packet.area) {
            return Err(("the packet's area is empty or outside the frame", INVALID));
        }
        if packet.reference_frame_id >= packet.frame_id {
            return Err(("the packet predicts from itself or from a later frame", INVALID));
        }
        let info = PacketInfo {
            codec: packet.codec,
            flags: packet.flags,
            layer: packet.layer,
            frame_id: packet.frame_id,
            reference_frame_id: packet.reference_frame_id,
            // The contract says that it is the frame's; so it need not be believed.
            timestamp_ns: flight.timestamp_ns,
            duration_ns: packet.duration_ns,
            area: packet.area,
        };
        self.sink.packet(EncodedPacket { info, data: PacketBuf::new(memory, packet.len) });
        Ok(())
    }

    /// Tells that a frame is finished, which is not in flight any more.
    pub(crate) fn finished(&self, done: FrameFinished) {
        let convert_ns = done.convert_ns.map(|ns| ns.min(LONGEST_CONVERT));
        self.sink.done(FrameFinished { convert_ns, ..done });
    }

    pub(super) fn retain(&self, token: u64) -> Result<(), HoldRefusal> {
        self.frames().retain(token, self.max_retained)
    }

    pub(super) fn release(&self, token: u64) -> Result<(), HoldRefusal> {
        let free = self.frames().release(token)?;
        drop(free);
        Ok(())
    }
}

unsafe extern "C" fn done(ctx: *mut c_void, done: *const abi::FrameDone) {
    enter(ctx, "encoder.done", (), |context| {
        // SAFETY: not NULL, aligned and large enough is checked; a plugin's pointer is readable.
        match unsafe { foreign::sized(done) } {
            Some(done) => finish(context, &done),
            None => context
                .account
                .misbehaving("encoder.done", "`done` is NULL, not aligned, or its struct_size is wrong"),
        }
    });
}

fn finish(context: &Context, done: &abi::FrameDone) {
    let Some(desk) = context.encoder() else { return };
    if context.is_closing() {
        return;
    }
    let finished = desk.frames().finish(done.frame_id);
    if finished.is_none() {
        let frame = done.frame_id;
        let what = format_args!("frame {frame} is not in flight: done twice, or never submitted");
        return context.account.misbehaving("encoder.done", what);
    }
    let outcome = if let Some(what) = desk.broken() {
        Err(PluginError::noted_contract(&context.account, "memory.commit", what))
    } else if done.status < 0 {
        let text = failure::take(done.status);
        Err(PluginError::reported(&context.account, "encoder.done", done.status, text))
    } else {
        Ok(())
    };
    let refine_at_ns = (done.refine_at_ns != 0).then_some(done.refine_at_ns);
    let convert_ns = desk.converted.swap(0, Ordering::Relaxed).checked_sub(1);
    desk.sink.done(FrameFinished { frame_id: done.frame_id, outcome, refine_at_ns, convert_ns });
}
