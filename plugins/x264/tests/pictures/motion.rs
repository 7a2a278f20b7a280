//! Content that changes.

use selkies_x264::{Area, Order, Rate, Settings};

use super::stream::{HEIGHT, Packet, Stream, WIDTH, noise, scene, settings, square};

#[test]
fn a_moving_square_arrives_whole_and_in_stripes() {
    for stripe_height in [HEIGHT, 64] {
        let mut stream = Stream::new(settings(stripe_height, false));
        let first = scene((0, 0));
        let (packets, _) = stream.submit(&first, None, Order::Changes);
        assert!(packets.iter().all(|packet| packet.key), "a stream begins with key frames");
        assert_eq!(packets.len() as u32, HEIGHT.div_ceil(stripe_height));
        let whole = stream.likeness(&first);
        let mut before = (0, 0);
        for step in 1..30 {
            let at = (step * 7, step * 3);
            let pixels = scene(at);
            let (packets, _) = stream.submit(&pixels, Some(&[square(before), square(at)]), Order::Changes);
            assert!(packets.iter().all(|packet| !packet.key), "no key frame unasked");
            let damaged = |packet: &Packet| packet.top < at.1 + 30 && packet.top + packet.rows > before.1;
            assert!(packets.iter().all(damaged), "only damage makes packets");
            before = at;
            let likeness = stream.likeness(&pixels);
            assert!(
                likeness > 32.0 && likeness > whole - 6.0,
                "{likeness} dB in step {step}, {whole} at first"
            );
        }
    }
}

#[test]
fn damage_alone_decides_what_is_sent() {
    let mut stream = Stream::new(settings(64, false));
    stream.submit(&scene((0, 0)), None, Order::Changes);
    assert!(stream.submit(&scene((0, 0)), Some(&[]), Order::Changes).0.is_empty());
    // The square moved within the third stripe, and the damage says nothing of the place that it left.
    let (packets, _) = stream.submit(&scene((100, 140)), Some(&[square((100, 140))]), Order::Changes);
    assert_eq!(packets.iter().map(|packet| packet.top).collect::<Vec<_>>(), [128]);
    let (packets, _) = stream.submit(&scene((100, 140)), Some(&[]), Order::Keyframe);
    assert_eq!(packets.len(), 4);
    assert!(packets.iter().all(|packet| packet.key));
    assert!(stream.likeness(&scene((100, 140))) > 32.0);
}

#[test]
fn unchanged_macroblocks_cost_next_to_nothing() {
    let mut stream = Stream::new(settings(HEIGHT, false));
    let (first, _) = stream.submit(&scene((0, 0)), None, Order::Changes);
    let mut pixels = scene((0, 0));
    for change in 0..10 {
        for pixel in pixels[WIDTH as usize * 4 * 8..].chunks_exact_mut(4).skip(5 + change).take(8) {
            pixel.iter_mut().for_each(|value| *value = !*value);
        }
        let area = Area { x: 5 + change as u32, y: 8, width: 8, height: 1 };
        let (small, _) = stream.submit(&pixels, Some(&[area]), Order::Changes);
        let (small, first) = (small[0].bytes.len(), first[0].bytes.len());
        assert!(small * 40 < first, "change {change}: {small} of {first} bytes");
    }
}

#[test]
fn what_is_painted_again_as_it_was_costs_nothing() {
    for full_chroma in [false, true] {
        let mut stream = Stream::silent(settings(64, full_chroma));
        let before = scene((100, 80));
        stream.submit(&before, None, Order::Changes);
        assert!(stream.submit(&before, None, Order::Changes).0.is_empty());
        // Everything is damaged, and one pixel's colour changed, by as much as one step of its luma or chroma.
        for (pixel, stripe) in [(0, 0), (64 * WIDTH + 17, 64), (HEIGHT * WIDTH - 1, 192)] {
            let mut pixels = before.clone();
            pixels[pixel as usize * 4] ^= 64;
            let (packets, _) = stream.submit(&pixels, None, Order::Changes);
            assert_eq!(packets.iter().map(|packet| packet.top).collect::<Vec<_>>(), [stripe]);
            assert_eq!(stream.submit(&before, None, Order::Changes).0.len(), 1, "and back");
        }
        assert_eq!(stream.submit(&before, None, Order::Keyframe).0.len(), 4);
    }
    let mut stream = Stream::new(Settings { ignore_damage: true, ..settings(64, false) });
    stream.submit(&scene((0, 0)), None, Order::Changes);
    assert_eq!(stream.submit(&scene((0, 0)), Some(&[]), Order::Changes).0.len(), 4, "unless all is wanted");
}

#[test]
fn scrolled_content_is_found_however_far_it_went() {
    // Lines of letters, none like another.
    let page = |offset: u32| -> Vec<u8> {
        let shade = |x: u32, y: u32| {
            let letter = (y / 12 * 977 + x / 6 * 131).wrapping_mul(2_654_435_761) >> 7;
            let ink = y % 12 < 9 && letter >> ((x % 6) / 2 + y % 12 / 3 * 3) & 1 == 1;
            if ink { 20 } else { 235 }
        };
        (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| [shade(x, y + offset); 4])).collect()
    };
    let mut stream = Stream::new(settings(HEIGHT, false));
    let (first, _) = stream.submit(&page(0), None, Order::Changes);
    let mut offset = 0;
    for distance in [3, 24, 60, 90, 41] {
        offset += distance;
        let (packets, _) = stream.submit(&page(offset), None, Order::Changes);
        let (bytes, whole) = (packets[0].bytes.len(), first[0].bytes.len());
        // What came in from below, and not much of the rest.
        let limit = whole * distance as usize / HEIGHT as usize + whole / 4;
        assert!(bytes < limit, "{bytes} bytes for {distance} rows, {limit} expected; {whole} for all");
        let likeness = stream.likeness(&page(offset));
        assert!(likeness > 30.0, "{likeness} dB");
    }
}

#[test]
fn what_moves_all_over_is_coded_in_one_piece_until_it_rests() {
    let mut stream = Stream::new(Settings { refine_crf: Some(15), ..settings(64, false) });
    let pixels = |step: u32| -> Vec<u8> {
        let row = WIDTH as usize * 4;
        let at = step as usize * row * 8 % (row * HEIGHT as usize);
        let mut pixels = scene((100, 80));
        pixels.rotate_left(at);
        pixels
    };
    let mut steps = Vec::new();
    for step in 0..30 {
        let (packets, _) = stream.submit(&pixels(step), None, Order::Changes);
        if packets.iter().all(|packet| packet.key) {
            steps.push((step, packets.len()));
        }
        let likeness = stream.likeness(&pixels(step));
        assert!(likeness > 30.0, "{likeness} dB in step {step}");
    }
    assert_eq!(steps, [(0, 4), (10, 1)]);
    // At rest it is in stripes again, in the fine quality at once.
    stream.now += 1_000_000_000;
    let (packets, again) = stream.submit(&pixels(29), Some(&[]), Order::Refine);
    assert!(packets.iter().all(|packet| packet.key));
    assert_eq!((packets.len(), again), (4, None));
    assert!(stream.likeness(&pixels(29)) > 40.0);
    let (packets, _) = stream.submit(&scene((5, 5)), Some(&[square((5, 5))]), Order::Changes);
    assert_eq!(packets.iter().map(|packet| (packet.top, packet.key)).collect::<Vec<_>>(), [(0, false)]);
}

#[test]
fn a_bit_rate_is_kept_when_stripes_become_one_piece() {
    let rate = Rate::Bits { kbps: 2000, max_kbps: 0, buffer_ms: 0 };
    let mut stream = Stream::new(Settings { rate, ..settings(64, false) });
    let noise = |step| noise(step, 8);
    let (mut whole, mut bytes) = (0, 0);
    for step in 0..120 {
        let (packets, _) = stream.submit(&noise(step), None, Order::Changes);
        whole += u32::from(packets.len() == 1 && !packets[0].key);
        bytes += packets.iter().map(|packet| packet.bytes.len()).sum::<usize>();
    }
    assert!(whole > 90, "{whole} pictures in one piece");
    let found = bytes * 8 / 2 / 1000;
    assert!(found < 3000, "{found} kbit/s of 2000");
}

#[test]
fn a_step_that_found_no_place_is_repeated_with_key_frames() {
    let mut stream = Stream::new(settings(64, false));
    let inverted: Vec<u8> = scene((0, 0)).iter().map(|value| !value).collect();
    let at = |step: u32| if step.is_multiple_of(2) { scene((0, 0)) } else { inverted.clone() };
    for step in 0..10 {
        stream.submit(&at(step), None, Order::Changes);
    }
    stream.now += 16_000_000;
    let pixels = at(10);
    let picture = selkies_x264::Picture::new(&pixels, WIDTH as usize * 4, WIDTH, HEIGHT).expect("a picture");
    let refused = stream.encoder.submit(&picture, None, Order::Changes, stream.now, |_| Err("full"));
    assert!(refused.is_err());
    let (packets, _) = stream.submit(&at(11), None, Order::Keyframe);
    assert_eq!(packets.iter().map(|packet| (packet.rows, packet.key)).collect::<Vec<_>>(), [(HEIGHT, true)]);
    assert!(stream.likeness(&at(11)) > 32.0);
}
