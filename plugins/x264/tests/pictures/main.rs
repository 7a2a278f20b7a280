//! What a decoder makes of the packets, beside what went in.

mod motion;
mod rest;
mod stream;

use std::sync::{Mutex, PoisonError};

use openh264::{decoder::Decoder, formats::YUVSource};
use selkies_x264::{Encoder, Order, Picture, Rate, Settings, Unit};
use stream::{HEIGHT, Packet, Stream, WIDTH, scene, settings, square};

#[test]
fn other_rates_take_effect_without_a_key_frame() {
    let mut stream = Stream::new(settings(HEIGHT, false));
    stream.submit(&scene((0, 0)), None, Order::Changes);
    let mut bytes = Vec::new();
    for crf in [20, 45] {
        let adopted =
            stream.encoder.adopt(&Settings { rate: Rate::Quality { crf }, ..settings(HEIGHT, false) });
        assert!(adopted);
        let mut sum = 0;
        for step in 0..10 {
            let (packets, _) = stream.submit(&scene((step * 20 + 1, step * 15)), None, Order::Changes);
            assert!(!packets[0].key);
            sum += packets[0].bytes.len();
        }
        bytes.push(sum);
    }
    assert!(bytes[1] * 2 < bytes[0], "{bytes:?}");
    assert!(!stream.encoder.adopt(&settings(64, false)), "other stripes need another encoder");
}

#[test]
fn a_bit_rate_is_kept() {
    for stripe_height in [HEIGHT, 64] {
        let at = |kbps| Settings {
            rate: Rate::Bits { kbps, max_kbps: 0, buffer_ms: 0 },
            ..settings(stripe_height, false)
        };
        let mut stream = Stream::new(at(600));
        for kbps in [600, 1800] {
            assert!(stream.encoder.adopt(&at(kbps)), "another rate of the same kind");
            let mut bytes = 0;
            for step in 0..120u32 {
                let moved = scene((step * 37 % 280, step * 23 % 170));
                bytes += stream
                    .submit(&moved, None, Order::Changes)
                    .0
                    .iter()
                    .map(|packet| packet.bytes.len())
                    .sum::<usize>();
            }
            let found = bytes * 8 / 2 / 1000;
            assert!((kbps as usize / 3..=kbps as usize * 5 / 4).contains(&found), "{found} kbit/s of {kbps}");
        }
        let quality = Settings { rate: Rate::Quality { crf: 25 }, ..at(600) };
        assert!(!stream.encoder.adopt(&quality), "another kind of rate needs another encoder");
        // At half the frames each has twice the bytes.
        let mut a_second = |fps: u32| {
            assert!(
                stream.encoder.adopt(&Settings { fps: (fps, 1), ..at(320) }),
                "another frame rate does not"
            );
            let mut sizes = Vec::new();
            for step in 0..fps * 4 {
                let moved = scene((step * 37 % 280, step * 23 % 170));
                let (packets, _) = stream.submit(&moved, None, Order::Changes);
                assert!(packets.iter().all(|packet| !packet.key));
                sizes.push(packets.iter().map(|packet| packet.bytes.len()).sum::<usize>());
            }
            sizes[fps as usize * 3..].iter().sum::<usize>() * 8 / 1000
        };
        let (fast, slow) = (a_second(60), a_second(30));
        assert!(
            (160..=400).contains(&fast) && slow * 4 > fast * 3 && slow <= 400,
            "{fast} and {slow} kbit/s of 320"
        );
    }
}

#[test]
fn a_bit_rate_is_one_of_time_and_not_of_frames() {
    let rate = Rate::Bits { kbps: 1000, max_kbps: 0, buffer_ms: 0 };
    let found = |apart_ms: u64| {
        let mut stream = Stream::silent(Settings { rate, ..settings(HEIGHT, false) });
        let frames = 3000 / apart_ms;
        let mut bytes = 0;
        for step in 0..2 * frames {
            stream.now += (apart_ms - 16) * 1_000_000;
            let (packets, _) = stream.submit(&stream::noise(step as u32, 4), None, Order::Changes);
            if step >= frames {
                bytes += packets.iter().map(|packet| packet.bytes.len()).sum::<usize>();
            }
        }
        bytes * 8 / 3000
    };
    let kbps = [17, 33, 45, 200].map(found);
    assert!(kbps[..3].iter().all(|kbps| (750..1200).contains(kbps)), "{kbps:?}");
    assert!(kbps[3] < 400, "what is far apart is no larger: {kbps:?}");
}

#[test]
fn impossible_settings_are_refused_with_the_reason() {
    let wide = Settings { width: 40_000, ..settings(HEIGHT, false) };
    assert!(Encoder::new(wide).unwrap_err().to_string().contains("x264-open"));
    let mut encoder = Encoder::new(settings(HEIGHT, false)).expect("an encoder");
    let pixels = vec![0; 64 * 64 * 4];
    let picture = Picture::new(&pixels, 256, 64, 64).expect("a picture");
    let error = encoder.submit(&picture, None, Order::Changes, 0, |_| Ok::<(), ()>(())).unwrap_err();
    assert!(error.to_string().contains("x264-size"), "{error}");
    assert!(Picture::new(&pixels, 256, 64, 65).is_err() && Picture::new(&pixels, 255, 64, 64).is_err());
    assert!(Picture::new(&pixels, usize::MAX, 64, 64).is_err() && Picture::new(&[], 0, 0, 0).is_err());
}

#[test]
fn odd_sides_are_padded() {
    for full_chroma in [false, true] {
        for stripe_height in [64, 128] {
            let odd = Settings { width: 65, height: 67, ..settings(stripe_height, full_chroma) };
            let mut encoder = Encoder::new(odd).expect("an encoder");
            let pixels = [[10, 200, 90, 0]; 65 * 67].concat();
            let picture = Picture::new(&pixels, 65 * 4, 65, 67).expect("a picture");
            let tops = Mutex::new(Vec::new());
            let take = |unit: Unit<'_>| -> Result<(), ()> {
                // Openh264 decodes no 4:4:4.
                if !full_chroma {
                    let mut decoder = Decoder::new().expect("a decoder");
                    let decoded = decoder.decode(unit.bytes).expect("it decodes").expect("a picture");
                    assert_eq!(decoded.dimensions(), (66, unit.rows.next_multiple_of(2) as usize));
                    // 0.0722 * 10 + 0.7152 * 200 + 0.2126 * 90, limited range.
                    assert!(
                        decoded.y().iter().take(66).all(|&luma| luma.abs_diff(155) < 4),
                        "{:?}",
                        &decoded.y()[..66]
                    );
                }
                tops.lock().unwrap_or_else(PoisonError::into_inner).push((unit.top, unit.rows));
                Ok(())
            };
            encoder.submit(&picture, None, Order::Changes, 0, take).expect("a frame");
            let mut tops = tops.into_inner().unwrap_or_else(PoisonError::into_inner);
            tops.sort_unstable();
            assert_eq!(tops, if stripe_height == 64 { vec![(0, 64), (64, 3)] } else { vec![(0, 67)] });
        }
    }
}

#[test]
fn padding_is_skipped_and_the_last_row_needs_none() {
    let pixels = scene((120, 150));
    let row = WIDTH as usize * 4;
    let mut padded: Vec<u8> = pixels.chunks_exact(row).flat_map(|row| [row, &[255; 52]].concat()).collect();
    for keep in [52, 0] {
        padded.truncate(HEIGHT as usize * (row + 52) - 52 + keep);
        let picture = Picture::new(&padded, row + 52, WIDTH, HEIGHT).expect("a picture");
        let mut stream = Stream::new(settings(64, false));
        let packets = Mutex::new(Vec::new());
        let take = |unit: Unit<'_>| -> Result<(), ()> {
            let (bytes, Unit { top, rows, key, refinement, reference, .. }) = (unit.bytes.to_vec(), unit);
            let packet = Packet { bytes, top, rows, key, refinement, reference };
            packets.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
            Ok(())
        };
        stream.encoder.submit(&picture, None, Order::Changes, 0, take).expect("a frame");
        packets
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .for_each(|packet| stream.show(packet));
        let likeness = stream.likeness(&pixels);
        assert!(likeness > 32.0, "{likeness} dB");
    }
}

#[test]
fn whoever_missed_frames_goes_on_from_what_it_has() {
    for stripe_height in [HEIGHT, 64] {
        for threads in [1, 2] {
            let settings = Settings { threads, ..settings(stripe_height, false) };
            let mut stream = Stream::new(settings.clone());
            // Sees only some of the frames.
            let mut slow = Stream::new(settings);
            let (mut has, mut before) = (0, (0, 0));
            for id in 1..=60u64 {
                let at = ((id * 7 % 200) as u32, (id * 5 % 150) as u32);
                let pixels = scene(at);
                // It misses up to six frames in a row, and takes the next.
                let key = id == 1;
                let misses = !key && id % 7 != 0 && id % 14 != 10;
                let known = (!key && !misses).then_some(has);
                stream.encoder.begin(id, known);
                let damage = [square(before), square(at)];
                let damage = if id == 1 { None } else { Some(&damage[..]) };
                let order = if key { Order::Keyframe } else { Order::Changes };
                let (packets, _) = stream.submit(&pixels, damage, order);
                before = at;
                assert_eq!(packets.iter().any(|packet| packet.key), key, "no key frame for it");
                if misses {
                    assert!(packets.iter().all(|packet| packet.reference.is_none()));
                    continue;
                }
                if !key {
                    assert!(packets.iter().any(|packet| packet.reference.is_some()), "frame {id}");
                    assert!(packets.iter().all(|packet| packet.reference.is_none_or(|frame| frame <= has)));
                }
                packets.iter().for_each(|packet| slow.show(packet));
                has = id;
                let (all, some) = (stream.likeness(&pixels), slow.likeness(&pixels));
                assert!(all > 32.0 && (all - some).abs() < 0.01, "frame {id}: {all} dB and {some} dB");
            }
            // What is too long ago is not remembered, and nothing is lost by asking. Stripes have older pictures than that.
            let long_ago = if stripe_height == HEIGHT { 52 } else { 1 };
            stream.encoder.begin(61, Some(long_ago));
            let (packets, _) = stream.submit(&scene((9, 9)), None, Order::Changes);
            assert!(packets.iter().all(|packet| !packet.key && packet.reference.is_none()));
            assert!(stream.likeness(&scene((9, 9))) > 32.0);
        }
    }
}

#[test]
fn a_picture_that_does_not_change_gets_its_new_quality() {
    for stripe_height in [HEIGHT, 64] {
        let coarse = Settings { rate: Rate::Quality { crf: 45 }, ..settings(stripe_height, false) };
        let mut stream = Stream::new(coarse);
        let pixels = scene((50, 50));
        stream.submit(&pixels, None, Order::Changes);
        let before = stream.likeness(&pixels);
        assert!(stream.submit(&pixels, None, Order::Changes).0.is_empty(), "it is there already");
        assert!(
            stream
                .encoder
                .adopt(&Settings { rate: Rate::Quality { crf: 15 }, ..settings(stripe_height, false) })
        );
        let (packets, _) = stream.submit(&pixels, None, Order::Changes);
        assert!(!packets.is_empty() && packets.iter().all(|packet| !packet.key));
        let after = stream.likeness(&pixels);
        assert!(after > before + 5.0, "{before} dB became {after}");
    }
}

#[test]
fn without_memory_nothing_is_predicted_from_older_pictures() {
    let mut stream = Stream::new(Settings { anchors: false, ..settings(HEIGHT, false) });
    for id in 1..=20u64 {
        let pixels = scene(((id * 7) as u32, 20));
        stream.encoder.begin(id, id.checked_sub(3));
        let (packets, _) = stream.submit(&pixels, None, Order::Changes);
        assert!(packets.iter().all(|packet| packet.reference.is_none() && packet.key == (id == 1)));
        assert!(stream.likeness(&pixels) > 32.0);
    }
}

#[test]
fn a_variable_bit_rate_takes_another_target_with_another_encoder_only() {
    let rate = |kbps| Settings {
        rate: Rate::Bits { kbps, max_kbps: 4000, buffer_ms: 0 },
        ..settings(HEIGHT, false)
    };
    let mut encoder = Encoder::new(rate(600)).expect("an encoder");
    assert!(encoder.adopt(&rate(600)));
    assert!(!encoder.adopt(&rate(1200)), "libx264 would go on with 600");
}
