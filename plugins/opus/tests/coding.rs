//! What goes in comes out of libopus' own decoder: pitch, level, channels.

use opus::{Channels, Decoder, MSDecoder};
use selkies_opus::Opus;
use selkies_plugin_sdk::{
    AudioBlock, AudioEncoderParams, AudioFormat, AudioRate, abi,
    test_host::{Failure, TestAudioEncoder, TestHost},
};

const RATE: u32 = 48_000;

fn params(channel_mask: u32, duration_us: u32, bitrate: u32) -> AudioEncoderParams {
    AudioEncoderParams {
        name: "opus".into(),
        format: AudioFormat { rate: RATE, channel_mask },
        block_frames: RATE / 100 * (duration_us / 100) / 100,
        bitrate,
        complexity: None,
        loss_ppm: 0,
        dtx: false,
        fec: false,
    }
}

/// A sine of this frequency in each channel, half of full scale.
fn sine(pitches: &[f64], from: usize, frames: usize) -> Vec<f32> {
    (from..from + frames)
        .flat_map(|at| {
            let second = at as f64 / f64::from(RATE);
            pitches.iter().map(move |pitch| 0.5 * (second * pitch * std::f64::consts::TAU).sin() as f32)
        })
        .collect()
}

/// How strong a frequency is, by Goertzel's algorithm: the amplitude of its sine.
fn strength(samples: &[f32], pitch: f64) -> f64 {
    let turn = 2.0 * (pitch / f64::from(RATE) * std::f64::consts::TAU).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + turn * last - before, last);
    }
    let power = last * last + before * before - turn * last * before;
    power.max(0.0).sqrt() * 2.0 / samples.len() as f64
}

/// Codes a second of sines and answers what each channel sounds like after the first 0.1 s.
fn coded(
    mask: u32,
    duration_us: u32,
    pitches: &[f64],
    mut decode: impl FnMut(&[u8], &mut Vec<f32>),
) -> Result<Vec<Vec<f32>>, Failure> {
    let host = TestHost::new();
    let mut encoder = TestAudioEncoder::of::<Opus>(&host, "{}", &params(mask, duration_us, 320_000))?;
    let frames = RATE as usize * duration_us as usize / 1_000_000;
    let mut heard = Vec::new();
    for block in 0..RATE as usize / frames {
        let samples = sine(pitches, block * frames, frames);
        let timestamp_ns = 1000 + block as u64;
        let packet = encoder.encode(AudioBlock { samples: &samples, timestamp_ns, gap: false })?;
        let packet = packet.expect("each block is a packet");
        assert_eq!(packet.timestamp_ns, timestamp_ns);
        decode(&packet.payload, &mut heard);
    }
    let channels = pitches.len();
    let rest = &heard[RATE as usize / 10 * channels..];
    Ok((0..channels).map(|channel| rest.iter().skip(channel).step_by(channels).copied().collect()).collect())
}

#[test]
fn stereo_keeps_its_pitches_apart_in_every_duration() -> Result<(), Failure> {
    for duration_us in [2500, 5000, 10_000, 20_000, 40_000, 60_000] {
        let mut decoder = Decoder::new(RATE, Channels::Stereo).expect("a decoder");
        let heard = coded(abi::CHANNELS_STEREO, duration_us, &[440.0, 1000.0], |packet, heard| {
            let mut out = vec![0.0; 2 * 5760];
            let frames = decoder.decode_float(packet, &mut out, false).expect("a packet of Opus");
            assert_eq!(frames, RATE as usize * duration_us as usize / 1_000_000);
            heard.extend_from_slice(&out[..2 * frames]);
        })?;
        assert!(strength(&heard[0], 440.0) > 0.4 && strength(&heard[1], 1000.0) > 0.4, "{duration_us}");
        assert!(strength(&heard[0], 1000.0) < 0.05 && strength(&heard[1], 440.0) < 0.05, "{duration_us}");
    }
    Ok(())
}

/// The host orders channels as WAVE does, Opus as Vorbis does; a decoder of the header's mapping gives Vorbis' order.
#[test]
fn surround_channels_come_out_where_they_belong() -> Result<(), Failure> {
    let host = TestHost::new();
    let in_51: [f64; 6] = [300.0, 500.0, 700.0, 100.0, 1100.0, 1300.0];
    let in_71: [f64; 8] = [300.0, 500.0, 700.0, 100.0, 1100.0, 1300.0, 1500.0, 1700.0];
    let out_51 = [300.0, 700.0, 500.0, 1100.0, 1300.0, 100.0];
    let out_71 = [300.0, 700.0, 500.0, 1500.0, 1700.0, 1100.0, 1300.0, 100.0];
    for (mask, pitches, wanted) in
        [(abi::CHANNELS_5_1, &in_51[..], &out_51[..]), (abi::CHANNELS_7_1, &in_71[..], &out_71[..])]
    {
        let mut encoder = TestAudioEncoder::of::<Opus>(&host, "{}", &params(mask, 10_000, 320_000))?;
        let header = encoder.info()?.description;
        assert_eq!((&header[..8], usize::from(header[9]), header[18]), (&b"OpusHead"[..], pitches.len(), 1));
        let mut decoder = MSDecoder::new(RATE, header[19], header[20], &header[21..]).expect("a decoder");
        let heard = coded(mask, 10_000, pitches, |packet, heard| {
            let mut out = vec![0.0; pitches.len() * 480];
            assert_eq!(decoder.decode_float(packet, &mut out, false).expect("a packet"), 480);
            heard.extend_from_slice(&out);
        })?;
        for (channel, pitch) in heard.iter().zip(wanted) {
            assert!(strength(channel, *pitch) > 0.3, "{pitch} Hz: {}", strength(channel, *pitch));
            for other in wanted.iter().filter(|other| *other != pitch) {
                assert!(strength(channel, *other) < 0.1, "{other} Hz where {pitch} Hz belongs");
            }
        }
    }
    Ok(())
}

#[test]
fn the_bit_rate_follows_and_the_delay_is_small() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut encoder =
        TestAudioEncoder::of::<Opus>(&host, "{}", &params(abi::CHANNELS_STEREO, 20_000, 32_000))?;
    assert_eq!(encoder.info()?.lookahead_frames, 120);
    let audio =
        TestAudioEncoder::of::<Opus>(&host, r#"{"application":"audio"}"#, &params(0x3, 20_000, 32_000));
    assert_eq!(audio?.info()?.lookahead_frames, 312);
    // Noise, for which Opus spends what it is given.
    let mut seed = 1_u32;
    let mut bytes = |encoder: &mut TestAudioEncoder| -> Result<usize, Failure> {
        let mut sum = 0;
        for _ in 0..50 {
            let samples: Vec<f32> = (0..1920)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 8) as f32 / 8_388_608.0 - 1.0
                })
                .collect();
            let block = AudioBlock { samples: &samples, timestamp_ns: 0, gap: false };
            sum += encoder.encode(block)?.map_or(0, |packet| packet.payload.len());
        }
        Ok(sum)
    };
    let low = bytes(&mut encoder)?;
    encoder.adjust(AudioRate { bitrate: Some(510_000), loss_ppm: Some(10_000) })?;
    let high = bytes(&mut encoder)?;
    assert!(
        (3000..6000).contains(&low) && (40_000..70_000).contains(&high),
        "{low} and {high} bytes a second"
    );
    let refused = encoder.adjust(AudioRate { bitrate: Some(510_001), loss_ppm: None });
    assert_eq!(refused.expect_err("over the limit").detail(), abi::DETAIL_INVALID_ARGUMENT);
    Ok(())
}

#[test]
fn silence_is_marked_where_that_is_asked_for() -> Result<(), Failure> {
    let host = TestHost::new();
    let wanted = AudioEncoderParams { dtx: true, ..params(abi::CHANNELS_MONO, 20_000, 32_000) };
    let mut encoder = TestAudioEncoder::of::<Opus>(&host, r#"{"application":"audio"}"#, &wanted)?;
    let silence = AudioBlock { samples: &[0.0; 960], timestamp_ns: 0, gap: false };
    let mut marked = 0;
    for _ in 0..100 {
        marked += usize::from(encoder.encode(silence)?.is_some_and(|packet| packet.info.dtx));
    }
    assert!(marked > 50, "{marked} of 100 packets");
    Ok(())
}

#[test]
fn what_opus_has_not_is_refused() -> Result<(), Failure> {
    let host = TestHost::new();
    let caps = TestAudioEncoder::probe::<Opus>(&host, "{}")?;
    // The rate that is best comes first, and 10 ms are another number of samples at each.
    let rates: Vec<_> = caps.iter().map(|entry| (entry.rates[0], entry.block_frames[2])).collect();
    assert_eq!(rates, [(48_000, 480), (24_000, 240), (16_000, 160), (12_000, 120), (8000, 80)]);
    assert!(caps.iter().all(|entry| entry.codec == abi::CODEC_OPUS && entry.channel_masks.len() == 4));
    let stereo = params(abi::CHANNELS_STEREO, 10_000, 64_000);
    for wrong in [
        AudioEncoderParams { name: "aac".into(), ..stereo.clone() },
        AudioEncoderParams { block_frames: 720, ..stereo.clone() },
        AudioEncoderParams {
            format: AudioFormat { rate: 24_000, channel_mask: 3 },
            block_frames: 2880,
            ..stereo.clone()
        },
        AudioEncoderParams { format: AudioFormat { rate: 44_100, channel_mask: 3 }, ..stereo.clone() },
        params(0x7, 10_000, 64_000),
    ] {
        let refused = TestAudioEncoder::of::<Opus>(&host, "{}", &wrong).expect_err("not in Opus");
        assert_eq!((refused.class(), refused.detail()), (abi::CLASS_RECONFIGURE, abi::DETAIL_UNSUPPORTED));
    }
    Ok(())
}
