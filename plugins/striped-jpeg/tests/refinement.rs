//! Resting content is repeated once at the higher quality. Time is a number here.

mod common;

use common::{Canvas, Store, Viewer, ok};
use selkies_striped_jpeg::{Area, Chroma, Damage, Order, Settings, StripedEncoder};

const MS: u64 = 1_000_000;

fn settings(width: u32, height: u32) -> Settings {
    Settings { threads: 1, ..Settings::new(width, height) }
}

#[test]
fn it_comes_once_after_the_delay_and_looks_better() {
    let canvas = Canvas::new(320, 128);
    let mut encoder = StripedEncoder::new(settings(320, 128)).unwrap();
    let (store, mut viewer) = (Store::default(), Viewer::new(320, 128));
    let picture = canvas.picture();
    let done = ok(encoder.submit(&picture, Damage::Full, Order::Changes, 1000 * MS, &store));
    viewer.show(&store.take());
    let before = viewer.psnr(&canvas, 0, 128);
    assert_eq!(done.refine_at_ns, 1250 * MS);

    let early = ok(encoder.submit(&picture, Damage::Areas(&[]), Order::Refine, 1249 * MS, &store));
    assert_eq!((early.packets, early.refine_at_ns), (0, 1250 * MS));

    let due = ok(encoder.submit(&picture, Damage::Full, Order::Refine, 1250 * MS, &store));
    let packets = store.take();
    assert_eq!((due.packets, due.refine_at_ns), (2, 0));
    assert!(packets.iter().all(|(packet, _)| packet.refinement && !packet.keyframe));
    viewer.show(&packets);
    assert!(viewer.psnr(&canvas, 0, 128) > before + 3.0);

    // Once; and a repaint of the same content neither encodes nor makes it worse again.
    let slabs = store.slabs.load(std::sync::atomic::Ordering::Relaxed);
    for (order, time) in [(Order::Refine, 2000), (Order::Changes, 2001), (Order::Changes, 3000)] {
        let done = ok(encoder.submit(&picture, Damage::Full, order, time * MS, &store));
        assert_eq!((done.packets, done.refine_at_ns), (0, 0));
    }
    assert_eq!(store.slabs.load(std::sync::atomic::Ordering::Relaxed), slabs);
}

#[test]
fn a_change_starts_the_wait_again_and_only_for_its_bands() {
    let mut canvas = Canvas::new(320, 128);
    let mut encoder = StripedEncoder::new(settings(320, 128)).unwrap();
    let store = Store::default();
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    store.take();
    canvas.fill(0, 20, 8, 8, [0, 0, 0]);
    let cursor = [Area { x: 0, y: 20, width: 8, height: 8 }];
    let done =
        ok(encoder.submit(&canvas.picture(), Damage::Areas(&cursor), Order::Changes, 200 * MS, &store));
    assert_eq!(store.take_rows(), [(16, 16)]);
    assert_eq!(done.refine_at_ns, 250 * MS, "the rest keeps its time");
    let done = ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Refine, 250 * MS, &store));
    assert_eq!(store.take_rows(), [(0, 16), (32, 32), (64, 64)]);
    assert_eq!(done.refine_at_ns, 450 * MS);
    let done = ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Refine, 450 * MS, &store));
    assert_eq!(store.take_rows(), [(16, 16)]);
    assert_eq!(done.refine_at_ns, 0);
}

#[test]
fn one_submit_repeats_at_most_so_many_stripes() {
    let canvas = Canvas::new(320, 640);
    let mut encoder = StripedEncoder::new(Settings { refine_stripes: 3, ..settings(320, 640) }).unwrap();
    let store = Store::default();
    let mut done = ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    store.take();
    let mut sizes = Vec::new();
    while done.refine_at_ns != 0 {
        assert_eq!(done.refine_at_ns, 250 * MS, "a passed time asks for another submit at once");
        done = ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Refine, 300 * MS, &store));
        sizes.push(done.packets);
    }
    assert_eq!(sizes, [3, 3, 3, 1]);
    let mut rows = store.take_rows();
    rows.dedup();
    assert_eq!(rows.len(), 10);
}

#[test]
fn a_still_picture_beside_a_film_gets_better_too() {
    let mut canvas = Canvas::new(320, 320);
    let mut encoder = StripedEncoder::new(settings(320, 320)).unwrap();
    let (store, mut viewer) = (Store::default(), Viewer::new(320, 320));
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    viewer.show(&store.take());
    let mut refined = Vec::new();
    for frame in 1..40u64 {
        // The film is in the second band of the second stripe.
        canvas.fill(0, 80, 320, 16, [(frame * 37) as u8, 90, 90]);
        let film = [Area { x: 0, y: 80, width: 320, height: 16 }];
        let now = frame * 16 * MS;
        ok(encoder.submit(&canvas.picture(), Damage::Areas(&film), Order::Changes, now, &store));
        let packets = store.take();
        let fresh: Vec<_> =
            packets.iter().filter(|(packet, _)| packet.refinement).map(|(p, _)| (p.top, p.rows)).collect();
        assert!(packets.iter().any(|(packet, _)| !packet.refinement && packet.top == 80));
        assert!(now >= 250 * MS || fresh.is_empty());
        let stripes: std::collections::BTreeSet<_> = fresh.iter().map(|(top, _)| top / 64).collect();
        assert!(stripes.len() <= 1, "one stripe beside a change");
        refined.extend(fresh);
        viewer.show(&packets);
    }
    refined.sort_unstable();
    assert_eq!(refined, [(0, 64), (64, 16), (96, 32), (128, 64), (192, 64), (256, 64)]);
    assert!(viewer.psnr(&canvas, 128, 320) > 30.0);
}

#[test]
fn it_is_off_where_it_is_no_better() {
    let canvas = Canvas::new(64, 64);
    // Equal quality is better where only the repetition has full colours.
    let (half, full) = (Chroma::Half, Chroma::Full);
    for (quality, chroma, refine_quality, refine_chroma) in
        [(40, half, 0, full), (90, half, 90, half), (90, full, 90, full), (95, half, 90, full)]
    {
        let wanted = Settings { quality, chroma, refine_quality, refine_chroma, ..settings(64, 64) };
        let mut encoder = StripedEncoder::new(wanted).unwrap();
        let store = Store::default();
        let done = ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
        assert_eq!(done.refine_at_ns, 0);
        store.take();
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Refine, 1000 * MS, &store));
        assert_eq!(store.take_rows(), []);
    }
}

#[test]
fn equal_quality_in_full_colours_is_better() {
    let canvas = Canvas::new(64, 64);
    let wanted = Settings { quality: 90, refine_quality: 90, ..settings(64, 64) };
    let mut encoder = StripedEncoder::new(wanted).unwrap();
    let store = Store::default();
    let done = ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    assert_ne!(done.refine_at_ns, 0);
    store.take();
    ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Refine, 1000 * MS, &store));
    assert_eq!(store.take_rows(), [(0, 64)]);
}

#[test]
fn times_at_the_ends_of_the_clock_do_no_harm() {
    let canvas = Canvas::new(64, 64);
    let mut encoder = StripedEncoder::new(Settings { refine_delay_ns: 0, ..settings(64, 64) }).unwrap();
    let store = Store::default();
    let done = ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
    assert_eq!(done.refine_at_ns, 1, "0 would mean never");
    encoder.configure(settings(64, 64)).unwrap();
    let done = ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Keyframe, u64::MAX - 1, &store));
    assert_eq!(done.refine_at_ns, u64::MAX);
}
