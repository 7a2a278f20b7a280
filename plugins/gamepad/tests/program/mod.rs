//! A program whose output is waited for.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{GamepadAxis, GamepadIdentity};

/// Longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A program, killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// A gamepad with one of each.
pub(crate) fn identity() -> GamepadIdentity {
    let stick =
        GamepadAxis { code: 0, minimum: -32767, maximum: 32767, rest: 0, fuzz: 0, flat: 0, resolution: 0 };
    GamepadIdentity {
        name: "Test pad".into(),
        bus: 3,
        vendor: 1,
        product: 2,
        version: 3,
        buttons: vec![0x130],
        axes: vec![stick],
        rumbles: true,
    }
}

/// What most players have.
pub(crate) fn xbox() -> GamepadIdentity {
    let stick = |code| GamepadAxis {
        code,
        minimum: -32767,
        maximum: 32767,
        rest: 0,
        fuzz: 16,
        flat: 128,
        resolution: 1,
    };
    let hat = |code| GamepadAxis { minimum: -1, maximum: 1, fuzz: 0, flat: 0, ..stick(code) };
    GamepadIdentity {
        name: "Microsoft X-Box 360 pad".into(),
        vendor: 0x045e,
        product: 0x028e,
        version: 0x0114,
        buttons: vec![0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13a, 0x13b, 0x13c, 0x13d, 0x13e],
        axes: [0, 1, 2, 3, 4, 5].map(stick).into_iter().chain([16, 17].map(hat)).collect(),
        ..identity()
    }
}

fn forward(output: impl Read + Send + 'static, lines: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (send, lines) = channel();
        forward(child.stdout.take().expect("piped"), send.clone());
        forward(child.stderr.take().expect("piped"), send);
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line that has this in it.
    pub(crate) fn sees(&mut self, part: &str) {
        self.sees_event(&[part]);
    }

    /// Waits for a line that has all of this in it; one that came already counts.
    pub(crate) fn sees_event(&mut self, parts: &[&str]) {
        let end = Instant::now() + PATIENCE;
        let fits = |line: &String| parts.iter().all(|part| line.contains(part));
        while !self.seen.iter().any(fits) {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(why) => panic!("no line with {parts:?} ({why}) in\n{}", self.seen.join("\n")),
            }
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits for its end; true when it succeeded.
    pub(crate) fn ends(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.seen.join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn kill(&mut self) {
        // One that ended is gone, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
