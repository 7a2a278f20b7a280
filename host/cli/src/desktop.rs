//! The command that puts something on the display: `--desktop COMMAND`.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tracing::{info, warn};

/// How long the desktop's processes may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// The running command. Dropping it ends its process group.
#[derive(Debug)]
pub(crate) struct Desktop {
    child: Child,
}

impl Desktop {
    /// Runs `command` in a shell, on the display.
    ///
    /// # Errors
    /// When the shell cannot be started.
    pub(crate) fn start(command: &str, display: &str, access_file: Option<&Path>) -> std::io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("DISPLAY", display).stdin(Stdio::null()).process_group(0);
        if let Some(file) = access_file {
            shell.env("XAUTHORITY", file);
        }
        info!(command, "starting the desktop");
        Ok(Self { child: shell.spawn()? })
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) else {
            return;
        };
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        let give_up = Instant::now() + END_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > give_up {
                warn!("the desktop did not end; killing it");
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
