//! The threads that move pictures, cursors and input between plugins and the clients' fan-out.
//!
//! [`Studio::start`] makes the instances and their threads; [`Stream`] is where the video thread and the sockets meet.
//! What the threads have to say goes to an [`Observer`].
#![forbid(unsafe_code)]

mod backend;
mod buffers;
mod cursor;
mod display;
mod encoding;
mod faults;
mod figures;
mod input;
mod orders;
mod shot;
mod stream;
mod studio;
mod video;

pub use backend::{Backend, Backends, EncoderBackend};
pub use figures::{Figures, Snapshot};
pub use stream::{Outlet, Stream};
pub use studio::{Studio, StudioError, StudioParts};

use selkies_session::CursorShape;

/// Who hears what the media threads have to say. Called on those threads; must not block.
pub trait Observer: Send + Sync {
    /// The pointer has a new shape.
    fn cursor(&self, shape: CursorShape);
    /// The picture has this size from now on, in pixels.
    fn display(&self, width: u32, height: u32);
    /// There is no picture, for this reason; the threads keep trying.
    fn video_failed(&self, reason: &str);
    /// There is a picture again.
    fn video_recovered(&self);
}
