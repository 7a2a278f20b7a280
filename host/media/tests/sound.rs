//! Sound of a PulseAudio of the test's own, through the real plugins, as packets and back.

#[path = "../../../plugins/pulse/tests/house/mod.rs"]
mod house;
mod plugins;

use std::{
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use house::{House, PATIENCE, eventually, strength};
use opus::{Channels, Decoder};
use plugins::Plugins;
use selkies_config::SoundSettings;
use selkies_media::{
    FaultVerdict, MICROPHONE_RATE, Microphone, Observer, PluginFault, Sound, SoundPacket, SoundParts,
    SoundSink, SoundState,
};
use selkies_plugin_host::now_ns;
use selkies_session::{ClipboardContent, Codec, Codecs, CursorShape};
use serde_json::{Value, json};

#[derive(Default)]
struct Listener {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    packets: Vec<(SoundPacket, u64)>,
    states: Vec<SoundState>,
    faults: Vec<String>,
}

impl SoundSink for Listener {
    fn packet(&self, packet: &SoundPacket) {
        self.heard.lock().unwrap().packets.push((packet.clone(), now_ns()));
        self.changed.notify_all();
    }

    fn state(&self, state: &SoundState) {
        self.heard.lock().unwrap().states.push(state.clone());
        self.changed.notify_all();
    }
}

impl Observer for Listener {
    fn cursor(&self, _: CursorShape) {}
    fn display(&self, _: u32, _: u32) {}
    fn video_failed(&self, _: &str) {}
    fn video_recovered(&self) {}
    fn rumble(&self, _: u8, _: u16, _: u16, _: u32) {}
    fn clipboard(&self, _: Option<ClipboardContent>) {}
    fn plugin_fault(&self, fault: &PluginFault) -> FaultVerdict {
        if fault.counts {
            self.heard.lock().unwrap().faults.push(fault.text.clone());
        }
        FaultVerdict::Again
    }
    fn encoder_used(&self, _: &str, _: Option<Codec>, _: bool, _: Option<Codecs>) {}
    fn encoder_replaced(&self, _: &str, _: &str) {}
}

impl Listener {
    /// Waits until what was heard is as wanted.
    fn until(&self, what: &str, mut holds: impl FnMut(&mut Heard) -> bool) {
        let limit = Instant::now() + PATIENCE;
        let mut heard = self.heard.lock().unwrap();
        while !holds(&mut heard) {
            let left = limit.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}; {:?}", heard.states);
            heard = self.changed.wait_timeout(heard, left).unwrap().0;
        }
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().packets.len()
    }

    /// Waits until the pitch is heard in both channels of the packets from now on.
    fn hears(&self, pitch: f64) {
        let (from, mut tries) = (self.count(), 0);
        let mut decoder = Decoder::new(48_000, Channels::Stereo).expect("a decoder");
        let (mut next, mut samples) = (from, Vec::new());
        self.until(&format!("{pitch} Hz is not heard"), |heard| {
            for (packet, _) in &heard.packets[next..] {
                let mut out = vec![0.0; 2 * 960];
                let frames = decoder.decode_float(&packet.data, &mut out, false).expect("a packet of Opus");
                assert_eq!(frames as u64 * 1_000_000, u64::from(packet.duration_us) * 48_000);
                samples.extend_from_slice(&out[..2 * frames]);
            }
            next = heard.packets.len();
            // A quarter of a second.
            if samples.len() < 24_000 {
                return false;
            }
            let heard = (0..2).all(|channel| strength(&samples, 2, channel, pitch) > 0.3);
            samples.clear();
            tries += 1;
            heard
        });
    }

    fn runs(&self) {
        self.until("there is no sound", |heard| matches!(heard.states.last(), Some(SoundState::Running(_))));
    }
}

fn start(plugins: &Plugins, house: &House, listener: &Arc<Listener>, devices: &[&str]) -> Sound {
    let config: Value = json!({ "server": house.address() });
    let settings = SoundSettings {
        devices: devices.iter().map(|device| (*device).to_owned()).collect(),
        channels: 2,
        duration_us: 10_000,
        bitrate: 128_000,
    };
    Sound::start(SoundParts {
        capture: plugins.backend("selkies.pulse", &config),
        encoder: plugins.backend("selkies.opus", &json!({})),
        services: plugins.services.clone(),
        settings,
        sink: listener.clone(),
        observer: listener.clone(),
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_played_is_heard_while_somebody_listens() {
    let (plugins, house) = (Plugins::prepare(), House::new(&["output"]));
    let listener: Arc<Listener> = Arc::default();
    let clients = || house.pactl(&["list", "short", "source-outputs"]).map_or(0, |list| list.lines().count());
    let sound = start(&plugins, &house, &listener, &["nowhere.monitor", ""]);
    assert_eq!((sound.state(), clients()), (SoundState::Off, 0), "nobody listens");
    let player = house.play("output", &[440.0, 440.0]);
    sound.set_wanted(true);
    listener.runs();
    let SoundState::Running(stream) = sound.state() else { panic!("{:?}", sound.state()) };
    assert_eq!((stream.rate, stream.channels, stream.duration_us), (48_000, 2, 10_000));
    assert!(stream.description.starts_with(b"OpusHead"));
    listener.hears(440.0);
    {
        let heard = listener.heard.lock().unwrap();
        let stamps: Vec<u64> = heard.packets.iter().map(|(packet, _)| packet.timestamp_ns).collect();
        assert!(stamps.is_sorted() && heard.packets.iter().all(|(packet, at)| packet.timestamp_ns < *at));
        assert!(heard.packets.iter().all(|(packet, _)| !packet.silent));
    }
    // A quarter of the bits.
    let spent = |from: usize| {
        listener.until("packets", |heard| heard.packets.len() >= from + 50);
        let heard = listener.heard.lock().unwrap();
        heard.packets[from..from + 50].iter().map(|(packet, _)| packet.data.len()).sum::<usize>()
    };
    sound.set_bitrate(510_000);
    let from = listener.count() + 20;
    let much = spent(from);
    sound.set_bitrate(32_000);
    let little = spent(listener.count() + 20);
    assert!(little * 2 < much, "{little} and {much} bytes");
    // A second of silence, one mark, then nothing.
    drop(player);
    listener.until("the silence is not marked", |heard| {
        heard.packets.last().is_some_and(|(packet, _)| packet.silent)
    });
    let silent = listener.count();
    let begun = Instant::now();
    assert!(eventually(|| begun.elapsed() > Duration::from_millis(500)));
    assert_eq!(listener.count(), silent, "silence is not sent");
    let _player = house.play("output", &[1000.0, 1000.0]);
    listener.hears(1000.0);
    // Nobody listens any more: the sound server is left alone.
    sound.set_wanted(false);
    listener.until("it goes on", |heard| heard.states.last() == Some(&SoundState::Off));
    assert!(eventually(|| clients() == 0));
    assert_eq!(listener.heard.lock().unwrap().faults, Vec::<String>::new());
}

#[test]
fn the_sound_is_back_within_three_seconds_of_its_server() {
    let (plugins, mut house) = (Plugins::prepare(), House::new(&["output"]));
    let listener: Arc<Listener> = Arc::default();
    let sound = start(&plugins, &house, &listener, &["output.monitor", ""]);
    sound.set_wanted(true);
    {
        let _player = house.play("output", &[440.0, 440.0]);
        listener.hears(440.0);
    }
    house.kill();
    listener
        .until("the loss is not said", |heard| matches!(heard.states.last(), Some(SoundState::Waiting(_))));
    // Long enough that the pauses between attempts are the longest.
    let lost = Instant::now();
    assert!(eventually(|| lost.elapsed() > Duration::from_secs(5)));
    let states = listener.heard.lock().unwrap().states.clone();
    assert!(states.len() <= 4, "the state is told when it changes: {states:?}");
    house.start();
    let back = Instant::now();
    listener.runs();
    let took = back.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?} after its server");
    let _player = house.play("output", &[1000.0, 1000.0]);
    listener.hears(1000.0);
    assert_eq!(listener.heard.lock().unwrap().faults, Vec::<String>::new(), "a lost server is no fault");
}

#[test]
fn samples_of_a_page_are_what_applications_record() {
    let (plugins, mut house) = (Plugins::prepare(), House::new(&["output"]));
    let listener: Arc<Listener> = Arc::default();
    let backend = plugins.backend("selkies.pulse", &json!({ "server": house.address() }));
    let microphone = Microphone::start(backend, plugins.services.clone(), listener).expect("a microphone");
    let sources = |house: &House| house.pactl(&["list", "short", "sources"]).unwrap_or_default();
    assert!(!sources(&house).contains("SelkiesVirtualMic"), "nobody has spoken yet");
    for round in 0..2 {
        // A ramp, said every 20 ms as a page does, until it is recorded.
        let ramp: Vec<i16> = (0..480).map(|at| at * 50 - 12_000).collect();
        microphone.write(&ramp);
        assert!(eventually(|| {
            microphone.write(&ramp);
            sources(&house).contains("SelkiesVirtualMic")
        }));
        let recorder = house.record("SelkiesVirtualMic");
        let mut said = Instant::now();
        assert!(
            eventually(|| {
                while said.elapsed() > Duration::from_millis(20) {
                    microphone.write(&ramp);
                    said += Duration::from_millis(20);
                }
                recorder.heard().windows(ramp.len()).any(|window| window == ramp)
            }),
            "round {round}"
        );
        if round == 0 {
            house.kill();
            house.start();
        }
    }
    assert_eq!(MICROPHONE_RATE, 24_000);
    microphone.close();
    drop(microphone);
    assert!(!sources(&house).contains("SelkiesVirtualMic"), "it is removed");
}
