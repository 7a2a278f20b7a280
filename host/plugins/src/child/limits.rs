//! What a child may use up.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::sandbox::Profile;

/// How long a child may take from its start to its first answer. It covers loading the host's program and a plugin with
/// its libraries from a cold disk, and no work of the plugin.
pub const STARTUP_DEADLINE: Duration = Duration::from_secs(5);

const GIB: u64 = 1 << 30;

/// Resource limits of a child. It can lower them further, never raise them.
///
/// What they do not count: shared memory (memfds, which children are given or make) and memory on a GPU. Against
/// those stands that a child offers itself to the kernel's memory killer before the host. Nor is there a
/// limit of processes: the kernel counts those of the user in all programs, so that the desktop's own would decide; the
/// sandbox forbids new processes instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Private writable memory in bytes (`RLIMIT_DATA`): heap, anonymous mappings, thread stacks. Not the address space
    /// (`RLIMIT_AS`): GPU drivers, allocators and mapped arenas reserve far more addresses than they ever touch.
    pub memory_bytes: u64,
    /// Open descriptors.
    pub open_files: u64,
    /// Largest size in bytes that the child can give a file, memfds included.
    pub file_bytes: u64,
}

impl Limits {
    /// For codecs, capture and the like. An 8K frame at full colour has 100 MB, and x264 keeps a handful of such with
    /// their half-pixel planes; a leak of one frame a second meets this limit within a minute.
    #[must_use]
    pub const fn narrow() -> Self {
        Self { memory_bytes: 2 * GIB, open_files: 256, file_bytes: GIB }
    }

    /// For plugins of GPUs and of GStreamer, whose drivers map large buffers and open many files.
    #[must_use]
    pub const fn wide() -> Self {
        Self { memory_bytes: 16 * GIB, open_files: 4096, file_bytes: 4 * GIB }
    }

    /// Those that suit a profile.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        if profile.is_wide() { Self::wide() } else { Self::narrow() }
    }

    /// Applies them to this process; what it cannot do is told in lines for the log.
    #[must_use]
    pub(super) fn apply(&self) -> Vec<String> {
        [
            ("memory", Resource::Data, self.memory_bytes),
            ("open files", Resource::Nofile, self.open_files),
            ("file size", Resource::Fsize, self.file_bytes),
            // A dump of a child holds what the screen showed.
            ("core dumps", Resource::Core, 0),
        ]
        .into_iter()
        .filter_map(|(what, resource, wanted)| {
            // The administrator's limit may be lower already; only root could raise it.
            let allowed = getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted));
            let limit = Rlimit { current: Some(allowed), maximum: Some(allowed) };
            let error = setrlimit(resource, limit).err()?;
            Some(format!("runs without a limit of {what}: {error}"))
        })
        .collect()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::narrow()
    }
}
