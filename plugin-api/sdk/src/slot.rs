//! The box behind an opaque instance.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::de::DeserializeOwned;

use crate::{
    Error, Result, abi,
    guard::{self, PANICKED, guarded, quietly},
    host::Host,
};

/// A plugin's value, with what is shared between threads (`S`) kept apart from what belongs to one (`T`).
pub(crate) struct Slot<T, S> {
    host: Host,
    poisoned: AtomicBool,
    shared: S,
    value: UnsafeCell<T>,
}

impl<T, S> Slot<T, S> {
    /// Boxes the value that `make` gives and writes the instance to `out`.
    ///
    /// # Safety
    /// `raw_host`, `config` and `out` are as the ABI's `create` says.
    pub(crate) unsafe fn create<C: DeserializeOwned>(
        raw_host: *const abi::Host,
        config: abi::Str,
        out: *mut *mut abi::Instance,
        make: impl FnOnce(Host, C) -> Result<(T, S)>,
    ) -> abi::Status {
        // SAFETY: the host's contract for `create`.
        let host = unsafe { Host::from_raw(raw_host) };
        guarded(host, || {
            let host = host.ok_or_else(|| Error::invalid("host is NULL or too small"))?;
            // SAFETY: the configuration is borrowed for the call.
            let (value, shared) = make(host, unsafe { parse_config(config) }?)?;
            let slot = Box::new(Self {
                host,
                poisoned: AtomicBool::new(false),
                shared,
                value: UnsafeCell::new(value),
            });
            let raw = Box::into_raw(slot).cast::<abi::Instance>();
            // SAFETY: `out` is the host's to receive the instance.
            unsafe { guard::answer(out, raw, "out") }.inspect_err(|_| {
                // SAFETY: nobody else has seen the box yet.
                drop(unsafe { Box::from_raw(raw.cast::<Self>()) });
            })
        })
    }

    /// # Safety
    /// `instance` came from `create` of the same types and is used no more.
    pub(crate) unsafe fn destroy(instance: *mut abi::Instance) {
        if instance.is_null() {
            return;
        }
        // SAFETY: the caller hands the box back.
        let slot = unsafe { Box::from_raw(instance.cast::<Self>()) };
        quietly(Some(slot.host), || drop(slot));
    }

    /// Runs `call` with the value; for functions that the host never runs concurrently on an instance.
    ///
    /// # Safety
    /// `instance` came from `create` of the same types, and no other `with` runs on it.
    pub(crate) unsafe fn with(
        instance: *mut abi::Instance,
        call: impl FnOnce(&mut T, Host) -> Result<abi::Status>,
    ) -> abi::Status {
        // SAFETY: the caller vouches for the instance.
        let Some(slot) = (unsafe { instance.cast::<Self>().as_ref() }) else { return NO_INSTANCE };
        if slot.poisoned.load(Ordering::Acquire) {
            slot.host.fail(PANICKED, "the instance panicked before and may only be destroyed");
            return PANICKED;
        }
        // SAFETY: the host calls these functions one at a time; `shared` is not part of the value.
        let value = unsafe { &mut *slot.value.get() };
        let status = guarded(Some(slot.host), || call(value, slot.host));
        if status == PANICKED {
            slot.poisoned.store(true, Ordering::Release);
        }
        status
    }

    /// Runs `call` with the shared part; for functions marked `[any]`.
    ///
    /// # Safety
    /// `instance` came from `create` of the same types and is not destroyed yet.
    pub(crate) unsafe fn with_shared(
        instance: *mut abi::Instance,
        call: impl FnOnce(&S, Host) -> Result<abi::Status>,
    ) -> abi::Status {
        // SAFETY: the caller vouches for the instance.
        let Some(slot) = (unsafe { instance.cast::<Self>().as_ref() }) else { return NO_INSTANCE };
        if slot.poisoned.load(Ordering::Acquire) {
            return PANICKED;
        }
        let status = guarded(Some(slot.host), || call(&slot.shared, slot.host));
        if status == PANICKED {
            slot.poisoned.store(true, Ordering::Release);
        }
        status
    }
}

const NO_INSTANCE: abi::Status = abi::failure(abi::CLASS_FATAL_INSTANCE, abi::DETAIL_INVALID_ARGUMENT);

/// Reads a plugin's configuration; an empty text stands for `{}`.
///
/// # Safety
/// `config` is borrowed for the call.
pub(crate) unsafe fn parse_config<C: DeserializeOwned>(config: abi::Str) -> Result<C> {
    // SAFETY: the caller vouches for the text.
    let text = unsafe { guard::text(config) }?;
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| Error::config(format!("configuration: {error}")))
}
