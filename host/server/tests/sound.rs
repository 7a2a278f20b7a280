//! Sound to pages and voices from them, over real sockets, with a source and a microphone that remember what they were told.

mod house;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::SinkExt;
use house::{House, SMALL, SOON, page::Page, signals::Caller};
use selkies_plugin_host::Plugin;
use selkies_server::{SoundSource, SpeechSink};
use selkies_session::sound::OpusPacket;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

/// What a house's source and microphone were told.
#[derive(Clone, Default)]
struct Told {
    wanted: Arc<Mutex<Vec<bool>>>,
    rates: Arc<Mutex<Vec<u32>>>,
    samples: Arc<Mutex<Vec<i16>>>,
}

fn all<T: Clone>(list: &Mutex<Vec<T>>) -> Vec<T> {
    list.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl SoundSource for Told {
    fn set_wanted(&self, wanted: bool) {
        self.wanted.lock().expect("not poisoned").push(wanted);
    }

    fn set_bitrate(&self, bits_per_second: u32) {
        self.rates.lock().expect("not poisoned").push(bits_per_second);
    }

    fn admit(&self, _: &str) {}

    fn renew(&self, _: &Plugin) -> usize {
        0
    }
}

impl SpeechSink for Told {
    fn write(&self, samples: &[i16]) {
        self.samples.lock().expect("not poisoned").extend_from_slice(samples);
    }

    fn admit(&self, _: &str) {}

    fn renew(&self, _: &Plugin) -> usize {
        0
    }
}

fn furnish(house: &House) -> Told {
    let told = Told::default();
    house.hub.attach_sound(Box::new(told.clone()));
    house.hub.attach_microphone(Box::new(told.clone()));
    told
}

/// The `n`th packet of 20 ms.
fn play(house: &House, n: u64, data: &[u8]) {
    let packet = OpusPacket { data, timestamp_ns: n * 20_000_000, silent: false };
    house.hub.sound_packet(packet, 20_000);
}

async fn soon(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !happened().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The next message of sound.
async fn sound(page: &mut Page) -> Vec<u8> {
    loop {
        let packet = page.packet().await;
        if packet[0] == 1 {
            return packet;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_ask_hear_and_nothing_is_captured_for_nobody() {
    let house = House::open(SMALL).await;
    let told = furnish(&house);
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    play(&house, 0, b"nobody hears this");
    assert_eq!(all(&told.wanted), Vec::<bool>::new(), "a picture alone wants no sound");

    page.say("START_AUDIO").await;
    page.text("AUDIO_STARTED").await;
    soon("it is wanted", async || all(&told.wanted) == [true]).await;
    play(&house, 1, b"one");
    assert_eq!(sound(&mut page).await, b"\x01\x00one");

    let mut viewer = Page::enter(&house, "?role=viewer").await;
    viewer.say("START_VIDEO").await;
    soon("both listen", async || house.status().await["sound"]["listeners"] == 2).await;
    play(&house, 2, b"two");
    assert_eq!(sound(&mut page).await, b"\x01\x00two");
    assert_eq!(sound(&mut viewer).await, b"\x01\x00two", "one encode for all");

    page.say("STOP_AUDIO").await;
    page.text("AUDIO_STOPPED").await;
    play(&house, 3, b"three");
    assert_eq!(sound(&mut viewer).await, b"\x01\x00three");
    assert_eq!(all(&told.wanted), [true], "somebody still listens");
    drop(viewer);
    soon("nobody listens", async || all(&told.wanted) == [true, false]).await;
    let status = house.status().await;
    assert_eq!((&status["sound"]["packets"], &status["sound"]["listeners"]), (&json!(3), &json!(0)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bit_rate_is_what_the_owner_asks_for_within_the_operators_menu() {
    let house = House::open(SMALL).await;
    let told = furnish(&house);
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    page.say("ab,64000").await;
    soon("ab", async || all(&told.rates) == [64_000]).await;
    page.say(r#"SETTINGS,{"displayId":"primary","tabId":"tab","audio_bitrate":"128000"}"#).await;
    soon("SETTINGS", async || all(&told.rates) == [64_000, 128_000]).await;
    page.say("ab,1").await;
    soon("out of range", async || all(&told.rates).len() == 3).await;
    assert!(all(&told.rates)[2] >= 6000, "{:?}", all(&told.rates));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_loses_old_sound_and_is_helped_afterwards() {
    let house = House::open(SMALL).await;
    furnish(&house);
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.say("START_AUDIO").await;
    page.text("AUDIO_STARTED").await;
    let mut stuck = Page::enter_narrow(&house, "").await;
    let settings = r#"SETTINGS,{"displayId":"primary","tabId":"other","audioRedundancy":true}"#;
    stuck.say(settings).await;
    stuck.say("START_AUDIO").await;
    stuck.text("AUDIO_STARTED").await;
    stuck.say("STOP_VIDEO").await;
    page.say("STOP_VIDEO").await;
    page.text("VIDEO_STOPPED").await;
    stuck.text("VIDEO_STOPPED").await;
    soon("both listen", async || house.status().await["sound"]["listeners"] == 2).await;

    // A minute and more at the highest rate: 20 MB, of which the sockets' buffers take some.
    let packet = [7; 1000];
    let mut most = 0;
    for n in 0..20_000_u64 {
        play(&house, n, &packet);
        if n % 10 == 0 {
            // The one that reads keeps up.
            for _ in 0..10.min(20_000 - n) {
                if n > 0 {
                    assert_eq!(sound(&mut page).await[..2], [1, 0]);
                }
            }
        }
        if n % 1000 == 0 {
            most = most.max(house.status().await["queued_bytes"].as_u64().expect("a number"));
        }
    }
    assert!(most < 200 * 1024, "{most} bytes waited");
    assert_eq!(house.status().await["clients"], 2, "nobody is thrown out for it");
    // Once it reads again it hears the newest, with what was left out before it.
    let mut redundant = None;
    while redundant.is_none() {
        let message = sound(&mut stuck).await;
        if message[1] > 0 {
            redundant = Some(message);
        }
    }
    let message = redundant.expect("a message with older packets");
    assert!((1..=2).contains(&message[1]), "{}", message[1]);
    assert_eq!(message.len(), 7 + usize::from(message[1]) * 1004 + 1000);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_reaches_the_microphone() {
    let house = House::open(SMALL).await;
    let told = furnish(&house);
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    let samples: Vec<i16> = (0..480).map(|n| n * 60 - 14_000).collect();
    let mut message = vec![2];
    message.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    page.socket.send(Message::binary(message)).await.expect("it reads");
    soon("the samples", async || all(&told.samples) == samples).await;

    let mut viewer = Page::enter(&house, "?role=viewer").await;
    viewer.text("MODE").await;
    viewer.socket.send(Message::binary(vec![2; 961])).await.expect("it reads");
    viewer.text("MICROPHONE_DISABLED").await;
    assert_eq!(all(&told.samples), samples);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_webrtc_the_same_packets_go_to_the_transport() {
    let house = House::with_webrtc("webrtc", false).await;
    let told = furnish(&house);
    let mut caller = Caller::call(&house, "/api/webrtc/signaling", &json!({})).await;
    let hello = caller.offered_hello().await;
    assert_eq!((&hello["codecs"], &hello["sound_apart"]), (&json!(["h264", "opus"]), &json!(null)));
    let mut ours = Caller::call(&house, "/api/webrtc/signaling", &json!({ "selkies_host": 1 })).await;
    assert_eq!(ours.offered_hello().await["sound_apart"], true, "our page plays both as they come");
    ours.close().await;
    caller.answer("h264").await;
    caller.told("server_settings").await;
    soon("pages of 2.1.0 never ask", async || all(&told.wanted) == [true]).await;
    caller.say("STOP_VIDEO").await;
    soon("no picture is wanted", async || house.status().await["watching"] == 0).await;
    for n in 0..3 {
        play(&house, n, b"sound");
    }
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        let packet = caller.packet().await;
        if packet["codec"] == 64 {
            numbers.push(packet["frame"].as_u64().expect("a number"));
        }
    }
    assert_eq!(numbers, [1, 2, 3]);
    house.close().await;
}
