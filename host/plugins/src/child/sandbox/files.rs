//! Files: Landlock.
//!
//! Kernels from 5.13 have it, newer ones more of it: truncation (6.2), TCP (6.7), device ioctls (6.10), signals and
//! abstract sockets (6.12). In every version it also forbids looking into processes outside the child's own domain, so
//! that `/proc/PID/environ` and `/proc/PID/mem` of the host stay closed although `/proc` can be read.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::profile::Profile;

/// Newest version whose rights are known here. Newer kernels grant what this one does not name.
const KNOWN: ABI = ABI::V6;

/// The system: programs, libraries, configuration, what the kernel tells.
const SYSTEM: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix/store", "/proc", "/sys"];

/// Devices that are none.
const HARMLESS: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Where GPU drivers and GStreamer keep caches and temporary files.
const SHARED: &[&str] = &["/tmp", "/dev/shm"];

pub(super) fn restrict(profile: &Profile) -> Option<String> {
    match enforce(profile) {
        Ok(status) => match (status.ruleset, status.landlock) {
            (RulesetStatus::FullyEnforced, _) => None,
            (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, .. }) => {
                Some(format!(
                    "this kernel knows Landlock {effective_abi:?} of {KNOWN:?}: the plugin's files are restricted, but not all of it"
                ))
            }
            (_, LandlockStatus::NotEnabled) => Some(
                "Landlock is switched off in this kernel: the plugin can open all files of this user".into(),
            ),
            _ => Some("this kernel has no Landlock: the plugin can open all files of this user".into()),
        },
        Err(error) => Some(format!("Landlock failed, the plugin can open all files of this user: {error}")),
    }
}

fn enforce(profile: &Profile) -> Result<landlock::RestrictionStatus, RulesetError> {
    let read = AccessFs::from_read(KNOWN);
    let write = AccessFs::from_all(KNOWN);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(write)?;
    if !profile.network {
        rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
    }
    rules = rules.scope(scopes(profile))?;
    let reads = SYSTEM
        .iter()
        .map(PathBuf::from)
        // For backtraces.
        .chain(env::current_exe())
        .chain(library_folders())
        .chain(profile.folders.iter().cloned())
        .chain(profile.files.iter().cloned());
    let mut created = rules
        .create()?
        .add_rules(path_beneath_rules(reads, read))?
        .add_rules(path_beneath_rules(HARMLESS, AccessFs::ReadFile | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(profile.devices.iter().flat_map(|glob| expand(glob)), device))?;
    if profile.network {
        // Where names are resolved.
        created = created.add_rules(path_beneath_rules(["/run/systemd/resolve", "/run/resolvconf"], read))?;
    }
    if profile.is_wide() {
        created = created
            .add_rules(path_beneath_rules(["/dev", "/dev/dri"], AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(["/run/opengl-driver", "/run/nvidia"], read))?
            .add_rules(path_beneath_rules(SHARED.iter().map(PathBuf::from).chain(caches()), write))?;
    }
    created.restrict_self()
}

/// Abstract sockets have no file, and scoping is all or nothing: who connects to services (X, D-Bus) is left alone.
fn scopes(profile: &Profile) -> BitFlags<Scope> {
    if profile.services { Scope::Signal.into() } else { Scope::Signal | Scope::AbstractUnixSocket }
}

/// Folders in which the operator keeps libraries.
fn library_folders() -> Vec<PathBuf> {
    env::var_os("LD_LIBRARY_PATH")
        .iter()
        .flat_map(env::split_paths)
        .filter(|folder| folder.is_absolute() && folder.parent().is_some())
        .collect()
}

fn caches() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let cache =
        env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".cache")));
    cache.into_iter().chain(home.map(|home| home.join(".nv"))).collect()
}

/// The files that a device glob means: `*` in its last part only.
fn expand(glob: &str) -> Vec<PathBuf> {
    let path = Path::new(glob);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    // `..` would lead out of /dev.
    if path.components().any(|part| part == std::path::Component::ParentDir) {
        return Vec::new();
    }
    if !name.contains('*') {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|found| crate::matches(name, found)))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_mean_devices_that_exist() {
        assert_eq!(expand("/dev/null"), [PathBuf::from("/dev/null")]);
        assert!(expand("/dev/nul*").contains(&PathBuf::from("/dev/null")));
        assert!(!expand("/dev/nul*").contains(&PathBuf::from("/dev/zero")));
        assert!(expand("/dev/../etc/passwd").is_empty());
        assert!(expand("/dev/no-such-folder/x*").is_empty());
    }
}
