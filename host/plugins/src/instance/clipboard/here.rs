//! A clipboard in this process.

use core::ffi::c_void;
use std::time::Duration;

use selkies_plugin_abi::{
    self as abi, Bytes, BytesSink, Instance, MAX_CLIPBOARD_BYTES, MAX_CLIPBOARD_FORMATS, MAX_CLIPBOARD_MIME,
    Status, Str, TextSink,
};

use super::super::collector::{collect, deliver};
use super::super::core::{Core, is_nothing, timeout_ns};
use super::super::wake::WakeGate;
use super::{
    ClipboardChange, ClipboardFormats, ClipboardItem, ClipboardRequest, ClipboardSelection, FORMATS, OFFER,
    READ, WAIT, is_mime, wrong,
};
use crate::PluginError;
use crate::services::{foreign_slice, foreign_text, guarded};
use crate::size::size_field;

type Change = abi::ClipboardChange;
type Request = abi::ClipboardRequest;
type Info = abi::ClipboardContentInfo;
type Offer = abi::ClipboardOffer;

#[derive(Debug)]
pub(super) struct Here {
    pub(super) gate: WakeGate,
    pub(super) core: Core,
    pub(super) wait: unsafe extern "C" fn(*mut Instance, u64, *mut Change) -> Status,
    pub(super) formats:
        unsafe extern "C" fn(*mut Instance, *const Request, *mut Info, *const TextSink) -> Status,
    pub(super) read: unsafe extern "C" fn(*mut Instance, *const Request, *const BytesSink) -> Status,
    pub(super) offer: unsafe extern "C" fn(*mut Instance, *const Offer) -> Status,
}

impl Here {
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ClipboardChange>, PluginError> {
        let mut out = Change {
            struct_size: size_field::<Change>(),
            selection: 0,
            filled: 0,
            reserved32: 0,
            serial: 0,
            reserved: [0; 2],
        };
        let status = self.core.call(WAIT, |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.wait)(instance, timeout_ns(timeout), &raw mut out) }
        })?;
        if is_nothing(status) {
            return Ok(None);
        }
        change(&out).map(Some).map_err(|wrong| self.core.contract(WAIT, wrong))
    }

    pub(super) fn formats(
        &mut self,
        request: &ClipboardRequest,
    ) -> Result<Option<ClipboardFormats>, PluginError> {
        let raw = raw(request);
        let mut info = Info { struct_size: size_field::<Info>(), flags: 0, reserved: [0; 2] };
        let limit = MAX_CLIPBOARD_FORMATS as usize;
        let (answer, found) = collect::<String, _>(self.core.account(), limit, |ctx| {
            let sink = TextSink { ctx, emit: Some(emit_mime) };
            self.core.call(FORMATS, |instance| {
                // SAFETY: a live instance; request, answer and sink are valid for the call.
                unsafe { (self.formats)(instance, &raw const raw, &raw mut info, &raw const sink) }
            })
        });
        if is_nothing(answer?) {
            return Ok(None);
        }
        if info.struct_size != size_field::<Info>() {
            let wrong = format!("the struct_size is {}", info.struct_size);
            return Err(self.core.contract(FORMATS, wrong));
        }
        let secret = info.flags & abi::CLIPBOARD_SECRET != 0;
        Ok(Some(ClipboardFormats { mimes: found, secret }))
    }

    pub(super) fn read(&mut self, request: &ClipboardRequest) -> Result<Option<Vec<u8>>, PluginError> {
        let raw = raw(request);
        let (answer, mut found) = collect::<Vec<u8>, _>(self.core.account(), 1, |ctx| {
            let sink = BytesSink { ctx, emit: Some(emit_bytes) };
            self.core.call(READ, |instance| {
                // SAFETY: a live instance; request and sink are valid for the call.
                unsafe { (self.read)(instance, &raw const raw, &raw const sink) }
            })
        });
        if is_nothing(answer?) {
            return Ok(None);
        }
        let Some(bytes) = found.pop() else {
            return Err(self.core.contract(READ, "succeeded without usable bytes"));
        };
        match wrong(request, &bytes) {
            None => Ok(Some(bytes)),
            Some(what) => Err(self.core.contract(READ, what)),
        }
    }

    pub(super) fn offer(
        &mut self,
        selection: ClipboardSelection,
        items: &[ClipboardItem<'_>],
    ) -> Result<(), PluginError> {
        let items: Vec<abi::ClipboardItem> = items
            .iter()
            .map(|item| abi::ClipboardItem {
                struct_size: size_field::<abi::ClipboardItem>(),
                reserved32: 0,
                mime: Str::new(item.mime),
                data: Bytes::new(item.data),
                reserved: [0; 2],
            })
            .collect();
        let offer = Offer {
            struct_size: size_field::<Offer>(),
            // Pages do not tell what is a secret.
            flags: 0,
            selection: selection.number(),
            count: u32::try_from(items.len()).unwrap_or(u32::MAX),
            items: items.as_ptr(),
            reserved: [0; 2],
        };
        self.core.call(OFFER, |instance| {
            // SAFETY: a live instance; the offer and its items are valid for the call.
            unsafe { (self.offer)(instance, &raw const offer) }
        })?;
        Ok(())
    }
}

fn raw(request: &ClipboardRequest) -> Request {
    Request {
        struct_size: size_field::<Request>(),
        selection: request.selection.number(),
        serial: request.serial,
        mime: Str::new(&request.mime),
        limit: request.limit.min(MAX_CLIPBOARD_BYTES) as u64,
        deadline_ns: request.deadline_ns,
        reserved: [0; 2],
    }
}

fn change(out: &Change) -> Result<ClipboardChange, String> {
    if out.struct_size != size_field::<Change>() {
        return Err(format!("the struct_size is {}", out.struct_size));
    }
    let selection = match out.selection {
        abi::SELECTION_CLIPBOARD => ClipboardSelection::Clipboard,
        abi::SELECTION_PRIMARY => ClipboardSelection::Primary,
        other => return Err(format!("there is no selection {other}")),
    };
    match out.filled {
        0 | 1 => Ok(ClipboardChange { selection, filled: out.filled == 1, serial: out.serial }),
        other => Err(format!("`filled` is {other}")),
    }
}

unsafe extern "C" fn emit_mime(ctx: *mut c_void, text: Str) {
    guarded((), || {
        deliver(ctx, FORMATS, || {
            // SAFETY: texts of a call are readable for the call.
            let text = unsafe { foreign_text(text, MAX_CLIPBOARD_MIME) };
            text.filter(|text| is_mime(text)).map(str::to_owned).ok_or("a format is no MIME type".to_owned())
        });
    });
}

unsafe extern "C" fn emit_bytes(ctx: *mut c_void, bytes: Bytes) {
    guarded((), || {
        deliver(ctx, READ, || {
            // SAFETY: bytes of a call are readable for the call.
            let bytes = unsafe { foreign_slice(bytes.ptr, bytes.len, MAX_CLIPBOARD_BYTES) };
            bytes.map(<[u8]>::to_vec).ok_or("the bytes are NULL or over 64 MiB".to_owned())
        });
    });
}
