//! The plugin tables that this host knows, each by its id.

use std::ffi::c_void;

use selkies_plugin_abi::{self as abi, ids};

use crate::size::size_field;

mod sealed {
    pub trait Sealed {}
}

/// A published plugin table. Implemented for the tables of the ABI and nothing else.
pub trait Table: Copy + Send + Sync + sealed::Sealed + 'static {
    /// The id under which a plugin offers it.
    const ID: &'static str;

    /// The name of the first function that is NULL. No published table has optional functions.
    fn first_null(&self) -> Option<&'static str>;

    /// This table in `tables`.
    fn of(tables: &Tables) -> Option<&'static Self>;

    /// Puts a checked table into `tables`.
    #[doc(hidden)]
    fn keep(&'static self, tables: &mut Tables);
}

/// A known table without its type.
pub(crate) struct Known {
    pub(crate) id: &'static str,
    /// `sizeof`, which is also what the table's `struct_size` must say.
    pub(crate) bytes: u32,
    /// [`Table::first_null`].
    ///
    /// Safety: the pointer is aligned, not NULL and points to a table of this kind that is never written nor freed.
    pub(crate) first_null: unsafe fn(*const c_void) -> Option<&'static str>,
    /// [`Table::keep`]. Safety: as for `first_null`.
    pub(crate) keep: unsafe fn(*const c_void, &mut Tables),
}

unsafe fn first_null<T: Table>(table: *const c_void) -> Option<&'static str> {
    // SAFETY: the caller promises a live, aligned table of this kind.
    unsafe { &*table.cast::<T>() }.first_null()
}

unsafe fn keep<T: Table>(table: *const c_void, tables: &mut Tables) {
    // SAFETY: the caller promises a live, aligned table of this kind that stays for the life of the process.
    unsafe { &*table.cast::<T>() }.keep(tables);
}

macro_rules! tables {
    ($($(#[$doc:meta])* $slot:ident: $table:ident = $id:ident { $($function:ident),* $(,)? })*) => {
        /// The tables of one plugin that passed every check. They live as long as the process.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Tables {
            $($slot: Option<&'static abi::$table>,)*
        }

        impl Tables {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $slot(&self) -> Option<&'static abi::$table> {
                    self.$slot
                }
            )*

            /// No tables.
            pub(crate) const fn none() -> Self {
                Self { $($slot: None,)* }
            }

            /// These tables and `table`, which nobody checked.
            #[must_use]
            pub fn with<T: Table>(mut self, table: &'static T) -> Self {
                table.keep(&mut self);
                self
            }

            /// The ids of the tables that are there.
            #[must_use]
            pub fn ids(&self) -> Vec<&'static str> {
                [$(self.$slot.map(|_| ids::$id)),*].into_iter().flatten().collect()
            }
        }

        /// Every table that this host knows.
        pub(crate) const KNOWN: &[Known] = &[$(
            Known {
                id: ids::$id,
                bytes: size_field::<abi::$table>(),
                first_null: first_null::<abi::$table>,
                keep: keep::<abi::$table>,
            }
        ),*];

        $(
            impl sealed::Sealed for abi::$table {}

            impl Table for abi::$table {
                const ID: &'static str = ids::$id;

                fn first_null(&self) -> Option<&'static str> {
                    // Names every field, so that a function forgotten here does not compile.
                    let Self { struct_size: _, reserved: _, $($function),* } = self;
                    $(
                        if $function.is_none() {
                            return Some(stringify!($function));
                        }
                    )*
                    None
                }

                fn of(tables: &Tables) -> Option<&'static Self> {
                    tables.$slot
                }

                fn keep(&'static self, tables: &mut Tables) {
                    tables.$slot = Some(self);
                }
            }
        )*
    };
}

tables! {
    /// `selkies.lifecycle/1`. Whoever uses the plugin calls `init` once per process before anything else.
    lifecycle: LifecycleV1 = LIFECYCLE_V1 { init, set_log_level }
    /// `selkies.capture/1`.
    capture: CaptureV1 = CAPTURE_V1 { create, destroy, info, start, wait, wake, grab, done_with, stop }
    /// `selkies.display/1`.
    display: DisplayV1 = DISPLAY_V1 { create, destroy, outputs, apply }
    /// `selkies.cursor/1`.
    cursor: CursorV1 = CURSOR_V1 { create, destroy, wait, wake }
    /// `selkies.clipboard/1`.
    clipboard: ClipboardV1 = CLIPBOARD_V1 { create, destroy, wait, formats, read, offer, wake }
    /// `selkies.encoder/1`.
    encoder: EncoderV1 = ENCODER_V1 { probe, create, destroy, configure, submit, drain }
    /// `selkies.encoder.rate/1`.
    encoder_rate: EncoderRateV1 = ENCODER_RATE_V1 { set }
    /// `selkies.transport/1`.
    transport: TransportV1 = TRANSPORT_V1 {
        create, destroy, info, client_open, client_close, receive, signal, rtc_config, send_message, send_packet,
    }
    /// `selkies.input/1`.
    input: InputV1 = INPUT_V1 { create, destroy, kinds, inject }
    /// `selkies.gamepad/1`.
    gamepad: GamepadV1 = GAMEPAD_V1 { create, destroy, plug, unplug, inject, wait, wake }
    /// `selkies.rtc-config/1`.
    rtc_config: RtcConfigV1 = RTC_CONFIG_V1 { create, destroy, fetch, wait, wake }
    /// `selkies.audio-capture/1`.
    audio_capture: AudioCaptureV1 = AUDIO_CAPTURE_V1 { create, destroy, info, start, read, wake, stop }
    /// `selkies.audio-encoder/1`.
    audio_encoder: AudioEncoderV1 = AUDIO_ENCODER_V1 { probe, create, destroy, info, adjust, encode }
    /// `selkies.audio-sink/1`.
    audio_sink: AudioSinkV1 = AUDIO_SINK_V1 {
        create, destroy, info, start, write, stop, wait, wake,
    }
}

/// The known table with this id.
pub(crate) fn known(id: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_different() {
        for (i, known) in KNOWN.iter().enumerate() {
            assert!(KNOWN[..i].iter().all(|other| other.id != known.id), "{}", known.id);
        }
    }

    #[cfg(feature = "verify")]
    #[test]
    fn every_table_has_a_layout_record_of_its_size() {
        for known in KNOWN {
            let layout = abi::verify::layout_of(known.id);
            assert_eq!(layout.map(|layout| layout.size()), Some(known.bytes as usize), "{}", known.id);
        }
    }
}
