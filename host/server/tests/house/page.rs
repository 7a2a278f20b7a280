//! A client as a browser's page is one, over a real socket.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message, Utf8Bytes, client::IntoClientRequest, error::Error, handshake::client::Request,
        protocol::CloseFrame,
    },
};

use super::{House, SOON};

/// A WebSocket to the house.
pub(crate) struct Page {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

/// A part of a frame, as it comes on the wire.
#[derive(Debug)]
pub(crate) struct Stripe {
    pub(crate) last: bool,
    pub(crate) frame_id: u16,
    pub(crate) y: u16,
    pub(crate) jpeg: Vec<u8>,
}

impl Stripe {
    /// `[03][last 01][frame id u16][y u16]`, big-endian, then a JPEG file.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        assert!(bytes.len() > 8, "{} bytes", bytes.len());
        assert_eq!(bytes[0], 3, "another message than a JPEG stripe");
        assert_eq!(bytes[6..8], [0xff, 0xd8], "no JPEG file");
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Self { last: bytes[1] & 1 == 1, frame_id: word(2), y: word(4), jpeg: bytes[6..].to_vec() }
    }
}

impl Page {
    /// Connects with these headers and query; the error is the server's answer.
    pub(crate) async fn knock(
        house: &House,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> tungstenite::Result<Self> {
        let stream = TcpStream::connect(house.at).await.expect("it listens");
        Self::shake_hands(house, query, headers, stream).await
    }

    /// Connects; panics when that is refused.
    pub(crate) async fn enter(house: &House, query: &str) -> Self {
        Self::knock(house, query, &[]).await.expect("a WebSocket")
    }

    /// Connects with a small receive buffer, so that not reading is felt soon.
    pub(crate) async fn enter_narrow(house: &House, query: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
        let stream = socket.connect(house.at).await.expect("it listens");
        Self::shake_hands(house, query, &[], stream).await.expect("a WebSocket")
    }

    async fn shake_hands(
        house: &House,
        query: &str,
        headers: &[(&'static str, &str)],
        stream: TcpStream,
    ) -> tungstenite::Result<Self> {
        let mut request: Request =
            format!("ws://{}/api/websockets{query}", house.at).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self { socket })
    }

    /// The status with which a connection was refused.
    pub(crate) fn refusal(result: tungstenite::Result<Self>) -> u16 {
        match result {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("the connection was let in"),
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("it reads");
    }

    /// The page's settings, which start the stream of a controller.
    pub(crate) async fn settle_in(&mut self, tab: &str) {
        let settings = format!(
            r#"SETTINGS,{{"displayId":"primary","tabId":"{tab}","encoder":"jpeg","framerate":60,"jpeg_quality":80,"use_paint_over_quality":false}}"#
        );
        self.say(&settings).await;
    }

    /// The next message that is no ping; `None` once the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let message = tokio::time::timeout(SOON, self.socket.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next text that begins so, whatever comes before.
    pub(crate) async fn text(&mut self, start: &str) -> String {
        loop {
            match self.next().await {
                Some(Message::Text(text)) if text.starts_with(start) => return text.to_string(),
                Some(_) => {}
                None => panic!("closed before {start:?}"),
            }
        }
    }

    /// The next JSON message of this type.
    pub(crate) async fn json(&mut self, kind: &str) -> Value {
        loop {
            let text = self.text("{").await;
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The next binary message.
    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        loop {
            match self.next().await {
                Some(Message::Binary(bytes)) => return bytes.to_vec(),
                Some(_) => {}
                None => panic!("closed before a packet"),
            }
        }
    }

    /// The next stripe, whatever comes before.
    pub(crate) async fn stripe(&mut self) -> Stripe {
        loop {
            match self.next().await {
                Some(Message::Binary(bytes)) => return Stripe::parse(&bytes),
                Some(_) => {}
                None => panic!("closed before a stripe"),
            }
        }
    }

    /// Takes stripes up to a frame's last one and acknowledges; answers its number.
    pub(crate) async fn frame(&mut self) -> u16 {
        loop {
            let stripe = self.stripe().await;
            if stripe.last {
                self.say(&format!("CLIENT_FRAME_ACK {} 0", stripe.frame_id)).await;
                return stripe.frame_id;
            }
        }
    }

    /// Frames a second over a while, `each` told of every one.
    pub(crate) async fn rate(&mut self, time: Duration, mut each: impl AsyncFnMut(u16)) -> f64 {
        let began = Instant::now();
        let mut count = 0_u32;
        while began.elapsed() < time {
            each(self.frame().await).await;
            count += 1;
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    }

    /// Waits for the end; answers the farewell, if there was one.
    pub(crate) async fn farewell(&mut self) -> Option<CloseFrame> {
        let mut farewell = None;
        while let Some(message) = self.next().await {
            if let Message::Close(frame) = message {
                farewell = frame;
            }
        }
        farewell
    }

    /// Reason of a farewell.
    pub(crate) fn parting(frame: &CloseFrame) -> (u16, &Utf8Bytes) {
        (frame.code.into(), &frame.reason)
    }
}
