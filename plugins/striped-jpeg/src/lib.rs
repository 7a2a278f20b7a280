//! An encoder that sends the changed horizontal stripes of the picture as JPEG.
//!
//! [`StripedEncoder`] holds no clock, no socket and no host: frames, damage and the time go in, packets come out
//! through an [`Output`]. Where the CPU time goes, and where it is saved:
//!
//! - **Rows that nothing touched are never read.** Damage names the rows; of those, one row that differs proves the
//!   change, so a moving picture costs one row's hash per 16 rows (`rows.rs`).
//! - **No pass of its own over the pixels.** libjpeg-turbo reads the BGRX of the frame and writes into the output's
//!   memory; colour conversion, subsampling and DCT happen in its SIMD code while a row group is in the cache.
//! - **Only what changed.** Within a stripe the encoded part is trimmed to the touched bands of 16 rows: a blinking
//!   cursor costs 16 or 32 rows, not 64.
//! - **No thread hop for little work.** The caller encodes too; others are woken only when there are several stripes.

mod coder;
mod damage;
mod encoder;
mod output;
mod picture;
mod plugin;
mod pool;
mod rows;
mod settings;
mod stripe;

pub use damage::{Area, Damage};
pub use encoder::{Order, StripedEncoder, Submitted};
pub use output::{Output, StripePacket, SubmitError};
pub use picture::{Picture, PictureError};
pub use plugin::{Config, ENCODER_NAME, StripedJpeg};
pub use settings::{BAND_ROWS, Chroma, MAX_SIDE, MAX_THREADS, Settings, SettingsError};

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    encoder: StripedJpeg,
    encoder_rate: StripedJpeg,
}
