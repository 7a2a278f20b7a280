//! New versions of plugins take over while a client watches.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, SOON, settings};
use selkies_session::pacing::Priority;
use serde_json::json;

#[test]
fn a_new_encoder_takes_over_from_a_keyframe_and_a_new_capture_reopens_the_source() {
    let bench = Bench::pattern(640, 192, 60, settings());
    let mut client = bench.join(1, Priority::Lead);
    for _ in 0..10 {
        client.draw(SOON).expect("a frame");
    }
    let encoder = bench.plugins().backend("selkies.striped-jpeg", &json!({}));
    let before = bench.figures().encoders;
    assert_eq!(bench.renew(&encoder.plugin), 1);
    let end = Instant::now() + SOON;
    while bench.figures().encoders == before {
        assert!(Instant::now() < end, "no new encoder was made");
        client.draw(SOON).expect("a frame while it is made");
    }
    client.draw(SOON).expect("a frame of the new encoder");
    assert_eq!((bench.heard.count("failed"), bench.heard.count("replaced")), (0, 0));

    let capture = bench.plugins().backend("selkies.test-pattern", &json!({}));
    let opened = bench.heard.count("display");
    assert_eq!(bench.renew(&capture.plugin), 1);
    let end = Instant::now() + SOON;
    while bench.heard.count("display") == opened {
        assert!(Instant::now() < end, "the source was not opened again");
        let _ = client.draw(Duration::from_millis(20));
    }
    for _ in 0..10 {
        client.draw(SOON).expect("a frame of the new capture");
    }
    assert_eq!(bench.heard.count("failed"), 0);
    let other = bench.plugins().backend("selkies.websocket", &json!({}));
    assert_eq!(bench.renew(&other.plugin), 0, "it is not in use");
    bench.studio.stop();
}
