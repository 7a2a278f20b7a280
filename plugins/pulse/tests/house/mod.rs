//! A PulseAudio of the test's own, and its tools as witnesses.
#![allow(dead_code)] // each test file uses a part

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longer than anything takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The channels of 5.1, in the order of the ABI.
pub(crate) const SURROUND: &str = "front-left,front-right,front-center,lfe,rear-left,rear-right";

/// Waits until something is true.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

/// A sound server in a folder of its own. Dropping it ends it.
pub(crate) struct House {
    folder: TempDir,
    server: Option<Child>,
    sinks: Vec<String>,
}

impl House {
    /// Starts a server with these null sinks, and waits until it answers.
    pub(crate) fn new(sinks: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sinks = sinks.iter().map(|sink| (*sink).to_owned()).collect();
        let mut house = Self { folder, server: None, sinks };
        house.start();
        house
    }

    pub(crate) fn start(&mut self) {
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]);
        command.args(["--system=false", "--log-target=stderr", "--realtime=false", "--high-priority=false"]);
        for sink in &self.sinks {
            command.arg("-L").arg(format!("module-null-sink sink_name={sink} rate=48000"));
        }
        let socket = self.socket().display().to_string();
        command.arg("-L").arg(format!("module-native-protocol-unix auth-anonymous=1 socket={socket}"));
        self.environment(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.server = Some(command.spawn().expect("pulseaudio is installed"));
        assert!(eventually(|| self.pactl(&["info"]).is_some()), "the sound server answers");
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// Stops it, as a debugger or a machine without memory does: its connections stay open and nothing is said.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let server = self.server.as_ref().expect("it runs");
        let sent = Command::new("kill").args([signal, &server.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("native")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// The plugin's configuration for it.
    pub(crate) fn config(&self) -> String {
        serde_json::json!({ "server": self.address() }).to_string()
    }

    fn environment(&self, command: &mut Command) {
        let home: &Path = self.folder.path();
        command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("PULSE_RUNTIME_PATH", home);
        command.env("PULSE_SERVER", self.address()).env_remove("DISPLAY");
    }

    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(arguments).stderr(Stdio::null());
        self.environment(&mut command);
        command
    }

    /// What `pactl` says; `None` when it fails.
    pub(crate) fn pactl(&self, arguments: &[&str]) -> Option<String> {
        let output = self.tool("pactl", arguments).stdin(Stdio::null()).output().expect("pactl is installed");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Plays a sine of these frequencies, one a channel, into a sink until it is dropped.
    pub(crate) fn play(&self, sink: &str, pitches: &[f64]) -> Player {
        let channels = pitches.len().to_string();
        let arguments = ["--playback", "--raw", "--format=float32ne", "--rate=48000", "--latency-msec=40"];
        let mut command = self.tool("pacat", &arguments);
        command.arg(format!("--channels={channels}")).arg(format!("--device={sink}"));
        if pitches.len() == 6 {
            command.arg(format!("--channel-map={SURROUND}"));
        }
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("pacat is installed");
        let mut input = process.stdin.take().expect("piped");
        let pitches = pitches.to_vec();
        let thread = thread::spawn(move || {
            for block in 0.. {
                let samples = sine(&pitches, block * 480, 480);
                let bytes: Vec<u8> = samples.into_iter().flat_map(f32::to_ne_bytes).collect();
                // Ends with the process.
                if input.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        Player { process, thread: Some(thread) }
    }

    /// Records s16 mono at 24 kHz from a source until it is dropped.
    pub(crate) fn record(&self, source: &str) -> Recorder {
        let arguments = ["--record", "--raw", "--format=s16le", "--rate=24000", "--channels=1"];
        let mut command = self.tool("pacat", &arguments);
        command.args(["--latency-msec=20", &format!("--device={source}")]);
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("pacat is installed");
        let mut output = process.stdout.take().expect("piped");
        let heard: std::sync::Arc<std::sync::Mutex<Vec<i16>>> = std::sync::Arc::default();
        let ours = heard.clone();
        let thread = thread::spawn(move || {
            let mut bytes = [0; 960];
            while output.read_exact(&mut bytes).is_ok() {
                let samples = bytes.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample));
                ours.lock().expect("no panic").extend(samples);
            }
        });
        Recorder { process, heard, thread: Some(thread) }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A tool that plays.
pub(crate) struct Player {
    process: Child,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A tool that records.
pub(crate) struct Recorder {
    process: Child,
    heard: std::sync::Arc<std::sync::Mutex<Vec<i16>>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.heard.lock().expect("no panic").clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A sine of this frequency in each channel at 48 kHz, half of full scale.
pub(crate) fn sine(pitches: &[f64], from: usize, frames: usize) -> Vec<f32> {
    (from..from + frames)
        .flat_map(|at| {
            let second = at as f64 / 48_000.0;
            pitches.iter().map(move |pitch| 0.5 * (second * pitch * std::f64::consts::TAU).sin() as f32)
        })
        .collect()
}

/// How strong a frequency is in a channel, by Goertzel's algorithm: the amplitude of its sine.
pub(crate) fn strength(samples: &[f32], channels: usize, channel: usize, pitch: f64) -> f64 {
    let turn = 2.0 * (pitch / 48_000.0 * std::f64::consts::TAU).cos();
    let (mut last, mut before, mut count) = (0.0, 0.0, 0.0);
    for sample in samples.iter().skip(channel).step_by(channels) {
        (last, before) = (f64::from(*sample) + turn * last - before, last);
        count += 1.0;
    }
    let power: f64 = last * last + before * before - turn * last * before;
    power.max(0.0).sqrt() * 2.0 / count
}
