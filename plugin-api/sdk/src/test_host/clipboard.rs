//! Drives a clipboard.

use core::ffi::c_void;
use std::{sync::Arc, time::Duration};

use super::{Failure, TestHost, TestWaker, instance::TestInstance};
use crate::{
    Clipboard, ClipboardChange, ClipboardFormats, ClipboardOffer, ClipboardRequest, Selection, abi,
    clipboard::ClipboardTable, guard, guard::size32,
};

/// A clipboard instance, called through its table.
#[derive(Debug)]
pub struct TestClipboard {
    table: &'static abi::ClipboardV1,
    instance: Arc<TestInstance>,
}

impl TestClipboard {
    /// An instance of an SDK plugin. `config` is JSON.
    ///
    /// # Errors
    /// When `create` fails.
    pub fn of<T: Clipboard>(host: &TestHost, config: &str) -> Result<Self, Failure> {
        // SAFETY: the SDK's tables keep the ABI's promises.
        unsafe { Self::from_table(ClipboardTable::<T>::TABLE, host, config) }
    }

    /// An instance of any table.
    ///
    /// # Errors
    /// When `create` fails.
    ///
    /// # Safety
    /// The table is that of a plugin that keeps the ABI's promises.
    pub unsafe fn from_table(
        table: &'static abi::ClipboardV1,
        host: &TestHost,
        config: &str,
    ) -> Result<Self, Failure> {
        // SAFETY: the caller vouches for the table.
        let instance = unsafe { TestInstance::create(host, table.create, table.destroy, config) }?;
        Ok(Self { table, instance })
    }

    /// The instance, for tests that call the table themselves.
    #[must_use]
    pub fn raw(&self) -> *mut abi::Instance {
        self.instance.raw()
    }

    /// Waits for another content; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ClipboardChange>, Failure> {
        let mut out = abi::ClipboardChange {
            struct_size: size32::<abi::ClipboardChange>(),
            selection: 0,
            filled: 0,
            reserved32: 0,
            serial: 0,
            reserved: [0; 2],
        };
        let nanos = timeout.map_or(u64::MAX, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.wait.map(|wait| unsafe { wait(self.raw(), nanos, &raw mut out) });
        let changed = self.instance.host().check(answer)?;
        let selection = match out.selection {
            abi::SELECTION_PRIMARY => Selection::Primary,
            _ => Selection::Clipboard,
        };
        Ok(changed.then_some(ClipboardChange { selection, filled: out.filled != 0, serial: out.serial }))
    }

    /// Asks for the formats of a content; `Ok(None)` when it was woken.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn formats(&mut self, request: &ClipboardRequest) -> Result<Option<ClipboardFormats>, Failure> {
        let raw = raw_request(request);
        let mut info = abi::ClipboardContentInfo {
            struct_size: size32::<abi::ClipboardContentInfo>(),
            flags: 0,
            reserved: [0; 2],
        };
        let mut found: Vec<String> = Vec::new();
        let sink = abi::TextSink { ctx: (&raw mut found).cast(), emit: Some(emit_text) };
        // SAFETY: the instance is alive; request, answer and sink live for the call.
        let answer = self
            .table
            .formats
            .map(|call| unsafe { call(self.raw(), &raw const raw, &raw mut info, &raw const sink) });
        let secret = self.instance.host().check(answer)?.then_some(info.flags & abi::CLIPBOARD_SECRET != 0);
        Ok(secret.map(|secret| ClipboardFormats { mimes: found, secret }))
    }

    /// Reads a content; `Ok(None)` when it was woken.
    ///
    /// # Errors
    /// When the plugin fails; class 0 when it succeeds without bytes.
    pub fn read(&mut self, request: &ClipboardRequest) -> Result<Option<Vec<u8>>, Failure> {
        let raw = raw_request(request);
        let mut found: Vec<Vec<u8>> = Vec::new();
        let sink = abi::BytesSink { ctx: (&raw mut found).cast(), emit: Some(emit_bytes) };
        // SAFETY: the instance is alive; request and sink live for the call.
        let answer = self.table.read.map(|call| unsafe { call(self.raw(), &raw const raw, &raw const sink) });
        if !self.instance.host().check(answer)? {
            return Ok(None);
        }
        match found.pop() {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Failure { status: 0, text: "read succeeded without bytes".into() }),
        }
    }

    /// Offers a content.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn offer(&mut self, offer: &ClipboardOffer<'_>) -> Result<(), Failure> {
        let items: Vec<abi::ClipboardItem> = offer
            .items
            .iter()
            .map(|item| abi::ClipboardItem {
                struct_size: size32::<abi::ClipboardItem>(),
                reserved32: 0,
                mime: abi::Str::new(item.mime),
                data: abi::Bytes::new(item.data),
                reserved: [0; 2],
            })
            .collect();
        let raw = abi::ClipboardOffer {
            struct_size: size32::<abi::ClipboardOffer>(),
            flags: if offer.secret { abi::CLIPBOARD_SECRET } else { 0 },
            selection: offer.selection.number(),
            count: u32::try_from(items.len()).unwrap_or(u32::MAX),
            items: items.as_ptr(),
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive; the offer and its items live for the call.
        let answer = self.table.offer.map(|call| unsafe { call(self.raw(), &raw const raw) });
        self.instance.host().check(answer).map(drop)
    }

    /// Ends waits from other threads.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }
}

fn raw_request(request: &ClipboardRequest) -> abi::ClipboardRequest {
    abi::ClipboardRequest {
        struct_size: size32::<abi::ClipboardRequest>(),
        selection: request.selection.number(),
        serial: request.serial,
        mime: abi::Str::new(&request.mime),
        limit: u64::try_from(request.limit).unwrap_or(u64::MAX),
        deadline_ns: request.deadline_ns,
        reserved: [0; 2],
    }
}

unsafe extern "C" fn emit_text(ctx: *mut c_void, text: abi::Str) {
    // SAFETY: `formats` passes its list; the text lives for the call.
    unsafe {
        if let Ok(text) = guard::text(text) {
            (*ctx.cast::<Vec<String>>()).push(text.to_owned());
        }
    }
}

unsafe extern "C" fn emit_bytes(ctx: *mut c_void, bytes: abi::Bytes) {
    // SAFETY: `read` passes its list; the bytes live for the call.
    unsafe {
        if let Ok(bytes) = guard::bytes(bytes) {
            (*ctx.cast::<Vec<Vec<u8>>>()).push(bytes.to_vec());
        }
    }
}
