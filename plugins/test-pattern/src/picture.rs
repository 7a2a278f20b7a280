//! What the test picture looks like, as a function of the frame's number.

use selkies_plugin_sdk::abi::Rect;

/// Edge of the moving block and of a counter bit, in pixels.
pub const BLOCK: u32 = 32;
/// Bits of the counter, least significant left.
const COUNTER_BITS: u32 = 16;
/// 75 % bars after SMPTE EG 1: white, yellow, cyan, green, magenta, red, blue; B, G, R, unused.
const BARS: [[u8; 4]; 7] = [
    [191, 191, 191, 255],
    [0, 191, 191, 255],
    [191, 191, 0, 255],
    [0, 191, 0, 255],
    [191, 0, 191, 255],
    [0, 0, 191, 255],
    [191, 0, 0, 255],
];
const BLACK: [u8; 4] = [0, 0, 0, 255];
const WHITE: [u8; 4] = [255, 255, 255, 255];

/// The picture for a size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
}

impl Picture {
    /// A picture of this size, each edge at least 1.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { width: width.max(1), height: height.max(1) }
    }

    /// The colour (B, G, R, unused) of a pixel in frame `number`.
    #[must_use]
    pub fn pixel(&self, number: u64, x: u32, y: u32) -> [u8; 4] {
        if inside(self.block(number), x, y) {
            return WHITE;
        }
        if y < BLOCK && x < BLOCK * COUNTER_BITS {
            let bit = (number >> (x / BLOCK)) & 1;
            return if bit == 1 { WHITE } else { BLACK };
        }
        BARS[(u64::from(x) * BARS.len() as u64 / u64::from(self.width)) as usize]
    }

    /// Where the moving block is in frame `number`.
    #[must_use]
    pub fn block(&self, number: u64) -> Rect {
        let edge = BLOCK.min(self.width).min(self.height);
        let place = |step: u64, room: u32| -> u32 {
            let (at, room) = ((number * step) % (2 * u64::from(room)).max(1), u64::from(room));
            (if at > room { 2 * room - at } else { at }) as u32
        };
        Rect { x: place(7, self.width - edge), y: place(3, self.height - edge), width: edge, height: edge }
    }

    /// The counter's area.
    #[must_use]
    pub fn counter(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.width.min(BLOCK * COUNTER_BITS), height: self.height.min(BLOCK) }
    }

    /// What differs between two frames.
    #[must_use]
    pub fn damage(&self, before: u64, now: u64) -> Vec<Rect> {
        if before == now { Vec::new() } else { vec![self.counter(), self.block(before), self.block(now)] }
    }

    /// Draws one rectangle of frame `number` into BGRx memory.
    pub fn draw(&self, number: u64, rect: Rect, memory: &mut [u8], stride: usize) {
        let right = rect.x.saturating_add(rect.width).min(self.width);
        let bottom = rect.y.saturating_add(rect.height).min(self.height);
        for y in rect.y..bottom {
            let row = y as usize * stride;
            for x in rect.x..right {
                let at = row + x as usize * 4;
                if let Some(pixel) = memory.get_mut(at..at + 4) {
                    pixel.copy_from_slice(&self.pixel(number, x, y));
                }
            }
        }
    }
}

fn inside(rect: Rect, x: u32, y: u32) -> bool {
    x >= rect.x && y >= rect.y && x - rect.x < rect.width && y - rect.y < rect.height
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_only_the_damage_gives_the_next_frame() {
        let picture = Picture::new(640, 80);
        let stride = 640 * 4;
        let whole = Rect { x: 0, y: 0, width: 640, height: 80 };
        let mut kept = vec![0; stride * 80];
        picture.draw(1, whole, &mut kept, stride);
        for number in 2..200 {
            for rect in picture.damage(number - 1, number) {
                picture.draw(number, rect, &mut kept, stride);
            }
            let mut fresh = vec![0; stride * 80];
            picture.draw(number, whole, &mut fresh, stride);
            assert!(kept == fresh, "frame {number}");
        }
    }

    #[test]
    fn tiny_pictures_work() {
        for (width, height) in [(1, 1), (31, 5), (7, 33)] {
            let picture = Picture::new(width, height);
            let mut memory = vec![0; (width * height * 4) as usize];
            for number in 0..50 {
                picture.draw(number, Rect { x: 0, y: 0, width, height }, &mut memory, width as usize * 4);
                assert!(picture.block(number).x < width && picture.block(number).y < height);
            }
        }
    }
}
