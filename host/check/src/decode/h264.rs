//! H.264 by OpenH264: baseline, main and high profile with 8 bits, 4:2:0 and whole frames.

use openh264::{decoder::Decoder, formats::YUVSource};

use super::{
    Decoded,
    colour::{Colour, Planes},
    sequence::Sequence,
};

/// A stream from a keyframe on.
pub(super) struct Stream {
    decoder: Decoder,
    colour: Colour,
}

/// Profiles that the decoder knows: baseline, main, high.
const PROFILES: [u32; 3] = [66, 77, 100];

/// What the decoder says, in words (`DECODING_STATE` of codec_app_def.h, a mask).
fn reason(error: &openh264::Error) -> String {
    const WORDS: [(i64, &str); 4] = [
        (0x02, "it refers to a picture that was not there"),
        (0x04, "it is damaged"),
        (0x08, "a layer is missing"),
        (0x10, "parameter sets are missing"),
    ];
    let state = error.native_code();
    let words: Vec<&str> = WORDS.iter().filter(|(bit, _)| state & bit != 0).map(|(_, word)| *word).collect();
    if words.is_empty() { error.to_string() } else { words.join(", ") }
}

/// The NAL units of an access unit, without their start codes.
fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts: Vec<usize> =
        bytes.windows(3).enumerate().filter(|(_, window)| *window == [0, 0, 1]).map(|(at, _)| at).collect();
    starts.push(bytes.len());
    let pairs: Vec<(usize, usize)> = starts.windows(2).map(|pair| (pair[0] + 3, pair[1])).collect();
    pairs.into_iter().filter_map(|(start, end)| bytes.get(start..end))
}

impl Stream {
    /// A decoder for the stream that begins with this keyframe, or why there is none.
    pub(super) fn begin(keyframe: &[u8]) -> Result<Self, String> {
        // What cannot be read is left to the decoder to refuse.
        let sequence = units(keyframe)
            .find(|unit| unit.first().is_some_and(|header| header & 0x1f == 7))
            .and_then(Sequence::read);
        if let Some(sequence) = &sequence {
            let Sequence { profile, chroma, depth, interlaced, .. } = sequence;
            if !PROFILES.contains(profile) || *chroma != 1 || *depth != 8 || *interlaced {
                let lines = if *interlaced { ", interlaced" } else { "" };
                return Err(format!(
                    "h264 of profile {profile}, chroma format {chroma}, {depth} bits{lines}: no decoder in this build"
                ));
            }
        }
        let decoder = Decoder::new().map_err(|error| format!("h264: the decoder does not start: {error}"))?;
        Ok(Self { decoder, colour: sequence.map_or_else(Colour::unsaid, |sequence| sequence.colour) })
    }

    /// Decodes the next access unit.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, String> {
        let picture = self.decoder.decode(bytes).map_err(|error| reason(&error))?;
        let picture = picture.ok_or("no picture came of it")?;
        let ((width, height), strides) = (picture.dimensions(), picture.strides());
        let planes = Planes {
            width,
            height,
            samples: [picture.y(), picture.u(), picture.v()],
            strides: strides.into(),
        };
        Ok(Decoded::Pictures(planes.pictures(&self.colour)))
    }
}
