//! A display of our own, for machines without one: Xvfb, started, guarded and ended by the host.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tracing::{info, warn};

const PROGRAM: &str = "Xvfb";
/// How long Xvfb may take to say its display number.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends Xvfb when the host's end of standard input closes, however the host ended, and ends itself with Xvfb.
const GUARD: &str = r#"exec 3<&0
Xvfb "$@" </dev/null & server=$!
{ cat >/dev/null; kill $server 2>/dev/null; } <&3 & guard=$!
wait $server; status=$?
kill $guard 2>/dev/null
exit $status"#;

/// Why there is no display.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XvfbError {
    /// Xvfb could not be run.
    #[error(
        "CL020 there is no DISPLAY and Xvfb cannot be started: {0}. Install it (apt-get install xvfb), or name a display \
         with --display"
    )]
    Start(std::io::Error),
    /// Xvfb ended or said nothing.
    #[error(
        "CL021 Xvfb did not start within {seconds} s: {text}. Run it by hand to see why: Xvfb -displayfd 1"
    )]
    Silent {
        /// Time allowed.
        seconds: u64,
        /// Its last words.
        text: String,
    },
    /// Xvfb ended at once.
    #[error("CL027 Xvfb ended when it was started: {0}. Run it by hand to see why: Xvfb -displayfd 1")]
    Ended(String),
    /// The folder for its access file could not be made.
    #[error("CL022 the X access file {path}: {source}. Make the folder writable or set TMPDIR")]
    Access {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// An Xvfb that has its access file but does not run yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    access: AccessFile,
}

impl Prepared {
    /// The file that lets clients in, for XAUTHORITY.
    #[must_use]
    pub(crate) fn access_file(&self) -> &Path {
        &self.access.path
    }

    /// Starts the server; its screen can grow to `max_size` pixels.
    ///
    /// # Errors
    /// [`XvfbError`] when it is not installed or does not come up.
    pub(crate) fn start(self, max_size: (u32, u32)) -> Result<Xvfb, XvfbError> {
        let (child, name) = spawn(&self.access.path, max_size, None)?;
        info!("there was no DISPLAY: started Xvfb {name}");
        Ok(Xvfb { child, display: name, access: self.access, max_size })
    }
}

impl From<XvfbError> for String {
    fn from(error: XvfbError) -> Self {
        error.to_string()
    }
}

/// A running Xvfb. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Xvfb {
    child: Child,
    display: String,
    access: AccessFile,
    max_size: (u32, u32),
}

impl Xvfb {
    /// Makes the access file.
    ///
    /// # Errors
    /// [`XvfbError::Access`].
    pub(crate) fn prepare() -> Result<Prepared, XvfbError> {
        Ok(Prepared { access: AccessFile::new()? })
    }

    /// Its name, `:7`.
    #[must_use]
    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    /// The file that lets clients in, for XAUTHORITY.
    #[must_use]
    pub(crate) fn access_file(&self) -> &Path {
        &self.access.path
    }

    /// Starts the server again under its name if it ended. True when it had to.
    ///
    /// # Errors
    /// [`XvfbError`] when it does not come up; a later call tries again.
    pub(crate) fn revive(&mut self) -> Result<bool, XvfbError> {
        if matches!(self.child.try_wait(), Ok(None)) {
            return Ok(false);
        }
        warn!("Xvfb {} ended; starting it again", self.display);
        (self.child, _) = spawn(&self.access.path, self.max_size, Some(&self.display))?;
        Ok(true)
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        // Closing its input makes the guard end the server.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// True when a program of this name can be found.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn spawn(access: &Path, max_size: (u32, u32), name: Option<&str>) -> Result<(Child, String), XvfbError> {
    if !on_path(PROGRAM) {
        return Err(XvfbError::Start(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "it is not installed",
        )));
    }
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "xvfb-guard"]);
    // In a group of its own: Ctrl-C in a terminal is for the host, which ends the display last.
    command.process_group(0);
    if let Some(name) = name {
        command.arg(name);
    }
    let screen = format!("{}x{}x24", max_size.0, max_size.1);
    command
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            &screen,
            "-dpi",
            "96",
            "-noreset",
            "-nolisten",
            "tcp",
            "-auth",
        ])
        .arg(access)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(XvfbError::Start)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(XvfbError::Start(std::io::Error::other("no pipes")));
    };
    let (send, number) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // A display number has few digits.
        let _ = BufReader::new(stdout.take(64)).read_line(&mut line);
        let _ = send.send(line.trim().to_owned());
    });
    let (words, last_words) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            tracing::debug!(target: "xvfb", "{line}");
            let _ = words.send(line);
        }
    });
    match number.recv_timeout(START_TIMEOUT) {
        Ok(number) if number.parse::<u32>().is_ok() => Ok((child, format!(":{number}"))),
        answer => {
            drop(child.stdin.take());
            let _ = child.wait();
            let silent = answer == Err(mpsc::RecvTimeoutError::Timeout);
            // Its words are all there once it has ended; one that hangs may keep its error output open.
            if !silent {
                let _ = reader.join();
            }
            let text = last_words.try_iter().last().unwrap_or_else(|| "it said nothing".into());
            Err(if silent {
                XvfbError::Silent { seconds: START_TIMEOUT.as_secs(), text }
            } else {
                XvfbError::Ended(text)
            })
        }
    }
}

/// A file with one random cookie that only the owner reads; removed on drop.
#[derive(Debug)]
struct AccessFile {
    path: PathBuf,
}

impl AccessFile {
    fn new() -> Result<Self, XvfbError> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = if folder.is_dir() { folder } else { std::env::temp_dir() };
        let path = folder.join(format!("selkies-host-{}.Xauthority", std::process::id()));
        let failed = |source| XvfbError::Access { path: path.clone(), source };
        let mut cookie = [0; 16];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut cookie))
            .map_err(failed)?;
        // A file left by an ended process of the same number is not ours to write into.
        let _ = std::fs::remove_file(&path);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(&entry(&cookie)).map_err(failed)?;
        Ok(Self { path })
    }
}

impl Drop for AccessFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One entry of Xau's file format: family, then address, number, name and data, each with its length; big-endian.
/// `FamilyWild` and an empty number fit every display, whose number is not known yet.
fn entry(cookie: &[u8; 16]) -> Vec<u8> {
    const FAMILY_WILD: u16 = 0xffff;
    let mut out = FAMILY_WILD.to_be_bytes().to_vec();
    for field in [&b""[..], b"", b"MIT-MAGIC-COOKIE-1", cookie] {
        out.extend((field.len() as u16).to_be_bytes());
        out.extend(field);
    }
    out
}
