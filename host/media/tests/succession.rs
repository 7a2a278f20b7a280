//! Encoders that take their time, hang, or are mended: who serves meanwhile, and who takes over.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, Client, SOON};
use selkies_media::{Backend, EncoderBackend};
use selkies_plugin_host::{EncoderInstance, EncoderSettings, EncoderSink, Origin};
use selkies_session::pacing::Priority;

const JPEG: &str = "selkies.striped-jpeg/jpeg";
/// From this frame on no fault shows.
const NEVER: u32 = 4_000_000_000;

/// Draws until the encoder of this name serves.
fn draw_until_used(bench: &Bench, client: &mut Client<'_>, encoder: &str) {
    let end = Instant::now() + SOON;
    while bench.figures().encoder != encoder {
        assert!(Instant::now() < end, "{:?} serves, not {encoder}", bench.figures().encoder);
        client.draw(Duration::from_millis(20));
    }
}

/// Draws so many frames; nobody else goes on, and there is a picture all the time.
fn goes_on(bench: &Bench, client: &mut Client<'_>, encoder: &str) {
    for _ in 0..30 {
        client.draw(SOON).expect("a frame");
    }
    assert_eq!((bench.figures().encoder.as_str(), bench.heard.count("failed")), (encoder, 0));
}

#[test]
fn a_slow_encoder_that_needs_more_buffers_takes_over() {
    let bench = Bench::encoders(false, |plugins| {
        let mut slow = plugins.faulty("slow-start", NEVER);
        slow[0].offer.max_retained = 3;
        [slow, plugins.encoders()].concat()
    });
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, JPEG);
    draw_until_used(&bench, &mut client, "faulty.slow-start/jpeg");
    goes_on(&bench, &mut client, "faulty.slow-start/jpeg");
    assert_eq!(bench.heard.count("display"), 2, "one run for each number of buffers");
    bench.studio.stop();
}

#[test]
fn a_better_encoder_to_come_is_not_kept_for_later() {
    let bench = Bench::encoders(true, |plugins| {
        [plugins.faulty("slow-start", NEVER), plugins.encoders(), plugins.faulty("never-done", NEVER)]
            .concat()
    });
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, JPEG);
    draw_until_used(&bench, &mut client, "faulty.slow-start/jpeg");
    goes_on(&bench, &mut client, "faulty.slow-start/jpeg");
    bench.studio.stop();
}

#[test]
fn an_encoder_that_failed_is_not_made_again_while_a_better_one_is_to_come() {
    let bench = Bench::encoders(false, |plugins| {
        [plugins.faulty("slow-start", NEVER), plugins.faulty("empty-packet", 5)].concat()
    });
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, "faulty.slow-start/jpeg");
    goes_on(&bench, &mut client, "faulty.slow-start/jpeg");
    assert_eq!(bench.heard.count("fault"), 1);
    bench.studio.stop();
}

#[test]
fn an_encoder_that_was_mended_comes_back() {
    let bench =
        Bench::encoders(false, |plugins| [plugins.faulty("empty-packet", 50), plugins.encoders()].concat());
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, "faulty.empty-packet/jpeg");
    draw_until_used(&bench, &mut client, JPEG);
    bench.studio.admit("faulty.empty-packet");
    draw_until_used(&bench, &mut client, "faulty.empty-packet/jpeg");
    draw_until_used(&bench, &mut client, JPEG);
    let renewed = bench.plugins().faulty_plugin("empty-packet");
    assert_eq!(bench.renew(&renewed), 1);
    draw_until_used(&bench, &mut client, "faulty.empty-packet/jpeg");
    assert_eq!(bench.heard.count("failed"), 0);
    bench.studio.stop();
}

#[test]
fn the_end_of_an_old_version_is_not_counted_against_the_new_one() {
    let bench = Bench::encoders(false, |plugins| plugins.faulty("slow-start", 40));
    let mut client = bench.join(1, Priority::Lead);
    for _ in 0..20 {
        client.draw(SOON).expect("a frame of the old version");
    }
    let renewed = bench.plugins().faulty_plugin("slow-start");
    assert_eq!(bench.renew(&renewed), 1);
    // The new one takes a second to be made.
    let end = Instant::now() + SOON;
    while bench.heard.count("mention faulty.slow-start encoder") == 0 {
        assert!(Instant::now() < end && bench.heard.count("fault") == 0, "the old version's fault counts");
        client.draw(Duration::from_millis(20));
    }
    for _ in 0..10 {
        client.draw(SOON).expect("a frame of the new version");
    }
    assert_eq!((bench.heard.count("fault"), bench.heard.count("failed")), (0, 0));
    bench.studio.stop();
}

#[test]
fn an_old_version_that_does_not_end_does_not_hold_the_picture() {
    let bench = Bench::encoders(false, |plugins| plugins.faulty("hang-destroy", NEVER));
    let mut client = bench.join(1, Priority::Lead);
    client.draw(SOON).expect("a first frame");
    let before = bench.figures().encoders;
    bench.renew(&bench.plugins().faulty_plugin("hang-destroy"));
    let end = Instant::now() + SOON;
    while bench.figures().encoders == before {
        assert!(Instant::now() < end, "no new encoder was made");
        client.draw(Duration::from_millis(20));
    }
    goes_on(&bench, &mut client, "faulty.hang-destroy/jpeg");
    let began = Instant::now();
    bench.studio.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "the end took {:?}", began.elapsed());
}

#[test]
fn an_encoder_that_does_not_end_is_blamed_and_the_next_one_has_frames_of_its_own() {
    let bench = Bench::encoders(false, |plugins| {
        [plugins.faulty("keeps-all", 5), plugins.faulty("keeps-last", 1)].concat()
    });
    let mut client = bench.join(1, Priority::Lead);
    draw_until_used(&bench, &mut client, "faulty.keeps-all/jpeg");
    draw_until_used(&bench, &mut client, "faulty.keeps-last/jpeg");
    goes_on(&bench, &mut client, "faulty.keeps-last/jpeg");
    assert_eq!(bench.heard.count("fault faulty.keeps-all encoder SI001"), 1);
    assert_eq!(bench.heard.count("fault faulty.keeps-all encoder MD015"), 0, "it has its time");
    bench.heard.wait("fault faulty.keeps-all encoder MD015", SOON * 3);
    goes_on(&bench, &mut client, "faulty.keeps-last/jpeg");
    assert_eq!((bench.heard.count("fault"), bench.heard.count("failed")), (2, 0));
    bench.studio.stop();
}

struct Nobody;

impl EncoderSink for Nobody {
    fn packet(&self, _: selkies_plugin_host::EncodedPacket) {}
    fn done(&self, _: selkies_plugin_host::FrameFinished) {}
}

/// Nothing but an encoder that never returns from `create`: what is made here was its only instance.
fn hung() -> Bench {
    Bench::encoders(false, |plugins| {
        let backend =
            Backend { plugin: plugins.faulty_plugin("hang-create"), config: r#"{"after":2}"#.into() };
        let encoders = EncoderBackend::probe(&plugins.services, &backend).expect("it offers JPEG");
        let origin =
            Origin { services: &plugins.services, plugin: &backend.plugin, config_json: &backend.config };
        let settings = EncoderSettings::new(&encoders[0].offer, 64, 64);
        EncoderInstance::create(&origin, &encoders[0].offer, settings, std::sync::Arc::new(Nobody))
            .expect("the first instance");
        encoders
    })
}

#[test]
fn a_host_whose_encoder_hangs_while_it_is_made_ends_promptly() {
    let bench = hung();
    let mut client = bench.join(1, Priority::Lead);
    assert!(client.draw(Duration::from_millis(400)).is_none());
    let began = Instant::now();
    bench.studio.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "the end took {:?}", began.elapsed());
}

#[test]
fn a_new_version_is_used_although_nothing_worked_before() {
    let bench = hung();
    let mut client = bench.join(1, Priority::Lead);
    assert!(client.draw(Duration::from_millis(400)).is_none());
    bench.renew(&bench.plugins().faulty_plugin("hang-create"));
    client.draw(SOON).expect("a frame of the new version");
    bench.studio.stop();
}

#[test]
fn an_encoder_that_is_never_made_is_blamed() {
    let bench = hung();
    bench.join(1, Priority::Lead);
    bench.heard.wait("fault faulty.hang-create encoder MD014", SOON * 2);
    bench.heard.wait("failed MD014", SOON);
    bench.studio.stop();
}
