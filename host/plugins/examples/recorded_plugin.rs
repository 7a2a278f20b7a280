//! A plugin as the Rust SDK makes them: entry, tables and layout records. Its cursor is right; for its rate table it
//! shows the record of another table, as a plugin would that was built against a changed ABI crate.
#![allow(unsafe_code, missing_docs)] // the C ABI from the plugin's side

use std::ffi::c_void;

use abi_stable::{
    export_root_module, prefix_type::PrefixTypeTrait, std_types::ROption, type_layout::TypeLayout,
};
use selkies_plugin_abi::{
    ABI_EPOCH, CursorImage, CursorV1, EncoderRate, EncoderRateV1, Host, Instance, NOTHING, OK, PLUGIN_MAGIC,
    PluginEntry, Status, Str, ids,
    verify::{Layouts, LayoutsRef, layout_of},
};

const MANIFEST: &str = include_str!("recorded_plugin.json");

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static selkies_plugin_entry: PluginEntry = PluginEntry {
    magic: PLUGIN_MAGIC,
    abi_epoch: ABI_EPOCH,
    struct_size: size_of::<PluginEntry>() as u32,
    manifest_json: Str::new(MANIFEST),
    query: Some(query),
};

static CURSOR: CursorV1 = CursorV1 {
    struct_size: size_of::<CursorV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    wait: Some(wait),
    wake: Some(destroy),
};
static RATE: EncoderRateV1 =
    EncoderRateV1 { struct_size: size_of::<EncoderRateV1>() as u32, reserved: 0, set: Some(set) };

unsafe extern "C" fn create(_: *const Host, _: Str, _: *mut *mut Instance) -> Status {
    OK
}
unsafe extern "C" fn destroy(_: *mut Instance) {}
unsafe extern "C" fn wait(_: *mut Instance, _: u64, _: *mut CursorImage) -> Status {
    NOTHING
}
unsafe extern "C" fn set(_: *mut Instance, _: *const EncoderRate) -> Status {
    OK
}

unsafe fn text<'a>(id: Str) -> &'a [u8] {
    // SAFETY: the host passes a live text.
    unsafe { std::slice::from_raw_parts(id.ptr, id.len) }
}

unsafe extern "C" fn query(id: Str) -> *const c_void {
    // SAFETY: as above.
    let id = unsafe { text(id) };
    if id == ids::CURSOR_V1.as_bytes() {
        (&raw const CURSOR).cast()
    } else if id == ids::ENCODER_RATE_V1.as_bytes() {
        (&raw const RATE).cast()
    } else {
        std::ptr::null()
    }
}

unsafe extern "C" fn layout(id: Str) -> ROption<&'static TypeLayout> {
    // SAFETY: as above.
    let id = unsafe { text(id) };
    if id == ids::CURSOR_V1.as_bytes() {
        layout_of(ids::CURSOR_V1).into()
    } else if id == ids::ENCODER_RATE_V1.as_bytes() {
        layout_of(ids::LIFECYCLE_V1).into()
    } else {
        ROption::RNone
    }
}

/// The module that carries the layout records.
#[export_root_module]
pub fn layouts() -> LayoutsRef {
    Layouts { layout }.leak_into_prefix()
}
