//! Sizes that an operator asks for, who is told what became of them.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use selkies_session::SIZE_LIMITS;

/// Longer than any display takes for a new mode.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a size: what the display has now, in pixels.
pub(crate) type Resized = Result<(u32, u32), ResizeError>;

/// Why the display does not have the size that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResizeError {
    /// No display should have it.
    #[error("MD030 {width}x{height} is no size for a display; allowed are {SIZE_LIMITS}")]
    Limits {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// Nothing can change it.
    #[error("MD031 this host cannot resize its display; name a plugin that can under display in the file")]
    Fixed,
    /// The plugin refuses; its own words.
    #[error("{0}")]
    Refused(String),
    /// There was no answer.
    #[error("MD032 the display did not change within 10 s; look into the host's log for the reason")]
    Unanswered,
}

/// A size that was asked for.
#[derive(Debug)]
pub struct Resizing(Receiver<Resized>);

impl Resizing {
    pub(crate) fn begin() -> (Sender<Resized>, Self) {
        let (tell, told) = bounded(1);
        (tell, Self(told))
    }

    /// Waits until the display has it; answers the size that it has then. Blocks for 10 s at most.
    ///
    /// # Errors
    /// [`ResizeError`].
    pub fn wait(self) -> Result<(u32, u32), ResizeError> {
        self.0.recv_timeout(PATIENCE).unwrap_or(Err(ResizeError::Unanswered))
    }
}
