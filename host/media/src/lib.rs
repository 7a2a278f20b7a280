//! The threads that move pictures, cursors, the clipboard and input between plugins and the clients' fan-out.
//!
//! [`Studio::start`] makes the instances and their threads; [`Stream`] is where the video thread and the sockets meet.
//! What the threads have to say goes to an [`Observer`].
#![forbid(unsafe_code)]

mod backend;
mod basket;
mod blame;
mod buffers;
mod clipboard;
mod cursor;
mod delivery;
mod display;
mod encoding;
mod farewell;
mod fault;
mod figures;
mod gamepad;
mod gate;
mod heeding;
mod input;
mod making;
mod microphone;
mod orders;
mod overlay;
mod pointer;
mod polish;
mod renewal;
mod resize;
mod rtc;
mod shot;
mod slot;
mod sound;
mod sprite;
mod stream;
mod studio;
mod succession;
mod trails;
mod turns;
mod video;
mod watermark;

pub use backend::{Backend, Backends, EncoderBackend};
pub use delivery::Outlet;
pub use fault::{FaultVerdict, PluginFault};
pub use figures::{Figures, Snapshot};
pub use microphone::{MICROPHONE_RATE, Microphone};
pub use renewal::{Newcomer, Renewal};
pub use resize::{ResizeError, Resizing};
pub use rtc::{RtcConfigs, RtcError, RtcOptions, RtcRefusal, RtcThreads, fetch_once};
pub use sound::{SOUND_RATE, Sound, SoundError, SoundPacket, SoundParts, SoundSink, SoundState, SoundStream};
pub use stream::Stream;
pub use studio::{Studio, StudioError, StudioParts};
pub use watermark::{Watermark, WatermarkError, WatermarkPlace};

use selkies_session::{ClipboardContent, Codec, Codecs, CursorShape};

/// Who hears what the media threads have to say. Called on those threads; must not block.
pub trait Observer: Send + Sync {
    /// The pointer has a new shape.
    fn cursor(&self, shape: CursorShape);
    /// The desktop's clipboard has another content than the one told last or offered last; `None` for none, or one that is
    /// not known yet.
    fn clipboard(&self, content: Option<ClipboardContent>);
    /// The picture has this size from now on, in pixels.
    fn display(&self, width: u32, height: u32);
    /// There is no picture, for this reason; the threads keep trying.
    fn video_failed(&self, reason: &str);
    /// There is a picture again.
    fn video_recovered(&self);
    /// A plugin failed; something else goes on, or it is started again. Answers whether it may be.
    fn plugin_fault(&self, fault: &PluginFault) -> FaultVerdict;
    /// This encoder is in use from now on, or still after [`Studio::choose_among`]; `codec` is `None` for what pages are
    /// not asked about. It was chosen for a page that decodes `among`, what [`Studio::choose_among`] said last by then.
    /// Its frames come whole, or `striped`.
    fn encoder_used(&self, encoder: &str, codec: Option<Codec>, striped: bool, among: Option<Codecs>);
    /// A program lets the gamepad of a slot (0 to 3) rumble: heavy and light motor, 0 to 65535, both 0 for an end, and for how
    /// many milliseconds.
    fn rumble(&self, slot: u8, strong: u16, weak: u16, duration_ms: u32);
    /// Another encoder than before goes on with the running stream, for this reason.
    fn encoder_replaced(&self, encoder: &str, reason: &str);
}
