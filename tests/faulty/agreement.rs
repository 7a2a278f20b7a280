//! What the encoders in Rust agree on with the host, whatever their codec.

use std::ops::RangeInclusive;

use selkies_plugin_sdk::{EncoderParams, Error, FrameRef, PacketInfo, Result, abi};

/// True for parameters of this codec: frames in memory that can be read, of one of these formats and of such a width and
/// height, in 8 bits and in their own size.
pub(crate) fn is_readable(
    params: &EncoderParams,
    codec: u32,
    fourccs: &[u32],
    [widths, heights]: [RangeInclusive<u32>; 2],
) -> bool {
    params.codec == codec
        && fourccs.contains(&params.fourcc)
        && matches!(params.memory, abi::MEMORY_CPU | abi::MEMORY_MEMFD)
        && widths.contains(&params.width)
        && heights.contains(&params.height)
        && params.bit_depth == 8
        && (params.out_width, params.out_height) == (0, 0)
}

/// Refuses a frame of another size or format.
pub(crate) fn check(frame: FrameRef<'_>, size: (u32, u32), fourcc: u32) -> Result<()> {
    if (frame.width(), frame.height()) != size || frame.fourcc() != fourcc {
        return Err(Error::reconfigure("not the frame that was agreed"));
    }
    Ok(())
}

/// A packet of a frame's rows from `top` on.
pub(crate) fn packet(frame: FrameRef<'_>, codec: u32, key: bool, top: u32, rows: u32) -> PacketInfo {
    PacketInfo {
        codec,
        flags: if key { abi::PACKET_KEY } else { 0 },
        layer: 0,
        frame_id: frame.frame_id(),
        reference_frame_id: 0,
        timestamp_ns: frame.timestamp_ns(),
        duration_ns: 0,
        area: abi::Rect { x: 0, y: top, width: frame.width(), height: rows },
    }
}
