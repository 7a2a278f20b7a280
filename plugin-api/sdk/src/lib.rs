//! Safe Rust for selkies-host plugins.
//!
//! A plugin implements one or more of the traits ([`Capture`], [`Clipboard`], [`Cursor`], [`Display`], [`Encoder`],
//! [`Transport`], [`Input`], [`Gamepad`], [`RtcConfig`], [`AudioCapture`], [`AudioEncoder`], [`AudioSink`]) and names them
//! once:
//!
//! ```text
//! selkies_plugin_sdk::export_plugin! {
//!     manifest: "../selkies-plugin.json",
//!     encoder: NullEncoder,
//! }
//! ```
//!
//! The macro writes the tables of the C ABI ([`abi`]), wraps every entry in a panic guard, connects `tracing` with the
//! host's log and exports the layout records by which the host proves the tables equal.
//!
//! # What the wrappers see to
//!
//! * A panic becomes a status; the instance is poisoned and answers every later call with the same status.
//! * NULL pointers, text that is not UTF-8 and configuration that does not fit the schema are refused before the plugin
//!   sees them.
//! * Wrong order (`grab` before `start`) is refused: a started capture is a type of its own.
//! * A slab that is dropped goes back to the host, a retained frame that is dropped is released.
//!
//! # Tests
//!
//! Feature `test-host` adds `test_host`: a host in memory, and drivers that call a plugin through its C tables the way
//! the host does. Put it under `[dev-dependencies]`.
//!
//! # What they do not see to
//!
//! Crashes, endless loops and memory: for these the host runs a plugin in a child process.
#![allow(unsafe_code)]
// this crate is the bridge over the C ABI; each block states why it holds
// At this boundary a wrong cast is memory corruption on somebody else's side.
#![warn(
    clippy::borrow_as_ptr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_ptr_alignment,
    clippy::cast_sign_loss,
    clippy::ptr_as_ptr
)]

// Panic guards need unwinding: with panic=abort a plugin's panic would end the host.
#[cfg(panic = "abort")]
compile_error!(
    "selkies plugins must be built with panic = \"unwind\": set it in [profile.release] (and [profile.dev])"
);

pub use selkies_plugin_abi as abi;

#[doc(hidden)]
#[cfg(feature = "verify")]
pub use abi_stable;

mod audio;
mod audio_capture;
mod audio_encoder;
mod audio_sink;
mod capture;
mod clipboard;
mod cursor;
mod display;
mod encoder;
mod error;
mod export;
mod frame;
mod gamepad;
mod guard;
mod host;
mod input;
mod log;
mod packet;
mod rtc_config;
mod slot;
#[cfg(feature = "test-host")]
pub mod test_host;
mod transport;
mod wake;

pub use audio::{AudioBlock, AudioFormat};
pub use audio_capture::{AudioCapture, AudioCaptureParams, AudioCaptureRun, AudioRead};
pub use audio_encoder::{
    AudioEncoder, AudioEncoderCaps, AudioEncoderParams, AudioPacket, AudioRate, AudioStreamInfo,
};
pub use audio_sink::{AudioSink, AudioSinkParams, AudioSinkRun, AudioSinkState};
pub use capture::{BufferRef, Capture, CaptureInfo, CaptureParams, CaptureRun, Grab, Grabbed, Waited};
pub use clipboard::{
    Clipboard, ClipboardChange, ClipboardFormats, ClipboardItem, ClipboardOffer, ClipboardRequest, Selection,
};
pub use cursor::{Cursor, CursorImage};
pub use display::{Display, Output, OutputRequest};
pub use encoder::{Completion, Encoder, EncoderCaps, EncoderParams, EncoderRate, Progress, Rate, Submit};
pub use error::{Error, Result};
pub use frame::{Damage, FrameRef, RetainedFrame};
pub use gamepad::{Gamepad, GamepadAxis, GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble};
pub use host::Host;
pub use input::{Button, Input, InputEvent, InputKinds};
pub use packet::{PacketInfo, PacketSink, SlabGuard};
pub use rtc_config::{RtcConfig, RtcRequest};
pub use schemars;
pub use serde;
pub use transport::{ClientState, Message, PacketRef, Transport, TransportInfo, TransportLink};
pub use wake::{Bell, Wake};

/// What the generated code uses; not part of the API.
#[doc(hidden)]
pub mod private {
    #[cfg(feature = "verify")]
    pub use crate::export::layouts;
    pub use crate::{
        audio_capture::AudioCaptureTable,
        audio_encoder::AudioEncoderTable,
        audio_sink::AudioSinkTable,
        capture::CaptureTable,
        clipboard::ClipboardTable,
        cursor::CursorTable,
        display::DisplayTable,
        encoder::{EncoderRateTable, EncoderTable},
        export::{LIFECYCLE, id_text},
        gamepad::GamepadTable,
        guard::size32,
        input::InputTable,
        rtc_config::RtcConfigTable,
        transport::TransportTable,
    };
}
