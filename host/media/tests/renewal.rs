//! New versions of plugins take over while a client watches.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, SOON, settings};
use selkies_media::Renewal;
use selkies_session::pacing::Priority;
use serde_json::json;

#[test]
fn a_new_encoder_takes_over_from_a_keyframe_and_a_new_capture_reopens_the_source() {
    let bench = Bench::pattern(640, 192, 60, settings());
    let mut client = bench.join(1, Priority::Lead);
    for _ in 0..10 {
        client.draw(SOON).expect("a frame");
    }
    // The first frame was whole; those of a moving pattern are whole anyway, so the keyframe flag is what tells.
    let encoder = bench.plugins().backend("selkies.striped-jpeg", &json!({}));
    let offers = bench.plugins().encoders().into_iter().map(|encoder| encoder.offer).collect();
    bench.studio.renew(Renewal { plugin: encoder.plugin, offers });
    let before = bench.figures().encoders;
    let end = Instant::now() + SOON;
    while bench.figures().encoders == before {
        assert!(Instant::now() < end, "no new encoder was made");
        client.draw(SOON).expect("a frame while it is made");
    }
    client.draw(SOON).expect("a frame of the new encoder");
    assert_eq!((bench.heard.count("failed"), bench.heard.count("replaced")), (0, 0));

    let capture = bench.plugins().backend("selkies.test-pattern", &json!({}));
    let opened = bench.heard.count("display");
    bench.studio.renew(Renewal { plugin: capture.plugin, offers: Vec::new() });
    let end = Instant::now() + SOON;
    while bench.heard.count("display") == opened {
        assert!(Instant::now() < end, "the source was not opened again");
        let _ = client.draw(Duration::from_millis(20));
    }
    for _ in 0..10 {
        client.draw(SOON).expect("a frame of the new capture");
    }
    assert_eq!(bench.heard.count("failed"), 0);
    bench.studio.stop();
}
