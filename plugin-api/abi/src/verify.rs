//! abi_stable as the verifier of the tables.
//!
//! A Rust plugin exports, beside [`PluginEntry`](crate::PluginEntry), a root module that names the layout record of
//! each table it offers. The host compares them with its own and reports the first difference.

use abi_stable::{
    StableAbi, library::RootModule, package_version_strings, sabi_types::VersionStrings, std_types::ROption,
    type_layout::TypeLayout,
};

use crate::Str;

/// The root module that the SDK exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = LayoutsRef)))]
pub struct Layouts {
    /// `[any]` The layout record of the table with this id, if the plugin offers it.
    #[sabi(last_prefix_field)]
    pub layout: unsafe extern "C" fn(id: Str) -> ROption<&'static TypeLayout>,
}

impl RootModule for LayoutsRef {
    abi_stable::declare_root_module_statics! {LayoutsRef}
    const BASE_NAME: &'static str = "selkies_plugin";
    const NAME: &'static str = "selkies_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// The layout record of a table of this build, by id.
#[must_use]
pub fn layout_of(id: &str) -> Option<&'static TypeLayout> {
    use crate::{
        AudioCaptureV1, AudioEncoderV1, AudioSinkV1, CaptureV1, ClipboardV1, CursorV1, DisplayV1,
        EncoderRateV1, EncoderV1, GamepadV1, InputV1, LifecycleV1, RtcConfigV1, TransportV1, ids,
    };
    Some(match id {
        ids::LIFECYCLE_V1 => LifecycleV1::LAYOUT,
        ids::CAPTURE_V1 => CaptureV1::LAYOUT,
        ids::DISPLAY_V1 => DisplayV1::LAYOUT,
        ids::CURSOR_V1 => CursorV1::LAYOUT,
        ids::CLIPBOARD_V1 => ClipboardV1::LAYOUT,
        ids::ENCODER_V1 => EncoderV1::LAYOUT,
        ids::ENCODER_RATE_V1 => EncoderRateV1::LAYOUT,
        ids::TRANSPORT_V1 => TransportV1::LAYOUT,
        ids::INPUT_V1 => InputV1::LAYOUT,
        ids::GAMEPAD_V1 => GamepadV1::LAYOUT,
        ids::RTC_CONFIG_V1 => RtcConfigV1::LAYOUT,
        ids::AUDIO_CAPTURE_V1 => AudioCaptureV1::LAYOUT,
        ids::AUDIO_ENCODER_V1 => AudioEncoderV1::LAYOUT,
        ids::AUDIO_SINK_V1 => AudioSinkV1::LAYOUT,
        _ => return None,
    })
}
