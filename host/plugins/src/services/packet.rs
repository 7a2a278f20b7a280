//! Encoded packets on their way from an encoder to the sockets.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use selkies_plugin_abi::{self as abi, Rect, SLAB_HEADROOM};

use super::slab::{SlabMemory, SlabPool};
use crate::size::size_field;

/// What a packet contains; the checked copy of the ABI's `Packet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    /// One of the ABI's `CODEC_*`.
    pub codec: u32,
    /// The ABI's `PACKET_*` bits.
    pub flags: u32,
    /// Quality layer; 0 is the base.
    pub layer: u32,
    /// The frame that the packet belongs to.
    pub frame_id: u64,
    /// The anchor that it predicts from; 0 for the frame before.
    pub reference_frame_id: u64,
    /// The frame's timestamp, nanoseconds of `CLOCK_MONOTONIC`.
    pub timestamp_ns: u64,
    /// Duration in nanoseconds; 0 when unknown.
    pub duration_ns: u64,
    /// The part of the frame that it covers.
    pub area: Rect,
}

impl PacketInfo {
    /// True when decoding may start with this packet.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.flags & abi::PACKET_KEY != 0
    }

    pub(crate) fn to_abi(self, len: usize) -> abi::Packet {
        abi::Packet {
            struct_size: size_field::<abi::Packet>(),
            codec: self.codec,
            flags: self.flags,
            layer: self.layer,
            len,
            frame_id: self.frame_id,
            reference_frame_id: self.reference_frame_id,
            timestamp_ns: self.timestamp_ns,
            duration_ns: self.duration_ns,
            area: self.area,
            stream: 0,
            reserved32: 0,
            reserved: [0; 3],
        }
    }
}

/// One encoded packet. A clone shares the payload.
#[derive(Clone, Debug)]
pub struct EncodedPacket {
    /// What it is.
    pub info: PacketInfo,
    /// Its bytes.
    pub data: PacketBuf,
}

/// The bytes of a packet, in a slab of the host. A clone is one reference count; the slab returns to its pool when
/// the last clone, and the last message made from it, is dropped. Any thread may use it.
#[derive(Clone)]
pub struct PacketBuf {
    filled: Arc<FilledSlab>,
}

/// A slab whose payload does not change any more.
struct FilledSlab {
    memory: SlabMemory,
    len: usize,
    /// Bytes of the header at the end of the headroom. The cell's lock makes its writer the only one.
    header_len: OnceLock<usize>,
}

impl PacketBuf {
    /// Takes over a slab of which the plugin filled `len` bytes, at most its capacity.
    pub(crate) fn new(memory: SlabMemory, len: usize) -> Self {
        let len = len.min(memory.capacity());
        Self { filled: Arc::new(FilledSlab { memory, len, header_len: OnceLock::new() }) }
    }

    /// Copies `payload` into a slab of `pool`: for packets that do not come from an encoder plugin of this process.
    /// `None` when the payload is over [`MAX_SLAB_BYTES`](super::MAX_SLAB_BYTES) or memory is short.
    #[must_use]
    pub fn copy_from(pool: &SlabPool, payload: &[u8]) -> Option<Self> {
        let memory = pool.take(payload.len())?;
        // SAFETY: the slab is as large as the payload, and nobody else knows it.
        unsafe { std::ptr::copy_nonoverlapping(payload.as_ptr(), memory.payload_ptr(), payload.len()) };
        Some(Self::new(memory, payload.len()))
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.filled.payload()
    }

    /// The slab.
    pub(crate) fn slab(&self) -> &SlabMemory {
        &self.filled.memory
    }

    /// The payload as a message without a header. Does not copy.
    #[must_use]
    pub fn message(&self) -> Bytes {
        Bytes::from_owner(Message { filled: Arc::clone(&self.filled), header_len: 0 })
    }

    /// `header` and payload as one message.
    ///
    /// The first header of a packet goes into the headroom before the payload, which is not copied; the same header
    /// shares that message. A different second header, or one over 64 bytes, costs a copy of the payload.
    #[must_use]
    pub fn with_header(&self, header: &[u8]) -> Bytes {
        if header.len() <= SLAB_HEADROOM {
            let len = *self.filled.header_len.get_or_init(|| {
                // SAFETY: the headroom ends where the payload begins and holds `header`. Only the cell's single
                // initialiser gets here, and nobody reads the headroom before the cell is set.
                unsafe {
                    let start = self.filled.memory.payload_ptr().sub(header.len());
                    std::ptr::copy_nonoverlapping(header.as_ptr(), start, header.len());
                }
                header.len()
            });
            let message = Message { filled: Arc::clone(&self.filled), header_len: len };
            if &message.as_ref()[..len] == header {
                return Bytes::from_owner(message);
            }
        }
        let mut copy = Vec::with_capacity(header.len() + self.filled.len);
        copy.extend_from_slice(header);
        copy.extend_from_slice(self.payload());
        copy.into()
    }
}

impl FilledSlab {
    fn payload(&self) -> &[u8] {
        // SAFETY: `len` is within the slab and its bytes do not change after the commit.
        unsafe { std::slice::from_raw_parts(self.memory.payload_ptr(), self.len) }
    }
}

impl std::fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacketBuf").field("len", &self.filled.len).finish()
    }
}

/// Header and payload, adjacent in one slab.
struct Message {
    filled: Arc<FilledSlab>,
    /// 0, or the value of `filled.header_len`.
    header_len: usize,
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the header's bytes were written before the cell gave `header_len`, and do not change after that;
        // the payload follows them in the same allocation.
        unsafe {
            let start = self.filled.memory.payload_ptr().sub(self.header_len);
            std::slice::from_raw_parts(start, self.header_len + self.filled.len)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pool: &SlabPool) -> PacketBuf {
        PacketBuf::copy_from(pool, b"payload").unwrap()
    }

    #[test]
    fn the_first_header_does_not_move_the_payload() {
        let pool = SlabPool::default();
        let packet = packet(&pool);
        let message = packet.with_header(&[7; 12]);
        assert_eq!(&message[..12], &[7; 12]);
        assert_eq!(&message[12..], b"payload");
        assert_eq!(message[12..].as_ptr(), packet.payload().as_ptr());
        let same = packet.clone().with_header(&[7; 12]);
        assert_eq!(same.as_ptr(), message.as_ptr());
        assert_eq!(packet.message().as_ptr(), packet.payload().as_ptr());
    }

    #[test]
    fn other_headers_copy() {
        let pool = SlabPool::default();
        let packet = packet(&pool);
        let first = packet.with_header(b"head");
        for other in [&b"HEAD"[..], b"", b"longer than the first", &[9; SLAB_HEADROOM + 1]] {
            let message = packet.with_header(other);
            assert_eq!(message, [other, b"payload"].concat());
            assert_ne!(message[other.len()..].as_ptr(), packet.payload().as_ptr());
        }
        assert_eq!(first, b"headpayload"[..]);
    }

    #[test]
    fn the_whole_headroom_can_be_used() {
        let pool = SlabPool::default();
        let packet = packet(&pool);
        let header: Vec<u8> = (0..u8::try_from(SLAB_HEADROOM).unwrap()).collect();
        let message = packet.with_header(&header);
        assert_eq!(&message[..SLAB_HEADROOM], &header[..]);
        assert_eq!(message[SLAB_HEADROOM..].as_ptr(), packet.payload().as_ptr());
    }

    #[test]
    fn the_slab_returns_with_the_last_message() {
        let pool = SlabPool::default();
        let packet = packet(&pool);
        let message = packet.with_header(b"h");
        drop(packet);
        assert_eq!(pool.retained_bytes(), 0);
        let part = message.slice(1..);
        drop(message);
        assert_eq!(part, b"payload"[..]);
        drop(part);
        assert_eq!(pool.retained_bytes(), 4096);
    }

    #[test]
    fn racing_headers_are_each_right() {
        let pool = SlabPool::default();
        for _ in 0..200 {
            let packet = packet(&pool);
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for id in 0..4u8 {
                    let (packet, start) = (&packet, &start);
                    scope.spawn(move || {
                        start.wait();
                        let header = [id / 2; 12];
                        let message = packet.with_header(&header);
                        assert_eq!(&message[..12], &header);
                        assert_eq!(&message[12..], b"payload");
                    });
                }
            });
        }
    }
}
