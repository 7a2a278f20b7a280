//! What players do reaches programs by the first way that works, and what programs let their pads do comes back.

mod bench;
mod plugins;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use bench::Bench;
use selkies_session::{InputEvent, wire::GamepadMessage as Pad};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that a connection begins with.
const CONFIG: usize = 1360;

/// Opens a device once it is there.
fn open(folder: &Path, name: &str) -> UnixStream {
    let end = Instant::now() + PATIENCE;
    let mut stream = loop {
        if let Ok(stream) = UnixStream::connect(folder.join(name)) {
            break stream;
        }
        assert!(Instant::now() < end, "{name} does not come");
        std::thread::sleep(Duration::from_millis(5));
    };
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.read_exact(&mut [0; CONFIG]).expect("a configuration");
    stream.write_all(&[8]).expect("the host listens");
    stream
}

/// The next change of a joystick, past the state that it begins with: value, type, number.
fn change(stream: &mut UnixStream) -> (i16, u8, u8) {
    loop {
        let mut event = [0; 8];
        stream.read_exact(&mut event).expect("an event");
        if event[6] < 0x80 {
            return (i16::from_ne_bytes([event[4], event[5]]), event[6], event[7]);
        }
    }
}

fn play(bench: &Bench, message: Pad) {
    bench.studio.inject(std::time::Instant::now(), vec![InputEvent::Gamepad(message)]);
}

#[test]
fn pads_are_plugged_played_and_unplugged_and_rumble() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = json!({ "js_socket_path": folder.path().join("nowhere") });
    let bench = Bench::gamepads(&[nowhere, json!({ "js_socket_path": folder.path(), "always": 0 })]);
    play(&bench, Pad::Connect { slot: 2, name: "pad".into(), axes: 4, buttons: 17 });
    let mut joystick = open(folder.path(), "selkies_js2.sock");
    // Told the state, so that what follows is a change.
    joystick.read_exact(&mut [0; 8 * 19]).expect("the state");
    play(&bench, Pad::Button { slot: 2, index: 9, value: 1.0 });
    assert_eq!(change(&mut joystick), (1, 1, 7), "Start");
    play(&bench, Pad::Axis { slot: 2, index: 2, value: -1.0 });
    assert_eq!(change(&mut joystick), (-32767, 2, 3), "the right stick");
    play(&bench, Pad::Button { slot: 2, index: 6, value: 1.0 });
    assert_eq!(change(&mut joystick), (32767, 2, 2), "the left trigger");
    bench.studio.inject(std::time::Instant::now(), vec![InputEvent::GamepadNeutral { slot: 2 }]);
    assert_eq!(
        [change(&mut joystick), change(&mut joystick)],
        [(0, 1, 7), (-32767, 2, 2)],
        "heartbeats stopped"
    );

    // A program plays effect 1 for 300 ms.
    let mut event = open(folder.path(), "selkies_event1002.sock");
    let mut record = [0; 16];
    record[0] = 1;
    for (at, value) in [(2, 1u16), (4, 50_000), (6, 7), (8, 300), (12, 1)] {
        record[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }
    event.write_all(&record).expect("the host listens");
    bench.heard.wait("rumble 2 50000 7 ", PATIENCE);
    bench.heard.wait("rumble 2 0 0 0", PATIENCE);

    play(&bench, Pad::Disconnect { slot: 2 });
    let end = Instant::now() + PATIENCE;
    while joystick.read(&mut [0; 64]).expect("events, and the end") > 0 {
        assert!(Instant::now() < end);
    }
    // A page whose first word is a button has a pad, too.
    play(&bench, Pad::Button { slot: 0, index: 0, value: 1.0 });
    drop(open(folder.path(), "selkies_js0.sock"));
    bench.studio.stop();
    assert!(std::fs::read_dir(&folder).expect("the folder").next().is_none(), "nothing is left behind");
}
