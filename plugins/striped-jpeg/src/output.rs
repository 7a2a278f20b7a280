//! Where packets go.

use std::ops::DerefMut;

use thiserror::Error;

use crate::PictureError;

/// One encoded stripe: a complete JPEG file of `width` x `rows` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripePacket {
    /// First row of the frame that it covers, a multiple of [`BAND_ROWS`](crate::BAND_ROWS).
    pub top: u32,
    /// Rows that it covers.
    pub rows: u32,
    /// Pixels of a row: the frame's width.
    pub width: u32,
    /// Bytes of the file.
    pub len: usize,
    /// One of the packets that together cover the whole frame: decoding may start with them.
    pub keyframe: bool,
    /// Repeats content that the viewer has, at a higher quality.
    pub refinement: bool,
}

/// Memory for packets, written once by the codec itself. Called from every thread of the encoder.
pub trait Output: Sync {
    /// Writable memory of one packet. Dropped without `commit` it goes back unused.
    type Slab: DerefMut<Target = [u8]>;
    /// Why memory or a packet is refused.
    type Error: Send;

    /// Gives at least `min_len` bytes; more are used too.
    ///
    /// # Errors
    /// When there is no memory; the stripe is then sent by the next submit.
    fn slab(&self, min_len: usize) -> Result<Self::Slab, Self::Error>;

    /// Takes the first `packet.len` bytes of `slab` as a packet. Packets of a frame come in no particular order.
    ///
    /// # Errors
    /// When the packet cannot be taken; the stripe is then sent again by the next submit.
    fn commit(&self, slab: Self::Slab, packet: StripePacket) -> Result<(), Self::Error>;
}

/// Why a submit failed. Packets that were committed before stay valid; what is missing goes out with the next submit.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SubmitError<E> {
    /// The picture does not fit; nothing was encoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The codec failed.
    #[error("striped-jpeg-codec: libjpeg-turbo says {0:?}; make a new encoder")]
    Codec(String),
    /// The output gave no memory or took no packet.
    #[error("striped-jpeg-output: the packet has no place; submit the next frame later")]
    Output(E),
}
