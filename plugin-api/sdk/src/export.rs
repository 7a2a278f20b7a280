//! `export_plugin!`: the one symbol that a library exports.

use crate::{
    Host, abi,
    guard::{self, size32},
    log,
};

/// The text of an id, `None` when it is not text.
///
/// # Safety
/// `id` is borrowed for `'a`.
#[must_use]
pub unsafe fn id_text<'a>(id: abi::Str) -> Option<&'a str> {
    // SAFETY: the caller vouches for the id.
    unsafe { guard::text(id) }.ok()
}

/// `selkies.lifecycle/1`, the same for every library of this SDK.
pub const LIFECYCLE: &abi::LifecycleV1 = &abi::LifecycleV1 {
    struct_size: size32::<abi::LifecycleV1>(),
    reserved: 0,
    init: Some(lifecycle_init),
    set_log_level: Some(lifecycle_set_log_level),
};

unsafe extern "C" fn lifecycle_init(host: *const abi::Host) -> abi::Status {
    // SAFETY: the ABI promises a host that lives as long as the process.
    match unsafe { Host::from_raw(host) } {
        Some(host) => guard::guarded(Some(host), || {
            log::install(host);
            Ok(abi::OK)
        }),
        None => abi::failure(abi::CLASS_FATAL_PLUGIN, abi::DETAIL_INVALID_ARGUMENT),
    }
}

unsafe extern "C" fn lifecycle_set_log_level(level: u32) {
    guard::quietly(None, || log::set_max_level(level));
}

/// Layout records for the host's check; see [`abi::verify`].
#[cfg(feature = "verify")]
pub mod layouts {
    use abi_stable::{
        library::{__call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult},
        prefix_type::PrefixTypeTrait,
        std_types::ROption,
        type_layout::TypeLayout,
    };

    use crate::abi::{
        self,
        verify::{Layouts, LayoutsRef, layout_of},
    };

    /// Name under which abi_stable looks for the root module.
    pub const SYMBOL: &str = abi_stable::library::ROOT_MODULE_LOADER_NAME;

    unsafe extern "C" fn layout(id: abi::Str) -> ROption<&'static TypeLayout> {
        // SAFETY: the host borrows the id to the call.
        unsafe { super::id_text(id) }.and_then(layout_of).into()
    }

    fn root_module() -> LayoutsRef {
        Layouts { layout }.leak_into_prefix()
    }

    extern "C" fn constructor() -> RootModuleResult {
        __call_root_module_loader(root_module)
    }

    /// The value of the exported symbol.
    #[must_use]
    pub const fn header() -> LibHeader {
        // SAFETY: `constructor` answers a `LayoutsRef`.
        unsafe { LibHeader::from_constructor::<LayoutsRef>(constructor, CheckTypeLayout::Yes) }
    }
}

/// Exports this library as a plugin.
///
/// `manifest` is the path of `selkies-plugin.json` relative to the file that calls the macro; the other names are the
/// tables it offers: `capture`, `clipboard`, `cursor`, `display`, `encoder`, `encoder_rate`, `gamepad`, `input`,
/// `transport`, `rtc_config`, `audio_capture`, `audio_encoder`, `audio_sink`, each with the type that implements the trait
/// of that name.
#[macro_export]
macro_rules! export_plugin {
    (manifest: $manifest:literal $(, $kind:ident : $type:ty)+ $(,)?) => {
        #[allow(unsafe_code)]
        const _: () = {
            unsafe extern "C" fn query(id: $crate::abi::Str) -> *const ::core::ffi::c_void {
                // SAFETY: the host borrows the id to the call.
                let ::core::option::Option::Some(id) = (unsafe { $crate::private::id_text(id) }) else {
                    return ::core::ptr::null();
                };
                if id == $crate::abi::ids::LIFECYCLE_V1 {
                    return ::core::ptr::from_ref($crate::private::LIFECYCLE).cast();
                }
                $($crate::export_plugin!(@table $kind, $type, id);)+
                ::core::ptr::null()
            }

            #[unsafe(export_name = "selkies_plugin_entry")]
            static ENTRY: $crate::abi::PluginEntry = $crate::abi::PluginEntry {
                magic: $crate::abi::PLUGIN_MAGIC,
                abi_epoch: $crate::abi::ABI_EPOCH,
                struct_size: $crate::private::size32::<$crate::abi::PluginEntry>(),
                manifest_json: $crate::abi::Str::new(include_str!($manifest)),
                query: ::core::option::Option::Some(query),
            };

            $crate::export_layouts!();
        };
    };
    (@table capture, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::CAPTURE_V1 {
            return ::core::ptr::from_ref($crate::private::CaptureTable::<$type>::TABLE).cast();
        }
    };
    (@table clipboard, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::CLIPBOARD_V1 {
            return ::core::ptr::from_ref($crate::private::ClipboardTable::<$type>::TABLE).cast();
        }
    };
    (@table cursor, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::CURSOR_V1 {
            return ::core::ptr::from_ref($crate::private::CursorTable::<$type>::TABLE).cast();
        }
    };
    (@table display, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::DISPLAY_V1 {
            return ::core::ptr::from_ref($crate::private::DisplayTable::<$type>::TABLE).cast();
        }
    };
    (@table encoder, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::ENCODER_V1 {
            return ::core::ptr::from_ref($crate::private::EncoderTable::<$type>::TABLE).cast();
        }
    };
    (@table encoder_rate, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::ENCODER_RATE_V1 {
            return ::core::ptr::from_ref($crate::private::EncoderRateTable::<$type>::TABLE).cast();
        }
    };
    (@table gamepad, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::GAMEPAD_V1 {
            return ::core::ptr::from_ref($crate::private::GamepadTable::<$type>::TABLE).cast();
        }
    };
    (@table input, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::INPUT_V1 {
            return ::core::ptr::from_ref($crate::private::InputTable::<$type>::TABLE).cast();
        }
    };
    (@table transport, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::TRANSPORT_V1 {
            return ::core::ptr::from_ref($crate::private::TransportTable::<$type>::TABLE).cast();
        }
    };
    (@table audio_capture, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::AUDIO_CAPTURE_V1 {
            return ::core::ptr::from_ref($crate::private::AudioCaptureTable::<$type>::TABLE).cast();
        }
    };
    (@table audio_encoder, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::AUDIO_ENCODER_V1 {
            return ::core::ptr::from_ref($crate::private::AudioEncoderTable::<$type>::TABLE).cast();
        }
    };
    (@table audio_sink, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::AUDIO_SINK_V1 {
            return ::core::ptr::from_ref($crate::private::AudioSinkTable::<$type>::TABLE).cast();
        }
    };
    (@table rtc_config, $type:ty, $id:ident) => {
        if $id == $crate::abi::ids::RTC_CONFIG_V1 {
            return ::core::ptr::from_ref($crate::private::RtcConfigTable::<$type>::TABLE).cast();
        }
    };
}

/// The layout records beside the entry; nothing without feature `verify`.
#[doc(hidden)]
#[cfg(feature = "verify")]
#[macro_export]
macro_rules! export_layouts {
    () => {
        // The name is abi_stable's `ROOT_MODULE_LOADER_NAME`; a test of the SDK compares them.
        #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
        static LAYOUTS: $crate::abi_stable::library::LibHeader = $crate::private::layouts::header();
    };
}

/// The layout records beside the entry; nothing without feature `verify`.
#[doc(hidden)]
#[cfg(not(feature = "verify"))]
#[macro_export]
macro_rules! export_layouts {
    () => {};
}

#[cfg(all(test, feature = "verify"))]
mod tests {
    #[test]
    fn the_layout_symbol_is_the_one_that_abi_stable_looks_for() {
        assert_eq!(super::layouts::SYMBOL, "_1as_0lib_1header_0root_bmodule_bloader");
    }
}
