//! One socket in the folder: made, and removed if it is still ours.

use std::{
    fs,
    io::{self, ErrorKind},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
        sockopt::socket_peercred,
    },
};

/// A socket that programs connect to. Removed from its folder when dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    /// Everybody may connect.
    open: bool,
    socket: Arc<UnixListener>,
    /// Device and inode, by which it is known again.
    identity: Option<(u64, u64)>,
}

impl Listener {
    /// Makes a socket that this user may connect to, or everybody (`open`). One that nobody listens at any more is replaced.
    pub(crate) fn new(path: PathBuf, open: bool) -> Result<Self, String> {
        clear(&path)?;
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let socket = UnixListener::bind(&path).map_err(failed)?;
        // From here on, dropping it removes the file.
        let mut listener = Self { identity: None, open, socket: Arc::new(socket), path };
        let failed = |error: io::Error| format!("{}: {error}", listener.path.display());
        let found = fs::symlink_metadata(&listener.path).map_err(failed)?;
        listener.identity = Some((found.dev(), found.ino()));
        let failed = |error: io::Error| format!("{}: {error}", listener.path.display());
        let mode = if open { 0o666 } else { 0o600 };
        fs::set_permissions(&listener.path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        listener.socket.set_nonblocking(true).map_err(failed)?;
        Ok(listener)
    }

    /// A handle for polling that outlives this one.
    pub(crate) fn handle(&self) -> Arc<UnixListener> {
        self.socket.clone()
    }

    /// The next connection, if there is one. One of another user is closed, unless everybody may connect.
    ///
    /// # Errors
    /// When the system does not give it out, for want of descriptors or memory; it waits.
    pub(crate) fn accept(&self) -> io::Result<Option<UnixStream>> {
        loop {
            match self.socket.accept() {
                Ok((stream, _)) if self.open || is_trusted(&stream) => {
                    stream.set_nonblocking(true)?;
                    return Ok(Some(stream));
                }
                Ok(_) => tracing::warn!(path = %self.path.display(), "another user's program was refused"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                // It went away before it was its turn.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let now = fs::symlink_metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        if now.is_some() && now == self.identity {
            // One that somebody else removed meanwhile is gone, too.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a program is this user's, or root's. The socket's mode says the same, but not yet when it is made.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    socket_peercred(stream).is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

/// Removes a socket of this user that nobody listens at.
fn clear(path: &Path) -> Result<(), String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let own = rustix::process::geteuid().as_raw();
    if !found.file_type().is_socket() || found.uid() != own {
        return Err(format!("{} is there and is no socket of this user; remove it", path.display()));
    }
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    let (socket, address) = (
        socket.map_err(|error| failed(error.into()))?,
        SocketAddrUnix::new(path).map_err(|error| failed(error.into()))?,
    );
    match connect(&socket, &address) {
        // Nobody listens.
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(failed),
        Err(Errno::NOENT) => Ok(()),
        _ => Err(format!(
            "{} is served by another process; end that, or name another folder (js_socket_path)",
            path.display()
        )),
    }
}
