//! A host that runs: how commands and signals reach it.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A library that cargo built for this test; it lies beside the test.
fn library(name: &str) -> PathBuf {
    std::env::current_exe().expect("a test has a path").with_file_name(name)
}

/// Plugins, runtime folder and state of the hosts of one test.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("a folder") };
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for plugin in ["test-pattern", "striped-jpeg", "websocket"] {
            let place = stage.plugin(plugin);
            fs::create_dir_all(&place).expect("a folder");
            let manifest = project.join("plugins").join(plugin).join("selkies-plugin.json");
            fs::copy(manifest, place.join("selkies-plugin.json")).expect("it has a manifest");
            let file = format!("libselkies_{}.so", plugin.replace('-', "_"));
            fs::copy(library(&file), place.join(&file)).expect("a dev-dependency");
        }
        fs::create_dir(stage.runtime()).expect("a folder");
        let config = r#"{ "capture": { "plugin": "selkies.test-pattern" }, "encoders": [{ "name": "jpeg", "plugin": "selkies.striped-jpeg" }] }"#;
        fs::write(stage.config(), config).expect("written");
        stage
    }

    fn plugin(&self, name: &str) -> PathBuf {
        self.folder.path().join("plugins").join(name)
    }

    fn runtime(&self) -> PathBuf {
        self.folder.path().join("runtime")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("host.json")
    }

    /// The variables and files of this stage for a command that begins with the host's program.
    fn dress(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SELKIES_") || name == "DISPLAY" || name == "PORT" {
                command.env_remove(name);
            }
        }
        command.env("SELKIES_STATE_DIR", self.folder.path().join("state"));
        command.env("XDG_RUNTIME_DIR", self.runtime());
        command.stdin(Stdio::null());
    }

    fn arguments(&self, address: &str, port: u16) -> Vec<String> {
        let text = |path: PathBuf| path.to_str().expect("a plain path").to_owned();
        let port = port.to_string();
        let mut all: Vec<String> =
            ["--addr", address, "--port", &port, "--config"].map(str::to_owned).to_vec();
        all.push(text(self.config()));
        all.extend(["--plugins".to_owned(), text(self.folder.path().join("plugins"))]);
        all
    }

    /// Starts a host without a controlling terminal.
    fn host(&self, address: &str, port: u16) -> Host {
        let mut command = heeding_hangups("setsid");
        command.arg(env!("CARGO_BIN_EXE_selkies-host")).args(self.arguments(address, port));
        self.dress(&mut command);
        Host::start(command)
    }

    /// Starts a host with a terminal of its own, from which it reads nothing.
    fn host_of_a_terminal(&self) -> Host {
        let words = self.arguments("127.0.0.1", 0).join(" ");
        let line = format!("exec {} {words} </dev/null", env!("CARGO_BIN_EXE_selkies-host"));
        let mut command = heeding_hangups("script");
        command.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]).env("SHELL", "/bin/sh");
        self.dress(&mut command);
        Host::start(command)
    }

    fn reload(&self, plugin: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selkies-host"));
        command.args(["plugins", "reload", plugin]).args(more);
        self.dress(&mut command);
        command.output().expect("the binary runs")
    }
}

/// A program that hangups reach although these tests may have been started with `nohup`.
fn heeding_hangups(program: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", program]);
    command
}

struct Host {
    child: Child,
    /// Of the host itself, which may be a child of what was started.
    pid: u32,
    port: u16,
    said: Arc<Mutex<String>>,
}

impl Host {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = Arc::<Mutex<String>>::default();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for stream in streams {
            let said = said.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    *said.lock().expect("not poisoned") += &(line + "\n");
                }
            });
        }
        let mut host = Self { pid: child.id(), child, port: 0, said };
        let port = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("http://"))?;
            line.trim_end().trim_end_matches('/').rsplit(':').next()?.parse().ok()
        };
        host.until("it prints its address", |host| port(&host.text()).is_some());
        host.port = port(&host.text()).expect("it was there");
        // `script` runs it as its only child; `setsid` became it.
        let id = host.pid;
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        if fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "script") {
            host.pid = children.trim().parse().expect("one child");
        }
        host
    }

    fn text(&self) -> String {
        self.said.lock().expect("not poisoned").clone()
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < limit, "{what}: {}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn hang_up(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid.cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("it runs");
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is ours")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid.cast_signed())
            && self.ended().is_none()
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn hosts_on_one_port_have_sockets_of_their_own() {
    let stage = Stage::new();
    let first = stage.host("127.0.0.1", 0);
    let port = first.port.to_string();
    let plugin = "selkies.test-pattern";
    // The only one is found by its port alone, whatever address the command has in mind.
    let only = stage.reload(plugin, &["--port", &port, "--addr", "127.0.0.9"]);
    assert!(err(&only).starts_with("CL047 "), "{}", err(&only));

    let second = stage.host("127.0.0.2", first.port);
    assert_eq!(second.port, first.port);
    let folder = stage.runtime().join("selkies-host");
    assert_eq!(fs::metadata(&folder).expect("there").mode() & 0o777, 0o700);
    for name in [format!("{port}-127.0.0.1.sock"), format!("{port}-127.0.0.2.sock")] {
        assert_eq!(fs::metadata(folder.join(&name)).expect("there").mode() & 0o777, 0o600, "{name}");
    }
    let asked = |host: &Host| host.text().matches("asked through the control socket").count();
    let before = (asked(&first), asked(&second));
    let named = stage.reload(plugin, &["--port", &port, "--addr", "127.0.0.2"]);
    assert!(err(&named).starts_with("CL047 "), "{}", err(&named));
    second.until("the second host was asked", |host| asked(host) == before.1 + 1);
    assert_eq!(asked(&first), before.0);
    let unclear = stage.reload(plugin, &["--port", &port, "--addr", "127.0.0.9"]);
    let line = format!("CL049 several hosts serve port {port}, at 127.0.0.1, 127.0.0.2. ");
    assert!(err(&unclear).starts_with(&line), "{}", err(&unclear));
    assert_eq!(unclear.status.code(), Some(1));

    drop(second);
    // What it left behind is in nobody's way.
    let left = stage.reload(plugin, &["--port", &port]);
    assert!(err(&left).starts_with("CL047 "), "{}", err(&left));
    let nobody = stage.reload(plugin, &["--port", "1"]);
    assert!(err(&nobody).starts_with("CL042 "), "{}", err(&nobody));
}

#[test]
fn a_hangup_says_why_a_changed_plugin_is_refused() {
    let stage = Stage::new();
    let host = stage.host("127.0.0.1", 0);
    host.hang_up();
    host.until("it looks", |host| host.text().contains("no plugin changed"));
    let place = stage.plugin("striped-jpeg");
    let (fresh, library) = (place.join("new"), place.join("libselkies_striped_jpeg.so"));
    fs::write(&fresh, "not a library").expect("written");
    fs::rename(&fresh, &library).expect("renamed");
    host.hang_up();
    host.until("it says why", |host| {
        host.text().lines().any(|line| line.contains("SP007 ") && line.contains("libselkies_striped_jpeg.so"))
    });
    assert_eq!(host.text().matches("no plugin changed").count(), 1);
}

#[test]
fn a_hangup_ends_a_host_with_a_terminal_wherever_its_input_comes_from() {
    let stage = Stage::new();
    let mut host = stage.host_of_a_terminal();
    host.hang_up();
    let limit = Instant::now() + PATIENCE;
    while host.ended().is_none() {
        assert!(Instant::now() < limit, "{}", host.text());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(host.ended().is_some_and(|status| status.success()), "{}", host.text());
    assert!(!host.text().contains("no plugin changed"), "{}", host.text());
}
