//! The display's size as its operator wants it.

use selkies_media::ResizeError;
use selkies_session::display_size;

use super::Hub;

impl Hub {
    /// Gives the display a size in pixels, whoever uses it; odd sides are rounded down. Answers the size that it has then.
    /// Pages that ask for another one later get it, unless the settings forbid that. Blocks until it is done, for 10 s at
    /// most.
    ///
    /// # Errors
    /// [`ResizeError`]; the display stays as it is.
    pub fn resize_display(&self, width: u32, height: u32) -> Result<(u32, u32), ResizeError> {
        let Some((width, height)) = display_size(width, height) else {
            return Err(ResizeError::Limits { width, height });
        };
        let mut asked = Err(ResizeError::Fixed);
        self.with_studio(|studio| asked = studio.resize_exactly(width, height));
        // Without the studio: input goes on meanwhile.
        asked?.wait()
    }
}
