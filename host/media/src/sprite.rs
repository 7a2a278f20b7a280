//! A picture with opacity that is drawn over others.

/// Such a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sprite {
    width: u32,
    height: u32,
    /// Red, green and blue, multiplied by the fourth, which is opacity.
    pixels: Vec<[u8; 4]>,
}

impl Sprite {
    /// Of rows of pixels whose colours are not multiplied by their opacity; at least one pixel.
    pub(crate) fn new(width: u32, height: u32, straight: impl Iterator<Item = [u8; 4]>) -> Self {
        let pixels = straight.map(|[red, green, blue, opacity]| {
            [share(red, opacity), share(green, opacity), share(blue, opacity), opacity]
        });
        Self { width, height, pixels: pixels.collect() }
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Draws its row `y`, from the column `x` on, over a row of pixels, each blue, green, red and a byte without meaning.
    pub(crate) fn draw(&self, x: u32, y: u32, row: &mut [u8]) {
        let own = self.pixels.chunks(self.width as usize).nth(y as usize).unwrap_or_default();
        let own = own.get(x as usize..).unwrap_or_default();
        for (pixel, &[red, green, blue, opacity]) in row.as_chunks_mut::<4>().0.iter_mut().zip(own) {
            for (below, above) in pixel.iter_mut().zip([blue, green, red]) {
                *below = above.saturating_add(share(*below, 255 - opacity));
            }
        }
    }
}

/// That share, of 255, of a value.
fn share(value: u8, of: u8) -> u8 {
    ((u32::from(value) * u32::from(of) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_mixed_by_opacity() {
        let pixels = [[255, 0, 0, 255], [0, 255, 0, 0], [0, 0, 255, 128]];
        let sprite = Sprite::new(3, 1, pixels.into_iter());
        let mut row = [100; 16];
        sprite.draw(0, 0, &mut row);
        // Blue, green, red: opaque red, nothing, half of blue; the fourth pixel is beyond it.
        assert_eq!(row, [0, 0, 255, 100, 100, 100, 100, 100, 178, 50, 50, 100, 100, 100, 100, 100]);
        let mut cut = [100; 4];
        sprite.draw(2, 0, &mut cut);
        assert_eq!(cut, [178, 50, 50, 100], "what is left of it is cut off");
        sprite.draw(0, 1, &mut cut);
        sprite.draw(3, 0, &mut cut);
        assert_eq!(cut, [178, 50, 50, 100], "there is nothing more");
    }
}
