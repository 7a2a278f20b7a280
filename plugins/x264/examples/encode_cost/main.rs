//! What a frame costs: CPU time and time on the clock per 1080p frame, for kinds of content, presets and stripes.
//!
//! ```text
//! cargo run --release -p selkies-plugin-x264 --example encode_cost [WIDTH HEIGHT]
//! ```
//!
//! `all` takes every frame as changed all over: the yardstick for what damage saves.

#[path = "../../../striped-jpeg/examples/encode_cost/content.rs"]
mod content;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use content::{Frame, Scene, report};
use selkies_x264::{Area, Encoder, Order, Picture, Preset, Settings, Unit};

fn main() {
    let sizes: Vec<u32> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (width, height) = if let [width, height] = sizes[..] { (width, height) } else { (1920, 1080) };
    println!("{width}x{height}, CRF 25, 4:2:0, µs per frame");
    println!("content   threads    kind       cpu     clock     bytes  packets");
    let whole = Settings { threads: 2, ..Settings::new(width, height) };
    for scene in [Scene::Motion, Scene::Scroll, Scene::Typing, Scene::Repaint, Scene::Static] {
        let frames = scene.frames(width, height);
        measure(scene, &frames, "all", Settings { ignore_damage: true, ..whole.clone() });
        for preset in [Preset::Ultrafast, Preset::Superfast, Preset::Veryfast] {
            let name = format!("{preset:?}").to_lowercase();
            measure(scene, &frames, &name[..5], Settings { preset, ..whole.clone() });
        }
        for stripe_height in [272, 128, 64] {
            let kind = format!("/{stripe_height}");
            measure(scene, &frames, &kind, Settings { stripe_height, ..whole.clone() });
        }
    }
}

fn measure(scene: Scene, frames: &[Frame], kind: &str, settings: Settings) {
    let threads = settings.threads as usize;
    let mut encoder = Encoder::new(settings).unwrap();
    report(scene, threads, kind, |index| {
        let frame = &frames[index as usize % frames.len()];
        let picture =
            Picture::new(&frame.bytes, frame.width as usize * 4, frame.width, frame.height).unwrap();
        let area = |&[x, y, width, height]: &[u32; 4]| Area { x, y, width, height };
        let damage: Vec<Area> = frame.damage.iter().map(area).collect();
        let (bytes, packets) = (AtomicU64::new(0), AtomicU32::new(0));
        let count = |unit: Unit<'_>| -> Result<(), ()> {
            bytes.fetch_add(unit.bytes.len() as u64, Ordering::Relaxed);
            packets.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        encoder.submit(&picture, Some(&damage), Order::Changes, 0, count).unwrap();
        (bytes.into_inner(), packets.into_inner())
    });
}
