//! A client's life on the WebSocket, from the greeting to the end.

mod house;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::SinkExt;
use house::{House, SMALL, SOON, ended, page::Page};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// What one message may have at most (`MAX_MESSAGE` of the sockets), and then some.
const TOO_LONG: usize = 1024 * 1024 + 65;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greeting_and_the_first_frames() {
    let house = House::open(SMALL).await;
    let mut page = Page::enter(&house, "").await;
    let Some(Message::Text(first)) = page.next().await else { panic!("a text comes first") };
    assert_eq!(first.as_str(), "MODE websockets");
    page.text("DISPLAY_CONFIG_UPDATE,").await;
    let settings = page.json("server_settings").await;
    assert_eq!(settings["settings"]["encoder"]["value"], "jpeg", "{settings:#}");
    assert_eq!(house.status().await["video"]["frames"], 0, "nothing before its settings");

    page.settle_in("tab").await;
    // As this host's own page does; others get what rests a second time.
    page.say("_ping,1").await;
    let size = page.json("stream_resolution").await;
    assert_eq!((size["width"].as_u64(), size["height"].as_u64()), (Some(640), Some(192)));
    let mut rows = BTreeSet::new();
    let last = loop {
        let stripe = page.stripe().await;
        let picture = turbojpeg::decompress(&stripe.jpeg, turbojpeg::PixelFormat::BGR).expect("a JPEG");
        assert_eq!((picture.width, picture.height), (640, 64));
        rows.insert(stripe.y);
        if stripe.last {
            break stripe.frame_id;
        }
    };
    assert_eq!(rows, BTreeSet::from([0, 64, 128]));
    page.say(&format!("CLIENT_FRAME_ACK {last} 0")).await;

    let mut before = last;
    let rate = page
        .rate(Duration::from_secs(2), async |id| {
            assert!(id > before, "{id} after {before}");
            before = id;
        })
        .await;
    assert!(rate >= 10.0, "{rate} frames a second");
    let status = house.status().await;
    assert_eq!((status["clients"].as_u64(), status["watching"].as_u64()), (Some(1), Some(1)));
    assert_eq!(status["video"]["encoder"], "selkies.striped-jpeg/jpeg");
    assert!(status["sent_bytes"].as_u64() > Some(100_000), "{status:#}");

    page.say("STOP_VIDEO").await;
    page.text("VIDEO_STOPPED").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let frames = house.status().await["video"]["frames"].clone();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let status = house.status().await;
    assert_eq!((&status["video"]["frames"], &status["watching"]), (&frames, &0.into()));
    page.say("START_VIDEO").await;
    page.frame().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_is_forgotten() {
    let house = House::open(SMALL).await;
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    let mut viewer = Page::enter(&house, "?role=viewer").await;
    // Greeted is counted; an answered upgrade alone is not yet.
    viewer.text("MODE").await;
    assert_eq!(house.status().await["clients"], 2);
    // One without a word, one with a farewell.
    drop(viewer);
    page.socket.close(None).await.expect("a farewell");
    let end = Instant::now() + SOON;
    while house.status().await["clients"] != 0 {
        assert!(Instant::now() < end, "{:#}", house.status().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = house.status().await;
    assert_eq!((&status["watching"], &status["queued_bytes"]), (&0.into(), &0.into()));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_too_long_ends_only_its_sender() {
    let house = House::open(SMALL).await;
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    for message in [Message::text("x".repeat(TOO_LONG)), Message::binary(vec![0; TOO_LONG])] {
        let mut other = Page::enter(&house, "?role=viewer").await;
        other.text("MODE").await;
        assert_eq!(house.status().await["clients"], 2);
        // The server may close before it has read everything.
        let _ = other.socket.send(message).await;
        other.farewell().await;
        let end = Instant::now() + SOON;
        while house.status().await["clients"] != 1 {
            assert!(Instant::now() < end, "the sender is still there");
            page.frame().await;
        }
    }
    // Garbage that is short is answered by nothing, and ends nobody.
    for garbage in
        ["", "SETTINGS,", "SETTINGS,{", "CLIENT_FRAME_ACK", "CLIENT_FRAME_ACK 99999", "no,such,verb"]
    {
        page.say(garbage).await;
    }
    page.socket.send(Message::binary(vec![0xff; 1000])).await.expect("it reads");
    let rate = page.rate(Duration::from_secs(1), async |_| {}).await;
    assert!(rate >= 8.0, "{rate} frames a second");
    let counted = house.status().await["messages"].clone();
    assert!(counted["malformed"].as_u64() >= Some(3) && counted["unknown"].as_u64() >= Some(1), "{counted}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_clients_are_told_and_everything_ends() {
    let house = House::open(SMALL).await;
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    let mut idle = Page::enter(&house, "?role=viewer").await;
    idle.text("MODE").await;
    let _kept_alive = TcpStream::connect(house.at).await.expect("it listens");
    let at = house.at;

    let began = Instant::now();
    let running = house.ask_to_end();
    for page in [&mut page, &mut idle] {
        let farewell = page.farewell().await.expect("a farewell");
        let (code, reason) = Page::parting(&farewell);
        assert_eq!((code, reason.as_str()), (1012, "Service restart"));
    }
    ended(running).await;
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    assert!(TcpStream::connect(at).await.is_err(), "it still listens");
}
