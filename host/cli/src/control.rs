//! The control socket: how a command such as `plugins reload` reaches the host that runs.
//!
//! One Unix socket per host in a folder that only the host's user can enter, named by the port and the first address that
//! the host listens on. Only that user and root are answered. A connection carries one request and its answer, each one
//! line of JSON of at most 64 KiB.

mod place;

use std::{
    io,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use place::Place;
use rustix::process::geteuid;
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
    /// Give the display a size.
    Resize {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
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
    /// More than one host of this user listens on the port, none of them at the address that was named.
    #[error("CL049 several hosts serve port {port}, at {addresses}. Name the address of one with --addr")]
    Several {
        /// The port.
        port: u16,
        /// Their addresses.
        addresses: String,
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
    place: Place,
    name: String,
}

impl Control {
    /// Serves requests to the host that listens on `at` until the value is dropped or the runtime ends. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(crate) fn serve(at: SocketAddr, handler: Handler) -> Result<Self, ControlError> {
        let place = Place::open()?;
        let name = place::name_of(at);
        let failed = |source| ControlError::Socket { path: place.path(&name), source };
        let listener = place.listen(&name).and_then(UnixListener::from_std).map_err(failed)?;
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
        Ok(Self { place, name })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may have been removed from outside.
        let _ = self.place.remove(&self.name);
    }
}

/// Whether a process of user `peer` may ask a host of user `own`.
fn is_heard(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// One request and its answer.
async fn converse(stream: tokio::net::UnixStream, handler: Handler) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if !is_heard(peer, geteuid().as_raw()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("it is one of user {peer}")));
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read.take(MAX_LINE));
    if timeout(REQUEST_TIME, read.read_line(&mut line)).await?? == 0 {
        // Somebody only looked whether a host is there.
        return Ok(());
    }
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

/// Asks the host of this user that serves `port`: the only one, or the one that listens first on one of `addresses`.
///
/// # Errors
/// [`ControlError`]; the host's own refusal is the inner error.
pub(crate) fn ask<'a>(
    addresses: impl Iterator<Item = &'a str>,
    port: u16,
    request: &Request,
) -> Result<Answer, ControlError> {
    let (path, mut stream) = connect(&Place::open()?, addresses, port)?;
    let none = |source| ControlError::NoHost { path: path.clone(), source };
    stream.set_read_timeout(Some(ANSWER_TIME)).map_err(none)?;
    let wrong = |reason: String| ControlError::Answer { path: path.clone(), reason };
    let mut text = serde_json::to_string(request).map_err(|error| wrong(error.to_string()))?;
    text.push('\n');
    stream.write_all(text.as_bytes()).map_err(none)?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))
}

/// The connection to that host, and the path of its socket.
fn connect<'a>(
    place: &Place,
    addresses: impl Iterator<Item = &'a str>,
    port: u16,
) -> Result<(PathBuf, UnixStream), ControlError> {
    let none = |name: &str, source| ControlError::NoHost { path: place.path(name), source };
    let any = format!("{port}-*.sock");
    let mut refused = None;
    let mut hosts = Vec::new();
    for (name, address) in place.sockets(port).map_err(|error| none(&any, error))? {
        match place.connect(&name) {
            Ok(stream) => hosts.push((address, place.path(&name), stream)),
            Err(error) => refused = Some(none(&name, error)),
        }
    }
    if hosts.len() > 1 {
        let named: Vec<String> = addresses
            .map(|address| address.trim_start_matches('[').trim_end_matches(']'))
            .filter_map(|address| (address, port).to_socket_addrs().ok())
            .flat_map(|found| found.map(place::address).collect::<Vec<_>>())
            .collect();
        let all: Vec<String> = hosts.iter().map(|(address, ..)| address.clone()).collect();
        hosts.retain(|(address, ..)| named.contains(address));
        if hosts.len() != 1 {
            return Err(ControlError::Several { port, addresses: all.join(", ") });
        }
    }
    match hosts.pop() {
        Some((_, path, stream)) => Ok((path, stream)),
        None => Err(refused.unwrap_or_else(|| none(&any, io::ErrorKind::NotFound.into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_and_root_are_heard() {
        assert!(is_heard(1000, 1000) && is_heard(0, 1000) && is_heard(0, 0));
        assert!(!is_heard(1001, 1000) && !is_heard(1000, 0));
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
