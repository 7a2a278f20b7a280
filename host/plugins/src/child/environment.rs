//! What of the host's environment a child gets.

use std::{env, ffi::OsString};

/// Variables that pass.
const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "DISPLAY",
    "XAUTHORITY",
    "WAYLAND_DISPLAY",
    // Where the operator put the libraries that host and plugins link.
    "LD_LIBRARY_PATH",
    "RUST_BACKTRACE",
    "LIBGL_DRIVERS_PATH",
    "LIBGL_ALWAYS_SOFTWARE",
];

/// Beginnings of variables that pass: locale, sound, GPU drivers, GStreamer.
const BEGINNINGS: &[&str] = &[
    "LC_", "PULSE_", "CUDA_", "NVIDIA_", "LIBVA_", "VDPAU_", "GST_", "MESA_", "VK_", "__EGL_", "__GLX_",
    "__NV_",
];

/// True when a child may see this variable. Everything else stays with the host: passwords, tokens and the keys of TURN
/// services come to it as `SELKIES_*` and under names of the services.
pub(super) fn passes(name: &str) -> bool {
    NAMES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// The variables that a child gets.
pub(super) fn of_child() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| name.to_str().is_some_and(passes))
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn only_what_is_listed_passes() {
        for name in ["DISPLAY", "LC_ALL", "PULSE_SERVER", "GST_DEBUG", "NVIDIA_VISIBLE_DEVICES"] {
            assert!(passes(name), "{name}");
        }
        for name in [
            "SELKIES_BASIC_AUTH_PASSWORD",
            "TURN_SHARED_SECRET",
            "LD_PRELOAD",
            "SSH_AUTH_SOCK",
            "DISPLAYS",
            "",
        ] {
            assert!(!passes(name), "{name}");
        }
    }
}
