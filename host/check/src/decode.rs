//! Reference decoders: whether the bytes of a packet are a picture, and which one.

mod colour;
mod h264;
mod sequence;
mod vpx;

use std::collections::HashMap;

pub(crate) use colour::shared;
use selkies_plugin_abi as abi;
use turbojpeg::PixelFormat;

use crate::{host::PacketRecord, picture::Picture};

/// What a packet's bytes are.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A picture, B, G, R, unused; several when the stream leaves open how its colours are meant.
    Pictures(Vec<Picture>),
    /// The bytes have the form of the codec, but this kit has no decoder for it; says of what.
    Plausible(String),
    /// Nothing of the kind; says why.
    Wrong(String),
    /// They do not follow the packets before them; says why.
    Astray(String),
    /// They follow packets that were told of.
    Lost,
}

/// Largest edge of a picture that is decoded.
const MAX_EDGE: usize = 16_384;

/// The name of a codec.
pub(crate) fn codec_name(codec: u32) -> String {
    match codec {
        abi::CODEC_JPEG => "jpeg".into(),
        abi::CODEC_H264 => "h264".into(),
        abi::CODEC_H265 => "h265".into(),
        abi::CODEC_VP8 => "vp8".into(),
        abi::CODEC_VP9 => "vp9".into(),
        abi::CODEC_AV1 => "av1".into(),
        abi::CODEC_NULL => "null".into(),
        other => format!("codec {other}"),
    }
}

/// Where the packets of a stream are: layer, left and upper edge. Stripes are streams of their own, as pages have a decoder
/// for each row.
type Place = (u32, u32, u32);

/// A stream of packets that may need those before them.
enum Stream {
    H264(h264::Stream),
    Vpx(vpx::Stream),
    /// A packet could not be decoded; those up to the next keyframe cannot be, either.
    Lost,
    /// There is no decoder for it.
    Unknown(String),
}

/// The decoders of one encoder's streams.
#[derive(Default)]
pub(crate) struct Streams(HashMap<Place, Stream>);

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} streams", self.0.len())
    }
}

impl Streams {
    /// Decodes the next packet of a stream. A keyframe meets a decoder that knows nothing else.
    pub(crate) fn decode(&mut self, codec: u32, packet: &PacketRecord) -> Decoded {
        let (bytes, key) = (&packet.payload, packet.flags & abi::PACKET_KEY != 0);
        let place = (packet.layer, packet.area.x, packet.area.y);
        let form = match codec {
            abi::CODEC_JPEG => return jpeg(bytes),
            // Annex B: NAL unit types 7 (sequence parameters) and 5 (IDR) of H.264; 33 and 16 to 21 of H.265.
            abi::CODEC_H264 => annex_b(bytes, key, |header| header & 0x1f, 7, 5..=5),
            abi::CODEC_H265 => annex_b(bytes, key, |header| header >> 1 & 0x3f, 33, 16..=21),
            abi::CODEC_VP8 => vpx::form(vpx::Format::Vp8, bytes, key),
            abi::CODEC_VP9 => vpx::form(vpx::Format::Vp9, bytes, key),
            _ => Ok(()),
        };
        if let Err(why) = form {
            self.0.insert(place, Stream::Lost);
            return Decoded::Wrong(why);
        }
        if key {
            let stream = match codec {
                abi::CODEC_H264 => h264::Stream::begin(bytes).map(Stream::H264),
                abi::CODEC_VP8 => vpx::Stream::begin(vpx::Format::Vp8, bytes).map(Stream::Vpx),
                abi::CODEC_VP9 => vpx::Stream::begin(vpx::Format::Vp9, bytes).map(Stream::Vpx),
                other => Err(format!("{}: no decoder in this build", codec_name(other))),
            };
            self.0.insert(place, stream.unwrap_or_else(Stream::Unknown));
        }
        let decoded = match self.0.get_mut(&place) {
            Some(Stream::H264(stream)) => stream.decode(bytes),
            Some(Stream::Vpx(stream)) => stream.decode(bytes),
            Some(Stream::Unknown(why)) => return Decoded::Plausible(why.clone()),
            Some(Stream::Lost) => return Decoded::Lost,
            None => Err("no keyframe of this place came before".into()),
        };
        decoded.unwrap_or_else(|why| {
            self.0.insert(place, Stream::Lost);
            if key {
                Decoded::Wrong(format!("a keyframe that does not decode by itself: {why}"))
            } else {
                Decoded::Astray(why)
            }
        })
    }
}

fn jpeg(bytes: &[u8]) -> Decoded {
    let header = match turbojpeg::read_header(bytes) {
        Ok(header) => header,
        Err(error) => return Decoded::Wrong(format!("not a JPEG: {error}")),
    };
    if header.width > MAX_EDGE || header.height > MAX_EDGE {
        return Decoded::Wrong(format!("a JPEG of {}x{}", header.width, header.height));
    }
    match turbojpeg::decompress(bytes, PixelFormat::BGRX) {
        Ok(image) => {
            let edge = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            let tight = image.pitch == image.width * 4;
            let rows = image.pixels.chunks(image.pitch.max(1)).take(image.height);
            let pixels = if tight {
                image.pixels
            } else {
                rows.flat_map(|row| row.iter().take(image.width * 4).copied()).collect()
            };
            Decoded::Pictures(vec![Picture { width: edge(image.width), height: edge(image.height), pixels }])
        }
        Err(error) => Decoded::Wrong(format!("a JPEG that does not decode: {error}")),
    }
}

/// Looks at the form of an access unit.
fn annex_b(
    bytes: &[u8],
    key: bool,
    kind: impl Fn(u8) -> u8,
    parameters: u8,
    random_access: std::ops::RangeInclusive<u8>,
) -> Result<(), String> {
    if !bytes.starts_with(&[0, 0, 1]) && !bytes.starts_with(&[0, 0, 0, 1]) {
        return Err("does not begin with an Annex B start code".into());
    }
    let units: Vec<u8> = bytes
        .windows(4)
        .filter(|window| window.starts_with(&[0, 0, 1]))
        .map(|window| kind(window[3]))
        .collect();
    if key && !units.contains(&parameters) {
        return Err(format!("a keyframe without parameter sets; its NAL unit types are {units:?}"));
    }
    if key && !units.iter().any(|unit| random_access.contains(unit)) {
        return Err(format!("a keyframe without an IDR; its NAL unit types are {units:?}"));
    }
    Ok(())
}

/// Peak signal to noise ratio of `found` against the area of `wanted`, in decibels; 99 when they are equal.
pub(crate) fn psnr(wanted: &Picture, area: abi::Rect, found: &Picture) -> f64 {
    let mut sum = 0_u64;
    for y in 0..area.height {
        let (wanted, found) = (wanted.row(area.x, area.y + y, area.width), found.row(0, y, area.width));
        for (wanted, found) in wanted.chunks_exact(4).zip(found.chunks_exact(4)) {
            sum +=
                wanted.iter().zip(found).take(3).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum::<u64>();
        }
    }
    if sum == 0 {
        return 99.0;
    }
    let samples = f64::from(area.width) * f64::from(area.height) * 3.0;
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let mean = sum as f64 / samples;
    10.0 * (255.0 * 255.0 / mean).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8], key: bool) -> PacketRecord {
        PacketRecord {
            flags: if key { abi::PACKET_KEY } else { 0 },
            layer: 0,
            area: abi::Rect { x: 0, y: 0, width: 64, height: 64 },
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn forms_of_streams() {
        let idr = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 9];
        let h265 = [0, 0, 1, 33 << 1, 1, 0, 0, 1, 19 << 1, 1];
        for (codec, bytes, key) in [
            (abi::CODEC_H264, &[0, 0, 1, 0x41, 1][..], true),
            (abi::CODEC_H264, &idr[..8], true),
            (abi::CODEC_H264, &[9; 20], false),
            (abi::CODEC_H265, &idr, true),
            (abi::CODEC_VP8, &[0x11, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0], true),
            (abi::CODEC_VP8, &[0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0], true),
            (abi::CODEC_VP8, &[0x10, 0, 0], false),
            (abi::CODEC_VP9, &[0x82, 0x49, 0x83, 0x43], true),
            (abi::CODEC_VP9, &[0x86, 0x49, 0x83, 0x42], true),
            (abi::CODEC_VP9, &[0x8a], true),
            (abi::CODEC_VP9, &[0x42, 0x49, 0x83, 0x42], false),
            (abi::CODEC_VP9, &[], false),
            (abi::CODEC_JPEG, &[9; 20], true),
        ] {
            assert!(
                matches!(Streams::default().decode(codec, &packet(bytes, key)), Decoded::Wrong(_)),
                "{bytes:?}"
            );
        }
        let mut streams = Streams::default();
        for key in [true, false] {
            let decoded = streams.decode(abi::CODEC_H265, &packet(&h265, key));
            assert!(matches!(decoded, Decoded::Plausible(why) if why.contains("h265")));
        }
        // Profile 1 of VP9 has other colours than 4:2:0.
        let decoded = streams.decode(abi::CODEC_VP9, &packet(&[0xa2, 0x49, 0x83, 0x42], true));
        assert!(matches!(decoded, Decoded::Plausible(why) if why.contains("vp9 of profile 1")));
        // The right form and nothing in it.
        assert!(matches!(streams.decode(abi::CODEC_H264, &packet(&idr, true)), Decoded::Wrong(_)));
        // What follows it is not told of again.
        assert!(matches!(
            streams.decode(abi::CODEC_H264, &packet(&[0, 0, 1, 0x41, 1], false)),
            Decoded::Lost
        ));
    }

    #[test]
    fn a_delta_without_its_keyframe_is_astray() {
        let decoded = Streams::default().decode(abi::CODEC_H264, &packet(&[0, 0, 1, 0x41, 1], false));
        assert!(matches!(decoded, Decoded::Astray(_)));
    }

    #[test]
    fn equal_pictures_and_others() {
        let picture = Picture::new(32, 16, 1);
        let all = abi::Rect { x: 0, y: 0, width: 32, height: 16 };
        assert!(psnr(&picture, all, &picture) > 98.0);
        let mut black = picture.clone();
        black.paint(all, [0; 3]);
        assert!(psnr(&picture, all, &black) < 15.0);
    }
}
