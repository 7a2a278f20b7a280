//! Clients that send anything: datagrams of every kind at the port of a connection, reports that do not add up, messages
//! and channels without end. Alone in its process, because threads and memory are counted.

#[path = "../loopback/client.rs"]
#[allow(dead_code, reason = "tests/loopback uses more of it")]
mod client;
mod noise;
#[path = "../loopback/stage.rs"]
#[allow(dead_code, reason = "tests/loopback uses more of it")]
mod stage;
#[path = "../loopback/stream.rs"]
#[allow(dead_code, reason = "tests/loopback uses more of it")]
mod stream;

use std::{
    net::UdpSocket,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use client::{Client, wait_for};
use noise::Noise;
use selkies_plugin_sdk::{abi, test_host::TransportEvent};
use stage::{Stage, VP8};
use stream::Stream;

/// One test at a time: each counts what the process holds.
static TURN: Mutex<()> = Mutex::new(());

/// More memory than before, in MiB, that is no leak: allocators keep some.
const MEMORY: u64 = 96;

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads of this process, and its memory in MiB.
fn held() -> (usize, u64) {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux has it").count();
    let memory = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = memory.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    (threads, pages * 4096 / (1 << 20))
}

/// The session goes on, and nothing is left of the attack.
fn all_is_well(stage: &mut Stage, before: (usize, u64)) {
    let pictures = stage.pictures(7);
    stage.stream_until("pictures as before", |stage| stage.pictures(7) >= pictures + 20);
    let last = stage.frame();
    stage.stream_until("a frame to arrive", |stage| stage.arrived(7) >= last);
    stage.clients[&7].say("input", "still here");
    let text = TransportEvent::Text(7, abi::CHANNEL_CONTROL, "still here".to_owned());
    wait_for("a text", || stage.host.transport_events().contains(&text));
    assert_eq!(stage.failure(7), None);
    assert_eq!(stage.host.misuse(), Vec::<String>::new());
    let mut now = held();
    wait_for("threads to go", || {
        now = held();
        now.0 <= before.0 + 4
    });
    assert!(now.1 <= before.1 + MEMORY, "{} MiB, {} before", now.1, before.1);
}

fn begin() -> Stage {
    let mut stage = Stage::new(Stream::vp8());
    stage.join(7, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(7) >= 10);
    stage
}

/// The ports that the transport offered.
fn ports(stage: &Stage) -> Vec<u16> {
    let of = |event: &TransportEvent| match event {
        TransportEvent::Signal(7, json) if json.contains("candidate") && json.contains(" UDP ") => {
            let rest = json.split(" 127.0.0.1 ").nth(1)?;
            rest.split(' ').next()?.parse().ok()
        }
        _ => None,
    };
    stage.host.transport_events().iter().filter_map(of).collect()
}

#[test]
fn datagrams_of_every_kind_at_the_port_of_a_connection_change_nothing() {
    let _turn = turn();
    let mut stage = begin();
    let ports = ports(&stage);
    assert!(!ports.is_empty());
    let before = held();
    let mut noise = Noise::new(1);
    let sockets: Vec<UdpSocket> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    let (mut sent, goal) = (0_u32, 12_000);
    stage.stream_until("the end of the noise", |_| {
        for _ in 0..100 {
            let datagram = noise.datagram();
            let port = ports[noise.below(ports.len())];
            let socket = &sockets[noise.below(sockets.len())];
            // A full buffer is the system's way to say no.
            let _ = socket.send_to(&datagram, ("127.0.0.1", port));
            sent += 1;
        }
        sent >= goal
    });
    let heard = stage.host.transport_events().iter().any(|event| matches!(event, TransportEvent::Binary(..)));
    assert!(!heard, "none of it was a message");
    all_is_well(&mut stage, before);
}

#[test]
fn reports_that_do_not_add_up_are_the_trouble_of_who_sends_them() {
    let _turn = turn();
    let mut stage = begin();
    stage.join(8, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(8) >= 10);
    let requests = stage.requests(8);
    let mut noise = Noise::new(2);
    stage.clients[&8].spoil(Box::new(move |datagram| {
        let mut sent: Vec<Vec<u8>> = (0..40).map(|_| noise.report(&datagram)).collect();
        sent.push(datagram);
        sent
    }));
    let begin = Instant::now();
    // What GStreamer makes of reports, and throws away, has the allocator keep some memory; once.
    stage.stream_until("three seconds", |_| begin.elapsed() > Duration::from_secs(3));
    let before = held();
    stage.stream_until("ten seconds", |_| begin.elapsed() > Duration::from_secs(10));
    let most = begin.elapsed().as_millis() / 200 + 2;
    assert!((stage.requests(8) - requests) as u128 <= most, "{} in {most}", stage.requests(8) - requests);
    stage.leave(8);
    all_is_well(&mut stage, before);
}

#[test]
fn messages_without_end_are_bounded_and_leave_the_others_alone() {
    let _turn = turn();
    let mut stage = begin();
    let before = held();
    stage.admit(8, r#"["vp8"]"#, Client::greedy(VP8));
    stage.stream_until("pictures", |stage| stage.pictures(8) >= 5);
    let input = {
        wait_for("a channel", || stage.clients[&8].channel("input").is_some());
        stage.clients[&8].channel("input").expect("it is there")
    };
    // Larger than is taken, as large as is taken at most, and many.
    let large = "x".repeat(1 << 20);
    for _ in 0..20 {
        let _ = input.send_string_full(Some(&large));
    }
    for i in 0..5000 {
        let _ = input.send_string_full(Some(&format!("kd,{i}")));
    }
    stage.stream_until("an answer to the flood", |stage| {
        let last = TransportEvent::Text(8, abi::CHANNEL_CONTROL, "kd,4999".to_owned());
        stage.host.transport_events().contains(&last)
    });
    let longest = stage.host.transport_events().into_iter().filter_map(|event| match event {
        TransportEvent::Text(8, _, text) => Some(text.len()),
        _ => None,
    });
    assert!(longest.max().expect("there are texts") <= 256 * 1024);
    stage.leave(8);
    drop(input);
    all_is_well(&mut stage, before);
}

#[test]
fn who_opens_channels_without_end_is_sent_away() {
    let _turn = turn();
    let mut stage = begin();
    let before = held();
    stage.join(8, r#"["vp8"]"#, VP8);
    stage.stream_until("pictures", |stage| stage.pictures(8) >= 5);
    stage.ready.retain(|ready| *ready != 8);
    let hostile = stage.clients.remove(&8).expect("it is there");
    // Such as are taken, and those that are not.
    let channels: Vec<_> = (0..100).map(|i| hostile.open(if i < 50 { "data" } else { "other" })).collect();
    assert!(channels.iter().all(Option::is_some));
    stage.stream_until("the end of the one", |stage| stage.failure(8).is_some());
    assert!(stage.failure(8).is_some_and(|reason| reason.contains("data channels")));
    stage.transport.client_close(8, "it failed");
    drop(channels);
    drop(hostile);
    all_is_well(&mut stage, before);
}
