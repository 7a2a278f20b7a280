//! A picture that lies over the stream, from a PNG file.
//!
//! It is drawn into the captured picture before that is encoded (`overlay.rs`), so that every encoder and transport has it.

use std::{
    fs::File,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::sprite::Sprite;

/// Largest file, bytes.
const MAX_FILE: u64 = 16 << 20;
/// Longest edge, pixels.
const MAX_EDGE: u32 = 4096;
/// How often one that moves takes a step.
const STEP_TIME: Duration = Duration::from_millis(50);
/// How far, in pixels.
const STEP: u64 = 3;

/// Where it lies (Selkies' `watermark_location`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatermarkPlace {
    /// 1.
    TopLeft,
    /// 2.
    TopRight,
    /// 3.
    BottomLeft,
    /// 4.
    BottomRight,
    /// 5.
    Middle,
    /// 6: it moves about, and the picture changes with it.
    Moving,
}

impl WatermarkPlace {
    /// The place with this number; `None` for nowhere.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::TopLeft,
            2 => Self::TopRight,
            3 => Self::BottomLeft,
            4 => Self::BottomRight,
            5 => Self::Middle,
            6 => Self::Moving,
            _ => return None,
        })
    }

    /// Where its first pixel is in a picture after so much time; outside of it for what is larger than the picture.
    fn origin(self, picture: (u32, u32), mark: (u32, u32), time: Duration) -> (i32, i32) {
        let room = |picture: u32, mark: u32| picture.cast_signed() - mark.cast_signed();
        let (right, bottom) = (room(picture.0, mark.0), room(picture.1, mark.1));
        match self {
            Self::TopLeft => (0, 0),
            Self::TopRight => (right, 0),
            Self::BottomLeft => (0, bottom),
            Self::BottomRight => (right, bottom),
            Self::Middle => (right / 2, bottom / 2),
            Self::Moving => {
                let way = steps(time).saturating_mul(STEP);
                (bounce(way, right), bounce(way, bottom))
            }
        }
    }
}

fn steps(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / STEP_TIME.as_millis()).unwrap_or(u64::MAX)
}

/// The place after so long a way to and fro between 0 and `room`.
fn bounce(way: u64, room: i32) -> i32 {
    let Some(room) = u64::try_from(room).ok().filter(|room| *room > 0) else { return 0 };
    let at = way % (2 * room);
    i32::try_from(if at > room { 2 * room - at } else { at }).unwrap_or_default()
}

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
    place: WatermarkPlace,
    sprite: Arc<Sprite>,
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
        let (width, height) = (reader.info().width, reader.info().height);
        if width.max(height) > MAX_EDGE {
            return Err(WatermarkError::TooLarge { path: path.to_owned() });
        }
        let room = reader.output_buffer_size().ok_or_else(|| wrong("its size is not possible".into()))?;
        let mut raw = vec![0; room];
        let info = reader.next_frame(&mut raw).map_err(|error| wrong(error.to_string()))?;
        raw.truncate(info.buffer_size());
        let sprite = match info.color_type {
            png::ColorType::Rgba => Sprite::new(width, height, raw.as_chunks::<4>().0.iter().copied()),
            png::ColorType::GrayscaleAlpha => {
                let pixels = raw.as_chunks::<2>().0.iter();
                Sprite::new(width, height, pixels.map(|&[grey, opacity]| [grey, grey, grey, opacity]))
            }
            other => return Err(wrong(format!("its colours are {other:?}"))),
        };
        Ok(Self { place, sprite: Arc::new(sprite) })
    }

    /// It, and where its first pixel is in a picture after so much time.
    pub(crate) fn sprite_at(&self, picture: (u32, u32), time: Duration) -> (Arc<Sprite>, (i32, i32)) {
        (self.sprite.clone(), self.place.origin(picture, self.sprite.size(), time))
    }

    /// When it lies somewhere else than at `time` after `since`, if ever.
    pub(crate) fn next_step(&self, since: Instant, time: Duration) -> Option<Instant> {
        let steps = u32::try_from(steps(time) + 1).unwrap_or(u32::MAX);
        let moves = self.place == WatermarkPlace::Moving;
        moves.then(|| since.checked_add(STEP_TIME.saturating_mul(steps))).flatten()
    }
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
    fn every_place_has_its_origin() {
        let at = |number| {
            let place = WatermarkPlace::from_number(number).expect("a place");
            place.origin((640, 480), (100, 50), Duration::from_secs(3))
        };
        assert_eq!([1, 2, 3].map(at), [(0, 0), (540, 0), (0, 430)]);
        assert_eq!([4, 5, 6].map(at), [(540, 430), (270, 215), (180, 180)]);
        assert_eq!([-1, 0, 7].map(WatermarkPlace::from_number), [None; 3]);
        assert_eq!(WatermarkPlace::Middle.origin((64, 48), (100, 20), Duration::ZERO), (-18, 14));
    }

    #[test]
    fn a_moving_one_turns_at_the_edges_and_knows_its_next_step() {
        assert_eq!([0, 9, 10, 11, 20, 21].map(|way| bounce(way, 10)), [0, 9, 10, 9, 0, 1]);
        assert_eq!([bounce(u64::MAX, 0), bounce(7, -5)], [0, 0]);
        let (since, file) = (Instant::now(), png(png::ColorType::Grayscale, 1, 1, &[7]));
        let next = |place, ms| {
            let mark = Watermark::open(file.path(), place).expect("a watermark");
            mark.next_step(since, Duration::from_millis(ms))
        };
        assert_eq!(next(WatermarkPlace::Moving, 120), Some(since + Duration::from_millis(150)));
        assert_eq!(next(WatermarkPlace::Middle, 120), None);
    }

    #[test]
    fn every_colour_type_is_read() {
        let shown = |color, bytes: &[u8]| {
            let file = png(color, 1, 1, bytes);
            let mark = Watermark::open(file.path(), WatermarkPlace::Middle).expect("a watermark");
            let mut row = [100; 4];
            mark.sprite.draw(0, 0, &mut row);
            row
        };
        assert_eq!(shown(png::ColorType::Grayscale, &[77]), [77, 77, 77, 100]);
        assert_eq!(shown(png::ColorType::Rgb, &[1, 2, 3]), [3, 2, 1, 100]);
        assert_eq!(shown(png::ColorType::Rgba, &[0, 0, 255, 128]), [178, 50, 50, 100]);
        assert_eq!(shown(png::ColorType::GrayscaleAlpha, &[255, 0]), [100; 4]);
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
