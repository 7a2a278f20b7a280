//! What programs under an interposer see, byte for byte.

use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    time::{Duration, Instant},
};

use selkies_gamepad::{
    InterposerPads,
    wire::{CONFIG_BYTES, RECORD_BYTES},
};
use selkies_plugin_sdk::{
    GamepadAxis, GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble, abi,
    test_host::{TestGamepad, TestHost},
};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    _host: TestHost,
    pads: TestGamepad,
    folder: tempfile::TempDir,
}

fn stage(always: u32) -> Stage {
    let (host, folder) = (TestHost::new(), tempfile::tempdir().expect("a folder"));
    let pads = open(&host, folder.path(), always).expect("the folder is free");
    Stage { _host: host, pads, folder }
}

fn open(
    host: &TestHost,
    folder: &Path,
    always: u32,
) -> Result<TestGamepad, selkies_plugin_sdk::test_host::Failure> {
    let config = format!(r#"{{"js_socket_path": {folder:?}, "always": {always}}}"#);
    TestGamepad::of::<InterposerPads>(host, &config)
}

fn identity() -> GamepadIdentity {
    let axis = |code, edge: i32| GamepadAxis {
        code,
        minimum: -edge,
        maximum: edge,
        rest: 0,
        fuzz: 0,
        flat: 0,
        resolution: 0,
    };
    GamepadIdentity {
        name: "Test pad".into(),
        bus: 3,
        vendor: 0x045e,
        product: 0x028e,
        version: 0x0114,
        buttons: vec![0x130, 0x131],
        axes: vec![axis(0, 32767), axis(17, 1)],
        rumbles: true,
    }
}

impl Stage {
    fn connect(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.folder.path().join(name)).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Connects and greets as a program of that width; answers the configuration, too.
    fn greet(&self, name: &str, long: u8) -> (UnixStream, Vec<u8>) {
        let mut stream = self.connect(name);
        let config = read(&mut stream, CONFIG_BYTES);
        stream.write_all(&[long]).expect("the plugin listens");
        (stream, config)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder).expect("the folder").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn read(stream: &mut UnixStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("bytes");
    bytes
}

/// Value, type, number of a `struct js_event`.
fn joystick(stream: &mut UnixStream) -> (i16, u8, u8) {
    let bytes = read(stream, 8);
    (i16::from_ne_bytes([bytes[4], bytes[5]]), bytes[6], bytes[7])
}

/// Type, code, value of a `struct input_event` with a time of so many bytes.
fn event(stream: &mut UnixStream, time: usize) -> (u16, u16, i32) {
    let bytes = read(stream, time + 8);
    let short = |at: usize| u16::from_ne_bytes([bytes[time + at], bytes[time + at + 1]]);
    let value = bytes[time + 4..].try_into().expect("four bytes");
    (short(0), short(2), i32::from_ne_bytes(value))
}

fn button(index: u16, pressed: bool) -> GamepadEvent {
    GamepadEvent { slot: 0, change: GamepadChange::Button { index, pressed } }
}

fn axis(index: u16, value: i32) -> GamepadEvent {
    GamepadEvent { slot: 0, change: GamepadChange::Axis { index, value } }
}

#[test]
fn the_configuration_is_as_selkies_lays_it_out() {
    let mut stage = stage(0);
    stage.pads.plug(2, &identity()).expect("a free slot");
    assert_eq!(stage.names(), ["selkies_event1002.sock", "selkies_js2.sock"]);
    for name in stage.names() {
        let found = std::fs::metadata(stage.folder.path().join(&name)).expect("a socket");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        let (_, config) = stage.greet(&name, 8);
        let short = |at: usize| u16::from_ne_bytes([config[at], config[at + 1]]);
        assert_eq!(&config[..9], b"Test pad\0", "{name}");
        let numbers: Vec<_> = (256..266).step_by(2).map(short).collect();
        assert_eq!(numbers, [0x045e, 0x028e, 0x0114, 2, 2]);
        assert_eq!([short(266), short(268), short(270)], [0x130, 0x131, 0]);
        assert_eq!(config[1290..1293], [0, 17, 0]);
        assert_eq!(config[1293..], [0; 67]);
    }
    stage.pads.unplug(2).expect("it is there");
    assert!(stage.names().is_empty(), "{:?}", stage.names());
}

#[test]
fn joysticks_get_their_state_and_then_what_changes() {
    let mut stage = stage(0);
    stage.pads.plug(0, &identity()).expect("a free slot");
    stage.pads.inject(&[button(1, true), axis(1, -1)]).expect("events");
    let (mut stream, _) = stage.greet("selkies_js0.sock", 8);
    let burst: Vec<_> = (0..4).map(|_| joystick(&mut stream)).collect();
    assert_eq!(burst, [(0, 0x81, 0), (1, 0x81, 1), (0, 0x82, 0), (-32767, 0x82, 1)]);
    // What is as it was, and what is not there, is left out; what is too far is cut.
    stage.pads.inject(&[button(1, true), button(7, true), axis(0, 70_000), axis(9, 1)]).expect("events");
    assert_eq!(joystick(&mut stream), (32767, 2, 0));
    stage.pads.inject(&[GamepadEvent { slot: 0, change: GamepadChange::Rest }]).expect("events");
    let rest: Vec<_> = (0..3).map(|_| joystick(&mut stream)).collect();
    assert_eq!(rest, [(0, 1, 1), (0, 2, 0), (0, 2, 1)]);
    stage.pads.unplug(0).expect("it is there");
    assert_eq!(stream.read(&mut [0; 8]).expect("the end"), 0);
}

#[test]
fn event_devices_have_the_width_of_the_program() {
    let mut stage = stage(0);
    stage.pads.plug(0, &identity()).expect("a free slot");
    for (long, time) in [(8, 16), (4, 8)] {
        let (mut stream, _) = stage.greet("selkies_event1000.sock", long);
        // The state, each part of it ended by a SYN_REPORT.
        for (kind, code) in [(1, 0x130), (1, 0x131), (3, 0), (3, 17)] {
            assert_eq!(event(&mut stream, time), (kind, code, 0));
            assert_eq!(event(&mut stream, time), (0, 0, 0));
        }
        stage.pads.inject(&[axis(0, -32767), button(0, true)]).expect("events");
        assert_eq!(event(&mut stream, time), (3, 0, -32767));
        assert_eq!(event(&mut stream, time), (0, 0, 0));
        assert_eq!(event(&mut stream, time), (1, 0x130, 1));
        assert_eq!(event(&mut stream, time), (0, 0, 0));
        stage.pads.inject(&[axis(0, 0), button(0, false)]).expect("events");
    }
}

#[test]
fn who_does_not_read_is_not_waited_for_and_gets_the_state_later() {
    let mut stage = stage(0);
    stage.pads.plug(0, &identity()).expect("a free slot");
    let (mut slow, _) = stage.greet("selkies_js0.sock", 8);
    let (mut quick, _) = stage.greet("selkies_js0.sock", 8);
    for stream in [&mut slow, &mut quick] {
        read(stream, 4 * 8);
    }
    let begin = Instant::now();
    for round in 0..20_000 {
        stage.pads.inject(&[axis(0, round)]).expect("nobody is waited for");
        if round > 0 {
            assert_eq!(joystick(&mut quick), (i16::try_from(round).expect("small"), 2, 0));
        }
    }
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    stage.pads.inject(&[button(0, true)]).expect("nobody is waited for");
    // Old events up to what the socket held, and then everything as it is.
    let mut events = 0;
    loop {
        let (value, kind, number) = joystick(&mut slow);
        events += 1;
        if (kind, number) == (0x81, 0) {
            assert_eq!(value, 1);
            break;
        }
        assert_eq!((kind, number), (2, 0));
    }
    assert!(events < 10_000, "{events} were kept");
    assert_eq!(joystick(&mut slow), (0, 0x81, 1));
    assert_eq!(joystick(&mut slow), (19_999, 0x82, 0));
    assert_eq!(joystick(&mut slow), (0, 0x82, 1));
    stage.pads.inject(&[button(0, false)]).expect("events");
    assert_eq!(joystick(&mut slow), (0, 1, 0), "it goes on as before");
}

#[test]
fn programs_beyond_sixteen_and_those_that_say_nonsense_are_let_go() {
    let mut stage = stage(0);
    stage.pads.plug(0, &identity()).expect("a free slot");
    let connected: Vec<_> = (0..16).map(|_| stage.greet("selkies_js0.sock", 8)).collect();
    let mut late = stage.connect("selkies_js0.sock");
    assert_eq!(late.read(&mut [0; 8]).expect("the end"), 0);
    drop(connected);
    for (name, long) in [("selkies_js0.sock", 3), ("selkies_event1000.sock", 16)] {
        // Those from before leave in their own time.
        let end = Instant::now() + PATIENCE;
        let mut stream = loop {
            let mut stream = stage.connect(name);
            let mut config = [0; CONFIG_BYTES];
            if stream.read_exact(&mut config).is_ok() {
                break stream;
            }
            assert!(Instant::now() < end, "nobody left");
        };
        stream.write_all(&[long]).expect("the plugin listens");
        assert_eq!(stream.read(&mut [0; 8]).expect("the end"), 0, "{name}");
    }
}

#[test]
fn rumbles_come_back_and_end_with_their_program() {
    let mut stage = stage(0);
    stage.pads.plug(1, &identity()).expect("a free slot");
    assert_eq!(stage.pads.wait(Some(Duration::ZERO)).expect("a wait"), None);
    let (mut stream, _) = stage.greet("selkies_event1001.sock", 8);
    let mut record = [0; RECORD_BYTES];
    record[0] = 1;
    // Effect 3, for 1500 ms, once.
    for (at, value) in [(2, 3u16), (4, 40_000), (6, 5), (8, 1500), (12, 1)] {
        record[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }
    // In two parts.
    stream.write_all(&record[..5]).expect("the plugin listens");
    stream.write_all(&record[5..]).expect("the plugin listens");
    let rumble = stage.pads.wait(Some(PATIENCE)).expect("a wait");
    assert_eq!(rumble, Some(GamepadRumble { slot: 1, strong: 40_000, weak: 5, duration_ms: 1500 }));
    drop(stream);
    let stopped = stage.pads.wait(Some(PATIENCE)).expect("a wait");
    assert_eq!(stopped, Some(GamepadRumble { slot: 1, strong: 0, weak: 0, duration_ms: 0 }));
    stage.pads.waker().wake();
    assert_eq!(stage.pads.wait(None).expect("a wait"), None, "woken");
}

#[test]
fn a_gamepad_that_is_always_there_keeps_its_programs() {
    let mut stage = stage(1);
    assert_eq!(stage.names(), ["selkies_event1000.sock", "selkies_js0.sock"]);
    let (mut stream, config) = stage.greet("selkies_js0.sock", 8);
    assert_eq!(&config[..24], b"Microsoft X-Box 360 pad\0");
    let burst: Vec<_> = (0..19).map(|_| joystick(&mut stream)).collect();
    assert!(burst[..11].iter().all(|event| event.1 == 0x81 && event.0 == 0), "{burst:?}");
    // Triggers rest at the end of their range.
    let axes: Vec<_> = burst[11..].iter().map(|event| event.0).collect();
    assert_eq!(axes, [0, 0, -32767, 0, 0, -32767, 0, 0]);
    stage.pads.inject(&[button(10, true)]).expect("events");
    assert_eq!(joystick(&mut stream), (1, 1, 10));
    stage.pads.unplug(0).expect("it is there");
    assert_eq!(joystick(&mut stream), (0, 1, 10), "at rest");
    stage.pads.inject(&[button(0, true)]).expect("events");
    assert_eq!(joystick(&mut stream), (1, 1, 0));
}

#[test]
fn stale_sockets_are_replaced_and_others_are_left_alone() {
    let Stage { _host: host, pads, folder } = stage(1);
    let error = open(&host, folder.path(), 1).expect_err("it is in use");
    assert!(error.text.contains("served by another process"), "{}", error.text);
    drop(pads);
    let path = folder.path().join("selkies_js0.sock");
    assert!(!path.exists(), "sockets go with their plugin");
    // As after a crash: the file is there, nobody listens.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    drop(open(&host, folder.path(), 1).expect("nobody listens"));
    std::fs::write(&path, "mine").expect("a file");
    let error = open(&host, folder.path(), 1).expect_err("a file is no socket");
    assert_eq!(error.class(), abi::CLASS_DEVICE_LOST, "{}", error.text);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "mine");
    let nowhere = open(&host, &folder.path().join("nowhere"), 0).expect_err("there is no folder");
    assert!(nowhere.text.contains("is not there"), "{}", nowhere.text);
}
