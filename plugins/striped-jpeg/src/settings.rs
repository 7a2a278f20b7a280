//! What an encoder is made with.

use thiserror::Error;

/// Largest width and height of a frame in pixels.
pub const MAX_SIDE: u32 = 16384;

/// Most threads of one encoder.
pub const MAX_THREADS: usize = 64;

/// Rows of a band, the unit in which changes are tracked: one row of 4:2:0 blocks, so that a picture cut there shows
/// no seam.
pub const BAND_ROWS: u32 = 16;

/// Colour resolution of the JPEG files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chroma {
    /// 4:2:0, colour at half resolution both ways.
    Half,
    /// 4:4:4, colour at full resolution ("fullcolor").
    Full,
}

/// What an encoder is made with. Defaults of quality and delay are those of Selkies 2.1.0 (`jpeg_quality` 40,
/// `paint_over_jpeg_quality` 90, 15 frames at 60 a second).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Frame width in pixels, 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Frame height in pixels, 1 to [`MAX_SIDE`].
    pub height: u32,
    /// Colour resolution of changed content.
    pub chroma: Chroma,
    /// Colour resolution of repetitions.
    pub refine_chroma: Chroma,
    /// JPEG quality of changed content, 1 to 100.
    pub quality: u8,
    /// JPEG quality of the one repetition of content that came to rest, 1 to 100; 0 for none. It also does not happen
    /// where it is no better than `quality`.
    pub refine_quality: u8,
    /// How long content must be at rest before it is repeated, nanoseconds.
    pub refine_delay_ns: u64,
    /// Most stripes repeated by one submit, 1 or more. It bounds how long a repetition can delay a real change.
    pub refine_stripes: u32,
    /// Threads that encode, the caller's included, 1 to [`MAX_THREADS`].
    pub threads: usize,
    /// Rows of a stripe: the most one packet covers. A multiple of [`BAND_ROWS`] up to [`MAX_SIDE`].
    pub stripe_height: u32,
    /// Sends a stripe whole even where only some of its bands changed, for viewers that know only fixed stripes.
    pub whole_stripes: bool,
    /// Encodes every frame whole, whatever the damage says.
    pub ignore_damage: bool,
}

impl Settings {
    /// Rows of a stripe unless set. Measured at 1080p (`examples/encode_cost.rs`): CPU per frame is within 5 % from 16
    /// to 256 rows, because the tables of each JPEG file are cheap to write; their bytes are not (motion: 117 KB in
    /// stripes of 16 rows, 85 KB of 64, 78 KB of 256). 64 rows leave 17 pieces to spread over threads, here and in
    /// the browser.
    pub const DEFAULT_STRIPE_HEIGHT: u32 = 64;
    /// Most threads unless set.
    pub const DEFAULT_MAX_THREADS: usize = 4;
    /// Quality of changed content unless set.
    pub const DEFAULT_QUALITY: u8 = 40;
    /// Quality of repetitions unless set.
    pub const DEFAULT_REFINE_QUALITY: u8 = 90;
    /// Rest before a repetition unless set, milliseconds.
    pub const DEFAULT_REFINE_DELAY_MS: u32 = 250;
    /// Stripes repeated by one submit unless set.
    pub const DEFAULT_REFINE_STRIPES: u32 = 4;

    /// Defaults for frames of this size.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            chroma: Chroma::Half,
            refine_chroma: Chroma::Full,
            quality: Self::DEFAULT_QUALITY,
            refine_quality: Self::DEFAULT_REFINE_QUALITY,
            refine_delay_ns: u64::from(Self::DEFAULT_REFINE_DELAY_MS) * 1_000_000,
            refine_stripes: Self::DEFAULT_REFINE_STRIPES,
            threads: Self::default_threads(),
            stripe_height: Self::DEFAULT_STRIPE_HEIGHT,
            whole_stripes: false,
            ignore_damage: false,
        }
    }

    /// The cores this process may use, at most [`Self::DEFAULT_MAX_THREADS`].
    #[must_use]
    pub fn default_threads() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from).min(Self::DEFAULT_MAX_THREADS)
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let bad = |name, found: u64, allowed| Err(SettingsError { name, found, allowed });
        if !(1..=MAX_SIDE).contains(&self.width) {
            return bad("width", self.width.into(), "1 to 16384");
        }
        if !(1..=MAX_SIDE).contains(&self.height) {
            return bad("height", self.height.into(), "1 to 16384");
        }
        if !(1..=100).contains(&self.quality) {
            return bad("quality", self.quality.into(), "1 to 100");
        }
        if self.refine_quality > 100 {
            return bad("refine quality", self.refine_quality.into(), "0 (off) to 100");
        }
        if self.refine_stripes == 0 {
            return bad("refine stripes", 0, "1 or more");
        }
        if !(1..=MAX_THREADS).contains(&self.threads) {
            return bad("threads", self.threads as u64, "1 to 64");
        }
        let height = self.stripe_height;
        if height == 0 || height > MAX_SIDE || !height.is_multiple_of(BAND_ROWS) {
            return bad("stripe height", height.into(), "a multiple of 16 from 16 to 16384");
        }
        Ok(())
    }
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("striped-jpeg-setting: {name} is {found}; set it to {allowed}")]
pub struct SettingsError {
    /// Which one.
    pub name: &'static str,
    /// Its value.
    pub found: u64,
    /// What is allowed.
    pub allowed: &'static str,
}
