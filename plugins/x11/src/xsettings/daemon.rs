//! Desktops' own settings daemons: which one runs, and how it is told.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use tracing::{info, warn};

use super::Scale;

/// How long a daemon's program may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most of a process's environment that is read, bytes.
const MAX_ENVIRONMENT: usize = 1 << 20;
/// What the daemon's program needs of its environment to reach it.
const VARIABLES: [&str; 6] =
    ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "HOME", "XAUTHORITY", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"];

/// The name of a process as the kernel has it: 15 bytes at most.
pub(super) fn name(process: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Has the daemon with this name and process take a scale over.
pub(super) fn tell(name: &str, process: u32, scale: Scale) {
    let commands = commands(name, scale);
    if commands.is_empty() {
        info!(
            daemon = name,
            "this settings daemon is not known: programs that run keep their scale, new ones have the other"
        );
    }
    let environment = environment(process);
    for words in commands {
        if let Err(reason) = run(&words, &environment) {
            warn!(daemon = name, "{}: {reason}; programs that run keep their scale", words.join(" "));
        }
    }
}

/// What is run to tell a daemon: the tools of its own desktop.
fn commands(name: &str, scale: Scale) -> Vec<Vec<String>> {
    let (dpi, cursor) = (scale.dpi.to_string(), scale.cursor.to_string());
    // Some desktops know no dots per inch, but a factor of 96 of them.
    let factor = format!("{:.4}", f64::from(scale.dpi) / 96.0);
    let xfconf = |key: &str, value: &str| {
        ["xfconf-query", "-c", "xsettings", "-p", key, "-n", "-t", "int", "-s", value]
            .map(str::to_owned)
            .to_vec()
    };
    let gsettings = |schema: &str, key: &str, value: &str| {
        ["gsettings", "set", schema, key, value].map(str::to_owned).to_vec()
    };
    match name {
        "xfsettingsd" => vec![xfconf("/Xft/DPI", &dpi), xfconf("/Gtk/CursorThemeSize", &cursor)],
        "mate-settings-d" => vec![
            gsettings("org.mate.font-rendering", "dpi", &format!("{dpi}.0")),
            gsettings("org.mate.peripherals-mouse", "cursor-size", &cursor),
        ],
        "gsd-xsettings" | "gnome-settings-" => vec![
            gsettings("org.gnome.desktop.interface", "text-scaling-factor", &factor),
            gsettings("org.gnome.desktop.interface", "cursor-size", &cursor),
        ],
        "csd-xsettings" | "cinnamon-settin" => vec![
            gsettings("org.cinnamon.desktop.interface", "text-scaling-factor", &factor),
            gsettings("org.cinnamon.desktop.interface", "cursor-size", &cursor),
        ],
        _ => Vec::new(),
    }
}

/// How the daemon reaches its desktop; empty where that may not be read.
fn environment(process: u32) -> Vec<(String, String)> {
    let Ok(bytes) = fs::read(format!("/proc/{process}/environ")) else { return Vec::new() };
    let texts = bytes[..bytes.len().min(MAX_ENVIRONMENT)].split(|byte| *byte == 0);
    let pairs = texts.filter_map(|text| std::str::from_utf8(text).ok()?.split_once('='));
    let needed = pairs.filter(|(name, _)| VARIABLES.contains(name));
    needed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn run(words: &[String], environment: &[(String, String)]) -> Result<(), String> {
    let [program, arguments @ ..] = words else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("not run ({error})"))?;
    if !ends(&child) {
        // It may end between the two.
        let _ = child.kill();
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits for a process's end; false when it takes too long.
fn ends(child: &Child) -> bool {
    let pidfd = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(Ok(pidfd)) = pidfd.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return true };
    let timeout = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    !matches!(poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_desktop_is_told_in_its_own_way() {
        let scale = Scale { dpi: 144, cursor: 48 };
        let lines = |name| commands(name, scale).iter().map(|words| words.join(" ")).collect::<Vec<_>>();
        assert_eq!(lines("xfsettingsd")[0], "xfconf-query -c xsettings -p /Xft/DPI -n -t int -s 144");
        assert_eq!(lines("mate-settings-d")[0], "gsettings set org.mate.font-rendering dpi 144.0");
        assert_eq!(
            lines("gsd-xsettings")[0],
            "gsettings set org.gnome.desktop.interface text-scaling-factor 1.5000"
        );
        assert_eq!(lines("csd-xsettings")[1], "gsettings set org.cinnamon.desktop.interface cursor-size 48");
        assert_eq!(lines("xterm"), [""; 0]);
        // The kernel cuts names there.
        assert!(
            ["xfsettingsd", "mate-settings-d", "gnome-settings-", "cinnamon-settin"]
                .iter()
                .all(|n| n.len() <= 15)
        );
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_is_said() {
        let run = |words: &[&str]| run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), &[]);
        assert_eq!(run(&["true"]), Ok(()));
        assert!(run(&["false"]).is_err_and(|reason| reason.contains("exit status: 1")));
        assert!(run(&["/no/such/program"]).is_err_and(|reason| reason.starts_with("not run")));
    }
}
