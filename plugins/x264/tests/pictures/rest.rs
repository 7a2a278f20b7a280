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
fn what_rests_becomes_better_where_a_bit_rate_is_named_too() {
    let rate = Rate::Bits { kbps: 1500, max_kbps: 0, buffer_ms: 0 };
    let mut stream = Stream::new(Settings { rate, refine_crf: Some(15), ..settings(HEIGHT, false) });
    for step in 0..30 {
        stream.submit(&noise(step, 4), None, Order::Changes);
    }
    let pixels = scene((60, 70));
    let (_, mut due) = stream.submit(&pixels, None, Order::Changes);
    let coarse = stream.likeness(&pixels);
    let (mut submits, mut bytes) = (0, 0);
    while due.is_some() {
        let (packets, again) = stream.submit(&pixels, Some(&[]), Order::Refine);
        assert!(packets.iter().all(|packet| packet.refinement && !packet.key));
        bytes += packets.iter().map(|packet| packet.bytes.len()).sum::<usize>();
        (submits, due) = (submits + 1, again);
        assert!(submits < 300, "it ends: {bytes} bytes");
    }
    let fine = stream.likeness(&pixels);
    assert!(fine > coarse + 6.0, "{coarse} dB became {fine} in {submits} pictures, {bytes} bytes");
    assert!(bytes < 260 * 64 + 20_000, "{bytes}");
    assert!(stream.submit(&pixels, Some(&[]), Order::Refine).0.is_empty());
    // Without a better quality at rest nothing is due.
    let mut stream = Stream::new(Settings { rate, ..settings(HEIGHT, false) });
    assert_eq!(stream.submit(&pixels, None, Order::Changes).1, None);
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
