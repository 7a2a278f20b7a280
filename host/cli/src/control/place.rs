//! Where control sockets lie: a folder of this user alone, one socket for each host.
//!
//! Everything in the folder is reached through its descriptor, so that what was judged is what is used, whatever becomes
//! of the path meanwhile.

use std::{
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, fchmod, fstat, mkdirat, open, openat, unlinkat},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
    process::geteuid,
};
use selkies_plugin_host::environment;

use super::ControlError;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;
/// Most names that are looked at in the folder.
const MAX_NAMES: usize = 1024;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The folder of this user's control sockets.
#[derive(Debug)]
pub(super) struct Place {
    folder: OwnedFd,
    /// For people only.
    path: PathBuf,
}

impl Place {
    /// The folder of the process's user, which is made if it is not there: in `XDG_RUNTIME_DIR` if that is the user's own,
    /// else in the folder for temporary files.
    ///
    /// # Errors
    /// [`ControlError::Folder`].
    pub(super) fn open() -> Result<Self, ControlError> {
        let user = geteuid().as_raw();
        if let Some((parent, path)) = runtime_folder(environment::trusted_variable("XDG_RUNTIME_DIR"), user) {
            return Self::within(&parent, &path, "selkies-host", user);
        }
        let path = environment::trusted_variable("TMPDIR").filter(|path| !path.is_empty());
        let path = path.map_or_else(|| "/tmp".into(), PathBuf::from);
        let parent = open(&path, FOLDER | OFlags::PATH, Mode::empty())
            .map_err(|error| ControlError::Folder { path: path.clone(), reason: error.to_string() })?;
        Self::within(&parent, &path, &format!("selkies-host-{user}"), user)
    }

    /// The folder `name` of `parent`, which only `user` can enter.
    fn within(parent: &OwnedFd, path: &Path, name: &str, user: u32) -> Result<Self, ControlError> {
        let path = path.join(name);
        let wrong = |reason: String| ControlError::Folder { path: path.clone(), reason };
        match mkdirat(parent, name, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
        let folder = openat(parent, name, FOLDER | OFlags::NOFOLLOW | OFlags::RDONLY, Mode::empty())
            .map_err(|error| match error {
                rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => wrong("it is not a folder".into()),
                error => wrong(error.to_string()),
            })?;
        let found = fstat(&folder).map_err(|error| wrong(error.to_string()))?;
        if found.st_uid != user {
            return Err(wrong(format!("it belongs to user {}", found.st_uid)));
        }
        if found.st_mode & 0o077 != 0 {
            return Err(wrong(format!("others may enter it, its mode is {:o}", found.st_mode & 0o777)));
        }
        Ok(Self { folder, path })
    }

    /// The path of a socket, for people.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The same through the descriptor.
    fn reach(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(name)
    }

    /// Listens on a new socket of this name, which only this user may open. One that a killed host left behind is
    /// replaced, one that is served is not.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn listen(&self, name: &str) -> io::Result<UnixListener> {
        if self.connect(name).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.remove(name)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Before it has a name: the file gets the mode of the socket.
        fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        bind(&socket, &SocketAddrUnix::new(self.reach(name))?)?;
        listen(&socket, BACKLOG)?;
        Ok(socket.into())
    }

    /// Connects to the host that serves this socket.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn connect(&self, name: &str) -> io::Result<UnixStream> {
        UnixStream::connect(self.reach(name))
    }

    /// Removes a socket, if it is there.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The sockets of hosts on this port, with the address of each.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn sockets(&self, port: u16) -> io::Result<Vec<(String, String)>> {
        let entries = fs::read_dir(self.reach("."))?.take(MAX_NAMES);
        let mut found: Vec<(String, String)> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| {
                let (at, address) = name.strip_suffix(".sock")?.split_once('-')?;
                (at.parse() == Ok(port)).then(|| address.to_owned()).map(|address| (name, address))
            })
            .collect();
        found.sort();
        Ok(found)
    }
}

/// The name of the socket of the host that listens first on this address. No two hosts do: addresses are taken once.
pub(super) fn name_of(at: SocketAddr) -> String {
    format!("{}-{}.sock", at.port(), address(at))
}

/// An address without its port.
pub(super) fn address(at: SocketAddr) -> String {
    let scope = match at {
        SocketAddr::V6(at) => at.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    if scope == 0 { at.ip().to_string() } else { format!("{}%{scope}", at.ip()) }
}

/// The folder that the system gave this user for the time of a session, if the variable names such a one: what a command run
/// with another user's environment finds there is that user's.
fn runtime_folder(variable: Option<OsString>, user: u32) -> Option<(OwnedFd, PathBuf)> {
    let path = variable.map(PathBuf::from).filter(|path| path.is_absolute())?;
    let folder = open(&path, FOLDER | OFlags::PATH, Mode::empty()).ok()?;
    let found = fstat(&folder).ok()?;
    (found.st_uid == user && found.st_mode & 0o022 == 0).then_some((folder, path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn within(home: &Path, name: &str) -> Result<Place, ControlError> {
        let parent = open(home, FOLDER | OFlags::PATH, Mode::empty()).expect("a folder");
        Place::within(&parent, home, name, geteuid().as_raw())
    }

    #[test]
    fn folders_of_others_are_not_used() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("selkies-host");
        within(home.path(), "selkies-host").expect("made");
        within(home.path(), "selkies-host").expect("there already");
        assert_eq!(fs::metadata(&folder).expect("there").mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).expect("changed");
        let text = within(home.path(), "selkies-host").expect_err("open to the group").to_string();
        assert!(text.starts_with("CL040") && text.contains("mode is 750"), "{text}");
        symlink(home.path(), home.path().join("link")).expect("a link");
        let text = within(home.path(), "link").expect_err("a link").to_string();
        assert!(text.contains("it is not a folder"), "{text}");
        let parent = open(home.path(), FOLDER | OFlags::PATH, Mode::empty()).expect("a folder");
        let strange = Place::within(&parent, home.path(), "other", geteuid().as_raw() + 1);
        assert!(strange.expect_err("of somebody else").to_string().contains("it belongs to user"));
    }

    #[test]
    fn another_users_runtime_folder_is_not_used() {
        let home = tempfile::tempdir().expect("a folder");
        let variable = || Some(home.path().as_os_str().to_owned());
        let user = geteuid().as_raw();
        assert!(runtime_folder(variable(), user).is_some());
        assert!(runtime_folder(variable(), user + 1).is_none(), "as for root with the variables of a user");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).expect("changed");
        assert!(runtime_folder(variable(), user).is_none(), "everyone may write it");
        assert!(runtime_folder(Some("relative".into()), user).is_none());
        assert!(runtime_folder(Some("/no/such/folder".into()), user).is_none());
        assert!(runtime_folder(None, user).is_none());
    }

    #[test]
    fn a_socket_is_its_users_and_stays_while_it_is_served() {
        let home = tempfile::tempdir().expect("a folder");
        let place = within(home.path(), "selkies-host").expect("made");
        let name = name_of(([127, 0, 0, 1], 8080).into());
        let listener = place.listen(&name).expect("bound");
        assert_eq!(fs::metadata(place.path(&name)).expect("there").mode() & 0o777, 0o600);
        let taken = place.listen(&name).expect_err("it is served");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        // The folder may be moved: what is used is the one that was judged.
        fs::rename(home.path().join("selkies-host"), home.path().join("moved")).expect("moved");
        place.connect(&name).expect("connected");
        drop(listener);
        place.listen(&name).expect("what a killed host left is replaced");
    }

    #[test]
    fn each_address_has_a_name_of_its_own() {
        let home = tempfile::tempdir().expect("a folder");
        let place = within(home.path(), "selkies-host").expect("made");
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        for address in ["127.0.0.1:8080", "127.0.0.2:8080", "[::1]:8080", "127.0.0.1:808", "[fe80::1%3]:8080"]
        {
            drop(place.listen(&name_of(at(address))).expect("bound"));
        }
        let found = place.sockets(8080).expect("read");
        let addresses: Vec<&str> = found.iter().map(|(_, address)| &**address).collect();
        assert_eq!(addresses, ["127.0.0.1", "127.0.0.2", "::1", "fe80::1%3"]);
        let longest = at("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
        drop(place.listen(&name_of(longest)).expect("not too long for the system"));
    }
}
