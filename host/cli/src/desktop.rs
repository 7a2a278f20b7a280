//! The command that puts something on the display: `--desktop COMMAND`.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tracing::{info, warn};

use crate::programs;

/// How long the desktop's processes may take to end.
const END_TIMEOUT: Duration = Duration::from_millis(1500);

/// The command, and its running processes. Dropping it ends their group.
#[derive(Debug)]
pub(crate) struct Desktop {
    command: String,
    display: String,
    access_file: Option<PathBuf>,
    child: Child,
}

impl Desktop {
    /// Runs `command` in a shell, on the display.
    ///
    /// # Errors
    /// When the shell cannot be started.
    pub(crate) fn start(command: &str, display: &str, access_file: Option<&Path>) -> std::io::Result<Self> {
        let (command, display) = (command.to_owned(), display.to_owned());
        let access_file = access_file.map(Path::to_owned);
        let child = spawn(&command, &display, access_file.as_deref())?;
        Ok(Self { command, display, access_file, child })
    }

    /// Runs the command again: its display is a new one, on which nothing runs.
    ///
    /// # Errors
    /// When the shell cannot be started.
    pub(crate) fn restart(&mut self) -> std::io::Result<()> {
        self.end();
        self.child = spawn(&self.command, &self.display, self.access_file.as_deref())?;
        Ok(())
    }

    /// The process group, for the last resort.
    pub(crate) fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    fn end(&mut self) {
        let Some(group) = self.group() else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let give_up = Instant::now() + END_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > give_up {
                warn!("the desktop did not end; killing it");
                let _ = kill_process_group(group, Signal::KILL);
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn spawn(command: &str, display: &str, access_file: Option<&Path>) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("DISPLAY", display).stdin(Stdio::null()).process_group(0);
    for name in programs::withheld() {
        shell.env_remove(name);
    }
    if let Some(file) = access_file {
        shell.env("XAUTHORITY", file);
    }
    info!(command, "starting the desktop");
    shell.spawn()
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.end();
    }
}
