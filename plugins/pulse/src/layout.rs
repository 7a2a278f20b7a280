//! Channels of the ABI in PulseAudio's words.

use libpulse_binding::{
    channelmap::{Map, Position},
    sample::{Format, Spec},
};
use selkies_plugin_sdk::{AudioFormat, Error, Result, abi};

/// Each speaker that both know, in the order of the mask's bits.
const SPEAKERS: [(u32, Position); 8] = [
    (abi::SPEAKER_FRONT_LEFT, Position::FrontLeft),
    (abi::SPEAKER_FRONT_RIGHT, Position::FrontRight),
    (abi::SPEAKER_FRONT_CENTER, Position::FrontCenter),
    (abi::SPEAKER_LOW_FREQUENCY, Position::Lfe),
    (abi::SPEAKER_BACK_LEFT, Position::RearLeft),
    (abi::SPEAKER_BACK_RIGHT, Position::RearRight),
    (abi::SPEAKER_SIDE_LEFT, Position::SideLeft),
    (abi::SPEAKER_SIDE_RIGHT, Position::SideRight),
];

/// How samples of a format are described to the server.
pub(crate) fn spec(format: AudioFormat) -> Result<(Spec, Map)> {
    let known = SPEAKERS.iter().fold(0, |mask, (speaker, _)| mask | speaker);
    if format.channel_mask & !known != 0 {
        return Err(Error::unsupported(format!("PulseAudio has no channels {:#x}", format.channel_mask)));
    }
    let positions: Vec<Position> = if format.channel_mask == abi::CHANNELS_MONO {
        vec![Position::Mono]
    } else {
        let has =
            |(speaker, position): &(u32, Position)| (format.channel_mask & speaker != 0).then_some(*position);
        SPEAKERS.iter().filter_map(has).collect()
    };
    let channels = u8::try_from(positions.len()).unwrap_or(u8::MAX);
    let spec = Spec { format: Format::FLOAT32NE, channels, rate: format.rate };
    let mut map = Map::default();
    map.init();
    map.set_len(channels);
    map.get_mut().copy_from_slice(&positions);
    if spec.is_valid() && map.is_valid() {
        Ok((spec, map))
    } else {
        Err(Error::unsupported(format!("PulseAudio has no {channels} channels at {} Hz", format.rate)))
    }
}

/// What a device has. Positions that the ABI does not name become the usual ones of so many channels.
pub(crate) fn format(spec: Spec, map: &Map) -> AudioFormat {
    let bit = |position: &Position| {
        SPEAKERS.iter().find(|(_, known)| known == position).map_or(0, |(speaker, _)| *speaker)
    };
    let mask = map.get().iter().fold(0, |mask, position| mask | bit(position));
    let channels = u32::from(spec.channels);
    let channel_mask = match channels {
        _ if mask.count_ones() == channels => mask,
        1 => abi::CHANNELS_MONO,
        6 => abi::CHANNELS_5_1,
        8 => abi::CHANNELS_7_1,
        _ => abi::CHANNELS_STEREO,
    };
    AudioFormat { rate: spec.rate.clamp(1, abi::MAX_AUDIO_RATE), channel_mask }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_keep_their_places() {
        for mask in [abi::CHANNELS_MONO, abi::CHANNELS_STEREO, abi::CHANNELS_5_1, abi::CHANNELS_7_1] {
            let wanted = AudioFormat { rate: 48_000, channel_mask: mask };
            let (spec, map) = spec(wanted).expect("known");
            assert_eq!(format(spec, &map), wanted);
        }
        let (_, map) = spec(AudioFormat { rate: 48_000, channel_mask: abi::CHANNELS_5_1 }).expect("known");
        assert_eq!(map.get()[2..4], [Position::FrontCenter, Position::Lfe]);
        assert!(spec(AudioFormat { rate: 48_000, channel_mask: 1 << 17 }).is_err());
    }
}
