//! Instances of plugins behind safe types: created from a plugin, destroyed on drop.
//!
//! * What a plugin answers is checked before anyone sees it; a broken contract is an error that names plugin and
//!   function, and a line "plugin misbehaving" in the log.
//! * After an error of a fatal class, a lost device or a panic an instance is poisoned: it answers nothing but that
//!   error's sequel, and can only be dropped.
//! * The order of calls is enforced by types (`CaptureInstance` becomes `RunningCapture`) or by `&mut`; functions that
//!   any thread may call take `&self` or have a [`Waker`].
//!
//! Every instance is Send. Create it on a control thread, move it to its media thread, drop it there.

mod arm;
mod audio;
mod audio_caps;
mod audio_capture;
mod audio_encoder;
mod audio_sink;
mod buffer;
mod caps;
mod capture;
mod clipboard;
mod collector;
mod core;
mod cursor;
mod display;
mod encoder;
mod error;
mod frame;
mod gamepad;
mod input;
mod layout;
mod lifecycle;
mod rtc_config;
mod running;
mod settings;
mod transport;
mod wake;

use crate::{Plugin, services::HostServices};

pub use audio::{AudioBlock, AudioFormat};
pub use audio_caps::{AudioEncoderOffer, probe_audio_encoder};
pub use audio_capture::{AudioCaptureInstance, AudioCaptureRequest};
pub use audio_encoder::{AudioEncoderInstance, AudioEncoderSettings, AudioPacket, AudioStreamInfo};
pub use audio_sink::{AudioSinkInstance, AudioSinkRequest, AudioSinkState};
pub(crate) use buffer::BufferShape;
pub use buffer::{BufferError, BufferLease, MAX_FRAME_EDGE, SharedBuffer};
pub use caps::{EncoderOffer, probe_encoder};
pub use capture::{CaptureFailure, CaptureInfo, CaptureInstance, CaptureRequest, CaptureSignal};
pub use clipboard::{
    ClipboardChange, ClipboardFormats, ClipboardInstance, ClipboardItem, ClipboardRequest, ClipboardSelection,
};
pub use cursor::{CursorInstance, CursorShape};
pub use display::{DisplayInstance, DisplayOutput, DisplayRequest, MAX_OUTPUTS};
pub use encoder::{EncoderInstance, RateChange, SubmitOptions};
pub use error::{FaultClass, FaultDetail, FaultOrigin, PluginError};
pub use frame::{Damage, FrameShape, VideoFrame};
pub use gamepad::{
    GamepadAxis, GamepadChange, GamepadEvent, GamepadIdentity, GamepadInstance, GamepadRumble,
};
pub use input::{InputAction, InputEvent, InputInstance, TouchPhase};
pub use lifecycle::PluginLifecycle;
pub use rtc_config::{RtcConfigInstance, RtcConfigRequest};
pub use running::RunningCapture;
pub use settings::EncoderSettings;
pub use transport::{Channel, TransportInfo, TransportInstance};
pub use wake::Waker;

/// What every instance is made from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The host's side.
    pub services: &'a HostServices,
    /// The plugin.
    pub plugin: &'a Plugin,
    /// The plugin's configuration, a JSON object.
    pub config_json: &'a str,
}
