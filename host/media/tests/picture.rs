//! The picture that arrives is the one that was captured, in the quality and at the rate asked for.

mod bench;
mod plugins;

use std::time::Duration;

use bench::{Bench, Delivery, SOON, canvas::Canvas, settings};
use selkies_config::StreamSettings;
use selkies_plugin_abi::{PACKET_KEY, PACKET_LAST};
use selkies_session::pacing::Priority;

/// Not a multiple of the stripes' height: the last stripe has 8 rows.
const SIZE: (u32, u32) = (640, 200);

#[test]
fn the_stripes_show_the_pattern() {
    let bench = Bench::pattern(SIZE.0, SIZE.1, 0, StreamSettings { jpeg_quality: 95, ..settings() });
    let mut client = bench.join(1, Priority::Lead);
    let delivery = client.draw(SOON).expect("a picture");
    let rows: Vec<_> =
        delivery.packets.iter().map(|sent| (sent.info.area.y, sent.info.area.height)).collect();
    assert_eq!(rows, [(0, 64), (64, 64), (128, 64), (192, 8)]);
    let mut canvas = Canvas::new(SIZE.0, SIZE.1);
    canvas.draw(&delivery);
    assert_eq!(canvas.number(), 1);
    canvas.assert_shows(1, 6);
}

#[test]
fn every_moment_of_a_moving_pattern_is_whole() {
    let bench = Bench::pattern(SIZE.0, SIZE.1, 60, StreamSettings { jpeg_quality: 90, ..settings() });
    let mut client = bench.join(1, Priority::Lead);
    let mut canvas = Canvas::new(SIZE.0, SIZE.1);
    let (mut last, mut last_id, mut frames) = (0, 0, 0);
    // As long as the counter can be read.
    while last < 100 {
        let delivery = client.draw(SOON).expect("a frame");
        assert!(delivery.frame_id > last_id, "{} after {last_id}", delivery.frame_id);
        canvas.draw(&delivery);
        let number = canvas.number();
        assert!(number > last, "picture {number} after {last}");
        canvas.assert_shows(number, 12);
        (last, last_id, frames) = (number, delivery.frame_id, frames + 1);
    }
    assert!(frames >= 8, "{frames} frames of a hundred pictures");
}

#[test]
fn a_key_frame_is_the_whole_picture() {
    let bench = Bench::pattern(SIZE.0, SIZE.1, 0, settings());
    let mut client = bench.join(1, Priority::Lead);
    let first = client.draw(SOON).expect("a picture");
    bench.assert_idle(Duration::from_millis(200));
    bench.studio.request_keyframe();
    let again = client.draw(SOON).expect("the picture again");
    assert!(again.frame_id > first.frame_id);
    let tops: Vec<u32> = again.packets.iter().map(|sent| sent.info.area.y).collect();
    assert_eq!(tops, [0, 64, 128, 192]);
    for (index, sent) in again.packets.iter().enumerate() {
        assert_ne!(sent.info.flags & PACKET_KEY, 0, "{sent:?}");
        assert_eq!(sent.info.flags & PACKET_LAST != 0, index == 3, "{sent:?}");
    }
    bench.assert_idle(Duration::from_millis(200));
}

#[test]
fn quality_changes_with_the_next_frame() {
    let bench = Bench::pattern(SIZE.0, SIZE.1, 0, StreamSettings { jpeg_quality: 90, ..settings() });
    let mut client = bench.join(1, Priority::Lead);
    let fine = coarseness(&client.draw(SOON).expect("a picture"));
    bench.studio.apply(StreamSettings { jpeg_quality: 10, ..settings() });
    bench.studio.request_keyframe();
    let coarse = coarseness(&client.draw(SOON).expect("a picture"));
    assert!(coarse > 10 * fine, "quantisers of {coarse} after {fine}");
}

#[test]
fn the_frame_rate_is_kept_and_can_change() {
    let rate = |framerate| StreamSettings { framerate, ..settings() };
    let bench = Bench::pattern(SIZE.0, SIZE.1, 120, rate(10));
    let mut client = bench.join(1, Priority::Lead);
    client.draw(SOON).expect("a picture");
    let slow = client.draw_for(Duration::from_secs(2));
    assert!((12..=22).contains(&slow), "{slow} frames in 2 s at 10 fps");
    bench.studio.apply(rate(30));
    client.draw(SOON).expect("a picture");
    let fast = client.draw_for(Duration::from_secs(2));
    assert!((34..=64).contains(&fast), "{fast} frames in 2 s at 30 fps");
}

/// The sum of the first quantisation table of the first stripe (ITU-T T.81, B.2.4.1): larger is worse.
fn coarseness(delivery: &Delivery) -> u32 {
    let jpeg = &delivery.packets[0].payload;
    let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xdb]).expect("a table");
    jpeg[at + 5..at + 5 + 64].iter().map(|value| u32::from(*value)).sum()
}
