//! Which files are safe to read and to run.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::Refusal;

/// The refusal for an error of the system.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    Refusal::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// Opens a regular file. Never blocks: a FIFO or a device is refused, not waited for.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), Refusal> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path)
        .map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(Refusal::Unreadable { path: path.to_owned(), reason: "not a regular file".into() });
    }
    Ok((file, metadata))
}

/// Resolves `path` and proves that nobody but root or the host's user could have put it there: it stays inside `root`
/// (which is resolved already), and neither it nor a folder from there up to `root` may be written by others or is owned
/// by somebody else.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::UnsafePermissions`].
pub(crate) fn safe_path(path: &Path, root: &Path) -> Result<PathBuf, Refusal> {
    let real = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
    if !real.starts_with(root) {
        let reason = format!("symbolic link to {}, outside the plugin folder", real.display());
        return Err(Refusal::UnsafePermissions { path: path.to_owned(), reason });
    }
    for checked in real.ancestors().take_while(|checked| checked.starts_with(root)) {
        owned_well(checked)?;
    }
    Ok(real)
}

/// Proves that nobody but root or the host's user can change this file or folder.
///
/// # Errors
/// [`Refusal::Unreadable`], [`Refusal::UnsafePermissions`].
pub(crate) fn owned_well(path: &Path) -> Result<(), Refusal> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let found =
        Ownership { mode: metadata.permissions().mode(), user: metadata.uid(), group: metadata.gid() };
    let host = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    match found.exposed(host.0, host.1) {
        Some(reason) => Err(Refusal::UnsafePermissions { path: path.to_owned(), reason }),
        None => Ok(()),
    }
}

/// Who may change a file.
#[derive(Clone, Copy)]
struct Ownership {
    mode: u32,
    user: u32,
    group: u32,
}

impl Ownership {
    /// Who else could have changed it, seen by `user` of `group`. What root gave to a group is root's decision; the user's
    /// own group is usually the user alone (umask 002).
    fn exposed(self, user: u32, group: u32) -> Option<String> {
        let mode = self.mode & 0o7777;
        if mode & 0o002 != 0 {
            Some(format!("everyone may write it (mode {mode:04o})"))
        } else if self.user != 0 && self.user != user {
            Some(format!("owned by user {}, the host runs as user {user}", self.user))
        } else if mode & 0o020 != 0 && self.user != 0 && self.group != 0 && self.group != group {
            Some(format!("group {} may write it (mode {mode:04o})", self.group))
        } else {
            None
        }
    }
}

/// The SHA-256 of a file, in lower-case hexadecimal digits.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub(crate) fn sha256_of(path: &Path) -> Result<String, Refusal> {
    let (mut file, _) = open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk).map_err(|error| unreadable(path, &error))? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// The SHA-256 of bytes, as [`sha256_of`].
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_user_may_own_a_plugin() {
        let exposed = |mode: u32, user, group, host: (u32, u32)| {
            Ownership { mode: 0o100_000 | mode, user, group }.exposed(host.0, host.1)
        };
        let host = (1000, 1000);
        assert_eq!(exposed(0o755, 0, 0, host), None);
        assert_eq!(exposed(0o755, 1000, 1000, host), None);
        assert!(exposed(0o755, 1001, 1001, host).is_some_and(|reason| reason.contains("user 1001")));
        assert!(exposed(0o755, 1000, 1000, (0, 0)).is_some(), "root does not run what others own");
        assert!(exposed(0o757, 1000, 1000, host).is_some_and(|reason| reason.contains("0757")));
        assert_eq!(exposed(0o775, 1000, 1000, host), None, "the user's own group");
        assert_eq!(exposed(0o775, 0, 50, host), None, "root:staff, as Debian has it below /usr/local");
        assert_eq!(exposed(0o775, 1000, 0, host), None, "root's group");
        assert_eq!(exposed(0o755, 1000, 50, host), None, "a group that may only read");
        assert!(exposed(0o775, 1000, 50, host).is_some_and(|reason| reason.contains("group 50 may write")));
    }

    #[test]
    fn a_fifo_is_refused_and_not_waited_for() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )?;
        assert_eq!(open(&path).map(|_| ()).map_err(|refusal| refusal.code()), Err("SP001"));
        Ok(())
    }

    #[test]
    fn the_hash_is_the_known_one() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("abc");
        fs::write(&path, "abc")?;
        assert_eq!(sha256_of(&path)?, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        Ok(())
    }
}
