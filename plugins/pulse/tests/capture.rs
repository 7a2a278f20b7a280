//! What a PulseAudio of the test's own plays is what the capture reads.

mod house;

use std::time::{Duration, Instant};

use house::{House, PATIENCE, SURROUND, eventually, strength};
use selkies_plugin_sdk::{
    AudioCaptureParams, AudioFormat, abi,
    test_host::{Failure, TestAudioCapture, TestHost},
};
use selkies_pulse::PulseCapture;

const STEREO: AudioFormat = AudioFormat { rate: 48_000, channel_mask: abi::CHANNELS_STEREO };

fn ten_ms(device: &str) -> AudioCaptureParams {
    AudioCaptureParams { format: STEREO, block_frames: 480, device: device.into() }
}

fn now_ns() -> u64 {
    TestHost::process().handle().now_ns()
}

/// A quarter of a second.
fn a_while(capture: &mut TestAudioCapture, channels: usize) -> Result<Vec<f32>, Failure> {
    let mut samples = Vec::new();
    while samples.len() < 12_000 * channels {
        if let Some((_, block)) = capture.read(Some(PATIENCE), channels)? {
            samples.extend(block);
        }
    }
    Ok(samples)
}

/// Reads until the pitches are heard, one a channel.
fn hears(capture: &mut TestAudioCapture, pitches: &[f64]) -> Result<bool, Failure> {
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        let samples = a_while(capture, pitches.len())?;
        let heard = |(channel, pitch): (usize, &f64)| strength(&samples, pitches.len(), channel, *pitch);
        if pitches.iter().enumerate().all(|channel| heard(channel) > 0.3) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn what_the_desktop_plays_is_read_with_its_times() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    assert_eq!(capture.info()?, STEREO);
    let _player = house.play("output", &[440.0, 1000.0]);
    for device in ["", "output.monitor"] {
        capture.start(&ten_ms(device))?;
        assert!(hears(&mut capture, &[440.0, 1000.0])?, "{device}");
        let mut last = 0;
        for _ in 0..50 {
            let (read, samples) = capture.read(Some(PATIENCE), 2)?.expect("a block in time");
            assert_eq!(samples.len(), 960);
            let age = now_ns().saturating_sub(read.timestamp_ns);
            assert!(read.timestamp_ns > last && age < 60_000_000_000, "{age} ns old");
            last = read.timestamp_ns;
        }
        capture.stop()?;
    }
    Ok(())
}

#[test]
fn six_channels_keep_their_places() -> Result<(), Failure> {
    let house = House::new(&[&format!("output channels=6 channel_map={SURROUND}")]);
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    let format = AudioFormat { rate: 48_000, channel_mask: abi::CHANNELS_5_1 };
    assert_eq!(capture.info()?, format);
    let pitches = [300.0, 400.0, 500.0, 60.0, 700.0, 800.0];
    let _player = house.play("output", &pitches);
    capture.start(&AudioCaptureParams { format, ..ten_ms("") })?;
    assert!(hears(&mut capture, &pitches)?);
    Ok(())
}

#[test]
fn a_lost_server_is_said_at_once_and_found_again() -> Result<(), Failure> {
    let mut house = House::new(&["output"]);
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    capture.start(&ten_ms(""))?;
    a_while(&mut capture, 2)?;
    house.kill();
    let lost = loop {
        match capture.read(Some(PATIENCE), 2) {
            // What came before.
            Ok(block) => assert!(block.is_some(), "the loss is not seen"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(lost.class(), abi::CLASS_DEVICE_LOST, "{lost}");
    drop(capture);
    let begun = Instant::now();
    let absent = TestAudioCapture::of::<PulseCapture>(&host, &house.config()).expect_err("no server");
    assert_eq!((absent.class(), absent.detail()), (abi::CLASS_DEVICE_LOST, abi::DETAIL_IO));
    assert!(absent.text.starts_with("no sound server answers (") && !absent.text.contains('\n'), "{absent}");
    assert!(begun.elapsed() < PATIENCE / 2, "no hang");
    house.start();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    capture.start(&ten_ms(""))?;
    a_while(&mut capture, 2).map(drop)
}

#[test]
fn a_server_that_hangs_is_given_up_and_found_again() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    capture.start(&ten_ms(""))?;
    a_while(&mut capture, 2)?;
    house.hang();
    let begun = Instant::now();
    let lost = loop {
        match capture.read(Some(PATIENCE), 2) {
            // What came before.
            Ok(block) => assert!(block.is_some(), "the silence of the server is not noticed"),
            Err(failure) => break failure,
        }
    };
    assert_eq!((lost.class(), lost.detail()), (abi::CLASS_DEVICE_LOST, abi::DETAIL_TIMEOUT), "{lost}");
    drop(capture);
    let absent = TestAudioCapture::of::<PulseCapture>(&host, &house.config()).expect_err("it hangs");
    assert_eq!(absent.class(), abi::CLASS_DEVICE_LOST);
    assert!(begun.elapsed() < PATIENCE / 2, "no hang of ours");
    house.resume();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    capture.start(&ten_ms(""))?;
    a_while(&mut capture, 2).map(drop)
}

#[test]
fn a_device_that_is_not_there_is_named() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    let failure = capture.start(&ten_ms("nowhere.monitor")).expect_err("there is none");
    assert_eq!((failure.class(), failure.detail()), (abi::CLASS_DEVICE_LOST, abi::DETAIL_NOT_FOUND));
    assert!(failure.text.contains("nowhere.monitor"), "{failure}");
    // The connection is as it was.
    capture.start(&ten_ms("output.monitor"))?;
    a_while(&mut capture, 2)?;
    Ok(())
}

#[test]
fn the_capture_begins_anew_where_the_desktop_plays() -> Result<(), Failure> {
    let house = House::new(&["output", "other"]);
    house.pactl(&["set-default-sink", "output"]).expect("pactl works");
    let host = TestHost::new();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    capture.start(&ten_ms(""))?;
    a_while(&mut capture, 2)?;
    house.pactl(&["set-default-sink", "other"]).expect("pactl works");
    let moved = loop {
        match capture.read(Some(PATIENCE), 2) {
            Ok(block) => assert!(block.is_some(), "the change is not seen"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(moved.class(), abi::CLASS_RECONFIGURE, "{moved}");
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    let _player = house.play("other", &[440.0, 440.0]);
    capture.start(&ten_ms(""))?;
    assert!(hears(&mut capture, &[440.0, 440.0])?);
    Ok(())
}

#[test]
fn a_wake_ends_a_read_and_nothing_is_left_behind() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let clients = || house.pactl(&["list", "short", "clients"]).map_or(0, |list| list.lines().count());
    let before = clients();
    let mut capture = TestAudioCapture::of::<PulseCapture>(&host, &house.config())?;
    // Blocks of which there is one in 40 ms.
    let mono = AudioFormat { rate: 8000, channel_mask: abi::CHANNELS_MONO };
    capture.start(&AudioCaptureParams { format: mono, block_frames: 320, device: String::new() })?;
    capture.waker().wake();
    let mut woken = false;
    for _ in 0..3 {
        woken |= capture.read(Some(Duration::from_secs(60)), 1)?.is_none();
    }
    assert!(woken);
    drop(capture);
    assert!(eventually(|| clients() == before), "{} clients, {before} before", clients());
    Ok(())
}
