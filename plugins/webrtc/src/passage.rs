//! Which frames of a stream go to a client: those that it can decode.

use std::collections::VecDeque;

use selkies_plugin_sdk::{PacketInfo, abi};

/// Anchors that are remembered; encoders keep far fewer.
const ANCHORS: usize = 32;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It is sent.
    Pass,
    /// It is not, though it could be decoded: there is no place for it.
    Held,
    /// It could not be decoded without what was held back before.
    Undecodable,
}

/// The chain of frames that a client has. Frames are sent whole or not at all.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    /// The frame before is there; at the beginning, none is.
    is_whole: bool,
    anchors: VecDeque<u64>,
}

impl Chain {
    /// Judges the next frame; `has_place` is false while frames wait too long already.
    pub(crate) fn next(&mut self, packet: &PacketInfo, has_place: bool) -> Passage {
        let is_key = packet.flags & abi::PACKET_KEY != 0;
        let decodable = match packet.reference_frame_id {
            _ if is_key => true,
            0 => self.is_whole,
            anchor => self.anchors.contains(&anchor),
        };
        let is_needed = packet.flags & abi::PACKET_DISCARDABLE == 0;
        if !decodable || !has_place {
            self.is_whole &= !is_needed;
            return if decodable { Passage::Held } else { Passage::Undecodable };
        }
        if is_key {
            self.anchors.clear();
        }
        if packet.flags & abi::PACKET_ANCHOR != 0 {
            if self.anchors.len() == ANCHORS {
                self.anchors.pop_front();
            }
            self.anchors.push_back(packet.frame_id);
        }
        self.is_whole |= is_needed;
        Passage::Pass
    }

    /// Whether the frame that comes next could be decoded if it builds on the one before.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Packets were left out; the next frame must not build on them.
    pub(crate) fn break_off(&mut self) {
        self.is_whole = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Passage::{Held, Pass, Undecodable};

    fn frame(frame_id: u64, flags: u32, reference_frame_id: u64) -> PacketInfo {
        PacketInfo {
            codec: abi::CODEC_H264,
            flags,
            layer: 0,
            frame_id,
            reference_frame_id,
            timestamp_ns: 0,
            duration_ns: 0,
            area: abi::Rect { x: 0, y: 0, width: 64, height: 64 },
        }
    }

    #[test]
    fn a_client_begins_with_a_key_frame() {
        let mut chain = Chain::default();
        assert_eq!(chain.next(&frame(1, 0, 0), true), Undecodable);
        assert_eq!(chain.next(&frame(2, abi::PACKET_KEY, 0), true), Pass);
        assert_eq!(chain.next(&frame(3, 0, 0), true), Pass);
    }

    #[test]
    fn after_a_frame_that_was_held_only_what_can_be_decoded_follows() {
        let mut chain = Chain::default();
        let anchor = abi::PACKET_ANCHOR;
        assert_eq!(chain.next(&frame(1, abi::PACKET_KEY | anchor, 0), true), Pass);
        assert_eq!(chain.next(&frame(2, 0, 0), false), Held);
        assert_eq!(chain.next(&frame(3, 0, 0), true), Undecodable);
        assert_eq!(chain.next(&frame(4, anchor, 3), true), Undecodable);
        assert_eq!(chain.next(&frame(5, 0, 4), true), Undecodable);
        assert_eq!(chain.next(&frame(6, 0, 1), true), Pass);
        assert_eq!(chain.next(&frame(7, 0, 0), true), Pass);
        chain.break_off();
        assert_eq!(chain.next(&frame(8, 0, 0), true), Undecodable);
        assert_eq!(chain.next(&frame(9, abi::PACKET_KEY, 0), false), Held);
        assert_eq!(chain.next(&frame(10, abi::PACKET_KEY, 0), true), Pass);
        assert_eq!(chain.next(&frame(11, 0, 1), true), Undecodable);
    }

    #[test]
    fn nobody_misses_a_discardable_frame() {
        let mut chain = Chain::default();
        assert_eq!(chain.next(&frame(1, abi::PACKET_KEY, 0), true), Pass);
        assert_eq!(chain.next(&frame(2, abi::PACKET_DISCARDABLE, 0), false), Held);
        assert_eq!(chain.next(&frame(3, 0, 0), true), Pass);
    }
}
