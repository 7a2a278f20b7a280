//! A relay without HTTP: what time and slow clients do to sessions.

use std::{net::IpAddr, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use selkies_signaling::{Client, MAX_PACKET, Refusal, Relay, RelayOptions, Times};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// A patient limit for what must happen.
const SOON: Duration = Duration::from_secs(20);

fn relay(max_clients: usize) -> Arc<Relay> {
    Relay::new(RelayOptions { max_clients, ..RelayOptions::default() })
}

/// Times that a test can wait for.
fn short() -> RelayOptions {
    let (pause, patience) = (Duration::from_millis(50), Duration::from_secs(1));
    let times = Times {
        ping_interval: pause,
        ping_timeout: patience,
        join_timeout: patience,
        upgrade_timeout: patience,
    };
    RelayOptions { times, ..RelayOptions::default() }
}

async fn say(relay: &Relay, client: &Arc<Client>, body: &str) -> Result<(), Refusal> {
    relay.post(client, async { Ok(body.to_owned()) }).await
}

/// A client that polls and was let in.
async fn joined(relay: &Arc<Relay>) -> Arc<Client> {
    let client = relay.open(HERE, None, false).expect("room");
    say(relay, &client, "40").await.expect("it is there");
    let answer = timeout(SOON, relay.poll(&client)).await.expect("soon").expect("it is there");
    assert!(answer.starts_with("40{\"sid\":"), "{answer}");
    client
}

/// The session's name, as clients read it.
fn name(client: &Client) -> String {
    let greeting = client.greeting(Times::default());
    let told: serde_json::Value = serde_json::from_str(&greeting[1..]).expect("JSON");
    told["sid"].as_str().expect("a text").to_owned()
}

async fn gone(relay: &Relay, client: &Client) {
    let name = name(client);
    let ended = async {
        while relay.find(&name).is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, ended).await.expect("it ends");
}

/// A client by WebSocket with a way of `capacity` bytes to it.
async fn socket(relay: &Arc<Relay>, capacity: usize) -> (Arc<Client>, WebSocketStream<DuplexStream>) {
    let (near, far) = tokio::io::duplex(capacity);
    let client = relay.open(HERE, None, true).expect("room");
    tokio::spawn({
        let (relay, client) = (relay.clone(), client.clone());
        async move { relay.carry(client, far, false).await }
    });
    let mut socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    assert!(next(&mut socket).await.starts_with("0{"), "the greeting");
    socket.send(Message::text("40")).await.expect("sent");
    assert!(next(&mut socket).await.starts_with("40{"), "let in");
    (client, socket)
}

async fn next(socket: &mut WebSocketStream<DuplexStream>) -> String {
    match timeout(SOON, socket.next()).await.expect("soon").expect("open").expect("a message") {
        Message::Text(text) => text.as_str().to_owned(),
        Message::Close(Some(frame)) => format!("closed with {}", frame.code),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_does_not_join_or_does_not_answer_pings_is_ended() {
    let relay = Relay::new(short());
    let waits = relay.open(HERE, None, false).expect("room");
    gone(&relay, &waits).await;
    let silent = joined(&relay).await;
    gone(&relay, &silent).await;
    assert_eq!(relay.count(), 0);
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let relay = Relay::new(short());
    let client = joined(&relay).await;
    let mut pings = 0;
    while pings < 30 {
        let heard = timeout(SOON, relay.poll(&client)).await.expect("soon").expect("it is there");
        assert_eq!(heard, "2");
        pings += 1;
        say(&relay, &client, "3").await.expect("it is there");
    }
    assert_eq!(relay.count(), 1, "longer than a silent one may stay");
}

#[tokio::test]
async fn a_full_relay_lets_nobody_in() {
    let relay = relay(2);
    let first = joined(&relay).await;
    let _second = joined(&relay).await;
    let third = relay.open(HERE, None, false).expect("it may ask");
    say(&relay, &third, "40").await.expect("it is there");
    let answer = relay.poll(&third).await.expect("it is there");
    assert!(answer.starts_with("44{") && answer.contains("SO011"), "{answer}");
    assert_eq!(relay.count(), 2);
    say(&relay, &first, "1").await.expect("it is there");
    joined(&relay).await;
}

#[tokio::test]
async fn an_address_has_so_many_sessions_that_wait() {
    let relay = relay(64);
    let opened = (0..100).take_while(|_| relay.open(HERE, None, false).is_ok()).count();
    assert_eq!(opened, 32);
    assert_eq!(relay.open(HERE, None, false).err(), Some(Refusal::Full));
    let elsewhere = IpAddr::from([192, 0, 2, 1]);
    assert!(relay.open(elsewhere, None, false).is_ok(), "others do not suffer");
    // One machine has many addresses of IPv6.
    let alike = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
    assert_eq!((0..100).take_while(|host| relay.open(alike(*host), None, false).is_ok()).count(), 32);
    let many = |network: u16| IpAddr::from([0x2001, 0xdb8, 1, network, 0, 0, 0, 1]);
    let opened = (0..1000).take_while(|network| relay.open(many(*network), None, false).is_ok()).count();
    assert_eq!(opened, 1000, "whoever has many keeps nobody else out");
}

#[tokio::test]
async fn who_takes_most_of_the_room_makes_room() {
    let relay = relay(64);
    let greedy: Vec<_> = (0..32).map(|_| relay.open(HERE, None, false).expect("room")).collect();
    let of = |network: u16| {
        let at = IpAddr::from([0x2001, 0xdb8, 1, network, 0, 0, 0, 1]);
        relay.open(at, None, false).expect("room")
    };
    let modest: Vec<_> = (0..256 - 32).map(of).collect();
    let later: Vec<_> = (1000..1010).map(of).collect();
    assert!(modest.iter().chain(&later).all(|client| relay.find(&name(client)).is_ok()));
    let stay: Vec<bool> = greedy.iter().map(|client| relay.find(&name(client)).is_ok()).collect();
    assert_eq!(stay, [vec![false; 10], vec![true; 22]].concat(), "the oldest go first");
}

#[tokio::test]
async fn who_does_not_read_is_ended_and_delays_nobody() {
    let relay = relay(3);
    let (slow, _unread) = socket(&relay, 4096).await;
    let (_, mut reads) = socket(&relay, MAX_PACKET).await;
    let sender = joined(&relay).await;
    let message =
        format!("42[\"signal\",{{\"type\":\"offer\",\"data\":{{\"sdp\":\"{}\"}}}}]", "x".repeat(1_000_000));
    for _ in 0..12 {
        say(&relay, &sender, &message).await.expect("it is there");
        assert_eq!(next(&mut reads).await.len(), message.len());
    }
    gone(&relay, &slow).await;
    assert_eq!(relay.count(), 2);
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_socket_with_its_code() {
    let relay = relay(2);
    let (client, socket) = socket(&relay, 64 * 1024).await;
    let (mut sink, mut stream) = socket.split();
    let large = async { sink.send(Message::text(format!("4{}", "x".repeat(2 * MAX_PACKET)))).await };
    let closed = async {
        match stream.next().await {
            Some(Ok(Message::Close(Some(frame)))) => u16::from(frame.code),
            other => panic!("{other:?}"),
        }
    };
    let (_, code) = timeout(SOON, async { tokio::join!(large, closed) }).await.expect("soon");
    assert_eq!(code, 1009);
    gone(&relay, &client).await;
}

#[tokio::test]
async fn who_is_not_let_in_cannot_say_much() {
    // Nobody is ended for want of a word.
    let times = Times { join_timeout: Duration::from_secs(600), ..Times::default() };
    let relay = Relay::new(RelayOptions { times, ..RelayOptions::default() });
    let polls = relay.open(HERE, None, false).expect("room");
    let long = format!("40{{\"token\":\"{}\"}}", "x".repeat(5000));
    assert_eq!(say(&relay, &polls, &long).await, Err(Refusal::TooLarge));
    gone(&relay, &polls).await;
    let length = u16::try_from(long.len()).expect("it is short enough").to_be_bytes();
    for bytes in [
        // The head of a text of 1 MiB (RFC 6455 section 5.2), masked with zeros, of which some comes.
        [&[0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0xff, 0xff, 0, 0, 0, 0][..], &[b'4'; 40_000][..]].concat(),
        // The whole of the text from above, by which it would be let in.
        [&[0x81, 0xfe][..], &length[..], &[0; 4][..], long.as_bytes()].concat(),
    ] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let client = relay.open(HERE, None, true).expect("room");
        tokio::spawn({
            let (relay, client) = (relay.clone(), client.clone());
            async move { relay.carry(client, far, false).await }
        });
        let (_reads, mut writes) = tokio::io::split(near);
        writes.write_all(&bytes).await.expect("there is room");
        gone(&relay, &client).await;
    }
    assert_eq!(joined(&relay).await.message_limit(), MAX_PACKET);
}

#[tokio::test]
async fn an_end_of_the_relay_is_told() {
    let relay = relay(2);
    let (_, mut socket) = socket(&relay, 4096).await;
    let polls = joined(&relay).await;
    let polled = tokio::spawn({
        let (relay, polls) = (relay.clone(), polls.clone());
        async move { relay.poll(&polls).await }
    });
    relay.shut_down();
    assert_eq!(next(&mut socket).await, "closed with 1001");
    drop(socket);
    let polled = timeout(SOON, polled).await.expect("soon").expect("no panic");
    assert_eq!(polled, Ok("1".to_owned()));
    timeout(SOON, relay.settle()).await.expect("no socket is left");
    assert_eq!(relay.count(), 0);
}
