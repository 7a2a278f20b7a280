//! A client's WebSocket: the probe by which polling clients change over, then packets in both directions.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use tracing::debug;

use crate::{
    client::Client,
    engine::{MAX_PACKET, PROBE, PROBED, UPGRADE},
    fence::Fence,
    relay::Relay,
};

/// How long the last packets may take.
const LAST_PACKETS: Duration = Duration::from_secs(2);
/// Longest reason in a close frame, in bytes (RFC 6455 section 5.5).
const MAX_REASON: usize = 123;
/// The reason where nobody gave one.
const LOST: &str = "connection lost";

/// Limits of a WebSocket that carries packets.
pub(crate) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .max_message_size(Some(MAX_PACKET))
        .max_frame_size(Some(MAX_PACKET))
}

impl Relay {
    /// Carries a session over an upgraded HTTP connection until one of them ends. `is_upgrade`: the session was polling,
    /// and [`Client::begin_upgrade`] claimed it.
    pub async fn carry<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        client: Arc<Client>,
        stream: S,
        is_upgrade: bool,
    ) {
        let _carried = self.carrying();
        let stream = Fence::new(stream, client.clone());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits())).await;
        if is_upgrade {
            let done = tokio::select! {
                done = timeout(self.options().times.upgrade_timeout, change_over(&mut socket, &client)) => done.unwrap_or(false),
                _ = client.link.ended() => false,
            };
            client.link.finish_upgrade(done);
            if !done {
                debug!(client = %client.name, "the change to a WebSocket failed");
                let _ = timeout(LAST_PACKETS, socket.close(None)).await;
                return;
            }
            debug!(client = %client.name, "changed to a WebSocket");
        }
        let (mut sink, mut stream) = socket.split();
        {
            let mut writer = pin!(write(&client, &mut sink));
            let is_writing = tokio::select! {
                (reason, code) = read(self, &client, &mut stream) => {
                    self.close(&client, &reason, code, false);
                    true
                }
                () = &mut writer => {
                    self.close(&client, LOST, 1001, true);
                    false
                }
                _ = client.link.ended() => true,
            };
            if is_writing {
                // What was queued before the end, to who still reads.
                let _ = timeout(LAST_PACKETS, writer).await;
            }
        }
        let end = client.link.ended().await;
        let reason = if end.reason.len() <= MAX_REASON { end.reason } else { String::new() };
        let frame = CloseFrame { code: end.code.into(), reason: reason.into() };
        let last = async {
            sink.send(Message::Close(Some(frame))).await.ok()?;
            // A connection that is closed with bytes unread is reset, and the client would not see the close.
            let mut socket = sink.reunite(stream).ok()?;
            tokio::io::copy(socket.get_mut(), &mut tokio::io::sink()).await.ok()
        };
        let _ = timeout(LAST_PACKETS, last).await;
    }
}

/// Engine.IO's probe: the client asks over the new transport, then says that it uses it. False when it does not.
async fn change_over<S>(socket: &mut S, client: &Client) -> bool
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    if next_text(socket).await.as_deref() != Some(PROBE) {
        return false;
    }
    client.link.probed();
    socket.send(Message::text(PROBED)).await.is_ok() && next_text(socket).await.as_deref() == Some(UPGRADE)
}

async fn next_text(socket: &mut (impl Stream<Item = Result<Message, Error>> + Unpin)) -> Option<String> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return Some(text.as_str().to_owned()),
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return None,
        }
    }
}

/// Reads until the connection ends; answers why, and the code to close it with.
async fn read(
    relay: &Relay,
    client: &Arc<Client>,
    stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> (String, u16) {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => relay.receive(client, &text),
            Some(Ok(Message::Binary(bytes))) => relay.receive_bytes(client, bytes.len()),
            Some(Ok(Message::Close(_))) => return ("it closed the connection".into(), 1000),
            Some(Ok(_)) => {}
            Some(Err(Error::Capacity(_))) => return ("it sent more than 1 MiB".into(), 1009),
            Some(Err(error)) => return (error.to_string(), 1002),
            None => return (LOST.into(), 1001),
        }
    }
}

/// Writes what is queued until the session ends.
async fn write(client: &Client, sink: &mut (impl Sink<Message, Error = Error> + Unpin)) {
    while let Some(batch) = client.link.batch().await {
        for packet in batch {
            if sink.feed(Message::Text(packet)).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}
