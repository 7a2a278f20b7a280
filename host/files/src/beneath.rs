//! Opening what is below a folder, and nothing else.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat, openat2},
    io::Errno,
};

/// How often an open is tried that met a change of the tree.
const TRIES: u32 = 8;

/// Opens `names` below `folder`; without names, the folder anew. No link is followed, whoever puts one there and when.
pub(crate) fn open(
    folder: BorrowedFd<'_>,
    names: &[String],
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let path = if names.is_empty() { ".".to_owned() } else { names.join("/") };
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match openat2(folder, Path::new(&path), flags, mode, resolve) {
            // The tree changed under the kernel's feet.
            Err(Errno::AGAIN) => {}
            // A kernel before 5.6, or a sandbox that does not know the call and answers for it.
            Err(Errno::NOSYS | Errno::PERM) => return walk(folder, names, flags, mode),
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

/// The same, name by name: each is opened in the folder before it, which is held open, and none may be a link.
pub(crate) fn walk(
    folder: BorrowedFd<'_>,
    names: &[String],
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let Some((last, folders)) = names.split_last() else {
        return openat(folder, ".", flags | OFlags::NOFOLLOW, mode);
    };
    let mut within: Option<OwnedFd> = None;
    for name in folders {
        let at = within.as_ref().map_or(folder, std::os::fd::AsFd::as_fd);
        within = Some(step(at, name)?);
    }
    let at = within.as_ref().map_or(folder, std::os::fd::AsFd::as_fd);
    openat(at, Path::new(last), flags | OFlags::NOFOLLOW, mode)
}

/// One folder within another.
pub(crate) fn step(folder: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, Path::new(name), flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsFd, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn without_the_kernels_help_links_lead_nowhere_either() {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(place.path().join("a/b")).expect("made");
        fs::write(place.path().join("a/b/f"), "x").expect("written");
        symlink("a", place.path().join("link")).expect("linked");
        symlink("f", place.path().join("a/b/other")).expect("linked");
        let root = rustix::fs::open(place.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let root = root.expect("opened");
        let names = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        for opens in [walk, open] {
            let tried = |text| opens(root.as_fd(), &names(text), OFlags::RDONLY, Mode::empty());
            tried("a/b/f").expect("a file");
            opens(root.as_fd(), &[], OFlags::RDONLY, Mode::empty()).expect("the folder");
            assert_eq!(tried("a/b/g").expect_err("missing"), Errno::NOENT);
            assert_eq!(tried("a/b/other").expect_err("a link"), Errno::LOOP);
            let refused = tried("link/b/f").expect_err("through a link");
            assert!(matches!(refused, Errno::LOOP | Errno::NOTDIR), "{refused}");
        }
    }
}
