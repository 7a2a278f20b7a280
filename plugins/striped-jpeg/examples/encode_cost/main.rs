//! What a frame costs: CPU time and time on the clock per 1080p frame, for kinds of content, thread counts and
//! stripe heights.
//!
//! ```text
//! cargo run --release -p selkies-plugin-striped-jpeg --example encode_cost [WIDTH HEIGHT]
//! ```
//!
//! `plain` is the yardstick: the same codec over the whole damaged box in one piece, without looking for changes.

mod content;

use std::sync::Mutex;

use content::{Frame, Scene, report};
use selkies_striped_jpeg::{Area, Damage, Order, Output, Picture, Settings, StripePacket, StripedEncoder};

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
        let area = |&[x, y, width, height]: &[u32; 4]| Area { x, y, width, height };
        let damage: Vec<Area> = frame.damage.iter().map(area).collect();
        let done =
            encoder.submit(&picture, Damage::Areas(&damage), Order::Changes, index.into(), &sink).unwrap();
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
        let Some(&[x, y, width, height]) = frame.damage.first() else { return (0, 0) };
        let pitch = frame.width as usize * 4;
        let image = turbojpeg::Image {
            pixels: &frame.bytes[y as usize * pitch + x as usize * 4..],
            width: width as usize,
            pitch,
            height: height as usize,
            format: turbojpeg::PixelFormat::BGRX,
        };
        (codec.compress_to_slice(image, &mut out).unwrap() as u64, 1)
    });
}
