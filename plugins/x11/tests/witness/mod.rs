//! Programs of three toolkits that tell what they read from the keyboard.
//!
//! Each prints `window ID` when its window is there, `focus` when it has the keyboard, and then for each key press `key
//! KEYSYM` in hexadecimal, with `control` and `alt` where these are held, and `text UTF-8` in hexadecimal for each text.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use x11rb::protocol::xproto::{ConnectionExt as _, InputFocus, MapState};
use xkeysym::Keysym;

use crate::common::{SOON, Server};

/// What a program read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The characters of the keys; none where they do not matter.
    pub(crate) keys: String,
    pub(crate) text: String,
    /// Control was held with each key.
    pub(crate) control: bool,
    /// Alt was held with each key.
    pub(crate) alt: bool,
}

/// A running program.
pub(crate) struct Witness {
    process: Child,
    lines: Receiver<String>,
}

impl Witness {
    pub(crate) fn xlib(server: &Server) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness/xlib.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("xlib-witness");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program).arg(source).arg("-lX11");
        assert!(compiler.status().expect("cc must be installed").success());
        Self::start(server, Command::new(program))
    }

    pub(crate) fn gtk(server: &Server) -> Self {
        Self::python(server, "gtk.py")
    }

    pub(crate) fn qt(server: &Server) -> Self {
        Self::python(server, "qt.py")
    }

    fn python(server: &Server, name: &str) -> Self {
        // Debian's own: another one lacks the modules that Debian installs.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness").join(name));
        Self::start(server, command)
    }

    fn start(server: &Server, mut command: Command) -> Self {
        command.env("DISPLAY", &server.display).env("LC_ALL", "C.UTF-8").env_remove("XMODIFIERS");
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the witness starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let witness = Self { process, lines };
        let window = witness.wait_for("window ").parse().expect("the window's id");
        witness.focus(server, window);
        witness
    }

    /// Gives it the keyboard, which no window manager does here.
    fn focus(&self, server: &Server, window: u32) {
        let x = server.connect();
        let end = Instant::now() + SOON;
        while x.get_window_attributes(window).unwrap().reply().unwrap().map_state != MapState::VIEWABLE {
            assert!(Instant::now() < end, "the witness's window is not shown");
            std::thread::sleep(Duration::from_millis(5));
        }
        x.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap().check().unwrap();
        self.wait_for("focus");
    }

    /// The rest of the next line that starts like this.
    fn wait_for(&self, start: &str) -> String {
        let end = Instant::now() + 3 * SOON;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line
                .unwrap_or_else(|_| panic!("the witness does not say {start:?}; is its toolkit installed?"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Waits until this was read; else what was read instead. Keys that print nothing do not count, and texts only
    /// where `texts`.
    pub(crate) fn reads(&self, wanted: &Seen, texts: bool) -> Result<(), Seen> {
        let mut seen = Seen { control: wanted.control, alt: wanted.alt, ..Seen::default() };
        let complete = |seen: &Seen| {
            seen.keys.chars().count() >= wanted.keys.chars().count()
                && (!texts || seen.text.chars().count() >= wanted.text.chars().count())
        };
        let mut end = Instant::now() + SOON;
        while !complete(&seen) {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                break;
            };
            let mut words = line.split(' ');
            match (words.next(), words.next()) {
                (Some("key"), Some(symbol)) => {
                    let symbol = Keysym::new(u32::from_str_radix(symbol, 16).expect("a keysym"));
                    // No characters: modifiers and dead keys.
                    let Some(character) = symbol.key_char() else { continue };
                    if !wanted.keys.is_empty() {
                        seen.keys.push(character);
                    }
                    let held: Vec<_> = words.collect();
                    let (control, alt) = (held.contains(&"control"), held.contains(&"alt"));
                    if (control, alt) != (wanted.control, wanted.alt) {
                        return self.fail(Seen { control, alt, ..seen });
                    }
                }
                (Some("text"), Some(bytes)) if texts => seen.text.push_str(&decode(bytes)),
                _ => {}
            }
            // What comes at all comes soon after the one before.
            end = end.min(Instant::now() + SOON / 2);
        }
        let same = seen.keys == wanted.keys && (!texts || seen.text == wanted.text);
        if same { Ok(()) } else { self.fail(seen) }
    }

    /// Reads away what still comes, so that it does not spoil what follows.
    fn fail(&self, seen: Seen) -> Result<(), Seen> {
        while self.lines.recv_timeout(Duration::from_millis(300)).is_ok() {}
        Err(seen)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn decode(hex: &str) -> String {
    let byte =
        |at: usize| u8::from_str_radix(hex.get(at..at + 2).expect("two digits"), 16).expect("hexadecimal");
    String::from_utf8((0..hex.len()).step_by(2).map(byte).collect()).expect("UTF-8")
}
