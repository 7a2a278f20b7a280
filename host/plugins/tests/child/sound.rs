//! Sound in a child: it answers as in this process, and what breaks the contract is refused in both places.

use std::{thread, time::Duration};

use selkies_plugin_host::{
    AudioBlock, AudioCaptureInstance, AudioCaptureRequest, AudioEncoderInstance, AudioEncoderSettings,
    AudioFormat, AudioSinkInstance, AudioSinkRequest, AudioSinkState, FaultClass, FaultDetail, FaultOrigin,
    now_ns, probe_audio_encoder,
};

use crate::{
    stage::{Failure, Outcome, Stage, sound},
    support::PluginFolder,
};

fn both(folder: &PluginFolder) -> Result<[Stage; 2], Failure> {
    Ok([Stage::child(folder)?, Stage::here(folder)?])
}

const STEREO: AudioFormat = AudioFormat::stereo(48_000);

fn request() -> AudioCaptureRequest {
    AudioCaptureRequest { format: STEREO, block_frames: 480, device: String::new() }
}

#[test]
fn blocks_are_the_same_in_a_child() -> Outcome {
    let folder = sound()?;
    for stage in both(&folder)? {
        let mut capture = AudioCaptureInstance::create(&stage.origin("{}"))?;
        assert_eq!(capture.info()?, AudioFormat { rate: 44_100, channel_mask: 0x3f });
        let early = capture.read(None).expect_err("it was not started");
        assert_eq!((early.origin, early.detail), (FaultOrigin::Caller, FaultDetail::WrongState));
        capture.start(&request())?;
        let first = capture.read(None)?.ok_or("a block")?;
        assert_eq!((first.samples.len(), first.samples[0], first.samples[959]), (960, 1000.0, 1959.0));
        assert_eq!((first.timestamp_ns, first.gap), (1, false));
        assert!(capture.read(None)?.is_some_and(|block| block.gap && block.samples[0] == 2000.0));
        assert!(capture.read(Some(Duration::from_secs(60)))?.is_some());
        assert_eq!(capture.read(Some(Duration::from_millis(1)))?, None, "the time passes");
        let waker = capture.waker();
        let waking = thread::spawn(move || waker.wake());
        assert_eq!(capture.read(None)?, None, "it is woken");
        waking.join().map_err(|_| "the waker's thread panicked")?;
        capture.stop()?;
        assert!(capture.read(None).is_err());
        // A large block is the longest message.
        let format = AudioFormat { rate: 48_000, channel_mask: 0x63f };
        capture.start(&AudioCaptureRequest { format, block_frames: 1920, ..request() })?;
        assert_eq!(capture.read(None)?.map(|block| block.samples.len()), Some(15_360));
        let lost = capture.start(&AudioCaptureRequest { device: "none".into(), ..request() });
        let lost = lost.expect_err("there is no such device");
        assert_eq!((lost.class, lost.detail), (FaultClass::DeviceLost, FaultDetail::NotFound));
        assert!(lost.is_final() && capture.stop().is_err_and(|error| error.origin == FaultOrigin::Poisoned));
    }
    Ok(())
}

#[test]
fn blocks_that_are_none_are_refused() -> Outcome {
    let folder = sound()?;
    for stage in both(&folder)? {
        let mut short = AudioCaptureInstance::create(&stage.origin(r#"{"act": "short"}"#))?;
        short.start(&request())?;
        let error = short.read(None).expect_err("479 samples");
        assert_eq!((error.origin, error.class), (FaultOrigin::Contract, FaultClass::FatalInstance));
        let mut odd = AudioCaptureInstance::create(&stage.origin(r#"{"act": "nan"}"#))?;
        odd.start(&request())?;
        let block = odd.read(None)?.ok_or("a block")?;
        assert_eq!(block.samples[..2], [0.0, 1001.0]);
        assert!(block.timestamp_ns <= now_ns(), "no time that is to come");
        let mut deaf = AudioCaptureInstance::create(&stage.origin(r#"{"act": "deaf"}"#))?;
        assert!(deaf.info().is_err_and(|error| error.origin == FaultOrigin::Contract));
        let mut deaf = AudioSinkInstance::create(&stage.origin(r#"{"act": "deaf"}"#))?;
        assert!(deaf.info().is_err_and(|error| error.origin == FaultOrigin::Contract));
        // What no plugin is asked for.
        let mut capture = AudioCaptureInstance::create(&stage.origin("{}"))?;
        for (rate, channel_mask, block_frames) in
            [(0, 3, 480), (48_000, 0, 480), (48_000, 3, 0), (48_000, 3, 7681)]
        {
            let format = AudioFormat { rate, channel_mask };
            let refused = capture.start(&AudioCaptureRequest { format, block_frames, ..request() });
            assert!(refused.is_err_and(|error| error.origin == FaultOrigin::Caller));
        }
    }
    Ok(())
}

fn settings() -> AudioEncoderSettings {
    AudioEncoderSettings {
        name: "text".into(),
        format: STEREO,
        block_frames: 480,
        bitrate: 64_000,
        complexity: None,
        loss_ppm: 0,
        dtx: false,
        fec: false,
    }
}

fn block(first: f32) -> AudioBlock {
    let mut samples = vec![0.5; 960];
    samples[0] = first;
    AudioBlock { samples, timestamp_ns: 77, gap: false }
}

#[test]
fn packets_are_the_same_in_a_child() -> Outcome {
    let folder = sound()?;
    for stage in both(&folder)? {
        let origin = stage.origin("{}");
        let offers = probe_audio_encoder(&origin)?;
        assert_eq!(offers.len(), 1, "the others are none");
        assert_eq!((offers[0].name.as_str(), &offers[0].block_frames[..]), ("text", &[480, 1024][..]));
        assert_eq!(
            (&offers[0].rates[..], &offers[0].channel_masks[..]),
            (&[48_000, 44_100][..], &[3, 0x63f][..])
        );
        let mut encoder = AudioEncoderInstance::create(&origin, &settings())?;
        let info = encoder.info()?;
        assert_eq!((info.lookahead_frames, &info.description[..]), (312, &b"head"[..]));
        let packet = encoder.encode(&block(0.25))?.ok_or("a packet")?;
        assert_eq!(String::from_utf8(packet.data)?, "64000: 480 x 2, 0.2 to 0.5");
        assert_eq!((packet.timestamp_ns, packet.dtx), (77, false));
        encoder.adjust(Some(128_000), None)?;
        let refused = encoder.adjust(Some(1), None).expect_err("a rate that it has not");
        assert_eq!((refused.class, refused.detail), (FaultClass::Retry, FaultDetail::InvalidArgument));
        let packet = encoder.encode(&block(0.0))?.ok_or("a packet")?;
        assert!(packet.dtx && packet.data.starts_with(b"128000: "));
        assert_eq!(encoder.encode(&AudioBlock { gap: true, ..block(0.0) })?, None);
        let mut short = block(0.0);
        short.samples.pop();
        assert!(encoder.encode(&short).is_err_and(|error| error.origin == FaultOrigin::Caller));
        let wrong = AudioEncoderInstance::create(
            &origin,
            &AudioEncoderSettings { complexity: Some(3), ..settings() },
        );
        assert!(wrong.is_err_and(|error| error.class == FaultClass::Reconfigure));
        for wrong in [
            AudioEncoderSettings { block_frames: 7681, ..settings() },
            AudioEncoderSettings { block_frames: 0, ..settings() },
            AudioEncoderSettings { format: AudioFormat { rate: 48_000, channel_mask: 0x1ff }, ..settings() },
        ] {
            let refused = AudioEncoderInstance::create(&origin, &wrong);
            assert!(refused.is_err_and(|error| error.origin == FaultOrigin::Caller));
        }
        let format = AudioFormat::mono(44_100);
        let aac = AudioEncoderSettings { format, block_frames: 1024, ..settings() };
        let packet = AudioEncoderInstance::create(&origin, &aac)?
            .encode(&AudioBlock { samples: vec![0.5; 1024], ..AudioBlock::default() })?
            .ok_or("a packet")?;
        assert_eq!(String::from_utf8(packet.data)?, "64000: 1024 x 1, 0.5 to 0.5");
        let huge = stage.origin(r#"{"act": "huge"}"#);
        let mut encoder = AudioEncoderInstance::create(&huge, &settings())?;
        assert!(encoder.info().is_err_and(|error| error.origin == FaultOrigin::Contract));
        let mut encoder = AudioEncoderInstance::create(&huge, &settings())?;
        assert!(encoder.encode(&block(0.0)).is_err_and(|error| error.origin == FaultOrigin::Contract));
    }
    Ok(())
}

#[test]
fn a_sink_gets_the_same_in_a_child() -> Outcome {
    let folder = sound()?;
    for stage in both(&folder)? {
        let mut sink = AudioSinkInstance::create(&stage.origin("{}"))?;
        assert_eq!(sink.info()?.channels(), 6);
        assert!(sink.write(&block(0.0)).is_err_and(|error| error.detail == FaultDetail::WrongState));
        let format = AudioFormat::mono(24_000);
        assert!(sink.start(&AudioSinkRequest { format, buffer: None }).is_err(), "this one wants 50 ms");
        sink.start(&AudioSinkRequest { format, buffer: Some(Duration::from_millis(50)) })?;
        let state = AudioSinkState { recorders: Some(2), queued: Duration::from_millis(7) };
        assert_eq!(sink.wait(None)?, Some(state), "the first is answered at once");
        assert_eq!(sink.wait(Some(Duration::ZERO))?, Some(state));
        assert_eq!(sink.wait(Some(Duration::from_millis(1)))?, None, "the time passes");
        let waker = sink.waker();
        let waking = thread::spawn(move || waker.wake());
        assert_eq!(sink.wait(None)?, None, "it is woken");
        waking.join().map_err(|_| "the waker's thread panicked")?;
        sink.write(&block(0.0))?;
        let last = AudioBlock { samples: vec![-1.0], ..AudioBlock::default() };
        let said = sink.write(&last).expect_err("it says that 961 samples came");
        assert_eq!(said.detail, FaultDetail::NotFound);
        for count in [0, 15_361] {
            let wrong = AudioBlock { samples: vec![0.0; count], ..AudioBlock::default() };
            assert!(sink.write(&wrong).is_err_and(|error| error.origin == FaultOrigin::Caller), "{count}");
        }
        sink.stop()?;
        assert!(sink.write(&block(0.0)).is_err());
        let mut deaf = AudioSinkInstance::create(&stage.origin(r#"{"act": "deaf"}"#))?;
        assert_eq!(deaf.wait(None)?.map(|state| state.recorders), Some(None), "it cannot tell");
        let mut short = AudioSinkInstance::create(&stage.origin(r#"{"act": "short"}"#))?;
        assert!(short.wait(None).is_err_and(|error| error.origin == FaultOrigin::Contract));
    }
    Ok(())
}
