//! What is written into the sink is what applications record from the source.

mod house;

use std::time::{Duration, Instant};

use house::{House, PATIENCE, eventually};
use selkies_plugin_sdk::{
    AudioBlock, AudioFormat, AudioSinkParams, abi,
    test_host::{Failure, TestAudioSink, TestHost},
};
use selkies_pulse::PulseSink;

const MICROPHONE: AudioFormat = AudioFormat { rate: 24_000, channel_mask: abi::CHANNELS_MONO };

fn params() -> AudioSinkParams {
    AudioSinkParams { format: MICROPHONE, buffer: Some(Duration::from_secs(10)) }
}

/// Samples that do not repeat themselves.
fn noise(count: usize) -> Vec<i16> {
    let mut seed = 7_u32;
    (0..count)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as i16
        })
        .collect()
}

/// Writes samples in blocks of 20 ms, at once.
fn write(sink: &mut TestAudioSink, samples: &[i16]) -> Result<(), Failure> {
    for block in samples.chunks(480) {
        let samples: Vec<f32> = block.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        sink.write(AudioBlock { samples: &samples, timestamp_ns: 0, gap: false }, 1)?;
    }
    Ok(())
}

fn modules(house: &House) -> Vec<String> {
    let list = house.pactl(&["list", "short", "modules"]).unwrap_or_default();
    list.lines().map(str::to_owned).collect()
}

/// Whether what was spoken was recorded, bit for bit and in order. A busy machine may make pauses in it: pieces of 5 ms are looked
/// for, of which nine in ten must be whole.
fn contains(heard: &[i16], spoken: &[i16]) -> bool {
    let (mut from, mut found) = (0, 0);
    let pieces = spoken.chunks_exact(120);
    let all = pieces.len();
    for piece in pieces {
        if let Some(at) = heard[from..].windows(piece.len()).position(|window| window == piece) {
            from += at + piece.len();
            found += 1;
        }
    }
    found * 10 >= all * 9
}

#[test]
fn what_is_written_is_what_applications_record() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let before = modules(&house);
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    assert_eq!(sink.info()?, MICROPHONE);
    assert_eq!(house.pactl(&["get-default-source"]).as_deref().map(str::trim), Some("SelkiesVirtualMic"));
    assert_eq!(house.pactl(&["get-default-sink"]).as_deref().map(str::trim), Some("output"));
    let recorder = house.record("SelkiesVirtualMic");
    assert!(eventually(|| recorder.heard().len() > 4800), "the source gives silence");
    assert!(recorder.heard().iter().all(|sample| *sample == 0));
    sink.start(params())?;
    let spoken = noise(24_000);
    write(&mut sink, &spoken)?;
    assert!(eventually(|| contains(&recorder.heard(), &spoken[480..23_520])), "the samples are not recorded");
    // Playing ends, the source stays; then it is spoken into again.
    sink.stop()?;
    let silent = recorder.heard().len() + 4800;
    assert!(eventually(|| recorder.heard().len() > silent), "the source goes on");
    sink.start(params())?;
    let again = noise(30_000).split_off(20_000);
    write(&mut sink, &again)?;
    assert!(eventually(|| contains(&recorder.heard(), &again[480..9520])), "nor the second time");
    drop(recorder);
    drop(sink);
    assert_eq!(modules(&house), before, "what was made is removed");
    Ok(())
}

#[test]
fn a_server_without_devices_goes_on_playing_elsewhere() -> Result<(), Failure> {
    let house = House::new(&[]);
    let host = TestHost::new();
    let sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    assert!(eventually(|| {
        house.pactl(&["get-default-sink"]).as_deref().map(str::trim) == Some("output")
    }));
    drop(sink);
    assert!(!modules(&house).iter().any(|line| line.contains("module-null-sink")));
    Ok(())
}

#[test]
fn devices_that_are_there_are_used_and_stay() -> Result<(), Failure> {
    let house = House::new(&["output", "input"]);
    let host = TestHost::new();
    let before = modules(&house);
    let sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    assert_eq!(modules(&house).len(), before.len() + 1, "only the source is made");
    drop(sink);
    assert_eq!(modules(&house), before);
    Ok(())
}

#[test]
fn a_server_that_hangs_is_given_up_and_nothing_is_left_in_it() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let before = modules(&house);
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    sink.start(params())?;
    write(&mut sink, &noise(480))?;
    house.hang();
    let mut lost = None;
    assert!(eventually(|| {
        lost = write(&mut sink, &[0; 480]).err();
        lost.is_some()
    }));
    let lost = lost.expect("it was lost");
    assert_eq!((lost.class(), lost.detail()), (abi::CLASS_DEVICE_LOST, abi::DETAIL_TIMEOUT), "{lost}");
    assert!(sink.wait(None).is_err());
    drop(sink);
    house.resume();
    assert!(eventually(|| modules(&house) == before), "what was made is removed: {:?}", modules(&house));
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    sink.start(params())?;
    let recorder = house.record("SelkiesVirtualMic");
    assert!(eventually(|| !recorder.heard().is_empty()));
    let spoken = noise(4800);
    write(&mut sink, &spoken)?;
    assert!(eventually(|| contains(&recorder.heard(), &spoken[480..4320])));
    Ok(())
}

#[test]
fn who_records_is_told() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    let recorders = |sink: &mut TestAudioSink, wanted: u32| -> Result<(), Failure> {
        // Another one's stream may be counted in between.
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Some(state) = sink.wait(Some(PATIENCE))?
                && state.recorders == Some(wanted)
            {
                return Ok(());
            }
        }
        panic!("{wanted} recorders are not told");
    };
    recorders(&mut sink, 0)?;
    assert_eq!(sink.wait(Some(Duration::from_millis(50)))?, None, "nothing changed");
    let first = house.record("SelkiesVirtualMic");
    recorders(&mut sink, 1)?;
    // Who records something else is of no interest, who records the sink's own monitor is.
    let other = house.record("output.monitor");
    assert!(eventually(|| !other.heard().is_empty()));
    let second = house.record("input.monitor");
    recorders(&mut sink, 2)?;
    sink.start(params())?;
    drop((first, second));
    recorders(&mut sink, 0)?;
    let waker = sink.waker();
    let waking = std::thread::spawn(move || waker.wake());
    assert_eq!(sink.wait(None)?, None);
    waking.join().expect("no panic");
    Ok(())
}

#[test]
fn what_a_burst_leaves_does_not_stay() -> Result<(), Failure> {
    let house = House::new(&["output"]);
    let host = TestHost::new();
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    sink.start(AudioSinkParams { format: MICROPHONE, buffer: None })?;
    let voice = noise(480);
    let queued = |sink: &mut TestAudioSink| -> Result<Duration, Failure> {
        Ok(sink.wait(Some(Duration::ZERO))?.map(|state| state.queued).unwrap_or_default())
    };
    // Half a second at once: no more than 200 ms of it wait, beside what the server has.
    write(&mut sink, &noise(12_000))?;
    let mut most = Duration::ZERO;
    assert!(eventually(|| {
        most = most.max(queued(&mut sink).unwrap_or_default());
        most > Duration::from_millis(100)
    }));
    assert!(most <= Duration::from_millis(260), "{most:?}");
    // Somebody goes on speaking, 20 ms every 20 ms.
    let mut said = Instant::now();
    let mut least = most;
    assert!(
        eventually(|| {
            while said.elapsed() > Duration::from_millis(20) {
                write(&mut sink, &voice).expect("it plays");
                said += Duration::from_millis(20);
            }
            let now = queued(&mut sink).unwrap_or_default();
            least = least.min(now);
            !now.is_zero() && now < Duration::from_millis(70)
        }),
        "{least:?} at least"
    );
    Ok(())
}

#[test]
fn a_lost_server_is_said_and_the_source_is_made_anew() -> Result<(), Failure> {
    let mut house = House::new(&["output"]);
    let host = TestHost::new();
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    sink.start(params())?;
    house.kill();
    let mut lost = None;
    assert!(eventually(|| {
        lost = write(&mut sink, &[0; 480]).err();
        lost.is_some()
    }));
    assert_eq!(lost.map(|lost| lost.class()), Some(abi::CLASS_DEVICE_LOST));
    drop(sink);
    let absent = TestAudioSink::of::<PulseSink>(&host, &house.config()).expect_err("no server");
    assert_eq!(absent.class(), abi::CLASS_DEVICE_LOST);
    house.start();
    let mut sink = TestAudioSink::of::<PulseSink>(&host, &house.config())?;
    sink.start(params())?;
    let recorder = house.record("SelkiesVirtualMic");
    assert!(eventually(|| !recorder.heard().is_empty()));
    let spoken = noise(4800);
    write(&mut sink, &spoken)?;
    assert!(eventually(|| contains(&recorder.heard(), &spoken[480..4320])));
    Ok(())
}
