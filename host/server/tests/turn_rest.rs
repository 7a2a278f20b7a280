//! The TURN REST service over HTTP.

use std::{net::SocketAddr, time::Duration};

use selkies_server::TurnRestServer;
use selkies_turn::rest::{Service, ServiceOptions};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

fn service(key: &str) -> Service {
    Service::new(ServiceOptions {
        secret: "north".into(),
        key: key.into(),
        turn: ("relay.example".into(), 3478),
        tcp: false,
        tls: false,
        ttl: 600,
        stun: None,
    })
}

/// Sends a request; answers status and body.
async fn ask(at: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    let mut socket = TcpStream::connect(at).await.expect("it listens");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    socket.read_to_string(&mut text).await.expect("it answers");
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[tokio::test]
async fn query_form_json_and_headers_are_read() {
    let server = TurnRestServer::bind(&["127.0.0.1".into()], 0, service("sesame")).expect("a port");
    let at = server.local()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async move {
        let _ = stopped.await;
    }));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let json = "Content-Type: application/json\r\n";
    let names = "x-auth-user: ada\r\nx-turn-protocol: tcp\r\nx-turn-tls: true\r\n";
    for (line, headers, body) in [
        ("GET /?service=turn&username=ada&key=sesame&protocol=tcp&tls=true", "", ""),
        ("GET /?api=sesame", names, ""),
        ("POST /", form, "service=turn&username=ada&key=sesame&protocol=tcp&tls=true"),
        ("POST /", json, r#"{"service":"turn","username":"ada","api":"sesame","protocol":"tcp","tls":true}"#),
        ("POST /?key=sesame", names, ""),
    ] {
        let (status, text) = ask(at, line, headers, body).await;
        assert_eq!(status, 200, "{line} {text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert!(answer["username"].as_str().is_some_and(|name| name.ends_with(":ada")), "{text}");
        assert_eq!(answer["uris"][0], "turns:relay.example:3478?transport=tcp");
    }
    let (status, text) = ask(at, "GET /?key=sesame", "", "").await;
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let name =
        answer["username"].as_str().and_then(|name| name.split_once(':')).expect("a name").1.to_owned();
    assert_eq!((status, name.len()), (200, 16), "{name}");
    for (line, headers, body, status) in [
        ("GET /?service=stun&key=sesame", "", "", 400),
        ("GET /", "", "", 400),
        ("GET /?key=wrong", "", "", 403),
        ("POST /?key=sesame", json, "[1]", 400),
        ("POST /?key=sesame", json, "{", 400),
        ("POST /?key=sesame", form, &"x".repeat(20_000), 400),
        ("DELETE /?key=sesame", "", "", 405),
        ("GET /other", "", "", 404),
    ] {
        assert_eq!(ask(at, line, headers, body).await.0, status, "{line}");
    }
    stop.send(()).expect("it runs");
    running.await.expect("it ends").expect("it served");
}

#[tokio::test]
async fn without_a_key_foreign_names_get_nothing() {
    let server = TurnRestServer::bind(&["127.0.0.1".into()], 0, service("")).expect("a port");
    let at = server.local()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async move {
        let _ = stopped.await;
    }));
    for (host, status) in [
        ("127.0.0.1:8008", 200),
        ("[::1]:8008", 200),
        ("localhost", 200),
        ("turn-rest:8008", 200),
        ("evil.example", 403),
        ("evil.example:8008", 403),
        ("127.0.0.1.evil.example", 403),
        ("turn-rest.", 403),
    ] {
        let mut socket = TcpStream::connect(at).await.expect("it listens");
        let request = format!("GET /?username=ada HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("it reads");
        let mut text = String::new();
        socket.read_to_string(&mut text).await.expect("it answers");
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {text}");
        assert_eq!(text.contains("credential"), status == 200, "{host}: {text}");
    }
    stop.send(()).expect("it runs");
    running.await.expect("it ends").expect("it served");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = TurnRestServer::bind(&["127.0.0.1".into()], 0, service("sesame")).expect("a port");
    let at = server.local()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async move {
        let _ = stopped.await;
    }));
    let mut socket = TcpStream::connect(at).await.expect("it listens");
    let request = format!("POST /?key=sesame HTTP/1.1\r\nHost: {at}\r\nContent-Length: 9\r\n\r\nuser");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    let answered = tokio::time::timeout(Duration::from_secs(30), socket.read_to_string(&mut text)).await;
    answered.expect("it gives up").expect("it answers and closes");
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("TR006"), "{text}");
    stop.send(()).expect("it runs");
    running.await.expect("it ends").expect("it served");
}
