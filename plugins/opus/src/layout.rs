//! Channels: how the host orders them, how Opus does, and which of them are coded together.

use selkies_plugin_sdk::abi;

/// How the channels of a mask become streams.
///
/// Streams, coupled streams and `mapping` are those of mapping family 1 (RFC 7845, section 5.1.1.2, in Vorbis' order of
/// channels), as libopus itself chooses them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) streams: u8,
    pub(crate) coupled: u8,
    /// Which coded channel each channel of Vorbis' order is.
    pub(crate) mapping: &'static [u8],
    /// Which channel of the host each channel of Vorbis' order is.
    pub(crate) order: &'static [usize],
}

/// Mono.
const MONO: Layout = Layout { streams: 1, coupled: 0, mapping: &[0], order: &[0] };
/// Stereo.
const STEREO: Layout = Layout { streams: 1, coupled: 1, mapping: &[0, 1], order: &[0, 1] };
/// Front left, center, right, back left, back right, low frequencies.
const SURROUND: Layout =
    Layout { streams: 4, coupled: 2, mapping: &[0, 4, 1, 2, 3, 5], order: &[0, 2, 1, 4, 5, 3] };
/// Front left, center, right, side left, side right, back left, back right, low frequencies.
const SURROUND_7_1: Layout =
    Layout { streams: 5, coupled: 3, mapping: &[0, 6, 1, 2, 3, 4, 5, 7], order: &[0, 2, 1, 6, 7, 4, 5, 3] };

impl Layout {
    /// The masks that have one.
    pub(crate) const MASKS: [u32; 4] =
        [abi::CHANNELS_STEREO, abi::CHANNELS_MONO, abi::CHANNELS_5_1, abi::CHANNELS_7_1];

    /// The layout of a mask, if Opus has one.
    pub(crate) fn of(channel_mask: u32) -> Option<&'static Self> {
        Some(match channel_mask {
            abi::CHANNELS_MONO => &MONO,
            abi::CHANNELS_STEREO => &STEREO,
            abi::CHANNELS_5_1 => &SURROUND,
            abi::CHANNELS_7_1 => &SURROUND_7_1,
            _ => return None,
        })
    }

    pub(crate) fn channels(&self) -> usize {
        self.mapping.len()
    }

    /// The identification header: RFC 7845, section 5.1.
    pub(crate) fn header(&self, pre_skip: u16, rate: u32) -> Vec<u8> {
        let channels = u8::try_from(self.channels()).unwrap_or(u8::MAX);
        let mut header = b"OpusHead\x01".to_vec();
        header.push(channels);
        header.extend(pre_skip.to_le_bytes());
        header.extend(rate.to_le_bytes());
        // No gain.
        header.extend([0, 0]);
        if channels <= 2 {
            header.push(0);
        } else {
            header.extend([1, self.streams, self.coupled]);
            header.extend(self.mapping);
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_is_coded_once() {
        for mask in Layout::MASKS {
            let layout = Layout::of(mask).expect("a layout");
            assert_eq!(layout.channels(), mask.count_ones() as usize);
            let channels = layout.channels();
            let mut coded = layout.mapping.to_vec();
            coded.sort_unstable();
            assert!(coded.iter().map(|at| usize::from(*at)).eq(0..channels));
            let mut order = layout.order.to_vec();
            order.sort_unstable();
            assert!(order.into_iter().eq(0..channels));
            assert_eq!(usize::from(layout.streams + layout.coupled), channels);
        }
    }

    #[test]
    fn the_header_is_that_of_rfc_7845() {
        assert_eq!(STEREO.header(312, 48_000), b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
        let header = SURROUND.header(120, 48_000);
        assert_eq!(header[18..], [1, 4, 2, 0, 4, 1, 2, 3, 5]);
    }
}
