//! Content at rest.

use selkies_x264::{Area, Order, Rate, Settings};

use super::stream::{HEIGHT, Stream, WIDTH, noise, scene, settings};

#[test]
fn what_rests_beside_motion_is_refined_stripe_by_stripe() {
    let rest = Settings { rate: Rate::Quality { crf: 40 }, refine_crf: Some(15), ..settings(64, false) };
    let mut stream = Stream::new(rest);
    stream.submit(&scene((60, 10)), None, Order::Changes);
    let mut refined = Vec::new();
    for step in 0..8 {
        let moving = [Area { x: 60, y: 10, width: 60, height: 30 }];
        let (packets, _) = stream.submit(&scene((60 + step, 10)), Some(&moving), Order::Changes);
        assert!(packets.len() <= 2, "the motion, and one stripe beside it");
        refined.extend(packets.iter().filter(|packet| packet.refinement).map(|packet| packet.top));
    }
    assert_eq!(refined, [64, 128, 192]);
}

#[test]
fn without_a_better_quality_nothing_stays_due() {
    let rest = Settings { refine_crf: Some(15), ..settings(64, false) };
    let mut stream = Stream::new(rest.clone());
    stream.submit(&scene((0, 0)), None, Order::Changes);
    assert!(stream.encoder.adopt(&Settings { refine_crf: None, ..rest }));
    let (packets, again) = stream.submit(&scene((0, 0)), Some(&[]), Order::Refine);
    assert_eq!((packets.len(), again), (0, None));
}

#[test]
fn what_rests_is_refined_and_then_left_alone() {
    let mut stream = Stream::new(Settings {
        rate: Rate::Quality { crf: 40 },
        refine_crf: Some(15),
        ..settings(64, false)
    });
    let pixels = scene((60, 70));
    let (_, at) = stream.submit(&pixels, None, Order::Changes);
    let coarse = stream.likeness(&pixels);
    assert_eq!(at, Some(stream.now + 1000));
    let (packets, again) = stream.submit(&pixels, None, Order::Refine);
    assert_eq!((packets.len(), again), (4, None));
    assert!(packets.iter().all(|packet| packet.refinement && !packet.key));
    let fine = stream.likeness(&pixels);
    assert!(fine > coarse + 6.0, "{coarse} dB became {fine}");
    assert!(stream.submit(&pixels, None, Order::Refine).0.is_empty());
    // A change beside it costs the changed stripe alone; a small one gets the fine quality at once.
    let moved = scene((60, 80));
    let (packets, at) =
        stream.submit(&moved, Some(&[Area { x: 60, y: 70, width: 40, height: 40 }]), Order::Changes);
    assert_eq!((packets.len(), at), (1, None));
    assert!((stream.likeness(&moved) - fine).abs() < 1.0);
    let stripe = 64 * WIDTH as usize * 4;
    let inverted: Vec<u8> =
        moved.iter().enumerate().map(|(at, &value)| if at < stripe { !value } else { value }).collect();
    let (packets, at) = stream.submit(&inverted, None, Order::Changes);
    assert_eq!((packets.len(), at), (1, Some(stream.now + 1000)));
}

#[test]
fn what_rests_beside_a_small_animation_is_refined() {
    let rest = Settings { rate: Rate::Quality { crf: 40 }, refine_crf: Some(15), ..settings(HEIGHT, false) };
    let mut stream = Stream::new(Settings { refine_delay_ns: 200_000_000, ..rest });
    let mut pixels = scene((60, 70));
    stream.submit(&pixels, None, Order::Changes);
    let coarse = stream.likeness(&pixels);
    // 30 frames are half a second.
    for step in 0..30_u8 {
        let turning = Area { x: 0, y: 0, width: 16, height: 1 };
        pixels[..64].fill(step * 8);
        stream.submit(&pixels, Some(&[turning]), Order::Changes);
    }
    let fine = stream.likeness(&pixels);
    assert!(fine > coarse + 6.0, "{coarse} dB became {fine}");
}

#[test]
fn what_was_busy_gets_its_quality_at_rest_without_a_better_one() {
    let mut stream = Stream::new(settings(HEIGHT, false));
    let noise = |step| noise(step, 2);
    let mut due = None;
    for step in 0..30 {
        due = stream.submit(&noise(step), None, Order::Changes).1;
    }
    assert_eq!(due, Some(stream.now + 1000));
    let coarse = stream.likeness(&noise(29));
    let (packets, again) = stream.submit(&noise(29), Some(&[]), Order::Refine);
    assert_eq!((packets.len(), again), (1, None));
    assert!(stream.likeness(&noise(29)) > coarse + 1.0);
}

#[test]
fn what_rests_becomes_as_good_at_a_bit_rate_as_at_a_constant_quality() {
    let pixels = scene((60, 70));
    let mut constant = Stream::new(Settings { refine_crf: Some(15), ..settings(HEIGHT, false) });
    constant.submit(&pixels, None, Order::Changes);
    constant.submit(&pixels, Some(&[]), Order::Refine);
    let best = constant.likeness(&pixels);
    // Bits of one frame at 60 a second: from less than 300 bytes to more than the picture has.
    for kbps in [100, 300, 1500, 20_000] {
        let rate = Rate::Bits { kbps, max_kbps: 0, buffer_ms: 0 };
        let mut stream = Stream::new(Settings { rate, refine_crf: Some(15), ..settings(HEIGHT, false) });
        for step in 0..30 {
            stream.submit(&noise(step, 4), None, Order::Changes);
        }
        let (_, mut due) = stream.submit(&pixels, None, Order::Changes);
        let coarse = stream.likeness(&pixels);
        let (mut submits, mut bytes) = (0, 0);
        while let Some(at) = due {
            stream.now = stream.now.max(at.saturating_sub(16_000_000));
            let (packets, again) = stream.submit(&pixels, Some(&[]), Order::Refine);
            assert!(packets.iter().all(|packet| packet.refinement && !packet.key));
            bytes += packets.iter().map(|packet| packet.bytes.len()).sum::<usize>();
            (submits, due) = (submits + 1, again);
            assert!(submits < 3000, "it ends: {kbps} kbit/s, {bytes} bytes");
        }
        let fine = stream.likeness(&pixels);
        let found = format!(
            "{kbps} kbit/s: {coarse:.1} dB became {fine:.1} of {best:.1} in {submits} pictures, {bytes} bytes"
        );
        assert!(fine > best - 2.0, "{found}");
        assert!(bytes < 260 * 384 + 20_000, "{found}");
        assert!(stream.submit(&pixels, Some(&[]), Order::Refine).0.is_empty());
    }
    // Without a better quality at rest nothing is due.
    let rate = Rate::Bits { kbps: 1500, max_kbps: 0, buffer_ms: 0 };
    let mut stream = Stream::new(Settings { rate, ..settings(HEIGHT, false) });
    assert_eq!(stream.submit(&pixels, None, Order::Changes).1, None);
}

#[test]
fn a_cursor_that_blinks_costs_few_pictures_at_a_bit_rate() {
    let rate = Rate::Bits { kbps: 1500, max_kbps: 0, buffer_ms: 0 };
    let mut stream = Stream::new(Settings { rate, refine_crf: Some(15), ..settings(HEIGHT, false) });
    let mut pixels = scene((60, 70));
    let mut due = stream.submit(&pixels, None, Order::Changes).1;
    while due.is_some() {
        due = stream.submit(&pixels, Some(&[]), Order::Refine).1;
    }
    let fine = stream.likeness(&pixels);
    for blink in 0..4 {
        let cursor = Area { x: 100, y: 100, width: 8, height: 14 };
        for row in 100..114 {
            let start = (row * WIDTH as usize + 100) * 4;
            pixels[start..start + 32].fill(if blink % 2 == 0 { 0 } else { 255 });
        }
        due = stream.submit(&pixels, Some(&[cursor]), Order::Changes).1;
        let mut submits = 0;
        while due.is_some() {
            due = stream.submit(&pixels, Some(&[]), Order::Refine).1;
            submits += 1;
        }
        assert!(submits <= 8, "{submits} pictures after a blink");
        let now = stream.likeness(&pixels);
        assert!(now > fine - 1.0, "{fine} dB became {now}");
    }
}

#[test]
fn what_is_coded_at_rest_for_those_who_missed_something_becomes_better_again() {
    let rate = Rate::Bits { kbps: 300, max_kbps: 0, buffer_ms: 0 };
    let mut stream = Stream::new(Settings { rate, refine_crf: Some(15), ..settings(HEIGHT, false) });
    let pixels = scene((60, 70));
    stream.encoder.begin(1, None);
    stream.submit(&noise(1, 4), None, Order::Changes);
    let finish = |stream: &mut Stream, mut frame_id: u64| {
        loop {
            frame_id += 1;
            stream.encoder.begin(frame_id, None);
            if stream.submit(&pixels, Some(&[]), Order::Refine).1.is_none() {
                return frame_id;
            }
        }
    };
    stream.encoder.begin(2, None);
    stream.submit(&pixels, None, Order::Changes);
    let frame_id = finish(&mut stream, 2);
    let fine = stream.likeness(&pixels);
    // Nothing changed, but somebody lacks the newest pictures.
    stream.encoder.begin(frame_id + 1, Some(frame_id - 3));
    let (packets, due) = stream.submit(&pixels, Some(&[]), Order::Changes);
    assert_eq!((packets.len(), packets[0].reference.is_some(), due.is_some()), (1, true, true));
    finish(&mut stream, frame_id + 1);
    let again = stream.likeness(&pixels);
    assert!((fine - again).abs() < 1.0, "{fine} dB became {again}");
}

/// Why there is no burst: with a fixed quantiser, one picture has the whole quality.
#[test]
fn more_pictures_of_what_rests_would_show_nothing_new() {
    let rest = Settings { rate: Rate::Quality { crf: 40 }, refine_crf: Some(15), ..settings(HEIGHT, false) };
    for pixels in [scene((60, 70)), noise(1, 4)] {
        let mut stream = Stream::new(rest.clone());
        stream.submit(&pixels, None, Order::Changes);
        let coarse = stream.likeness(&pixels);
        let (packets, _) = stream.submit(&pixels, Some(&[]), Order::Refine);
        let (refined, bytes) = (stream.likeness(&pixels), packets[0].bytes.len());
        assert!(refined > coarse + 6.0, "{coarse} dB became {refined}");
        // From here on a picture is coded although nothing changes, in the same quality.
        assert!(stream.encoder.adopt(&Settings { ignore_damage: true, ..rest.clone() }));
        for _ in 0..4 {
            let (packets, _) = stream.submit(&pixels, Some(&[]), Order::Changes);
            assert!(packets[0].bytes.len() * 20 < bytes, "{} bytes after {bytes}", packets[0].bytes.len());
        }
        let again = stream.likeness(&pixels);
        assert!((again - refined).abs() < 0.3, "{refined} dB became {again}");
    }
}
