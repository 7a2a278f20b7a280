//! The tables of sound, each driven through its C functions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{
    AudioBlock, AudioCapture, AudioCaptureParams, AudioCaptureRun, AudioEncoder, AudioEncoderCaps,
    AudioEncoderParams, AudioFormat, AudioPacket, AudioRate, AudioRead, AudioSink, AudioSinkParams,
    AudioSinkRun, AudioSinkState, AudioStreamInfo, Bell, Error, Host, Result, Wake, abi,
    test_host::{Failure, Metric, TestAudioCapture, TestAudioEncoder, TestAudioSink, TestHost},
};
use serde::Deserialize;

const STEREO: AudioFormat = AudioFormat { rate: 48_000, channel_mask: abi::CHANNELS_STEREO };

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Samples that blocks lack.
    missing: usize,
    /// Bytes of every packet and of the description.
    bytes: usize,
    gone: bool,
}

#[derive(Debug)]
struct Silent;

impl Wake for Silent {
    fn wake(&self) {}
}

#[derive(Debug)]
struct Source(Config);

#[derive(Debug)]
struct SourceRun {
    config: Config,
    samples: usize,
    blocks: u64,
}

impl AudioCapture for Source {
    type Config = Config;
    type Run = SourceRun;

    fn create(_: Host, config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn info(&mut self) -> Result<AudioFormat> {
        Ok(AudioFormat { rate: 44_100, channel_mask: abi::CHANNELS_MONO })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(Silent)
    }

    fn start(&mut self, params: AudioCaptureParams) -> Result<SourceRun> {
        if params.device == "none" {
            return Err(Error::device_lost("no such device").with_detail(abi::DETAIL_NOT_FOUND));
        }
        let samples = params.block_frames * params.format.channels();
        Ok(SourceRun { config: self.0, samples, blocks: 0 })
    }
}

impl AudioCaptureRun for SourceRun {
    fn read(&mut self, timeout: Option<Duration>, samples: &mut Vec<f32>) -> Result<Option<AudioRead>> {
        if timeout == Some(Duration::ZERO) {
            return Ok(None);
        }
        self.blocks += 1;
        samples.clear();
        samples.resize(self.samples - self.config.missing, 0.25);
        Ok(Some(AudioRead { timestamp_ns: self.blocks * 10, gap: self.blocks == 2 }))
    }
}

fn ten_ms(device: &str) -> AudioCaptureParams {
    AudioCaptureParams { format: STEREO, block_frames: 480, device: device.into() }
}

#[test]
fn blocks_are_read_between_start_and_stop() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<Source>(&host, "{}")?;
    assert_eq!(capture.info()?, AudioFormat { rate: 44_100, channel_mask: abi::CHANNELS_MONO });
    let early = capture.read(None, 2).expect_err("not started");
    assert_eq!(early.detail(), abi::DETAIL_WRONG_STATE);
    let lost = capture.start(&ten_ms("none")).expect_err("no such device");
    assert_eq!((lost.class(), lost.detail()), (abi::CLASS_DEVICE_LOST, abi::DETAIL_NOT_FOUND));
    capture.start(&ten_ms(""))?;
    assert_eq!(capture.start(&ten_ms("")).expect_err("twice").detail(), abi::DETAIL_WRONG_STATE);
    let (read, samples) = capture.read(None, 2)?.expect("a block");
    assert_eq!((read, samples), (AudioRead { timestamp_ns: 10, gap: false }, vec![0.25; 960]));
    assert!(capture.read(None, 2)?.expect("a block").0.gap);
    assert_eq!(capture.read(Some(Duration::ZERO), 2)?, None);
    capture.waker().wake();
    capture.stop()?;
    assert_eq!(capture.stop().expect_err("stopped").detail(), abi::DETAIL_WRONG_STATE);
    Ok(())
}

#[test]
fn blocks_and_formats_that_are_none_are_refused() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut short = TestAudioCapture::of::<Source>(&host, r#"{"missing": 1}"#)?;
    short.start(&ten_ms(""))?;
    assert_eq!(short.read(None, 2).expect_err("959 samples").class(), abi::CLASS_FATAL_INSTANCE);
    let mut capture = TestAudioCapture::of::<Source>(&host, "{}")?;
    for (rate, channel_mask, block_frames) in [
        (0, 3, 480),
        (192_001, 3, 480),
        (48_000, 0, 480),
        (48_000, 0x1ff, 480),
        (48_000, 3, 0),
        (48_000, 3, 7681),
        (48_000, 3, usize::MAX),
    ] {
        let format = AudioFormat { rate, channel_mask };
        let refused = capture.start(&AudioCaptureParams { format, block_frames, device: String::new() });
        assert_eq!(
            refused.expect_err("no format").detail(),
            abi::DETAIL_INVALID_ARGUMENT,
            "{rate} {channel_mask} {block_frames}"
        );
    }
    Ok(())
}

#[derive(Debug)]
struct Coder {
    host: Host,
    config: Config,
}

impl AudioEncoder for Coder {
    type Config = Config;

    fn probe(_: Host, config: Config) -> Result<Vec<AudioEncoderCaps>> {
        if config.gone {
            return Err(Error::device_lost("not here"));
        }
        Ok(vec![AudioEncoderCaps {
            name: "null".into(),
            flags: abi::AUDIO_ENCODER_DTX,
            codec: abi::CODEC_NULL,
            rates: vec![48_000, 44_100],
            channel_masks: vec![abi::CHANNELS_STEREO, abi::CHANNELS_MONO],
            block_frames: vec![480, 1024],
            min_bitrate: 6000,
            max_bitrate: 510_000,
        }])
    }

    fn create(host: Host, config: Config, params: &AudioEncoderParams) -> Result<Self> {
        host.gauge("bitrate", f64::from(params.bitrate));
        host.gauge("complexity", params.complexity.map_or(-1.0, f64::from));
        Ok(Self { host, config })
    }

    fn info(&mut self) -> Result<AudioStreamInfo> {
        Ok(AudioStreamInfo { lookahead_frames: 312, description: vec![7; self.config.bytes] })
    }

    fn adjust(&mut self, rate: AudioRate) -> Result<()> {
        self.host.gauge("bitrate", rate.bitrate.map_or(-1.0, f64::from));
        self.host.gauge("loss", rate.loss_ppm.map_or(-1.0, f64::from));
        Ok(())
    }

    fn encode(&mut self, block: AudioBlock<'_>, out: &mut [u8]) -> Result<Option<AudioPacket>> {
        if block.gap {
            return Ok(None);
        }
        out[0] = 9;
        Ok(Some(AudioPacket { len: self.config.bytes, dtx: block.samples.iter().all(|s| *s == 0.0) }))
    }
}

fn params() -> AudioEncoderParams {
    AudioEncoderParams {
        name: "null".into(),
        format: STEREO,
        block_frames: 480,
        bitrate: 128_000,
        complexity: None,
        loss_ppm: 0,
        dtx: true,
        fec: false,
    }
}

#[test]
fn blocks_become_packets() -> Result<(), Failure> {
    let host = TestHost::new();
    let caps = TestAudioEncoder::probe::<Coder>(&host, "{}")?;
    assert_eq!((caps[0].name.as_str(), &caps[0].rates[..]), ("null", &[48_000, 44_100][..]));
    assert_eq!((&caps[0].channel_masks[..], &caps[0].block_frames[..]), (&[3, 4][..], &[480, 1024][..]));
    assert_eq!(TestAudioEncoder::probe::<Coder>(&host, r#"{"gone": true}"#)?, []);
    let mut encoder = TestAudioEncoder::of::<Coder>(&host, r#"{"bytes": 3}"#, &params())?;
    assert_eq!(encoder.info()?, AudioStreamInfo { lookahead_frames: 312, description: vec![7; 3] });
    encoder.adjust(AudioRate { bitrate: Some(64_000), loss_ppm: Some(0) })?;
    encoder.adjust(AudioRate::default())?;
    let block = AudioBlock { samples: &[0.5; 960], timestamp_ns: 77, gap: false };
    let packet = encoder.encode(block)?.expect("a packet");
    assert_eq!((packet.payload, packet.info.dtx, packet.timestamp_ns), (vec![9, 0, 0], false, 77));
    let silence = AudioBlock { samples: &[0.0; 960], ..block };
    assert!(encoder.encode(silence)?.expect("a packet").info.dtx);
    assert_eq!(encoder.encode(AudioBlock { gap: true, ..block })?, None);
    let short = encoder.encode(AudioBlock { samples: &[0.5; 958], ..block });
    assert_eq!(short.expect_err("not 480").detail(), abi::DETAIL_INVALID_ARGUMENT);
    // Lengths that are no whole milliseconds, at a rate that is none of Opus'.
    let format = AudioFormat { rate: 44_100, ..STEREO };
    let aac = AudioEncoderParams { format, block_frames: 1024, ..params() };
    let mut long = TestAudioEncoder::of::<Coder>(&TestHost::new(), r#"{"bytes": 3}"#, &aac)?;
    assert!(long.encode(AudioBlock { samples: &[0.5; 2048], ..block })?.is_some());
    assert!(long.encode(block).is_err());
    for block_frames in [0, 7681] {
        let wrong = AudioEncoderParams { block_frames, ..params() };
        let refused = TestAudioEncoder::of::<Coder>(&TestHost::new(), "{}", &wrong).expect_err("no block");
        assert_eq!(refused.detail(), abi::DETAIL_INVALID_ARGUMENT, "{block_frames}");
    }
    let gauge = |name: &str, value| Metric::Gauge(name.into(), value);
    let wanted = [
        gauge("bitrate", 128_000.0),
        gauge("complexity", -1.0),
        gauge("bitrate", 64_000.0),
        gauge("loss", 0.0),
        gauge("bitrate", -1.0),
        gauge("loss", -1.0),
    ];
    assert_eq!(host.metrics(), wanted);
    Ok(())
}

#[test]
fn packets_that_cannot_be_are_caught() -> Result<(), Failure> {
    let host = TestHost::new();
    let block = AudioBlock { samples: &[0.5; 960], timestamp_ns: 0, gap: false };
    for bytes in [0, abi::MAX_AUDIO_PACKET_BYTES + 1] {
        let config = format!(r#"{{"bytes": {bytes}}}"#);
        let mut encoder = TestAudioEncoder::of::<Coder>(&host, &config, &params())?;
        assert_eq!(encoder.encode(block).expect_err("no packet").class(), abi::CLASS_FATAL_INSTANCE);
        if bytes > 0 {
            assert_eq!(encoder.info().expect_err("too long").class(), abi::CLASS_FATAL_INSTANCE);
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Speaker {
    host: Host,
    bell: Arc<Bell>,
    /// What the last answer said.
    told: Option<u32>,
}

#[derive(Debug)]
struct SpeakerRun(Host);

impl AudioSink for Speaker {
    type Config = Config;
    type Run = SpeakerRun;

    fn create(host: Host, _: Config) -> Result<Self> {
        Ok(Self { host, bell: Arc::default(), told: None })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>> {
        if self.told.replace(2).is_some() && timeout != Some(Duration::ZERO) {
            self.bell.wait(timeout.map(|timeout| Instant::now() + timeout));
            return Ok(None);
        }
        Ok(Some(AudioSinkState { recorders: self.told, queued: Duration::from_millis(7) }))
    }

    fn info(&mut self) -> Result<AudioFormat> {
        Ok(AudioFormat { rate: 24_000, channel_mask: abi::CHANNELS_MONO })
    }

    fn start(&mut self, params: AudioSinkParams) -> Result<SpeakerRun> {
        self.host.gauge("buffer", params.buffer.map_or(0.0, |buffer| buffer.as_secs_f64()));
        Ok(SpeakerRun(self.host))
    }
}

impl AudioSinkRun for SpeakerRun {
    fn write(&mut self, block: AudioBlock<'_>) -> Result<()> {
        self.0.count("samples", block.samples.len() as u64);
        self.0.gauge("sum", block.samples.iter().map(|sample| f64::from(*sample)).sum());
        Ok(())
    }
}

#[test]
fn a_sink_takes_samples_between_start_and_stop() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut sink = TestAudioSink::of::<Speaker>(&host, "{}")?;
    let format = sink.info()?;
    let block = AudioBlock { samples: &[0.5, -0.25, 1.0], timestamp_ns: 0, gap: false };
    assert_eq!(sink.write(block, 1).expect_err("not started").detail(), abi::DETAIL_WRONG_STATE);
    sink.start(AudioSinkParams { format, buffer: Some(Duration::from_millis(50)) })?;
    let state = AudioSinkState { recorders: Some(2), queued: Duration::from_millis(7) };
    assert_eq!(sink.wait(None)?, Some(state), "the first is answered at once");
    assert_eq!(sink.wait(Some(Duration::ZERO))?, Some(state));
    assert_eq!(sink.wait(Some(Duration::from_millis(1)))?, None, "nothing changed");
    let waker = sink.waker();
    let waking = std::thread::spawn(move || waker.wake());
    assert_eq!(sink.wait(None)?, None, "it is woken");
    waking.join().expect("no panic");
    sink.write(block, 1)?;
    assert!(sink.write(AudioBlock { samples: &[], ..block }, 1).is_err(), "an empty block");
    sink.stop()?;
    assert!(sink.stop().is_err() && sink.write(block, 1).is_err());
    let wanted = [
        Metric::Gauge("buffer".into(), 0.05),
        Metric::Counter("samples".into(), 3),
        Metric::Gauge("sum".into(), 1.25),
    ];
    assert_eq!(host.metrics(), wanted);
    Ok(())
}
