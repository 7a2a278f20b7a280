//! An encoder that makes H.264 with libx264.
//!
//! Two kinds: whole frames (`x264enc`), and stripes that are streams of their own (`x264enc-striped`), of which only those
//! with damage are touched. [`Encoder`] holds no clock, no socket and no host. Where the CPU time goes, and where it is
//! saved:
//!
//! - **Only damaged macroblocks are converted** from BGRX; the rest of the planes stays from the frame before.
//! - **Macroblocks that are as they were are told to libx264** (`X264_MBINFO_CONSTANT`), which skips them without a search:
//!   those without damage, and those that were painted again as they had been.
//! - **The quantiser of a constant quality is ours** (`quantiser.rs`): libx264's would measure each picture first.
//! - **Scrolled content is found** (`scroll.rs`), and libx264's search made as wide as that needs, for that picture.
//! - **Stripes become one piece** while everything moves (`layout.rs`).
//! - **No lookahead, no reordering**: each frame leaves before the next one comes.
//! - **Pictures are remembered** (`memory.rs`), so that a client that missed some can go on with one that is predicted from
//!   what it has, and numbered so that its decoder can tell (`numbers.rs`).
//! - **Content at rest** is repeated in a better quality, and costs nothing afterwards; where a bit rate is named, in a few
//!   pictures (`polish.rs`).
//! - **A bit rate is one of time** and not of frames (`tempo.rs`), however often content changes.

mod blocks;
mod coder;
mod encoder;
mod ffi;
mod lane;
mod layout;
mod memory;
mod numbers;
mod picture;
mod planes;
mod plugin;
mod polish;
mod quantiser;
mod scroll;
mod settings;
mod tempo;

pub use blocks::Area;
pub use coder::CoderError;
pub use encoder::{CreateError, EncodeError, Encoder, Order, Unit};
pub use lane::LaneError;
pub use picture::{Picture, PictureError};
pub use planes::ConvertError;
pub use plugin::{Config, FULL_NAME, STRIPED_NAME, X264};
pub use settings::{MAX_CRF, MAX_SIDE, MAX_THREADS, MIN_CRF, Preset, Rate, Settings};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: X264,
    encoder_rate: X264,
}
