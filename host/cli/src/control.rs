//! The control socket: how a command such as `plugins reload` reaches the host that runs.
//!
//! One Unix socket per port in a folder that only the host's user can enter. A connection carries one request and its
//! answer, each one line of JSON of at most 64 KiB.

use std::{
    fs, io,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::process::getuid;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    time::timeout,
};
use tracing::{info, warn};

/// Longest line, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// How long a peer may take for its request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long a command waits for the answer: a reload starts a process and an encoder.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// What a running host is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Take a new version of a plugin into use.
    Reload {
        /// The plugin's id.
        plugin: String,
    },
    /// Let plugins be used again whose quarantine ended.
    Admit {
        /// Their ids.
        plugins: Vec<String>,
    },
}

/// What it answers: lines for people.
pub(crate) type Answer = Result<Vec<String>, String>;

/// Carries requests out. Called on a thread that may block.
pub(crate) type Handler = Arc<dyn Fn(Request) -> Answer + Send + Sync>;

/// Why there is no control socket, or no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// The folder of the socket is not safe or cannot be made.
    #[error(
        "CL040 control folder {path}: {reason}. Remove it, or set XDG_RUNTIME_DIR to a folder of your own"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The socket could not be opened.
    #[error("CL041 control socket {path}: {source}. Make its folder writable")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No host of this user listens there.
    #[error(
        "CL042 no running host answers on {path} ({source}). Name its port with --port, and run this as its user"
    )]
    NoHost {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The host's answer is not one.
    #[error(
        "CL043 the host on {path} answered what is no answer: {reason}. Use the same version of selkies-host"
    )]
    Answer {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A socket that is removed with this value.
#[derive(Debug)]
pub(crate) struct Control {
    path: PathBuf,
}

impl Control {
    /// Serves requests on the socket of `port` until the value is dropped or the runtime ends. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) fn serve(port: u16, handler: Handler) -> Result<Self, ControlError> {
        let path = socket(port)?;
        let failed = |source| ControlError::Socket { path: path.clone(), source };
        // A host that was killed leaves its socket behind. The port is ours, so nobody else serves this one.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let handler = handler.clone();
                        tokio::spawn(async move {
                            if let Err(error) = converse(stream, handler).await {
                                warn!(%error, "a control connection ended early");
                            }
                        });
                    }
                    Err(error) => {
                        warn!(%error, "the control socket");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(Self { path })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may have been removed from outside.
        let _ = fs::remove_file(&self.path);
    }
}

/// One request and its answer.
async fn converse(stream: tokio::net::UnixStream, handler: Handler) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read.take(MAX_LINE));
    timeout(REQUEST_TIME, read.read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            info!(?request, "asked through the control socket");
            let done = tokio::task::spawn_blocking(move || handler(request)).await;
            done.unwrap_or_else(|_| Err("CL044 the host failed at it; this is a defect of the host".into()))
        }
        Err(error) => Err(format!("CL045 not a request: {error}. Use the same version of selkies-host")),
    };
    let mut text = serde_json::to_string(&answer).unwrap_or_default();
    text.push('\n');
    timeout(REQUEST_TIME, write.write_all(text.as_bytes())).await?
}

/// Asks the host of this user that serves `port`.
///
/// # Errors
/// [`ControlError`]; the host's own refusal is the inner error.
pub(crate) fn ask(port: u16, request: &Request) -> Result<Answer, ControlError> {
    let path = socket(port)?;
    let none = |source| ControlError::NoHost { path: path.clone(), source };
    let mut stream = UnixStream::connect(&path).map_err(none)?;
    stream.set_read_timeout(Some(ANSWER_TIME)).map_err(none)?;
    let wrong = |reason: String| ControlError::Answer { path: path.clone(), reason };
    let mut text = serde_json::to_string(request).map_err(|error| wrong(error.to_string()))?;
    text.push('\n');
    stream.write_all(text.as_bytes()).map_err(none)?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))
}

/// Where the host that serves `port` listens.
fn socket(port: u16) -> Result<PathBuf, ControlError> {
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() && folder.is_dir() => folder.join("selkies-host"),
        _ => std::env::temp_dir().join(format!("selkies-host-{}", getuid().as_raw())),
    };
    private(&folder)?;
    Ok(folder.join(format!("{port}.sock")))
}

/// Makes a folder that only this user can enter, or checks that it is one.
fn private(folder: &Path) -> Result<(), ControlError> {
    let wrong = |reason: String| ControlError::Folder { path: folder.to_owned(), reason };
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(wrong(error.to_string())),
        _ => {}
    }
    let found = fs::symlink_metadata(folder).map_err(|error| wrong(error.to_string()))?;
    if !found.is_dir() {
        return Err(wrong("it is not a folder".into()));
    }
    if found.uid() != getuid().as_raw() {
        return Err(wrong(format!("it belongs to user {}", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        return Err(wrong(format!("others may enter it, its mode is {:o}", found.mode() & 0o777)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_others_are_not_used() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("selkies-host");
        private(&folder).expect("made");
        private(&folder).expect("there already");
        assert_eq!(fs::metadata(&folder).expect("there").mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).expect("changed");
        let text = private(&folder).expect_err("open to the group").to_string();
        assert!(text.starts_with("CL040") && text.contains("mode is 750"), "{text}");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).expect("a link");
        assert!(private(&link).is_err());
    }

    #[test]
    fn a_request_is_carried_out_and_answered() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("s");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let listener = {
            let _entered = runtime.enter();
            UnixListener::bind(&path).expect("bound")
        };
        let handler: Handler = Arc::new(|request| match request {
            Request::Admit { plugins } if plugins == ["a.b"] => Ok(vec!["a.b is back".to_owned()]),
            other => Err(format!("no: {other:?}")),
        });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = converse(stream, handler.clone()).await;
            }
        });
        let say = |text: &str| {
            let mut stream = UnixStream::connect(&path).expect("connected");
            stream.write_all(text.as_bytes()).expect("written");
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).expect("answered");
            serde_json::from_str::<Answer>(&line).expect("an answer")
        };
        assert_eq!(say("{\"do\":\"admit\",\"plugins\":[\"a.b\"]}\n"), Ok(vec!["a.b is back".to_owned()]));
        assert!(say("{\"do\":\"admit\",\"plugins\":[]}\n").is_err_and(|text| text.starts_with("no: Admit")));
        assert!(say("{\"do\":\"eat\"}\n").is_err_and(|text| text.starts_with("CL045")));
        assert!(say("{\"do\":\"admit\",\"plugins\":[\"a.b\"],\"more\":1}\n").is_err());
    }
}
