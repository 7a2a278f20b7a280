//! The box behind an opaque instance.

use std::{
    any::TypeId,
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::de::DeserializeOwned;

use crate::{
    Error, Result, abi,
    guard::{self, Answer, PANICKED, guarded, quietly},
    host::Host,
};

/// A plugin's value, with what is shared between threads (`S`) kept apart from what belongs to one (`T`).
#[repr(C)]
pub(crate) struct Slot<T, S> {
    /// First in memory: tells slots of other types apart before anything else is read.
    kind: TypeId,
    host: Host,
    poisoned: AtomicBool,
    shared: S,
    value: UnsafeCell<T>,
}

impl<T: 'static, S: 'static> Slot<T, S> {
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
            // SAFETY: `out` is the host's to receive the instance.
            let out = unsafe { Answer::new(out) }?;
            // SAFETY: the configuration is borrowed for the call.
            let (value, shared) = make(host, unsafe { parse_config(config) }?)?;
            let slot = Box::new(Self {
                kind: TypeId::of::<(T, S)>(),
                host,
                poisoned: AtomicBool::new(false),
                shared,
                value: UnsafeCell::new(value),
            });
            Ok(out.give(Box::into_raw(slot).cast()))
        })
    }

    /// # Safety
    /// `instance` came from `create` of the same types and is used no more.
    pub(crate) unsafe fn destroy(instance: *mut abi::Instance) {
        // SAFETY: the caller vouches for the instance.
        if unsafe { Self::of(instance) }.is_none() {
            return;
        }
        // SAFETY: the caller hands the box back.
        let slot = unsafe { Box::from_raw(instance.cast::<Self>()) };
        quietly(Some(slot.host), || drop(slot));
    }

    /// The slot behind an instance; `None` when it is NULL or belongs to a table of another type.
    ///
    /// # Safety
    /// `instance` is NULL or came from `create` of some slot and is not destroyed yet.
    unsafe fn of<'a>(instance: *mut abi::Instance) -> Option<&'a Self> {
        // SAFETY: every slot begins with its kind.
        let kind = unsafe { instance.cast::<TypeId>().as_ref() }?;
        if *kind != TypeId::of::<(T, S)>() {
            return None;
        }
        // SAFETY: the kind says that it is one of ours.
        unsafe { instance.cast::<Self>().as_ref() }
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
        let Some(slot) = (unsafe { Self::of(instance) }) else { return NO_INSTANCE };
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
        let Some(slot) = (unsafe { Self::of(instance) }) else { return NO_INSTANCE };
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
    // serde would take an array for a struct, field by field.
    if !text.trim_start().starts_with('{') {
        return Err(Error::config("configuration: not a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| Error::config(format!("configuration: {error}")))
}
