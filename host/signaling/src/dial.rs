//! A connection to a relay, as a client: Socket.IO 5 over Engine.IO 4 over a WebSocket.

use std::{io, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message},
};

use crate::{
    engine::EnginePacket,
    packet::{Event, MAIN, PacketKind, SocketPacket},
    peer::SIGNAL,
    socket::limits,
    url::RelayUrl,
};

/// How long a relay may take to let us in, and to take what we send.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest silence of a relay that is believed, whatever it says about its pings.
const MAX_SILENCE: Duration = Duration::from_secs(300);

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("SO023 {0}; look whether the relay runs there")]
    Io(#[from] io::Error),
    #[error("SO024 {0}; look whether it is a Socket.IO server")]
    Socket(#[from] Box<Error>),
    #[error("SO025 it does not let us in: {0}; set socketio_url_token to what it wants")]
    Refused(String),
    #[error("SO026 it does not speak Socket.IO 5 over Engine.IO 4; use a server of Socket.IO 3 or later")]
    Protocol,
    #[error("SO027 it is silent; look whether it still runs")]
    Silent,
    #[error("SO028 the connection was closed")]
    Closed,
    #[error("SO029 no certificate authorities: {0}; install the system's (ca-certificates)")]
    Roots(String),
}

impl From<Error> for DialError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error),
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed,
            error => Self::Socket(Box::new(error)),
        }
    }
}

/// What carries a WebSocket.
trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// A connection that was let in.
pub(crate) struct Dialed {
    socket: WebSocketStream<Box<dyn Carrier>>,
    silence: Duration,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message of the event `signal`, JSON.
    Signal(String),
    /// The relay complains: what it said, shortened.
    Complaint(String),
}

/// The server's greeting.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Greeting {
    ping_interval: u64,
    ping_timeout: u64,
}

/// Connects and asks to be let in.
///
/// # Errors
/// [`DialError`] says at which step it failed.
pub(crate) async fn dial(url: &RelayUrl, token: Option<&str>) -> Result<Dialed, DialError> {
    timeout(PATIENCE, try_dial(url, token)).await.map_err(|_| DialError::Silent)?
}

async fn try_dial(url: &RelayUrl, token: Option<&str>) -> Result<Dialed, DialError> {
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
    stream.set_nodelay(true)?;
    let stream: Box<dyn Carrier> = if url.tls {
        let name = ServerName::try_from(url.host.clone())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Box::new(TlsConnector::from(Arc::new(tls()?)).connect(name, stream).await?)
    } else {
        Box::new(stream)
    };
    // The stream is what it is; the scheme only fills the header Host.
    let address = format!("ws://{}{}?EIO=4&transport=websocket", url.authority(), url.path);
    let (socket, _) = client_async_with_config(address, stream, Some(limits())).await?;
    let mut dialed = Dialed { socket, silence: PATIENCE };
    let greeting = dialed.packet().await?;
    let Some(EnginePacket::Open(greeting)) = EnginePacket::read(&greeting) else {
        return Err(DialError::Protocol);
    };
    let greeting: Greeting = serde_json::from_str(greeting).map_err(|_| DialError::Protocol)?;
    let silence = greeting.ping_interval.saturating_add(greeting.ping_timeout).saturating_add(1000);
    dialed.silence = Duration::from_millis(silence).min(MAX_SILENCE);
    let auth = token.map(|token| json!({ "token": token }).to_string());
    dialed.write(format!("40{}", auth.unwrap_or_default())).await?;
    loop {
        let packet = dialed.packet().await?;
        let Some(packet) = dialed.message(&packet).await? else { continue };
        return match packet.kind {
            PacketKind::Connect => Ok(dialed),
            PacketKind::ConnectError => Err(DialError::Refused(reason(packet.data))),
            _ => Err(DialError::Protocol),
        };
    }
}

/// What a refusal says, for the log.
fn reason(data: &str) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    // Words of a stranger: long enough for a sentence.
    let said = serde_json::from_str::<Said>(data).map_or_else(|_| data.to_owned(), |said| said.message);
    said.chars().take(120).flat_map(char::escape_debug).collect()
}

fn tls() -> Result<ClientConfig, DialError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(DialError::Roots(errors.join(", ")));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DialError::Roots(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl Dialed {
    /// Sends a message as `signal`.
    ///
    /// # Errors
    /// When the connection is lost, or does not take it in time.
    pub(crate) async fn signal(&mut self, message: &str) -> Result<(), DialError> {
        self.write(format!("42[\"{SIGNAL}\",{message}]")).await
    }

    /// Waits for what the relay says. May be dropped while it waits.
    ///
    /// # Errors
    /// When the connection is lost, or silent for longer than its pings allow.
    pub(crate) async fn hear(&mut self) -> Result<Heard, DialError> {
        loop {
            let packet = self.packet().await?;
            let Some(packet) = self.message(&packet).await? else { continue };
            match packet.kind {
                PacketKind::Disconnect => return Err(DialError::Closed),
                PacketKind::Event => {
                    let Some(event) = Event::read(packet.data) else { continue };
                    let Some(argument) = event.argument else { continue };
                    match event.name.as_ref() {
                        SIGNAL => return Ok(Heard::Signal(argument.get().to_owned())),
                        "error" => return Ok(Heard::Complaint(reason(argument.get()))),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self) {
        let _ = self.write("41".to_owned()).await;
        let _ = timeout(PATIENCE, self.socket.close(None)).await;
    }

    /// The Socket.IO packet in an Engine.IO packet; pings are answered.
    async fn message<'a>(&mut self, packet: &'a str) -> Result<Option<SocketPacket<'a>>, DialError> {
        match EnginePacket::read(packet) {
            Some(EnginePacket::Ping) => {
                self.write("3".to_owned()).await?;
                Ok(None)
            }
            Some(EnginePacket::Close) => Err(DialError::Closed),
            Some(EnginePacket::Message(text)) => {
                Ok(SocketPacket::read(text).filter(|packet| packet.namespace == MAIN))
            }
            _ => Ok(None),
        }
    }

    async fn packet(&mut self) -> Result<String, DialError> {
        loop {
            let next = timeout(self.silence, self.socket.next()).await.map_err(|_| DialError::Silent)?;
            match next.ok_or(DialError::Closed)?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(_) => return Err(DialError::Closed),
                _ => {}
            }
        }
    }

    async fn write(&mut self, packet: String) -> Result<(), DialError> {
        let sent = timeout(PATIENCE, self.socket.send(Message::text(packet))).await;
        Ok(sent.map_err(|_| DialError::Silent)??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_relay_says_is_cut_and_escaped() {
        assert_eq!(reason(r#"{"message":"no\nentry"}"#), "no\\nentry");
        assert_eq!(reason("[1]"), "[1]");
        assert!(reason(&"x".repeat(100_000)).len() <= 120);
    }

    #[test]
    fn the_systems_authorities_are_found() {
        assert!(tls().is_ok());
    }
}
