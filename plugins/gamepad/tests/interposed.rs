//! Programs that know nothing of sockets, under `plugins/interposer`: jstest, evtest, SDL2, and a 32-bit one of our own.

mod program;

use std::{path::PathBuf, process::Command, time::Duration};

use program::{PATIENCE, Program};
use selkies_gamepad::InterposerPads;
use selkies_plugin_sdk::{
    GamepadChange, GamepadEvent, GamepadRumble,
    test_host::{TestGamepad, TestHost},
};

struct Stage {
    _host: TestHost,
    pads: TestGamepad,
    folder: tempfile::TempDir,
}

fn source(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with the interposer and the sockets, and one gamepad at rest.
fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let built = Command::new(source("../interposer/build.sh")).arg(folder.path()).output().expect("a shell");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let config = format!(r#"{{"js_socket_path": {:?}}}"#, folder.path());
    let host = TestHost::new();
    let pads = TestGamepad::of::<InterposerPads>(&host, &config).expect("the folder is free");
    Stage { _host: host, pads, folder }
}

impl Stage {
    /// Starts a program under the interposer for its width.
    fn run(&self, triplet: &str, program: &str, arguments: &[&str]) -> Program {
        let library = self.folder.path().join("lib").join(triplet).join("selkies_joystick_interposer.so");
        assert!(library.exists(), "{} was not built", library.display());
        let mut command = Command::new(program);
        command.args(arguments).env("SELKIES_JS_SOCKET_PATH", self.folder.path()).env("LD_PRELOAD", library);
        Program::start(command)
    }

    /// Compiles a program of tests/c.
    fn compile(&self, name: &str, options: &[&str]) -> String {
        let out = self.folder.path().join(name).to_string_lossy().into_owned();
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=gnu11", "-Wall", "-o", &out]).arg(source(&format!("tests/c/{name}.c"))).args(options);
        let built = gcc.output().expect("gcc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        out
    }

    fn change(&mut self, change: GamepadChange) {
        self.pads.inject(&[GamepadEvent { slot: 0, change }]).expect("events");
    }

    fn button(&mut self, index: u16, pressed: bool) {
        self.change(GamepadChange::Button { index, pressed });
    }

    fn axis(&mut self, index: u16, value: i32) {
        self.change(GamepadChange::Axis { index, value });
    }
}

/// The triplet of this machine.
fn native() -> String {
    let answer = Command::new("gcc").arg("-print-multiarch").output().expect("gcc");
    String::from_utf8_lossy(&answer.stdout).trim().to_owned()
}

#[test]
fn jstest_sees_a_joystick_and_what_it_does() {
    let mut stage = stage();
    let mut jstest = stage.run(&native(), "jstest", &["--event", "/dev/input/js0"]);
    jstest.sees("Joystick (Microsoft X-Box 360 pad) has 8 axes");
    jstest.sees("11 buttons (BtnA, BtnB, BtnX, BtnY, BtnTL, BtnTR, BtnSelect, BtnStart, BtnMode, BtnThumbL, BtnThumbR)");
    // The first state: all eleven buttons and, behind them, eight axes, of which triggers rest at the end.
    jstest.sees_event(&["type 129", "number 10", "value 0"]);
    jstest.sees_event(&["type 130", "number 2", "value -32767"]);
    jstest.sees_event(&["type 130", "number 7", "value 0"]);
    stage.button(8, true);
    jstest.sees_event(&["type 1,", "number 8", "value 1"]);
    stage.axis(3, -12345);
    jstest.sees_event(&["type 2,", "number 3", "value -12345"]);
    stage.axis(7, 1);
    jstest.sees_event(&["type 2,", "number 7", "value 32767"]);
    assert!(jstest.is_running());
}

#[test]
fn evtest_sees_an_event_device_and_what_it_does() {
    let mut stage = stage();
    stage.button(0, true);
    let mut evtest = stage.run(&native(), "stdbuf", &["-oL", "evtest", "/dev/input/event1000"]);
    evtest.sees("Input driver version is 1.0.1");
    evtest.sees("Input device ID: bus 0x3 vendor 0x45e product 0x28e version 0x114");
    evtest.sees("Input device name: \"Microsoft X-Box 360 pad\"");
    evtest.sees("Event code 304 (BTN_SOUTH)");
    evtest.sees("Event code 318 (BTN_THUMBR)");
    evtest.sees("Event code 2 (ABS_Z)");
    evtest.sees("Value -32767");
    evtest.sees("Event code 80 (FF_RUMBLE)");
    evtest.sees("Testing ...");
    stage.axis(5, 99);
    evtest.sees_event(&["type 3 (EV_ABS)", "code 5 (ABS_RZ)", "value 99"]);
    evtest.sees("SYN_REPORT");
    stage.button(0, false);
    evtest.sees_event(&["type 1 (EV_KEY)", "code 304 (BTN_SOUTH)", "value 0"]);
    assert!(evtest.is_running());
}

#[test]
fn a_gamepad_that_goes_is_gone_for_programs() {
    let mut stage = stage();
    let identity = program::identity();
    stage.pads.plug(1, &identity).expect("a free slot");
    let mut jstest = stage.run(&native(), "jstest", &["--event", "/dev/input/js1"]);
    jstest.sees("Joystick (Test pad) has 1 axes");
    stage.pads.unplug(1).expect("it is there");
    jstest.sees("No such device");
    assert!(!jstest.ends());
    let mut jstest = stage.run(&native(), "jstest", &["--event", "/dev/input/js1"]);
    jstest.sees("No such file or directory");
    assert!(!jstest.ends());
}

#[test]
fn sdl_opens_a_game_controller_which_rumbles() {
    let mut stage = stage();
    let program = stage.compile("sdl", &["-lSDL2"]);
    let mut sdl = stage.run(&native(), &program, &["/dev/input/event1000"]);
    sdl.sees("controller: X360 Controller");
    sdl.sees("guid: 030000005e0400008e02000014010000 axes 6 hats 1 buttons 11");
    stage.button(2, true);
    sdl.sees("button x 1");
    stage.axis(0, 20_000);
    sdl.sees("axis leftx 20000");
    stage.axis(5, 32767);
    sdl.sees("axis righttrigger 32767");
    stage.axis(6, -1);
    sdl.sees("button dpleft 1");
    // It rumbles when a button of its own is pressed.
    stage.button(7, true);
    let rumble = stage.pads.wait(Some(PATIENCE)).expect("a wait").expect("a rumble");
    assert_eq!((rumble.slot, rumble.strong, rumble.weak), (0, 0x8000, 0x4000), "{rumble:?}");
    assert!(rumble.duration_ms > 0);
    sdl.kill();
    // While it goes on it is told again, and it ends with its program.
    let stop = GamepadRumble { slot: 0, strong: 0, weak: 0, duration_ms: 0 };
    loop {
        match stage.pads.wait(Some(PATIENCE)).expect("a wait").expect("an end") {
            rumble if rumble == stop => break,
            again => assert_eq!((again.strong, again.weak), (0x8000, 0x4000)),
        }
    }
}

#[test]
fn sdl_finds_gamepads_by_the_stand_in_for_udev() {
    let mut stage = stage();
    let program = stage.compile("sdl", &["-lSDL2"]);
    let folder = stage.folder.path().join("lib").join(native());
    let libraries = ["selkies_joystick_interposer.so", "udev/libudev.so.1"].map(|name| folder.join(name));
    let mut command = Command::new(program);
    command.env("SELKIES_JS_SOCKET_PATH", stage.folder.path());
    command.env("LD_PRELOAD", libraries.map(|path| path.to_string_lossy().into_owned()).join(":"));
    let mut sdl = Program::start(command);
    sdl.sees("added, 1 in all");
    sdl.sees("controller: X360 Controller");
    stage.button(0, true);
    sdl.sees("button a 1");
    let identity = program::xbox();
    stage.pads.plug(3, &identity).expect("a free slot");
    sdl.sees("added, 2 in all");
    stage.pads.unplug(3).expect("it is there");
    sdl.sees("removed, 1 in all");
    stage.button(0, false);
    sdl.sees("button a 0");
    assert!(sdl.is_running());
}

/// Everything that programs ask of nodes and devices, in both widths.
fn asks(triplet: &str, options: &[&str], long: &str) {
    let mut stage = stage();
    let program = stage.compile("asks", options);
    let mut asks = stage.run(triplet, &program, &[]);
    asks.sees(&format!("long {long}"));
    asks.sees("nodes right");
    asks.sees("joystick right");
    asks.sees("event device right");
    asks.sees("children right");
    stage.button(9, true);
    stage.axis(4, -7);
    asks.sees("events right");
    let rumble = stage.pads.wait(Some(PATIENCE)).expect("a wait");
    let wanted = GamepadRumble { slot: 0, strong: 0x6000, weak: 0x1000, duration_ms: 500 };
    // Half of what the effect says, by the gain.
    assert_eq!(rumble, Some(wanted));
    asks.sees("effects right");
    stage.button(9, false);
    assert!(asks.ends(), "it found a wrong answer");
    let stopped = stage.pads.wait(Some(Duration::from_secs(60))).expect("a wait");
    assert_eq!(stopped.map(|rumble| (rumble.strong, rumble.weak)), Some((0, 0)));
}

#[test]
fn programs_of_this_width_get_what_a_kernel_would_answer() {
    asks(&native(), &[], "8");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn programs_of_32_bits_get_what_a_kernel_would_answer() {
    asks("i386-linux-gnu", &["-m32"], "4");
}
