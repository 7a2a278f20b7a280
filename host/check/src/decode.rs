//! Reference decoders: whether the bytes of a packet are a picture, and which one.

use selkies_plugin_abi as abi;
use turbojpeg::PixelFormat;

use crate::picture::Picture;

/// What a packet's bytes are.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A picture, B, G, R, unused.
    Picture(Picture),
    /// The bytes have the form of the codec, but this kit has no decoder for it.
    Plausible,
    /// Nothing of the kind; says why.
    Wrong(String),
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

/// Looks at the bytes of one packet. `key` says that it is a point to start at.
pub(crate) fn decode(codec: u32, bytes: &[u8], key: bool) -> Decoded {
    match codec {
        abi::CODEC_JPEG => jpeg(bytes),
        // Annex B: NAL unit types 7 (sequence parameters) and 5 (IDR) of H.264; 33 and 16 to 21 of H.265.
        abi::CODEC_H264 => annex_b(bytes, key, |header| header & 0x1f, 7, 5..=5),
        abi::CODEC_H265 => annex_b(bytes, key, |header| header >> 1 & 0x3f, 33, 16..=21),
        _ => Decoded::Plausible,
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
            Decoded::Picture(Picture { width: edge(image.width), height: edge(image.height), pixels })
        }
        Err(error) => Decoded::Wrong(format!("a JPEG that does not decode: {error}")),
    }
}

fn annex_b(
    bytes: &[u8],
    key: bool,
    kind: impl Fn(u8) -> u8,
    parameters: u8,
    random_access: std::ops::RangeInclusive<u8>,
) -> Decoded {
    if !bytes.starts_with(&[0, 0, 1]) && !bytes.starts_with(&[0, 0, 0, 1]) {
        return Decoded::Wrong("does not begin with an Annex B start code".into());
    }
    let units: Vec<u8> = bytes
        .windows(4)
        .filter(|window| window.starts_with(&[0, 0, 1]))
        .map(|window| kind(window[3]))
        .collect();
    if key && !units.contains(&parameters) {
        return Decoded::Wrong(format!(
            "a keyframe without parameter sets; its NAL unit types are {units:?}"
        ));
    }
    if key && !units.iter().any(|unit| random_access.contains(unit)) {
        return Decoded::Wrong(format!("a keyframe without an IDR; its NAL unit types are {units:?}"));
    }
    Decoded::Plausible
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

    #[test]
    fn forms_of_annex_b() {
        let idr = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 9];
        assert!(matches!(decode(abi::CODEC_H264, &idr, true), Decoded::Plausible));
        assert!(matches!(decode(abi::CODEC_H264, &[0, 0, 1, 0x41, 1], false), Decoded::Plausible));
        assert!(matches!(decode(abi::CODEC_H264, &[0, 0, 1, 0x41, 1], true), Decoded::Wrong(_)));
        assert!(matches!(decode(abi::CODEC_H264, &[9; 20], false), Decoded::Wrong(_)));
        assert!(matches!(decode(abi::CODEC_JPEG, &[9; 20], true), Decoded::Wrong(_)));
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
