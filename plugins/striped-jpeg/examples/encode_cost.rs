//! What a frame costs: CPU time and time on the clock per 1080p frame, for kinds of content, thread counts and
//! stripe heights.
//!
//! ```text
//! cargo run --release -p selkies-plugin-striped-jpeg --example encode_cost [WIDTH HEIGHT]
//! ```
//!
//! `plain` is the yardstick: the same codec over the whole damaged box in one piece, without looking for changes.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use selkies_striped_jpeg::{Area, Damage, Order, Output, Picture, Settings, StripePacket, StripedEncoder};

const FRAMES: u32 = 120;

fn main() {
    let sizes: Vec<u32> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (width, height) = if let [width, height] = sizes[..] { (width, height) } else { (1920, 1080) };
    let threads = Settings::default_threads();
    println!("{width}x{height}, quality {}, µs per frame", Settings::DEFAULT_QUALITY);
    println!(
        "{:<9} {:>7} {:>7} {:>9} {:>9} {:>9} {:>8}",
        "content", "threads", "stripe", "cpu", "clock", "bytes", "packets"
    );
    for scene in [Scene::Motion, Scene::Scroll, Scene::Typing, Scene::Repaint, Scene::Static] {
        let frames = scene.frames(width, height);
        plain(scene, &frames);
        for threads in [1, threads] {
            for stripe_height in [16, 32, 64, 128, 256] {
                measure(scene, &frames, Settings { threads, stripe_height, ..Settings::new(width, height) });
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Scene {
    /// A film-like picture over the whole frame.
    Motion,
    /// Text that moves up by 3 rows.
    Scroll,
    /// A letter per frame.
    Typing,
    /// Everything is damaged, nothing changes.
    Repaint,
    /// No damage.
    Static,
}

/// A colour for each place.
type Pixel = dyn Fn(u32, u32) -> [u8; 4];

struct Frame {
    bytes: Vec<u8>,
    damage: Vec<Area>,
    width: u32,
    height: u32,
}

impl Scene {
    /// A loop of frames; enough of them that they do not stay in the cache.
    fn frames(self, width: u32, height: u32) -> Vec<Frame> {
        let whole = Area { x: 0, y: 0, width, height };
        (0..8u32)
            .map(|index| {
                let (pixel, damage): (Box<Pixel>, _) = match self {
                    Self::Motion => (Box::new(move |x, y| film(x + index * 9, y + index * 4)), vec![whole]),
                    Self::Scroll => (Box::new(move |x, y| text(x, y + index * 3)), vec![whole]),
                    Self::Typing => {
                        let letter = Area { x: 300 + index * 10, y: 500, width: 10, height: 18 };
                        let typed = move |x: u32, y: u32| {
                            let black =
                                (500..518).contains(&y) && (300..310 + index * 10).contains(&x) && x % 10 < 3;
                            if black { [0; 4] } else { text(x, y) }
                        };
                        // The loop's end takes the letters away.
                        let start = Area { x: 300, y: 500, width: 90, height: 18 };
                        (Box::new(typed), vec![if index == 0 { start } else { letter }])
                    }
                    Self::Repaint => (Box::new(text), vec![whole]),
                    Self::Static => (Box::new(text), vec![]),
                };
                let bytes =
                    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y));
                Frame { bytes: bytes.collect(), damage, width, height }
            })
            .collect()
    }
}

/// Soft shapes with a little noise.
fn film(x: u32, y: u32) -> [u8; 4] {
    let wave = |v: u32, period: f32| ((v as f32 / period).sin() * 60.0) as i32;
    let noise =
        (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519)).wrapping_mul(3_266_489_917) >> 28;
    let value =
        |offset: i32| (110 + offset + wave(x, 97.0) + wave(y, 61.0) + noise as i32).clamp(0, 255) as u8;
    [value(0), value(-20), value(30), 0]
}

/// Dark strokes on white, 18 rows a line.
fn text(x: u32, y: u32) -> [u8; 4] {
    let (line, column) = (y / 18, x / 9);
    let letter =
        line.wrapping_mul(7919).wrapping_add(column.wrapping_mul(104_729)).wrapping_mul(2_654_435_761);
    let stroke = (letter >> ((x % 9 / 2) * 5 + y % 18 / 4)) & 1 == 1;
    let ink = y % 18 > 3 && y % 18 < 16 && letter % 6 != 0 && column % 200 < 150 && stroke;
    if ink { [40, 40, 40, 0] } else { [250, 250, 250, 0] }
}

/// Keeps nothing but the memory: slabs go round as those of the host do.
#[derive(Default)]
struct Sink(Mutex<Vec<Vec<u8>>>);

impl Output for Sink {
    type Slab = Vec<u8>;
    type Error = std::convert::Infallible;

    fn slab(&self, min_len: usize) -> Result<Vec<u8>, Self::Error> {
        let free = self.0.lock().ok().and_then(|mut free| free.pop());
        let mut slab = free.unwrap_or_default();
        if slab.len() < min_len {
            slab.resize(min_len, 0);
        }
        Ok(slab)
    }

    fn commit(&self, slab: Vec<u8>, _packet: StripePacket) -> Result<(), Self::Error> {
        if let Ok(mut free) = self.0.lock() {
            free.push(slab);
        }
        Ok(())
    }
}

fn measure(scene: Scene, frames: &[Frame], settings: Settings) {
    let (threads, stripe) = (settings.threads, settings.stripe_height);
    let mut encoder = StripedEncoder::new(Settings { refine_quality: 0, ..settings }).unwrap();
    let sink = Sink::default();
    report(scene, threads, &stripe.to_string(), |index| {
        let frame = &frames[index as usize % frames.len()];
        let picture =
            Picture::new(&frame.bytes, frame.width as usize * 4, frame.width, frame.height).unwrap();
        let done = encoder
            .submit(&picture, Damage::Areas(&frame.damage), Order::Changes, index.into(), &sink)
            .unwrap();
        (done.bytes, done.packets)
    });
}

fn plain(scene: Scene, frames: &[Frame]) {
    let mut codec = turbojpeg::Compressor::new().unwrap();
    codec.set_quality(Settings::DEFAULT_QUALITY.into()).unwrap();
    codec.set_subsamp(turbojpeg::Subsamp::Sub2x2).unwrap();
    let mut out = vec![0; 64 << 20];
    report(scene, 1, "plain", |index| {
        let frame = &frames[index as usize % frames.len()];
        let Some(area) = frame.damage.first() else { return (0, 0) };
        let pitch = frame.width as usize * 4;
        let image = turbojpeg::Image {
            pixels: &frame.bytes[area.y as usize * pitch + area.x as usize * 4..],
            width: area.width as usize,
            pitch,
            height: area.height as usize,
            format: turbojpeg::PixelFormat::BGRX,
        };
        (codec.compress_to_slice(image, &mut out).unwrap() as u64, 1)
    });
}

fn report(scene: Scene, threads: usize, stripe: &str, mut frame: impl FnMut(u32) -> (u64, u32)) {
    for index in 0..16 {
        frame(index);
    }
    let (cpu, clock) = (cpu_time(), Instant::now());
    let (mut bytes, mut packets) = (0, 0);
    for index in 16..16 + FRAMES {
        let sent = frame(index);
        (bytes, packets) = (bytes + sent.0, packets + sent.1);
    }
    let per_frame = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(FRAMES);
    println!(
        "{:<9} {threads:>7} {stripe:>7} {:>9.1} {:>9.1} {:>9} {:>8.1}",
        format!("{scene:?}").to_lowercase(),
        per_frame(cpu_time() - cpu),
        per_frame(clock.elapsed()),
        bytes / u64::from(FRAMES),
        f64::from(packets) / f64::from(FRAMES),
    );
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
