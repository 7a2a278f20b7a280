//! What a client sees, and what it should see.

use super::Delivery;

const BLOCK: u32 = 32;
const BARS: [[u8; 3]; 7] =
    [[191, 191, 191], [0, 191, 191], [191, 191, 0], [0, 191, 0], [191, 0, 191], [0, 0, 191], [191, 0, 0]];

/// A picture of blue, green and red.
pub(crate) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<Option<[u8; 3]>>,
}

impl Canvas {
    /// Nothing drawn yet.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height, pixels: vec![None; width as usize * height as usize] }
    }

    /// Draws the stripes of a delivery.
    pub(crate) fn draw(&mut self, delivery: &Delivery) {
        for sent in &delivery.packets {
            let area = sent.info.area;
            let image = turbojpeg::decompress(&sent.payload, turbojpeg::PixelFormat::BGR).expect("a JPEG");
            assert_eq!((image.width, image.height), (area.width as usize, area.height as usize));
            assert_eq!((area.x, area.width), (0, self.width));
            let first = area.y as usize * self.width as usize;
            for (row, line) in image.pixels.chunks(image.pitch).enumerate() {
                for (x, pixel) in line.as_chunks::<3>().0.iter().take(image.width).enumerate() {
                    self.pixels[first + row * self.width as usize + x] = Some(*pixel);
                }
            }
        }
    }

    /// True when something was drawn everywhere.
    pub(crate) fn is_whole(&self) -> bool {
        self.pixels.iter().all(Option::is_some)
    }

    /// The mean difference to a picture of blue, green, red and a byte without meaning.
    pub(crate) fn difference(&self, other: &[u8]) -> f64 {
        assert_eq!(other.len(), self.pixels.len() * 4);
        let pairs = self.pixels.iter().zip(other.as_chunks::<4>().0);
        let differences = pairs.map(|(seen, other)| {
            let seen = seen.expect("it is whole");
            seen.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        });
        differences.sum::<u64>() as f64 / (self.pixels.len() * 3) as f64
    }

    /// The colour at a place.
    pub(crate) fn at(&self, x: u32, y: u32) -> [u8; 3] {
        self.pixels[(y * self.width + x) as usize].unwrap_or_else(|| panic!("nothing at {x},{y}"))
    }

    /// The number that the pattern's counter shows; read at the top, where the block comes again with number 112 only.
    pub(crate) fn number(&self) -> u64 {
        (0..16).filter(|bit| self.at(bit * BLOCK + 16, 1)[1] > 127).map(|bit| 1 << bit).sum()
    }

    /// Checks every pixel that is not next to an edge, where JPEG blurs, against frame `number` of the pattern.
    pub(crate) fn assert_shows(&self, number: u64, tolerance: u8) {
        self.assert_shows_under(number, tolerance, |_, _, colour| colour);
    }

    /// The same for a pattern over which something lies: `over` says what becomes of each colour.
    pub(crate) fn assert_shows_under(
        &self,
        number: u64,
        tolerance: u8,
        over: impl Fn(u32, u32, [u8; 3]) -> [u8; 3],
    ) {
        let wanted = |x, y| over(x, y, pattern(self.width, self.height, number, x, y));
        let mut checked = 0;
        for y in 0..self.height {
            for x in 0..self.width {
                let (left, right) = (x.saturating_sub(16), (x + 16).min(self.width - 1));
                let (top, bottom) = (y.saturating_sub(16), (y + 16).min(self.height - 1));
                let around = [(left, y), (right, y), (x, top), (x, bottom), (left, top), (right, top)];
                let corners = [(left, bottom), (right, bottom)];
                let colour = wanted(x, y);
                if around.iter().chain(&corners).any(|&(x, y)| wanted(x, y) != colour) {
                    continue;
                }
                checked += 1;
                let seen = self.at(x, y);
                let differs = seen.iter().zip(colour).any(|(a, b)| a.abs_diff(b) > tolerance);
                assert!(!differs, "frame {number}, {x},{y}: {seen:?} instead of {colour:?}");
            }
        }
        assert!(checked * 4 > self.width * self.height, "only {checked} pixels could be checked");
    }
}

/// The test pattern as its plugin describes it: bars, a counter of 16 bits at the top, a block that moves.
fn pattern(width: u32, height: u32, number: u64, x: u32, y: u32) -> [u8; 3] {
    let bounce = |step: u64, room: u32| {
        let (at, room) = (number * step % (2 * u64::from(room)), u64::from(room));
        u32::try_from(if at > room { 2 * room - at } else { at }).expect("small")
    };
    let (left, top) = (bounce(7, width - BLOCK), bounce(3, height - BLOCK));
    if (left..left + BLOCK).contains(&x) && (top..top + BLOCK).contains(&y) {
        return [255; 3];
    }
    if y < BLOCK && x < 16 * BLOCK {
        return if number >> (x / BLOCK) & 1 == 1 { [255; 3] } else { [0; 3] };
    }
    BARS[(x * 7 / width) as usize]
}
