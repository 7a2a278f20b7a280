//! What a child may do, as derived from its plugins' manifests.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Manifest, manifest::Requires};

/// What becomes of a child that starts a program or a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Processes {
    /// It is killed by `SIGSYS`: a codec has no reason to, so it is an attack or a mistake that should be seen.
    #[default]
    Killed,
    /// The call fails. Clients of services try such things: libpulse starts a daemon where it finds none.
    Refused,
    /// It may: GStreamer looks at its plugins in a process of its own, GPU drivers run helpers.
    Allowed,
}

/// What a child may do beyond computing, threads, memory, reading the system's files and talking to the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Starting programs.
    pub processes: Processes,
    /// Sockets other than Unix ones.
    pub network: bool,
    /// Unix sockets, by which every service of this user and of the system can be reached whatever files are closed:
    /// Landlock does not decide about connecting.
    pub services: bool,
    /// Device files that it opens, as globs.
    pub devices: BTreeSet<String>,
    /// Files and folders that it reads, beyond the system's.
    pub files: BTreeSet<PathBuf>,
    /// Folders with its libraries.
    pub folders: BTreeSet<PathBuf>,
}

impl Profile {
    /// What the plugin of `manifest` needs, whose files are in `folder`.
    #[must_use]
    pub fn of(manifest: &Manifest, folder: &Path) -> Self {
        let Requires { libs, devices, network, files } = &manifest.requires;
        let gpu =
            devices.iter().any(|glob| ["/dev/dri", "/dev/nvidia"].iter().any(|gpu| glob.starts_with(gpu)));
        let processes = if gpu || libs.iter().any(|library| library.starts_with("libgst")) {
            Processes::Allowed
        } else if *network || !files.is_empty() {
            Processes::Refused
        } else {
            Processes::Killed
        };
        let mut places: BTreeSet<PathBuf> = files.iter().filter_map(|file| expanded(file)).collect();
        // Whoever connects to the X server has to show the key.
        if files.iter().any(|file| file.starts_with("/tmp/.X11-unix")) {
            places.extend(x_authority());
        }
        Self {
            processes,
            network: *network,
            services: processes == Processes::Allowed || !files.is_empty(),
            devices: devices.iter().filter(|glob| glob.starts_with("/dev/")).cloned().collect(),
            files: places,
            folders: BTreeSet::from([folder.to_owned()]),
        }
    }

    /// What both need, for plugins that share a child.
    #[must_use]
    pub fn join(mut self, mut other: Self) -> Self {
        self.processes = self.processes.max(other.processes);
        self.network |= other.network;
        self.services |= other.services;
        self.devices.append(&mut other.devices);
        self.files.append(&mut other.files);
        self.folders.append(&mut other.folders);
        self
    }

    /// True for plugins of GPUs and GStreamer: they get caches, temporary files and more memory.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.processes == Processes::Allowed
    }
}

/// A path of a manifest: absolute, or in the user's home (`~/`) or run-time folder (`$XDG_RUNTIME_DIR/`).
fn expanded(path: &str) -> Option<PathBuf> {
    let path = if let Some(rest) = path.strip_prefix("~/") {
        PathBuf::from(env::var_os("HOME")?).join(rest)
    } else if let Some(rest) = path.strip_prefix("$XDG_RUNTIME_DIR/") {
        PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?).join(rest)
    } else {
        PathBuf::from(path)
    };
    path.is_absolute().then_some(path)
}

/// Where X clients look for the key.
fn x_authority() -> Option<PathBuf> {
    env::var_os("XAUTHORITY")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".Xauthority")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(requires: serde_json::Value) -> Result<Profile, Box<dyn std::error::Error>> {
        let manifest = json!({
            "id": "test.plugin", "name": "Test", "version": "1.0.0", "vendor": "Tests", "license": "MIT",
            "library": "plugin.so", "interfaces": ["selkies.encoder/1"], "kinds": ["encoder"], "requires": requires,
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes(), Path::new("test"))?;
        Ok(Profile::of(&manifest, Path::new("/opt/plugin")))
    }

    #[test]
    fn what_a_manifest_requires_shapes_the_profile() -> Result<(), Box<dyn std::error::Error>> {
        let codec = profile(json!({}))?;
        assert_eq!(codec.processes, Processes::Killed);
        assert!(!codec.network && !codec.services && codec.devices.is_empty() && codec.files.is_empty());
        assert_eq!(codec.folders, BTreeSet::from([PathBuf::from("/opt/plugin")]));

        let desktop = profile(json!({ "files": ["/tmp/.X11-unix", "relative"] }))?;
        assert_eq!(desktop.processes, Processes::Refused);
        assert!(desktop.services);
        assert!(desktop.files.contains(Path::new("/tmp/.X11-unix")));
        assert!(desktop.files.iter().all(|file| file.is_absolute()), "{desktop:?}");

        let gpu = profile(json!({ "devices": ["/dev/dri/renderD*", "/etc/shadow"] }))?;
        assert!(gpu.is_wide() && gpu.services);
        assert_eq!(gpu.devices, BTreeSet::from(["/dev/dri/renderD*".to_owned()]));
        assert!(profile(json!({ "libs": ["libgstreamer-1.0.so.0"] }))?.is_wide());
        assert!(!profile(json!({ "devices": ["/dev/uinput"] }))?.is_wide());

        let network = profile(json!({ "network": true }))?;
        assert!(!network.services);
        let both = codec.join(network);
        assert_eq!(both.processes, Processes::Refused);
        assert!(both.network && !both.services);
        assert!(both.join(desktop).services);
        Ok(())
    }
}
