//! Pictures to encode, and how alike a decoded one is.

use selkies_plugin_sdk::test_host::TestPicture;

use super::Decoded;

/// Soft colours with lines of text-like detail, and a red square that moves.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Where the square is.
    pub at: (u32, u32),
    /// Strength of noise, which is another one wherever the square is; 0 for none.
    pub noise: u32,
}

impl Scene {
    /// B, G, R, unused.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 4] {
        let inside = (self.at.0..self.at.0 + 48).contains(&x) && (self.at.1..self.at.1 + 32).contains(&y);
        let line = y % 16 == 3 && !(x / 5).is_multiple_of(3);
        let ramp = |value: u32, side: u32| u8::try_from(value * 170 / side.max(1) + 40).unwrap_or(210);
        let seed = x ^ (y << 12) ^ (self.at.0 << 7) ^ (self.at.1 << 19);
        let noise = seed.wrapping_mul(0x9e37_79b1).rotate_left(11).wrapping_mul(0x85eb_ca6b) >> 24;
        let noise = u8::try_from(noise * self.noise / 256).unwrap_or(0);
        match (inside, line) {
            (false, false) if noise > 0 => [noise, noise.wrapping_add(40), noise, 0],
            (true, _) => [40, 60, 220, 0],
            (_, true) => [30, 30, 30, 0],
            _ => [ramp(x, self.width), ramp(y, self.height), 150, 0],
        }
    }

    /// As a frame that changed all over.
    #[must_use]
    pub fn picture(&self) -> TestPicture {
        let rows = (0..self.height).flat_map(|y| (0..self.width).flat_map(move |x| self.pixel(x, y)));
        TestPicture { pixels: rows.collect::<Vec<u8>>().into(), ..TestPicture::bgrx(self.width, self.height) }
    }

    /// PSNR of a decoded picture against this one in dB, of luma and of the worse chroma plane; `bt601` says by which
    /// matrix (limited range) it was coded.
    #[must_use]
    pub fn likeness(&self, decoded: &Decoded, bt601: bool) -> (f64, f64) {
        // Weights of red and blue: BT.601-7, 2.5.1 and BT.709-6, 3.2.
        let (red, blue) = if bt601 { (0.299, 0.114) } else { (0.2126, 0.0722) };
        let yuv = |x: u32, y: u32| {
            let [b, g, r, _] = self.pixel(x, y).map(|value| f64::from(value) / 255.0);
            let luma = red * r + (1.0 - red - blue) * g + blue * b;
            [
                16.0 + 219.0 * luma,
                128.0 + 112.0 * (b - luma) / (1.0 - blue),
                128.0 + 112.0 * (r - luma) / (1.0 - red),
            ]
        };
        let mut luma = 0.0;
        let mut chroma = [0.0; 2];
        for y in 0..self.height {
            for x in 0..self.width {
                luma += (yuv(x, y)[0] - f64::from(decoded.luma(x, y))).powi(2);
            }
        }
        let (columns, rows) = (self.width / 2, self.height / 2);
        for y in 0..rows {
            for x in 0..columns {
                // Four pixels share a sample.
                let corners = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| yuv(2 * x + dx, 2 * y + dy));
                for (plane, sum) in chroma.iter_mut().enumerate() {
                    let mean = corners.iter().map(|corner| corner[plane + 1]).sum::<f64>() / 4.0;
                    *sum += (mean - f64::from(decoded.chroma(plane, x, y))).powi(2);
                }
            }
        }
        let decibels = |sum: f64, width: u32, height: u32| {
            10.0 * (255.0_f64.powi(2) / (sum / f64::from(width * height)).max(1e-6)).log10()
        };
        (
            decibels(luma, self.width, self.height),
            chroma.map(|sum| decibels(sum, columns, rows)).into_iter().fold(f64::INFINITY, f64::min),
        )
    }
}
