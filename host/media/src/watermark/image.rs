//! The watermark's picture, from a PNG file.

use std::{
    fs::File,
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use super::WatermarkPlace;

/// Largest file, bytes.
const MAX_FILE: u64 = 16 << 20;
/// Longest edge, pixels.
const MAX_EDGE: u32 = 4096;

/// Why there is no watermark.
#[derive(Debug, thiserror::Error)]
pub enum WatermarkError {
    /// The file cannot be read.
    #[error("MD040 watermark {path}: {source}. Name a PNG file that the host may read")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds no picture.
    #[error("MD041 watermark {path} is no PNG file: {reason}. Save it as PNG")]
    Png {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It is too large.
    #[error("MD042 watermark {path} is too large; allowed are {MAX_EDGE} pixels a side and 16 MiB")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// A picture and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    pub(super) place: WatermarkPlace,
    pub(super) size: (u32, u32),
    /// Red, green and blue, multiplied by the fourth, which is opacity.
    pixels: Vec<[u8; 4]>,
}

impl Watermark {
    /// Reads a PNG file of any colour type.
    ///
    /// # Errors
    /// [`WatermarkError`].
    pub fn open(path: &Path, place: WatermarkPlace) -> Result<Self, WatermarkError> {
        let failed = |source| WatermarkError::File { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).map_err(failed)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(WatermarkError::TooLarge { path: path.to_owned() });
        }
        let wrong = |reason: String| WatermarkError::Png { path: path.to_owned(), reason };
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder
            .set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
        let mut reader = decoder.read_info().map_err(|error| wrong(error.to_string()))?;
        let size = (reader.info().width, reader.info().height);
        if size.0.max(size.1) > MAX_EDGE {
            return Err(WatermarkError::TooLarge { path: path.to_owned() });
        }
        let room = reader.output_buffer_size().ok_or_else(|| wrong("its size is not possible".into()))?;
        let mut raw = vec![0; room];
        let info = reader.next_frame(&mut raw).map_err(|error| wrong(error.to_string()))?;
        raw.truncate(info.buffer_size());
        let straight: Vec<[u8; 4]> = match info.color_type {
            png::ColorType::Rgba => raw.as_chunks::<4>().0.to_vec(),
            png::ColorType::GrayscaleAlpha => {
                raw.as_chunks::<2>().0.iter().map(|&[grey, opacity]| [grey, grey, grey, opacity]).collect()
            }
            other => return Err(wrong(format!("its colours are {other:?}"))),
        };
        let pixels = straight.into_iter().map(|[red, green, blue, opacity]| {
            [share(red, opacity), share(green, opacity), share(blue, opacity), opacity]
        });
        Ok(Self { place, size, pixels: pixels.collect() })
    }

    /// Draws the beginning of its row `y` over a row of pixels, each blue, green, red and a byte without meaning.
    pub(super) fn draw(&self, y: u32, row: &mut [u8]) {
        let width = self.size.0 as usize;
        let own = self.pixels.chunks(width).nth(y as usize).unwrap_or_default();
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
    use std::fs;

    use super::*;

    fn png(color: png::ColorType, width: u32, height: u32, bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut encoder = png::Encoder::new(file.as_file(), width, height);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().expect("a header").write_image_data(bytes).expect("pixels");
        file
    }

    #[test]
    fn colours_are_mixed_by_opacity() {
        let pixels = [255, 0, 0, 255, 0, 255, 0, 0, 0, 0, 255, 128];
        let file = png(png::ColorType::Rgba, 3, 1, &pixels);
        let mark = Watermark::open(file.path(), WatermarkPlace::Middle).expect("a watermark");
        assert_eq!(mark.size, (3, 1));
        let mut row = [100; 16];
        mark.draw(0, &mut row);
        // Blue, green, red: opaque red, nothing, half of blue; the fourth pixel is beyond the mark.
        assert_eq!(row, [0, 0, 255, 100, 100, 100, 100, 100, 178, 50, 50, 100, 100, 100, 100, 100]);
        mark.draw(1, &mut row);
        assert_eq!(row[..4], [0, 0, 255, 100], "there is no second row");
        let grey = png(png::ColorType::Grayscale, 1, 1, &[77]);
        let mark = Watermark::open(grey.path(), WatermarkPlace::Middle).expect("a watermark");
        let mut row = [1; 4];
        mark.draw(0, &mut row);
        assert_eq!(row, [77, 77, 77, 1]);
    }

    #[test]
    fn what_is_no_picture_is_refused_with_a_remedy() {
        let code = |path: &Path| {
            let error = Watermark::open(path, WatermarkPlace::Middle).expect_err("refused").to_string();
            error.split(' ').next().unwrap_or_default().to_owned()
        };
        assert_eq!(code(Path::new("/no/such/file.png")), "MD040");
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), "no picture").expect("written");
        assert_eq!(code(file.path()), "MD041");
        let wide = png(png::ColorType::Grayscale, MAX_EDGE + 1, 1, &vec![0; MAX_EDGE as usize + 1]);
        assert_eq!(code(wide.path()), "MD042");
        file.as_file().set_len(MAX_FILE + 1).expect("longer");
        assert_eq!(code(file.path()), "MD042");
    }
}
