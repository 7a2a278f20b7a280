//! What a decoder makes of the packets, beside what went in.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use openh264::{decoder::Decoder, formats::YUVSource};
use selkies_x264::{Area, Encoder, Order, Picture, Rate, Settings, Unit};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 200;

fn settings(stripe_height: u32, full_chroma: bool) -> Settings {
    Settings { full_chroma, threads: 2, stripe_height, refine_delay_ns: 1000, ..Settings::new(WIDTH, HEIGHT) }
}

/// Smooth colours with lines of text-like detail, and a square at `at`.
fn scene(at: (u32, u32)) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let inside = (at.0..at.0 + 40).contains(&x) && (at.1..at.1 + 30).contains(&y);
            let line = y % 16 == 3 && (x / 5) % 3 != 0;
            let [b, g, r] = match (inside, line) {
                (true, _) => [40, 60, 220],
                (_, true) => [20, 20, 20],
                _ => [(x * 200 / WIDTH + 30) as u8, (y * 200 / HEIGHT + 30) as u8, 180],
            };
            pixels.extend([b, g, r, 0]);
        }
    }
    pixels
}

/// One access unit, owned.
#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    top: u32,
    rows: u32,
    key: bool,
    refinement: bool,
    reference: Option<u64>,
}

struct Stream {
    encoder: Encoder,
    decoders: BTreeMap<u32, Decoder>,
    /// Luma as decoded.
    shown: Vec<u8>,
    now: u64,
    /// Packets are decoded; 4:4:4 is not.
    decodes: bool,
}

impl Stream {
    fn silent(settings: Settings) -> Self {
        Self { decodes: false, ..Self::new(settings) }
    }

    fn new(settings: Settings) -> Self {
        let shown = vec![0; (WIDTH * HEIGHT) as usize];
        Self {
            encoder: Encoder::new(settings).expect("an encoder"),
            decoders: BTreeMap::new(),
            shown,
            now: 0,
            decodes: true,
        }
    }

    fn submit(&mut self, pixels: &[u8], damage: Option<&[Area]>, order: Order) -> (Vec<Packet>, Option<u64>) {
        let picture = Picture::new(pixels, WIDTH as usize * 4, WIDTH, HEIGHT).expect("a picture");
        let packets = Mutex::new(Vec::new());
        let take = |unit: Unit<'_>| -> Result<(), ()> {
            packets.lock().unwrap_or_else(PoisonError::into_inner).push(Packet {
                bytes: unit.bytes.to_vec(),
                top: unit.top,
                rows: unit.rows,
                key: unit.key,
                refinement: unit.refinement,
                reference: unit.reference,
            });
            Ok(())
        };
        self.now += 16_000_000;
        let refine_at = self.encoder.submit(&picture, damage, order, self.now, take).expect("a frame");
        let packets = packets.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.decodes {
            packets.iter().for_each(|packet| self.show(packet));
        }
        (packets, refine_at)
    }

    fn show(&mut self, packet: &Packet) {
        let decoder = self.decoders.entry(packet.top).or_insert_with(|| Decoder::new().expect("a decoder"));
        let decoded = decoder.decode(&packet.bytes).expect("it decodes").expect("a picture at once");
        assert_eq!(decoded.dimensions(), (WIDTH as usize, packet.rows as usize));
        let stride = decoded.strides().0;
        for row in 0..packet.rows as usize {
            let line = &decoded.y()[row * stride..row * stride + WIDTH as usize];
            let start = (packet.top as usize + row) * WIDTH as usize;
            self.shown[start..start + WIDTH as usize].copy_from_slice(line);
        }
    }

    /// PSNR of the luma in dB.
    fn likeness(&self, pixels: &[u8]) -> f64 {
        let errors = pixels.chunks_exact(4).zip(&self.shown).map(|(pixel, &shown)| {
            // Rec. 709, limited range.
            let [b, g, r] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
            let luma = 16.0 + (0.2126 * r + 0.7152 * g + 0.0722 * b) * 219.0 / 255.0;
            (luma - f64::from(shown)).powi(2)
        });
        10.0 * (255.0 * 255.0 / (errors.sum::<f64>() / f64::from(WIDTH * HEIGHT)).max(1e-9)).log10()
    }
}

fn square(at: (u32, u32)) -> Area {
    Area { x: at.0, y: at.1, width: 40, height: 30 }
}

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
