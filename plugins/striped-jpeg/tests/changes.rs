//! What is sent, and that it shows the frame.

mod common;

use std::sync::atomic::Ordering;

use common::{Canvas, Store, Viewer, ok};
use selkies_striped_jpeg::{
    Area, Chroma, Damage, Order, Picture, PictureError, Settings, StripedEncoder, SubmitError,
};

fn settings(width: u32, height: u32, threads: usize) -> Settings {
    Settings { threads, ..Settings::new(width, height) }
}

fn area(x: u32, y: u32, width: u32, height: u32) -> Area {
    Area { x, y, width, height }
}

#[test]
fn the_first_frame_is_whole_and_looks_right() {
    let canvas = Canvas::new(640, 360);
    for (quality, chroma, wanted) in [
        (40, Chroma::Half, 27.0),
        (90, Chroma::Half, 33.0),
        (90, Chroma::Full, 36.0),
        (100, Chroma::Full, 45.0),
    ] {
        let mut encoder = StripedEncoder::new(Settings { quality, chroma, ..settings(640, 360, 2) }).unwrap();
        let store = Store::default();
        // Without any damage: nothing was sent yet, so everything is new.
        let done = ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Changes, 0, &store));
        let packets = store.take();
        assert_eq!(done.packets as usize, packets.len());
        assert_eq!(done.bytes, packets.iter().map(|(_, jpeg)| jpeg.len() as u64).sum::<u64>());
        assert_eq!(
            packets.iter().map(|(packet, _)| packet.rows).collect::<Vec<_>>(),
            [64, 64, 64, 64, 64, 40]
        );
        let mut viewer = Viewer::new(640, 360);
        viewer.show(&packets);
        let psnr = viewer.psnr(&canvas, 0, 360);
        assert!(psnr > wanted, "quality {quality} {chroma:?}: {psnr} dB");
    }
}

#[test]
fn full_colour_keeps_thin_red_text_that_half_colour_smears() {
    let mut canvas = Canvas::new(256, 64);
    canvas.fill(0, 0, 256, 64, [0, 0, 0]);
    (0..256).step_by(2).for_each(|x| canvas.fill(x, 0, 1, 64, [0, 0, 255]));
    let psnr = |chroma| {
        let mut encoder =
            StripedEncoder::new(Settings { chroma, quality: 90, ..settings(256, 64, 1) }).unwrap();
        let store = Store::default();
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
        let mut viewer = Viewer::new(256, 64);
        viewer.show(&store.take());
        viewer.psnr(&canvas, 0, 64)
    };
    let (half, full) = (psnr(Chroma::Half), psnr(Chroma::Full));
    assert!(full > half + 10.0, "4:2:0 {half} dB, 4:4:4 {full} dB");
}

#[test]
fn only_touched_bands_are_sent() {
    let mut canvas = Canvas::new(320, 256);
    let mut encoder = StripedEncoder::new(settings(320, 256, 2)).unwrap();
    let (store, mut viewer) = (Store::default(), Viewer::new(320, 256));
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    viewer.show(&store.take());

    // Touches bands 1 and 2 of the first stripe, and one band in the third.
    canvas.fill(10, 30, 4, 4, [0, 0, 255]);
    canvas.fill(100, 170, 50, 2, [0, 255, 0]);
    let damage = [area(10, 30, 4, 4), area(100, 170, 50, 2)];
    ok(encoder.submit(&canvas.picture(), Damage::Areas(&damage), Order::Changes, 1, &store));
    let packets = store.take();
    assert_eq!(packets.iter().map(|(p, _)| (p.top, p.rows)).collect::<Vec<_>>(), [(16, 32), (160, 16)]);
    viewer.show(&packets);
    assert!(viewer.psnr(&canvas, 0, 256) > 27.0);

    // Two bands of a stripe that do not touch are two packets; damage at a seam of stripes makes one in each.
    let damage = [area(0, 0, 1, 1), area(0, 48, 1, 32)];
    canvas.fill(0, 0, 1, 1, [9, 9, 9]);
    canvas.fill(0, 48, 1, 32, [9, 9, 9]);
    ok(encoder.submit(&canvas.picture(), Damage::Areas(&damage), Order::Changes, 2, &store));
    assert_eq!(store.take_rows(), [(0, 16), (48, 16), (64, 16)]);

    // No damage, no packets.
    let done = ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Changes, 3, &store));
    assert_eq!((done.packets, store.take().len()), (0, 0));
}

#[test]
fn whole_stripes_are_sent_where_asked() {
    let mut canvas = Canvas::new(320, 200);
    let mut encoder = StripedEncoder::new(Settings { whole_stripes: true, ..settings(320, 200, 1) }).unwrap();
    let store = Store::default();
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    store.take();
    canvas.fill(10, 70, 4, 4, [0, 0, 255]);
    canvas.fill(10, 199, 1, 1, [0, 0, 255]);
    let damage = [area(10, 70, 4, 4), area(10, 199, 1, 1)];
    ok(encoder.submit(&canvas.picture(), Damage::Areas(&damage), Order::Changes, 1, &store));
    assert_eq!(store.take_rows(), [(64, 64), (192, 8)]);
}

#[test]
fn repainted_but_equal_content_is_not_sent() {
    let mut canvas = Canvas::new(320, 256);
    let mut encoder = StripedEncoder::new(settings(320, 256, 2)).unwrap();
    let store = Store::default();
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    assert_eq!(store.take().len(), 4);
    // The first repaint is compared by its encoding, the following ones by their rows: no slab is asked for.
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 1, &store));
    assert_eq!(store.take().len(), 0);
    let slabs = store.slabs.load(Ordering::Relaxed);
    for time in 2..6 {
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, time, &store));
    }
    assert_eq!(store.take().len(), 0);
    assert_eq!(store.slabs.load(Ordering::Relaxed), slabs, "rows that are known are not encoded");

    // One pixel differs under full damage: one band goes out, also when it is the last row of the band.
    for y in [130, 143, 144, 255] {
        canvas.fill(7, y, 1, 1, [1, 2, 3]);
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 10, &store));
        assert_eq!(store.take_rows(), [(y / 16 * 16, 16)]);
        // Rows behind the one that differed were not read: one encoding finds that they are as before.
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 11, &store));
        assert_eq!(store.take_rows(), []);
    }
}

#[test]
fn content_that_goes_back_is_sent_again() {
    let before = Canvas::new(320, 64);
    let mut after = before.clone();
    after.fill(0, 0, 320, 64, [0, 80, 160]);
    let mut encoder = StripedEncoder::new(settings(320, 64, 1)).unwrap();
    let (store, mut viewer) = (Store::default(), Viewer::new(320, 64));
    for (time, canvas) in [&before, &after, &before, &after, &after, &before].into_iter().enumerate() {
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, time as u64, &store));
        viewer.show(&store.take());
        assert!(viewer.psnr(canvas, 0, 64) > 27.0, "frame {time}");
    }
}

#[test]
fn a_keyframe_is_whole_whatever_changed() {
    let canvas = Canvas::new(320, 200);
    let mut encoder = StripedEncoder::new(settings(320, 200, 2)).unwrap();
    let store = Store::default();
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    assert!(store.take().iter().all(|(packet, _)| !packet.keyframe));
    ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Keyframe, 1, &store));
    let packets = store.take();
    assert!(packets.iter().all(|(packet, _)| packet.keyframe && !packet.refinement));
    assert_eq!(packets.iter().map(|(packet, _)| packet.rows).sum::<u32>(), 200);
}

#[test]
fn damage_of_a_keyframe_is_not_lost() {
    let mut canvas = Canvas::new(320, 64);
    let mut encoder = StripedEncoder::new(settings(320, 64, 1)).unwrap();
    let store = Store::default();
    for time in 0..3 {
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, time, &store));
    }
    let old = canvas.clone();
    canvas.fill(0, 20, 320, 4, [0, 0, 0]);
    let damage = [area(0, 20, 320, 4)];
    ok(encoder.submit(&canvas.picture(), Damage::Areas(&damage), Order::Keyframe, 3, &store));
    store.take();
    // Back to what the rows' hashes knew before the keyframe: that is a change.
    ok(encoder.submit(&old.picture(), Damage::Areas(&damage), Order::Changes, 4, &store));
    assert_eq!(store.take_rows(), [(16, 16)]);
}

#[test]
fn ignoring_damage_sends_every_frame() {
    let canvas = Canvas::new(64, 64);
    let mut encoder = StripedEncoder::new(Settings { ignore_damage: true, ..settings(64, 64, 1) }).unwrap();
    let store = Store::default();
    for time in 0..3 {
        ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Changes, time, &store));
        assert_eq!(store.take().len(), 1);
    }
}

#[test]
fn quality_changes_with_the_next_frame() {
    let canvas = Canvas::new(640, 64);
    let mut encoder = StripedEncoder::new(settings(640, 64, 1)).unwrap();
    let store = Store::default();
    let bytes = |encoder: &mut StripedEncoder| {
        ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Keyframe, 0, &store)).bytes
    };
    let middle = bytes(&mut encoder);
    encoder.set_quality(10).unwrap();
    let low = bytes(&mut encoder);
    encoder.set_quality(95).unwrap();
    let high = bytes(&mut encoder);
    assert!(low < middle && middle < high, "{low} {middle} {high}");
    assert!(encoder.set_quality(0).is_err() && encoder.set_quality(101).is_err());
    assert_eq!(encoder.settings().quality, 95);
}

#[test]
fn many_threads_send_what_one_sends() {
    let mut canvas = Canvas::new(800, 600);
    let mut encoders: Vec<_> =
        [1, 2, 4, 7].map(|threads| StripedEncoder::new(settings(800, 600, threads)).unwrap()).into();
    for step in 0..6u32 {
        canvas.fill(step * 40, step * 90, 100, 50, [step as u8 * 30, 80, 200]);
        let damage = [area(step * 40, step * 90, 100, 50), area(0, 0, 800, 600)];
        let sent = encoders.iter_mut().map(|encoder| {
            let store = Store::default();
            ok(encoder.submit(
                &canvas.picture(),
                Damage::Areas(&damage),
                Order::Changes,
                step.into(),
                &store,
            ));
            store.take()
        });
        let sent: Vec<_> = sent.collect();
        assert!(!sent[0].is_empty());
        assert!(sent.iter().all(|packets| *packets == sent[0]), "step {step}");
    }
}

#[test]
fn what_a_failed_submit_did_not_send_follows_with_the_next() {
    let mut canvas = Canvas::new(320, 256);
    let mut encoder = StripedEncoder::new(settings(320, 256, 2)).unwrap();
    let (store, mut viewer) = (Store::default(), Viewer::new(320, 256));
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    viewer.show(&store.take());
    canvas.fill(0, 0, 320, 256, [10, 20, 30]);
    store.failing.store(3, Ordering::Relaxed);
    let error = encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 1, &store).unwrap_err();
    assert_eq!(error, SubmitError::Output("full"));
    viewer.show(&store.take());
    store.failing.store(0, Ordering::Relaxed);
    ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Changes, 2, &store));
    viewer.show(&store.take());
    assert!(viewer.psnr(&canvas, 0, 256) > 35.0);
}

#[test]
fn a_slab_that_was_too_small_is_replaced() {
    // Flat, so that little is expected, then noise.
    let mut canvas = Canvas::new(640, 64);
    canvas.fill(0, 0, 640, 64, [50, 50, 50]);
    let mut encoder = StripedEncoder::new(Settings { quality: 100, ..settings(640, 64, 1) }).unwrap();
    let (store, mut viewer) = (Store { exact: true, ..Store::default() }, Viewer::new(640, 64));
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    let mut seed = 1u32;
    for y in 0..64 {
        for x in 0..640 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            canvas.set(x, y, [(seed >> 8) as u8, (seed >> 16) as u8, (seed >> 24) as u8]);
        }
    }
    let slabs = store.slabs.load(Ordering::Relaxed);
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 1, &store));
    assert_eq!(store.slabs.load(Ordering::Relaxed) - slabs, 2);
    viewer.show(&store.take());
    assert!(viewer.psnr(&canvas, 0, 64) > 8.0);
}

#[test]
fn a_new_size_starts_afresh() {
    let (small, large) = (Canvas::new(64, 64), Canvas::new(128, 96));
    let mut encoder = StripedEncoder::new(settings(64, 64, 1)).unwrap();
    let store = Store::default();
    ok(encoder.submit(&small.picture(), Damage::Full, Order::Changes, 0, &store));
    store.take();
    let error = encoder.submit(&large.picture(), Damage::Full, Order::Changes, 1, &store).unwrap_err();
    assert!(matches!(error, SubmitError::Picture(PictureError::OtherSize { .. })), "{error}");
    encoder.configure(settings(128, 96, 1)).unwrap();
    ok(encoder.submit(&large.picture(), Damage::Areas(&[]), Order::Changes, 2, &store));
    assert_eq!(store.take_rows(), [(0, 64), (64, 32)]);
    encoder.configure(Settings { stripe_height: 32, ..settings(128, 96, 3) }).unwrap();
    ok(encoder.submit(&large.picture(), Damage::Areas(&[]), Order::Changes, 3, &store));
    assert_eq!(store.take_rows(), [(0, 32), (32, 32), (64, 32)]);
}

#[test]
fn settings_and_pictures_out_of_range_are_refused() {
    let good = settings(64, 64, 1);
    for bad in [
        Settings { width: 0, ..good.clone() },
        Settings { height: 16385, ..good.clone() },
        Settings { quality: 0, ..good.clone() },
        Settings { refine_quality: 101, ..good.clone() },
        Settings { refine_stripes: 0, ..good.clone() },
        Settings { threads: 0, ..good.clone() },
        Settings { threads: 65, ..good.clone() },
        Settings { stripe_height: 0, ..good.clone() },
        Settings { stripe_height: 24, ..good.clone() },
    ] {
        let error = StripedEncoder::new(bad.clone()).unwrap_err();
        assert!(error.to_string().starts_with("striped-jpeg-setting: "), "{bad:?}");
    }
    let bytes = vec![0; 64 * 64 * 4];
    assert!(Picture::new(&bytes, 256, 64, 64).is_ok());
    assert!(matches!(Picture::new(&bytes, 256, 64, 65), Err(PictureError::Short { .. })));
    assert!(matches!(Picture::new(&bytes, 255, 64, 64), Err(PictureError::Stride { .. })));
    assert!(matches!(Picture::new(&bytes, 256, 0, 64), Err(PictureError::Size { .. })));
    assert!(matches!(Picture::new(&bytes, usize::MAX, 1, 3), Err(PictureError::Short { .. })));
    assert!(matches!(Picture::new(&bytes, usize::MAX, 1, 1), Err(PictureError::Short { .. })));
}
