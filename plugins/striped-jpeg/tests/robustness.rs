//! Whatever sizes and damage come: no panic, and the viewer ends up with the frame.

mod common;

use common::{Canvas, Store, Viewer, ok};
use proptest::prelude::*;
use selkies_striped_jpeg::{Area, Chroma, Damage, Order, Settings, StripedEncoder};

#[test]
fn odd_sizes_work() {
    for (width, height) in [(1, 1), (1, 100), (100, 1), (2, 17), (15, 16), (17, 65), (33, 129), (641, 63)] {
        for chroma in [Chroma::Half, Chroma::Full] {
            let canvas = Canvas::new(width, height);
            let mut encoder = StripedEncoder::new(Settings {
                chroma,
                quality: 95,
                threads: 2,
                ..Settings::new(width, height)
            })
            .unwrap();
            let (store, mut viewer) = (Store::default(), Viewer::new(width, height));
            ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Changes, 0, &store));
            viewer.show(&store.take());
            let psnr = viewer.psnr(&canvas, 0, height);
            assert!(psnr > 28.0, "{width}x{height} {chroma:?}: {psnr} dB");
        }
    }
}

#[test]
fn the_largest_sides_work() {
    for (width, height) in [(16384, 20), (20, 16384)] {
        let canvas = Canvas::new(width, height);
        let mut encoder = StripedEncoder::new(Settings::new(width, height)).unwrap();
        let (store, mut viewer) = (Store::default(), Viewer::new(width, height));
        ok(encoder.submit(&canvas.picture(), Damage::Full, Order::Keyframe, 0, &store));
        viewer.show(&store.take());
        assert!(viewer.psnr(&canvas, 0, height) > 25.0);
    }
}

fn any_number() -> impl Strategy<Value = u32> {
    prop_oneof![0..200u32, Just(u32::MAX), Just(u32::MAX - 1), any::<u32>()]
}

fn any_area() -> impl Strategy<Value = Area> {
    (any_number(), any_number(), any_number(), any_number()).prop_map(|(x, y, width, height)| Area {
        x,
        y,
        width,
        height,
    })
}

#[derive(Clone, Debug)]
enum Step {
    /// Draws, and says so with some more or less sensible areas beside the true one.
    Draw {
        x: u32,
        y: u32,
        width: u32,
        height: u32,
        shade: u8,
        noise: Vec<Area>,
        order: Order,
    },
    Fail(usize),
    Refine,
}

fn any_step() -> impl Strategy<Value = Step> {
    let draw = (
        (0..120u32, 0..150u32, 1..120u32, 1..150u32),
        any::<u8>(),
        prop::collection::vec(any_area(), 0..5),
        prop_oneof![4 => Just(Order::Changes), 1 => Just(Order::Keyframe)],
    )
        .prop_map(|((x, y, width, height), shade, noise, order)| Step::Draw {
            x,
            y,
            width,
            height,
            shade,
            noise,
            order,
        });
    prop_oneof![6 => draw, 1 => (1..4usize).prop_map(Step::Fail), 2 => Just(Step::Refine)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_viewer_ends_up_with_the_frame(
        (width, height) in (1..120u32, 1..150u32),
        threads in 1..4usize,
        stripe in 1..4u32,
        whole_stripes: bool,
        steps in prop::collection::vec(any_step(), 1..12),
    ) {
        let mut canvas = Canvas::new(width, height);
        let mut encoder = StripedEncoder::new(Settings {
            threads,
            stripe_height: stripe * 16,
            whole_stripes,
            quality: 90,
            refine_quality: 95,
            chroma: Chroma::Full,
            ..Settings::new(width, height)
        }).unwrap();
        let (store, mut viewer) = (Store::default(), Viewer::new(width, height));
        let mut now = 0;
        for step in steps {
            now += 100_000_000;
            let outcome = match step {
                Step::Draw { x, y, width, height, shade, mut noise, order } => {
                    canvas.fill(x, y, width, height, [shade, 255 - shade, 128]);
                    noise.push(Area { x, y, width, height });
                    encoder.submit(&canvas.picture(), Damage::Areas(&noise), order, now, &store)
                }
                Step::Fail(count) => {
                    store.failing.store(count, std::sync::atomic::Ordering::Relaxed);
                    continue;
                }
                Step::Refine => encoder.submit(&canvas.picture(), Damage::Full, Order::Refine, now, &store),
            };
            let packets = store.take();
            if let Ok(done) = &outcome {
                prop_assert_eq!(done.packets as usize, packets.len());
            }
            viewer.show(&packets);
        }
        store.failing.store(0, std::sync::atomic::Ordering::Relaxed);
        ok(encoder.submit(&canvas.picture(), Damage::Areas(&[]), Order::Changes, now + 1, &store));
        viewer.show(&store.take());
        let psnr = viewer.psnr(&canvas, 0, height);
        // Where the viewer lacked a rectangle it would be under 20 dB; hard edges of tiny pictures cost some.
        prop_assert!(psnr > 24.0, "{} dB", psnr);
    }

    #[test]
    fn weird_damage_never_panics_and_never_sends_outside(
        areas in prop::collection::vec(any_area(), 0..64),
    ) {
        let mut canvas = Canvas::new(100, 130);
        let mut encoder = StripedEncoder::new(Settings { threads: 2, ..Settings::new(100, 130) }).unwrap();
        let store = Store::default();
        for time in 0..3 {
            canvas.fill(0, 0, 100, 130, [time as u8 * 80, 40, 40]);
            ok(encoder.submit(&canvas.picture(), Damage::Areas(&areas), Order::Changes, time, &store));
            for (packet, _) in store.take() {
                prop_assert!(packet.top + packet.rows <= 130);
                let seen = areas.iter().any(|area| {
                    area.width > 0 && area.height > 0 && area.x < 100
                        && area.y < packet.top + packet.rows
                        && u64::from(area.y) + u64::from(area.height) > u64::from(packet.top)
                });
                prop_assert!(time == 0 || seen, "rows {} to {}", packet.top, packet.top + packet.rows);
            }
        }
    }
}
