//! What changes while a stream of deltas runs: settings, and the path. Neither costs an encoder or a key frame.

mod bench;
mod plugins;

use std::time::{Duration, Instant};

use bench::{Bench, Client, Delivery, SOON, settings};
use selkies_config::StreamSettings;
use selkies_media::Snapshot;
use selkies_plugin_abi::PACKET_KEY;
use selkies_session::pacing::Priority;

/// How late a path answers that is too narrow.
const LATE: Duration = Duration::from_millis(120);

fn h264() -> StreamSettings {
    StreamSettings { encoder: "x264enc".into(), h264_crf: 10, framerate: 60, ..settings() }
}

fn is_key(delivery: &Delivery) -> bool {
    delivery.packets.iter().any(|sent| sent.info.flags & PACKET_KEY != 0)
}

fn bytes(delivery: &Delivery) -> usize {
    delivery.packets.iter().map(|sent| sent.payload.len()).sum()
}

/// The bytes of so many deliveries, none of which is a key frame.
fn deltas(client: &mut Client<'_>, count: usize) -> usize {
    let sizes = (0..count).map(|_| {
        let delivery = client.draw(SOON).expect("a frame");
        assert!(!is_key(&delivery), "a key frame unasked");
        bytes(&delivery)
    });
    sizes.sum()
}

/// Answers the marks of a client.
#[derive(Default)]
struct Path {
    answered: usize,
}

impl Path {
    /// Draws on, and answers the marks so much later, until the figures are as wanted.
    fn until(
        &mut self,
        bench: &Bench,
        client: &mut Client<'_>,
        late: Duration,
        done: impl Fn(&Snapshot) -> bool,
    ) {
        let limit = Instant::now() + 3 * SOON;
        let mut due = None;
        while !done(&bench.figures()) {
            assert!(Instant::now() < limit, "{:?}", bench.figures());
            client.draw(Duration::from_millis(5));
            let marks = bench.recorder.marks(client.id);
            if due.is_none() && marks.len() > self.answered {
                due = Some(Instant::now() + late);
            }
            if due.take_if(|at| *at <= Instant::now()).is_some() {
                bench.stream.delivered(client.id, marks[self.answered]);
                self.answered = marks.len();
            }
        }
    }
}

#[test]
fn quality_and_frame_rate_change_without_a_key_frame_or_another_encoder() {
    let bench = Bench::h264(60, h264());
    let mut client = bench.join(1, Priority::Lead);
    assert!(is_key(&client.draw(SOON).expect("a picture")));
    let fine = deltas(&mut client, 20);
    bench.studio.apply(StreamSettings { h264_crf: 50, ..h264() });
    // What is on its way may still have the old quality.
    deltas(&mut client, 4);
    let coarse = deltas(&mut client, 20);
    assert!(coarse * 2 < fine, "{coarse} bytes after {fine}");
    for framerate in [15, 120, 60] {
        bench.studio.apply(StreamSettings { framerate, ..h264() });
        deltas(&mut client, 10);
    }
    let streaming = StreamSettings { h264_streaming_mode: true, ..h264() };
    bench.studio.apply(streaming);
    deltas(&mut client, 10);
    let figures = bench.figures();
    assert_eq!((figures.encoders, figures.keyframes), (1, 1), "{figures:?}");
}

#[test]
fn a_picture_at_rest_gets_its_new_quality_without_a_key_frame() {
    let bench = Bench::h264(0, StreamSettings { h264_crf: 45, ..h264() });
    let mut client = bench.join(1, Priority::Lead);
    let coarse = client.draw(SOON).expect("a picture");
    bench.assert_idle(Duration::from_millis(300));
    bench.studio.apply(StreamSettings { h264_crf: 10, ..h264() });
    let fine = client.draw(SOON).expect("the picture in its new quality");
    // As many bytes as only a picture with news in it has.
    let sizes = format!("{} bytes after {}", bytes(&fine), bytes(&coarse));
    assert!(!is_key(&fine) && bytes(&fine) * 2 > bytes(&coarse), "{sizes}");
    // A frame rate changes nothing of a picture at rest.
    bench.studio.apply(StreamSettings { h264_crf: 10, framerate: 30, ..h264() });
    bench.assert_idle(Duration::from_millis(300));
    assert_eq!((bench.figures().encoders, bench.figures().keyframes), (1, 1));
}

#[test]
fn a_constant_bit_rate_follows_the_settings_and_the_path() {
    let cbr = |video_bitrate| StreamSettings { is_constant_bitrate: true, video_bitrate, ..h264() };
    let bench = Bench::h264(60, cbr(4000));
    let mut client = bench.join(1, Priority::Lead);
    client.draw(SOON).expect("a picture");
    deltas(&mut client, 10);
    assert_eq!(bench.figures().bitrate_kbps, 4000);
    bench.studio.apply(cbr(2000));
    deltas(&mut client, 10);
    assert_eq!(bench.figures().bitrate_kbps, 2000);
    let (start, mut path) = (Instant::now(), Path::default());
    path.until(&bench, &mut client, Duration::ZERO, |_| start.elapsed() > Duration::from_secs(2));
    path.until(&bench, &mut client, LATE, |figures| figures.bitrate_kbps <= 1000);
    path.until(&bench, &mut client, Duration::ZERO, |figures| figures.bitrate_kbps > 1000);
    let figures = bench.figures();
    assert_eq!((figures.encoders, figures.keyframes), (1, 1), "{figures:?}");
}

#[test]
fn a_constant_quality_follows_the_path_where_what_rests_is_refined() {
    let paints = |h264_paintover_crf| StreamSettings {
        use_paint_over_quality: true,
        h264_crf: 25,
        h264_paintover_crf,
        ..h264()
    };
    let bench = Bench::h264(60, paints(18));
    let mut client = bench.join(1, Priority::Lead);
    client.draw(SOON).expect("a picture");
    let (start, mut path) = (Instant::now(), Path::default());
    path.until(&bench, &mut client, Duration::ZERO, |_| start.elapsed() > Duration::from_secs(2));
    assert_eq!(bench.figures().quality, 25);
    path.until(&bench, &mut client, LATE, |figures| figures.quality == 33);
    // A new frame rate leaves it as it is.
    bench.studio.apply(StreamSettings { framerate: 50, ..paints(18) });
    deltas(&mut client, 10);
    assert!(bench.figures().quality > 25);
    path.until(&bench, &mut client, Duration::ZERO, |figures| figures.quality <= 29);
    // Nothing would refine what was coarse.
    for settings in [StreamSettings { use_paint_over_quality: false, ..paints(18) }, paints(30)] {
        bench.studio.apply(settings);
        deltas(&mut client, 10);
        let start = Instant::now();
        path.until(&bench, &mut client, LATE, |_| start.elapsed() > Duration::from_secs(3));
        assert_eq!(bench.figures().quality, 25);
    }
    let figures = bench.figures();
    assert_eq!((figures.encoders, figures.keyframes), (1, 1), "{figures:?}");
}
