//! libopus, with one stream or several.

use opus::{Bitrate, Channels, Encoder, MSEncoder};

use crate::layout::Layout;

/// The encoder of a layout.
pub(crate) enum Coder {
    /// Mono or stereo, in packets that every decoder takes.
    One(Encoder),
    /// Several streams.
    Several {
        encoder: MSEncoder,
        layout: &'static Layout,
        /// A block in the order of the codec.
        ordered: Vec<f32>,
    },
}

/// Calls the same function of whichever it is.
macro_rules! each {
    ($coder:expr, $encoder:ident => $call:expr) => {
        match $coder {
            Coder::One($encoder) => $call,
            Coder::Several { encoder: $encoder, .. } => $call,
        }
    };
}

impl Coder {
    pub(crate) fn new(
        layout: &'static Layout,
        rate: u32,
        application: opus::Application,
    ) -> opus::Result<Self> {
        Ok(match layout.channels() {
            1 => Self::One(Encoder::new(rate, Channels::Mono, application)?),
            2 => Self::One(Encoder::new(rate, Channels::Stereo, application)?),
            _ => {
                let Layout { streams, coupled, mapping, .. } = layout;
                let encoder = MSEncoder::new(rate, *streams, *coupled, mapping, application)?;
                Self::Several { encoder, layout, ordered: Vec::new() }
            }
        })
    }

    pub(crate) fn set_bitrate(&mut self, bitrate: u32) -> opus::Result<()> {
        let bitrate = Bitrate::Bits(i32::try_from(bitrate).unwrap_or(i32::MAX));
        each!(self, encoder => encoder.set_bitrate(bitrate))
    }

    pub(crate) fn set_loss(&mut self, percent: u32) -> opus::Result<()> {
        let percent = i32::try_from(percent.min(100)).unwrap_or(100);
        each!(self, encoder => encoder.set_packet_loss_perc(percent))
    }

    pub(crate) fn set_complexity(&mut self, complexity: u32) -> opus::Result<()> {
        let complexity = i32::try_from(complexity.min(10)).unwrap_or(10);
        each!(self, encoder => encoder.set_complexity(complexity))
    }

    pub(crate) fn set_silence(&mut self, dtx: bool, fec: bool) -> opus::Result<()> {
        each!(self, encoder => encoder.set_dtx(dtx))?;
        each!(self, encoder => encoder.set_inband_fec(fec))
    }

    /// Samples of each channel that a decoder gives before the first that went in.
    pub(crate) fn lookahead(&mut self) -> opus::Result<u32> {
        each!(self, encoder => encoder.get_lookahead()).map(|frames| u32::try_from(frames).unwrap_or(0))
    }

    /// Encodes interleaved samples in the host's order. Answers the bytes of the packet.
    pub(crate) fn encode(&mut self, samples: &[f32], out: &mut [u8]) -> opus::Result<usize> {
        match self {
            Self::One(encoder) => encoder.encode_float(samples, out),
            Self::Several { encoder, layout, ordered } => {
                ordered.clear();
                for frame in samples.chunks_exact(layout.channels()) {
                    ordered.extend(layout.order.iter().map(|at| frame[*at]));
                }
                encoder.encode_float(ordered, out)
            }
        }
    }
}
