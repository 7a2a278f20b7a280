//! The Streaming Node's part against a relay over TCP: what the host says reaches the peer, and the other way.

use std::{net::IpAddr, sync::Arc, time::Duration};

use selkies_signaling::{
    Client, HostSession, NodeOptions, NodeRole, Relay, RelayOptions, RelayUrl, Token, run_node,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// A patient limit for what must happen.
const SOON: Duration = Duration::from_secs(30);

/// A relay that listens, as far as a client by WebSocket needs it.
async fn serve(relay: Arc<Relay>, listener: Arc<TcpListener>) {
    let mut tasks = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let relay = relay.clone();
        tasks.spawn(async move {
            let head = request(&mut stream).await;
            let line = head.lines().next().unwrap_or_default();
            assert_eq!(line, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1");
            let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.expect("sent");
            let client = relay.open(HERE, None, true).expect("room");
            relay.carry(client, stream, false).await;
        });
    }
}

async fn request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a byte"));
    }
    String::from_utf8(head).expect("text")
}

/// A host's end of the sessions that a node begins.
struct Host {
    sessions: mpsc::UnboundedReceiver<(mpsc::Sender<String>, mpsc::Receiver<String>)>,
}

/// One session, as the host sees it.
struct Page {
    say: mpsc::Sender<String>,
    hear: mpsc::Receiver<String>,
}

impl Host {
    /// Waits for a session and lets it in.
    async fn greet(&mut self, role: &str) -> Page {
        let (say, hear) = timeout(SOON, self.sessions.recv()).await.expect("soon").expect("a session");
        let mut page = Page { say, hear };
        let hello = page.heard().await;
        let said: Value =
            serde_json::from_str(hello.strip_prefix("HELLO client ").expect("a hello")).expect("JSON");
        assert_eq!(said["client_type"], role);
        page.tell("HELLO").await;
        assert_eq!(page.heard().await, "SESSION server");
        page.tell("SESSION_OK server-7").await;
        page
    }
}

impl Page {
    async fn heard(&mut self) -> String {
        timeout(SOON, self.hear.recv()).await.expect("soon").expect("open")
    }

    async fn tell(&self, line: &str) {
        self.say.send(line.to_owned()).await.expect("open");
    }

    async fn offer(&self, sdp: &str) {
        self.tell(&format!("server-7 {}", json!({ "sdp": { "type": "offer", "sdp": sdp } }))).await;
    }
}

/// Starts a node; it ends with the test's runtime.
fn node(port: u16, token: Option<&str>, role: NodeRole) -> Host {
    let url = RelayUrl::parse(&format!("http://127.0.0.1:{port}")).expect("an address");
    let (begun, sessions) = mpsc::unbounded_channel();
    let options = NodeOptions { url, token: token.map(str::to_owned), role };
    tokio::spawn(run_node(options, move || {
        let (say, heard) = mpsc::channel(64);
        let (told, hear) = mpsc::channel(64);
        begun.send((told, heard)).expect("the test listens");
        HostSession { say, hear }
    }));
    Host { sessions }
}

/// The peer behind the relay, by polling.
struct Peer {
    relay: Arc<Relay>,
    client: Arc<Client>,
    heard: Vec<Value>,
}

impl Peer {
    async fn join(relay: &Arc<Relay>, token: Option<&str>) -> Self {
        let client = relay.open(HERE, None, false).expect("room");
        let mut peer = Self { relay: relay.clone(), client, heard: Vec::new() };
        let auth = token.map(|token| json!({ "token": token }).to_string());
        peer.post(format!("40{}", auth.unwrap_or_default())).await;
        assert!(peer.relay.poll(&peer.client).await.expect("open").starts_with("40{"));
        peer
    }

    async fn post(&mut self, body: String) {
        self.relay.post(&self.client, async { Ok(body) }).await.expect("open");
    }

    async fn send(&mut self, signal: Value) {
        self.post(format!("42{}", json!(["signal", signal]))).await;
    }

    async fn heard(&mut self) -> Value {
        while self.heard.is_empty() {
            let body = timeout(SOON, self.relay.poll(&self.client)).await.expect("soon").expect("open");
            for packet in body.split('\x1e').filter_map(|packet| packet.strip_prefix("42")) {
                self.heard.push(serde_json::from_str::<Value>(packet).expect("JSON")[1].take());
            }
        }
        self.heard.remove(0)
    }
}

async fn listener() -> (Arc<TcpListener>, u16) {
    let listener = TcpListener::bind((HERE, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (Arc::new(listener), port)
}

#[tokio::test]
async fn a_peer_is_offered_the_stream_and_answers() {
    let relay = Relay::new(RelayOptions { token: Some(Token::new("secret")), ..RelayOptions::default() });
    let (listener, port) = listener().await;
    tokio::spawn(serve(relay.clone(), listener));
    let mut peer = Peer::join(&relay, Some("secret")).await;
    let mut host = node(port, Some("secret"), NodeRole::Controller);
    let mut page = host.greet("controller").await;
    page.offer("v=0\r\n").await;
    assert_eq!(peer.heard().await, json!({ "type": "offer", "data": { "type": "offer", "sdp": "v=0\r\n" } }));
    page.tell(r#"server-7 {"ice":{"candidate":"candidate:1","sdpMLineIndex":0}}"#).await;
    let candidate =
        json!({ "type": "ice-candidate", "data": { "candidate": "candidate:1", "sdpMLineIndex": 0 } });
    assert_eq!(peer.heard().await, candidate);
    peer.send(json!({ "type": "answer", "data": { "type": "answer", "sdp": "v=1" } })).await;
    assert_eq!(page.heard().await, r#"server-7 {"sdp":{"type":"answer","sdp":"v=1"}}"#);
    peer.send(candidate).await;
    assert_eq!(page.heard().await, r#"server-7 {"ice":{"candidate":"candidate:1","sdpMLineIndex":0}}"#);
    // What comes later asks, and gets a new offer.
    let mut late = Peer::join(&relay, Some("secret")).await;
    late.send(json!({ "type": "offer", "data": {} })).await;
    assert_eq!(page.heard().await, r#"server-7 {"restart":true}"#);
    page.offer("v=2").await;
    assert_eq!(late.heard().await["data"]["sdp"], "v=2");
}

#[tokio::test]
async fn a_peer_that_comes_late_hears_the_offer_that_nobody_answered() {
    let relay = Relay::new(RelayOptions::default());
    let (listener, port) = listener().await;
    tokio::spawn(serve(relay.clone(), listener));
    let mut host = node(port, None, NodeRole::Viewer);
    let page = host.greet("viewer").await;
    page.offer("v=0").await;
    let mut peer = Peer::join(&relay, None).await;
    assert_eq!(peer.heard().await["data"]["sdp"], "v=0");
}

#[tokio::test]
async fn the_session_outlives_a_relay_and_is_begun_anew_by_the_host() {
    let (listener, port) = listener().await;
    let first = Relay::new(RelayOptions::default());
    let serving = tokio::spawn(serve(first.clone(), listener.clone()));
    let mut peer = Peer::join(&first, None).await;
    let mut host = node(port, None, NodeRole::Viewer);
    let mut page = host.greet("viewer").await;
    page.offer("v=0").await;
    peer.heard().await;
    peer.send(json!({ "type": "answer", "data": { "sdp": "v=1" } })).await;
    page.heard().await;

    first.shut_down();
    serving.abort();
    let second = Relay::new(RelayOptions::default());
    tokio::spawn(serve(second.clone(), listener));
    let back = async {
        while second.count() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, back).await.expect("it comes again");
    let mut peer = Peer::join(&second, None).await;
    peer.send(json!({ "type": "ice-candidate", "data": { "candidate": "candidate:9" } })).await;
    assert!(page.heard().await.contains("candidate:9"), "the session of the host goes on");

    // The host says that the connection failed.
    drop(page);
    let page = host.greet("viewer").await;
    page.offer("v=2").await;
    assert_eq!(peer.heard().await["data"]["sdp"], "v=2");
}

#[tokio::test]
async fn without_the_token_nothing_is_offered() {
    let relay = Relay::new(RelayOptions { token: Some(Token::new("secret")), ..RelayOptions::default() });
    let (listener, port) = listener().await;
    tokio::spawn(serve(relay.clone(), listener));
    let mut host = node(port, Some("wrong"), NodeRole::Viewer);
    // Two tries are enough to see that it goes on trying, and is not let in.
    assert!(timeout(Duration::from_secs(3), host.sessions.recv()).await.is_err());
    assert_eq!(relay.count(), 0);
}

#[tokio::test]
async fn what_is_no_relay_is_tried_again() {
    let (listener, port) = listener().await;
    let mut host = node(port, None, NodeRole::Viewer);
    for answer in ["HTTP/1.1 404 Not Found\r\n\r\n", "garbage\r\n\r\n", ""] {
        let (mut stream, _) =
            timeout(SOON, listener.accept()).await.expect("another try").expect("a connection");
        request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.expect("sent");
    }
    let relay = Relay::new(RelayOptions::default());
    tokio::spawn(serve(relay, listener));
    host.greet("viewer").await;
}
