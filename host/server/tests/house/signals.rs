//! A page that signals, for the transport of tests/loopback: what a peer would get comes as signaling messages.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, error::Error},
};

use super::{House, SOON};

/// A signaling socket.
pub(crate) struct Caller {
    socket: WebSocketStream<TcpStream>,
    server: String,
}

impl Caller {
    /// Connects; the error is the server's answer.
    pub(crate) async fn knock(
        house: &House,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> tungstenite::Result<Self> {
        let mut request = format!("ws://{}{path}", house.at).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let stream = TcpStream::connect(house.at).await.expect("it listens");
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self { socket, server: String::new() })
    }

    /// The status with which a connection was refused.
    pub(crate) fn refusal(result: tungstenite::Result<Self>) -> u16 {
        match result {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("the connection was let in"),
        }
    }

    /// The first line of a page of 2.1.0, and more.
    pub(crate) fn hello(more: &Value) -> String {
        let mut metadata = json!({ "client_type": "controller", "client_slot": -1, "display_id": "primary" });
        for (name, value) in more.as_object().expect("an object") {
            metadata[name] = value.clone();
        }
        format!("HELLO client {metadata}")
    }

    /// Connects, and asks for a session.
    pub(crate) async fn call(house: &House, path: &str, more: &Value) -> Self {
        let mut caller = Self::knock(house, path, &[]).await.expect("let in");
        caller.line(&Self::hello(more)).await;
        assert_eq!(caller.text().await, "HELLO");
        caller.line("SESSION server").await;
        let ok = caller.text().await;
        caller.server = ok.strip_prefix("SESSION_OK ").expect("a session").to_owned();
        caller
    }

    pub(crate) async fn line(&mut self, text: &str) {
        // The server may close before it has read everything.
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        self.next().await.unwrap_or_else(|code| panic!("closed with {code}"))
    }

    async fn next(&mut self) -> Result<String, u16> {
        loop {
            let message = tokio::time::timeout(SOON, self.socket.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error}"),
                None => return Err(1006),
            }
        }
    }

    /// The next signaling message with this member.
    async fn signal(&mut self, member: &str) -> Value {
        loop {
            let text = self.text().await;
            let json =
                text.split_once(' ').filter(|_| !text.starts_with('{')).map_or(&*text, |(_, json)| json);
            let message: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"));
            if let Some(found) = message.get(member) {
                return found.clone();
            }
        }
    }

    /// What the transport was told of this client, from its offer.
    pub(crate) async fn offered_hello(&mut self) -> Value {
        let offer = self.signal("sdp").await;
        assert_eq!(offer["type"], "offer");
        let inside: Value = serde_json::from_str(offer["sdp"].as_str().expect("text")).expect("JSON");
        serde_json::from_str(inside["hello"].as_str().expect("text")).expect("JSON")
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{} {message}", self.server);
        self.line(&line).await;
    }

    /// Answers with the codec that is agreed on; that connects.
    pub(crate) async fn answer(&mut self, codec: &str) {
        self.send(&json!({ "sdp": { "type": "answer", "sdp": codec } })).await;
    }

    pub(crate) async fn send_candidate(&mut self, candidate: &str) {
        self.send(&json!({ "ice": { "candidate": candidate, "sdpMLineIndex": 0 } })).await;
    }

    /// Says something on the data channel.
    pub(crate) async fn say(&mut self, text: &str) {
        self.send_candidate(&format!("say {text}")).await;
    }

    /// The next packet.
    pub(crate) async fn packet(&mut self) -> Value {
        self.signal("packet").await
    }

    /// The next text on the data channel.
    pub(crate) async fn told_text(&mut self) -> String {
        self.signal("told").await.as_str().expect("text").to_owned()
    }

    pub(crate) async fn told_text_starting(&mut self, start: &str) -> String {
        loop {
            let text = self.told_text().await;
            if text.starts_with(start) {
                return text;
            }
        }
    }

    /// The next message of this type in 2.1.0's dialect.
    pub(crate) async fn told(&mut self, kind: &str) -> Value {
        loop {
            let text = self.told_text().await;
            let message: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            if message["type"] == kind {
                return message;
            }
        }
    }

    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.expect("a farewell");
    }

    /// Waits for the end; answers the code.
    pub(crate) async fn farewell(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}
