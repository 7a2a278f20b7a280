//! Finds, judges and loads plugins.
//!
//! ```text
//! folders --discover--> Candidate --admit--> Admission --load--> LoadedPlugin --here--> Plugin --create--> instances
//!            manifest              policy, files, ELF     entry, tables, layouts   init
//! ```
//!
//! Everything up to [`Admission`] reads files and runs no code of a plugin. Every decision against one is a
//! [`Refusal`]: one line with a stable code and what to do. A plugin that cannot be used never ends the host, as far as
//! that can be told before its code runs; from then on it is trusted like the host itself, see [`placement`].
// dlopen, the tables behind the C ABI and the memory shared with plugins; each block says why.
#![allow(unsafe_code)]
// At this boundary a wrong cast is memory corruption on somebody else's side.
#![warn(
    clippy::borrow_as_ptr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_ptr_alignment,
    clippy::cast_sign_loss,
    clippy::ptr_as_ptr
)]

mod candidate;
// Public for this crate's own tests and benches, which need a program of their own; no interface.
#[doc(hidden)]
pub mod child;
mod config_check;
mod discovery;
mod elf;
pub mod environment;
mod files;
mod inspect;
mod instance;
mod inventory;
mod layout;
mod lifecycle;
mod listing;
mod loader;
mod manifest;
mod opened;
pub mod placement;
mod plugin;
mod policy;
mod quarantine;
mod refusal;
mod report;
mod services;
mod shared_memory;
mod signature;
mod size;
mod stamp;
mod tables;

pub use candidate::{Admission, Candidate, Findings, HashState};
pub use child::{CHILD_ARGUMENT, ChildOptions, Deadlines, Ending};
pub use config_check::{validate_config, validate_schema};
pub use discovery::{Discovery, MAX_FOLDER_ENTRIES, PATH_VARIABLE, discover, search_path};
pub use elf::{ElfFacts, MAX_LIBRARY_BYTES};
pub use inspect::{Depth, Inspection, inspect};
pub use instance::{
    AudioBlock, AudioCaptureInstance, AudioCaptureRequest, AudioEncoderInstance, AudioEncoderOffer,
    AudioEncoderSettings, AudioFormat, AudioPacket, AudioSinkInstance, AudioSinkRequest, AudioSinkState,
    AudioStreamInfo, BufferError, BufferLease, CaptureFailure, CaptureInfo, CaptureInstance, CaptureRequest,
    CaptureSignal, Channel, ClipboardChange, ClipboardFormats, ClipboardInstance, ClipboardItem,
    ClipboardRequest, ClipboardSelection, CursorInstance, CursorShape, Damage, DisplayInstance,
    DisplayOutput, DisplayRequest, EncoderInstance, EncoderOffer, EncoderSettings, FaultClass, FaultDetail,
    FaultOrigin, FrameShape, GamepadAxis, GamepadChange, GamepadEvent, GamepadIdentity, GamepadInstance,
    GamepadRumble, InputAction, InputEvent, InputInstance, MAX_FRAME_EDGE, MAX_OUTPUTS, Origin, PluginError,
    PluginLifecycle, RateChange, RtcConfigInstance, RtcConfigRequest, RunningCapture, SharedBuffer,
    SubmitOptions, TouchPhase, TransportInfo, TransportInstance, VideoFrame, Waker, probe_audio_encoder,
    probe_encoder,
};
pub use inventory::{Entry, Inventory};
pub use layout::LayoutCheck;
pub use lifecycle::begin;
pub use listing::{ListedFault, ListedPlugin, ListedQuarantine, Listing};
pub use loader::{LoadedPlugin, Offer, load};
pub use manifest::{
    InterfaceId, Isolation, Kind, LibraryName, MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, Placement,
    PluginId, Requires, Sha256, Version,
};
pub use plugin::{Plugin, StartError};
pub use policy::{FIRST_PARTY_PREFIX, IsolationRules, Policy, SafeMode, matches};
pub use quarantine::{
    FAULT_LIMIT, FAULT_WINDOW, FaultNote, FaultRecord, LastFault, Ledger, LibraryIdentity, MAX_RECORDS,
    MAX_STORE_BYTES, Moment, Quarantine, Sentence, Verdict,
};
pub use refusal::{MAX_LINE, Refusal};
pub use report::ListedRefusal;
pub use selkies_plugin_abi::ids;
pub use services::{
    ClientState, DEFAULT_RETAINED_BYTES, DEFAULT_TOTAL_BYTES, EmitRefusal, EncodedPacket, EncoderSink,
    FrameFinished, HISTOGRAM_BOUNDS, Histogram, HostServices, LOG_LINES_PER_SECOND, MAX_CLIENTS_PER_CALL,
    MAX_MESSAGE_BYTES, MAX_METRICS, MAX_SLAB_BYTES, MAX_SLABS_OUT, MessageKind, MetricValue, PacketBuf,
    PacketInfo, PathFeedback, PluginMetrics, SlabPool, TransportSink, now_ns,
};
pub use signature::{
    KeyError, MAX_SIGNATURE_BYTES, SIGNATURE_SUFFIX, SignatureState, TrustedKey, signature_path,
};
pub use tables::{Table, Tables};
