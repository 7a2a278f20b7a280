//! A small HTTP server for the tests of sources that ask one.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Longest request that is read, in bytes.
const MAX_REQUEST: usize = 64 * 1024;

/// What a server answers: status line and headers, body, and how long it keeps silent before.
#[derive(Clone, Debug)]
pub struct Reply {
    /// `200 OK`, and further header lines each after `\r\n`.
    pub status: String,
    /// The body.
    pub body: String,
    /// Silence before the answer.
    pub silence: Duration,
}

impl Reply {
    /// `200 OK` with a body.
    #[must_use]
    pub fn ok(body: &str) -> Self {
        Self { status: "200 OK".into(), body: body.into(), silence: Duration::ZERO }
    }

    /// Another status, with further header lines each after `\r\n`, and a body.
    #[must_use]
    pub fn status(status: &str, body: &str) -> Self {
        Self { status: status.into(), body: body.into(), silence: Duration::ZERO }
    }
}

/// Serves one reply per connection until the process ends; the requests arrive in the channel.
///
/// # Panics
/// Where loopback cannot be used.
#[must_use]
pub fn serve(replies: Vec<Reply>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("an address");
    let (send, requests) = channel();
    thread::spawn(move || {
        for reply in replies {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let _ = send.send(request(&mut stream));
            thread::sleep(reply.silence);
            let Reply { status, body, .. } = reply;
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // A client that has given up is part of some tests.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    (address, requests)
}

/// Head and body of a request.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while bytes.len() < MAX_REQUEST {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
