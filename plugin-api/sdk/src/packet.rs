//! Packets: written once, into memory of the host.

use std::ops::{Deref, DerefMut};

use crate::{Error, Result, abi, frame::memory_table, guard::size32, host::Host};

/// What a packet contains. Fields as in [`abi::Packet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    /// One of `CODEC_*`.
    pub codec: u32,
    /// `PACKET_*` bits.
    pub flags: u32,
    /// Quality layer; 0 is the base.
    pub layer: u32,
    /// The frame's id, or a running number for audio.
    pub frame_id: u64,
    /// The anchor that it predicts from; 0 for the frame before.
    pub reference_frame_id: u64,
    /// The frame's timestamp, nanoseconds.
    pub timestamp_ns: u64,
    /// Duration, nanoseconds; 0 when unknown.
    pub duration_ns: u64,
    /// The area that the picture covers.
    pub area: abi::Rect,
}

/// Where packets go. Cheap to clone; may be used from every thread of the plugin while its instance lives.
#[derive(Clone, Copy, Debug)]
pub struct PacketSink {
    host: Host,
    memory: &'static abi::MemoryV1,
}

impl PacketSink {
    pub(crate) fn new(host: Host) -> Result<Self> {
        Ok(Self { host, memory: memory_table(host)? })
    }

    /// Asks for a slab of at least `min_len` bytes. Its content is unspecified.
    ///
    /// # Errors
    /// Class retry when the host has no slab left or `min_len` is over its limit.
    pub fn slab(&self, min_len: usize) -> Result<SlabGuard> {
        let slab = self.memory.slab.ok_or_else(|| Error::fatal("the host's memory table has no slab"))?;
        let mut out = abi::Slab { ptr: std::ptr::null_mut(), capacity: 0, token: 0 };
        // SAFETY: the function belongs to this context; `out` is writable.
        match unsafe { slab(self.host.ctx(), min_len, &raw mut out) } {
            abi::OK if out.ptr.is_null() => Err(Error::fatal("the host gave a slab without memory")),
            abi::OK => {
                // Dropped, and so given back, when it is too small.
                let slab = SlabGuard { sink: *self, slab: out };
                if slab.len() < min_len {
                    return Err(Error::fatal("the host gave a slab that is too small"));
                }
                Ok(slab)
            }
            status => Err(Error::from_status(status, "the host has no slab")),
        }
    }
}

/// A slab that is being filled. Dropping it gives it back unused.
#[derive(Debug)]
pub struct SlabGuard {
    sink: PacketSink,
    slab: abi::Slab,
}

impl SlabGuard {
    /// Hands the first `len` bytes over as a packet.
    ///
    /// # Errors
    /// When `len` is 0 or over the slab's length, or the host refuses the packet; the slab is gone then too.
    pub fn commit(self, len: usize, info: PacketInfo) -> Result<()> {
        if len == 0 || len > self.len() {
            return Err(Error::invalid(format!("a packet of {len} bytes in a slab of {}", self.len())));
        }
        let (sink, slab) = (self.sink, self.slab);
        let commit =
            sink.memory.commit.ok_or_else(|| Error::fatal("the host's memory table has no commit"))?;
        // From here the slab is the host's, whatever the status.
        std::mem::forget(self);
        let packet = abi::Packet {
            struct_size: size32::<abi::Packet>(),
            codec: info.codec,
            flags: info.flags,
            layer: info.layer,
            len,
            frame_id: info.frame_id,
            reference_frame_id: info.reference_frame_id,
            timestamp_ns: info.timestamp_ns,
            duration_ns: info.duration_ns,
            area: info.area,
            stream: 0,
            reserved32: 0,
            reserved: [0; 3],
        };
        // SAFETY: the function belongs to this context; slab and packet live for the call.
        match unsafe { commit(sink.host.ctx(), &raw const slab, &raw const packet) } {
            abi::OK => Ok(()),
            status => Err(Error::from_status(status, "the host refuses the packet")),
        }
    }
}

impl Deref for SlabGuard {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the slab is ours, initialised by the host, until commit or abandon.
        unsafe { std::slice::from_raw_parts(self.slab.ptr, self.slab.capacity) }
    }
}

impl DerefMut for SlabGuard {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the guard is the only claim on it.
        unsafe { std::slice::from_raw_parts_mut(self.slab.ptr, self.slab.capacity) }
    }
}

impl Drop for SlabGuard {
    fn drop(&mut self) {
        if let Some(abandon) = self.sink.memory.abandon {
            // SAFETY: the slab is ours and is used no more.
            unsafe { abandon(self.sink.host.ctx(), &raw const self.slab) }
        }
    }
}
