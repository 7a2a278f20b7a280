//! From a request to a WebSocket.

use std::sync::Arc;

use futures_util::{Sink, Stream};
use poem::{
    Request, Response,
    http::{HeaderMap, StatusCode, header},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use tracing::debug;

use crate::{auth::same_origin, hub::Hub, modes::StreamMode};

/// A WebSocket, whatever carries it.
pub(crate) trait Socket:
    Stream<Item = tungstenite::Result<Message>> + Sink<Message, Error = tungstenite::Error> + Send + 'static
{
}

impl<S> Socket for S where
    S: Stream<Item = tungstenite::Result<Message>>
        + Sink<Message, Error = tungstenite::Error>
        + Send
        + 'static
{
}

/// The stream behind an upgraded request.
pub(crate) type Upgraded = WebSocketStream<poem::Upgraded>;

/// Answers a request for a WebSocket of a mode, whose messages may be `max_message` bytes long, and serves it with `serve`.
/// A plain GET is how pages of 2.1.0 probe an address.
pub(crate) fn upgrade<F>(
    request: Request,
    hub: &Arc<Hub>,
    mode: StreamMode,
    max_message: usize,
    serve: impl FnOnce(Upgraded) -> F + Send + 'static,
) -> poem::Result<Response>
where
    F: Future<Output = ()> + Send,
{
    if !hub.serves(mode) {
        // As 2.1.0 answers: its page turns to the other mode then.
        let text = match mode {
            StreamMode::Websockets => "SV027 WebSocket mode is inactive\n",
            StreamMode::Webrtc => "SV027 WebRTC mode is inactive\n",
        };
        return Ok(Response::builder().status(StatusCode::CONFLICT).body(text));
    }
    let Some(key) = websocket_key(request.headers()) else { return Ok(StatusCode::NO_CONTENT.into()) };
    if !same_origin(request.headers()) {
        return Ok(Response::builder()
            .status(StatusCode::FORBIDDEN)
            .body("SV020 the page that opened this connection belongs to another site.\n"));
    }
    let accept = derive_accept_key(key.as_bytes());
    // Pages of 2.1.0 offer `selkies`, with a token beside it.
    let offers_selkies = request
        .headers()
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|offer| offer.split(',').any(|name| name.trim() == "selkies"));
    let upgrade = request.take_upgrade()?;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => {
                let config = WebSocketConfig::default()
                    .read_buffer_size(8 * 1024)
                    .max_message_size(Some(max_message))
                    .max_frame_size(Some(max_message));
                serve(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await).await;
            }
            Err(error) => debug!(%error, "the upgrade to a WebSocket failed"),
        }
    });
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept);
    if offers_selkies {
        response = response.header(header::SEC_WEBSOCKET_PROTOCOL, "selkies");
    }
    Ok(response.finish())
}

/// The client's key when the request asks for a WebSocket (RFC 6455 section 4.2.1).
pub(crate) fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: header::HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    let asks = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    (asks && key.len() == 24).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_requests_for_a_websocket_have_a_key() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, value.parse().expect("a value"));
        }
        assert!(websocket_key(&headers).is_some());
        headers.insert("sec-websocket-version", "8".parse().expect("a value"));
        assert!(websocket_key(&headers).is_none());
    }
}
