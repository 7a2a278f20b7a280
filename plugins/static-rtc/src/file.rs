//! Reads a file that only root or this user can have written.
//!
//! The usual place is `/tmp/rtc.json`, where everybody may put a file, and whoever names the TURN server can look at the
//! traffic's addresses. So it must be a regular file, no link, of root or this user, and not writable by others
//! (the same rule as in Selkies 2.1.0).

use std::{
    fs::File,
    io::Read,
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use selkies_plugin_sdk::{Error, Result, abi};

/// Longest file, in bytes.
pub(crate) const MAX_BYTES: u64 = 64 * 1024;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) text: String,
    /// How long ago it was written.
    pub(crate) age: Duration,
}

/// Its content, or why it is not used; the reason has the remedy, and nothing of the content.
pub(crate) fn read(path: &Path) -> Result<Content> {
    let unreadable = |what: &dyn std::fmt::Display| Error::retry(format!("{}: {what}", path.display()));
    // Without blocking: a pipe in the file's place must not stop the thread.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => unreadable(&"is a symbolic link, which is not followed; name the file itself"),
        // That there is no file may be meant.
        Errno::NOENT => unreadable(&"no such file").with_detail(abi::DETAIL_NOT_FOUND),
        error => unreadable(&error),
    })?;
    let about = fstat(&file).map_err(|error| unreadable(&error))?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err(unreadable(&"is no regular file"));
    }
    let own = rustix::process::geteuid().as_raw();
    if about.st_uid != 0 && about.st_uid != own {
        return Err(unreadable(&"belongs to another user; it must be root's or this user's"));
    }
    if about.st_mode & 0o022 != 0 {
        return Err(unreadable(&"can be written by others; use chmod go-w"));
    }
    let file = File::from(file);
    let written = file.metadata().and_then(|about| about.modified());
    let written = written.map_err(|error| unreadable(&error.kind()))?;
    // A file of the future was written by a clock that went wrong, and is as good as new.
    let age = SystemTime::now().duration_since(written).unwrap_or_default();
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error.kind()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable(&"is longer than 64 KiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"is no UTF-8"))?;
    Ok(Content { text, age })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{Permissions, set_permissions, write},
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn a_file_that_others_could_have_made_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rtc.json");
        write(&path, "{}").expect("written");
        set_permissions(&path, Permissions::from_mode(0o644)).expect("mode");
        assert_eq!(read(&path).map(|content| content.text), Ok("{}".to_owned()));
        for mode in [0o664, 0o646] {
            set_permissions(&path, Permissions::from_mode(mode)).expect("mode");
            assert!(read(&path).expect_err("writable").text().contains("chmod go-w"));
        }
        set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
        let link = folder.path().join("link.json");
        symlink(&path, &link).expect("a link");
        assert!(read(&link).expect_err("a link").text().contains("symbolic link"));
        assert!(read(folder.path()).expect_err("a folder").text().contains("no regular file"));
        assert_eq!(
            read(&folder.path().join("none")).expect_err("nothing").status(),
            abi::failure(abi::CLASS_RETRY, abi::DETAIL_NOT_FOUND)
        );
        // Where the tests run as root, a foreign owner can be made.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), None).expect("another owner");
            assert!(read(&path).expect_err("foreign").text().contains("another user"));
        }
    }

    #[test]
    fn long_and_binary_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rtc.json");
        let put = |bytes: &[u8]| {
            write(&path, bytes).expect("written");
            set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
        };
        put(&vec![b' '; 64 * 1024]);
        assert!(read(&path).is_ok());
        put(&vec![b' '; 64 * 1024 + 1]);
        assert!(read(&path).expect_err("long").text().contains("64 KiB"));
        put(&[0xff]);
        assert!(read(&path).expect_err("binary").text().contains("UTF-8"));
    }
}
