//! Content to encode, and the measure of what it costs; for every encoder plugin's `encode_cost`.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

const FRAMES: u32 = 120;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Scene {
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

/// A frame of a scene.
pub(crate) struct Frame {
    /// BGRX.
    pub(crate) bytes: Vec<u8>,
    /// Left, top, width and height of what changed since the frame before.
    pub(crate) damage: Vec<[u32; 4]>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Scene {
    /// A loop of frames; enough of them that they do not stay in the cache.
    pub(crate) fn frames(self, width: u32, height: u32) -> Vec<Frame> {
        let whole = [0, 0, width, height];
        (0..8u32)
            .map(|index| {
                let (pixel, damage): (Box<Pixel>, _) = match self {
                    Self::Motion => (Box::new(move |x, y| film(x + index * 9, y + index * 4)), vec![whole]),
                    Self::Scroll => (Box::new(move |x, y| text(x, y + index * 3)), vec![whole]),
                    Self::Typing => {
                        let letter = [300 + index * 10, 500, 10, 18];
                        let typed = move |x: u32, y: u32| {
                            let black =
                                (500..518).contains(&y) && (300..310 + index * 10).contains(&x) && x % 10 < 3;
                            if black { [0; 4] } else { text(x, y) }
                        };
                        // The loop's end takes the letters away.
                        let start = [300, 500, 90, 18];
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

/// Runs frames and prints what one costs; `frame` answers bytes and packets.
pub(crate) fn report(scene: Scene, threads: usize, kind: &str, mut frame: impl FnMut(u32) -> (u64, u32)) {
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
        "{:<9} {threads:>7} {kind:>7} {:>9.1} {:>9.1} {:>9} {:>8.1}",
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
