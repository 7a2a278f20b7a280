//! The page decodes this or that: which encoder serves then.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, Client, SOON, settings};
use selkies_config::StreamSettings;
use selkies_session::{Codec, Codecs, pacing::Priority};

const JPEG: &str = "selkies.striped-jpeg/jpeg";
const H264: &str = "selkies.x264/x264enc";

fn only(codec: Codec) -> Codecs {
    Codecs::NONE.with(codec)
}

/// Draws until the encoder of this name serves, and one frame of it.
fn draw_until_used(bench: &Bench, client: &mut Client<'_>, encoder: &str) {
    let end = Instant::now() + SOON;
    while bench.figures().encoder != encoder {
        assert!(Instant::now() < end, "{:?} serves, not {encoder}", bench.figures().encoder);
        client.draw(Duration::from_millis(20));
    }
    client.draw(SOON).expect("a frame");
}

#[test]
fn only_what_the_page_decodes_is_encoded() {
    let bench = Bench::encoders(false, |plugins| [plugins.encoders(), plugins.h264()].concat());
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, JPEG);
    bench.studio.choose_among(only(Codec::H264));
    draw_until_used(&bench, &mut client, H264);
    bench.studio.choose_among(only(Codec::Jpeg));
    draw_until_used(&bench, &mut client, JPEG);
    // A wish that the page could not decode waits until it can.
    bench.studio.apply(StreamSettings { encoder: "x264enc".into(), ..settings() });
    let runs = bench.heard.count("display");
    for _ in 0..20 {
        client.draw(SOON).expect("a frame");
    }
    assert_eq!((bench.figures().encoder.as_str(), bench.heard.count("display")), (JPEG, runs));
    bench.studio.choose_among(Codecs::STOCK);
    draw_until_used(&bench, &mut client, H264);
    assert_eq!(bench.heard.count("failed"), 0);
    bench.studio.stop();
}

#[test]
fn without_an_encoder_for_the_page_the_others_keep_theirs() {
    let bench = Bench::encoders(false, |plugins| [plugins.encoders(), plugins.h264()].concat());
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, JPEG);
    let told = bench.heard.count("uses jpeg jpeg");
    bench.studio.choose_among(only(Codec::Av1));
    let end = Instant::now() + SOON;
    while bench.heard.count("uses jpeg jpeg") == told {
        assert!(Instant::now() < end, "the choice was not told");
        client.draw(Duration::from_millis(20));
    }
    client.draw(SOON).expect("a frame");
    assert_eq!((bench.figures().encoder.as_str(), bench.figures().encoders), (JPEG, 1));
    bench.studio.stop();
}

#[test]
fn every_question_is_answered() {
    let bench = Bench::encoders(false, |plugins| [plugins.encoders(), plugins.h264()].concat());
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, JPEG);
    // The last of these is nothing new where the one between was not looked at in time.
    for times in 1..=3 {
        bench.studio.choose_among(Codecs::STOCK);
        let end = Instant::now() + SOON;
        while bench.heard.count("uses jpeg jpeg among jpeg, h264") < times {
            assert!(Instant::now() < end, "question {times} was not answered");
            client.draw(Duration::from_millis(20));
        }
    }
    bench.studio.stop();
}

#[test]
fn an_encoder_that_failed_is_not_replaced_by_one_that_the_page_cannot_decode() {
    let bench =
        Bench::encoders(false, |plugins| [plugins.faulty("empty-packet", 5), plugins.h264()].concat());
    *bench.heard.bars.lock().unwrap() = true;
    bench.studio.choose_among(only(Codec::Jpeg));
    let mut client = bench.join(1, Priority::Lead);
    client.draw(SOON).expect("a frame");
    let end = Instant::now() + SOON;
    while bench.heard.count("failed MD016") == 0 {
        assert!(Instant::now() < end, "no reason was told");
        client.draw(Duration::from_millis(20));
    }
    assert_eq!(bench.heard.count("uses x264enc"), 0);
    // Another page takes over, which decodes more.
    let began = Instant::now();
    bench.studio.choose_among(Codecs::STOCK);
    draw_until_used(&bench, &mut client, H264);
    bench.heard.wait("recovered", SOON);
    assert!(began.elapsed() < Duration::from_secs(3), "it waited for its next turn: {:?}", began.elapsed());
    bench.studio.stop();
}
