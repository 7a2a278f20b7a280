//! `selkies.host.memory/1`: slabs by token, frames by token.

use core::ffi::c_void;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use selkies_plugin_abi as abi;

use super::context::{Context, enter};
use super::foreign;
use super::frames::HoldRefusal;
use super::slab::{MAX_SLAB_BYTES, SlabMemory};
use crate::size::size_field;

/// Slabs that one instance may have at once.
pub const MAX_SLABS_OUT: usize = 256;

pub(crate) static MEMORY: abi::MemoryV1 = abi::MemoryV1 {
    struct_size: size_field::<abi::MemoryV1>(),
    reserved: 0,
    slab: Some(slab),
    commit: Some(commit),
    abandon: Some(abandon),
    retain: Some(retain),
    release: Some(release),
};

/// A call that broke the contract in its arguments.
pub(crate) const INVALID: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT);
/// A call at a time that does not allow it.
pub(crate) const WRONG_STATE: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_WRONG_STATE);
/// Something ran out.
pub(crate) const EXHAUSTED: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_OUT_OF_RESOURCES);
/// The host has no place for it.
const UNSUPPORTED: abi::Status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_UNSUPPORTED);

/// Tokens of slabs and frames. Unique in the process, so that those of another instance are strangers.
static NEXT_TOKEN: AtomicU64 = AtomicU64::new(1);

/// A token that was never used before.
pub(crate) fn fresh_token() -> u64 {
    NEXT_TOKEN.fetch_add(1, Ordering::Relaxed)
}

/// The slabs that one instance has.
#[derive(Default)]
pub(crate) struct SlabsOut {
    slabs: Mutex<BTreeMap<u64, SlabMemory>>,
}

impl SlabsOut {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, SlabMemory>> {
        self.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, token: u64) -> Option<SlabMemory> {
        self.lock().remove(&token)
    }

    /// Gives up the memory of every slab that is still out, because a misbehaving plugin may still write to it.
    pub(crate) fn leak_all(&self) -> usize {
        let left = std::mem::take(&mut *self.lock());
        let count = left.len();
        left.into_values().for_each(SlabMemory::leak);
        count
    }
}

unsafe extern "C" fn slab(ctx: *mut c_void, min_len: usize, out: *mut abi::Slab) -> abi::Status {
    enter(ctx, "memory.slab", WRONG_STATE, |context| {
        if out.is_null() || !out.is_aligned() {
            context.account.misbehaving("memory.slab", "`out` is NULL or not aligned");
            return INVALID;
        }
        let (status, slab) = match give(context, min_len) {
            Ok(slab) => (abi::OK, slab),
            Err(status) => (status, abi::Slab { ptr: std::ptr::null_mut(), capacity: 0, token: 0 }),
        };
        // SAFETY: not NULL and aligned by the check above; a plugin's `out` is writable.
        unsafe { out.write(slab) };
        status
    })
}

fn give(context: &Context, min_len: usize) -> Result<abi::Slab, abi::Status> {
    if context.is_closing() {
        return Err(WRONG_STATE);
    }
    if min_len > MAX_SLAB_BYTES {
        return Err(EXHAUSTED);
    }
    let mut slabs = context.slabs.lock();
    if slabs.len() >= MAX_SLABS_OUT {
        return Err(EXHAUSTED);
    }
    let memory = context.pool.take(min_len).ok_or(EXHAUSTED)?;
    let token = fresh_token();
    let slab = abi::Slab { ptr: memory.payload_ptr(), capacity: memory.capacity(), token };
    slabs.insert(token, memory);
    Ok(slab)
}

unsafe extern "C" fn commit(
    ctx: *mut c_void,
    slab: *const abi::Slab,
    packet: *const abi::Packet,
) -> abi::Status {
    enter(ctx, "memory.commit", WRONG_STATE, |context| {
        let refuse = |what: &str, status| {
            context.account.misbehaving("memory.commit", what);
            if let Some(desk) = context.encoder() {
                desk.breaks(what);
            }
            status
        };
        // SAFETY: not NULL and aligned is checked; a plugin's pointer to a slab is readable.
        let Some(slab) = (unsafe { foreign::copied(slab) }) else {
            return refuse("`slab` is NULL or not aligned", INVALID);
        };
        let Some(memory) = context.slabs.take(slab.token) else {
            return refuse("the slab is not out: committed twice, or of another instance", INVALID);
        };
        if slab.ptr != memory.payload_ptr() {
            return refuse("the slab's pointer is not the one that was given out", INVALID);
        }
        let overrun = memory.overrun();
        if overrun > 0 {
            // Whatever lies behind it is not ours any more either.
            memory.leak();
            return refuse(&format!("wrote {overrun} bytes past its slab"), INVALID);
        }
        // SAFETY: as for the slab; its size is checked.
        let Some(packet) = (unsafe { foreign::sized(packet) }) else {
            return refuse("`packet` is NULL, not aligned, or its struct_size is wrong", INVALID);
        };
        if packet.len == 0 || packet.len > memory.capacity() {
            return refuse("the packet's len is 0 or over the slab's capacity", INVALID);
        }
        let Some(desk) = context.encoder() else {
            return refuse("only encoders commit packets", UNSUPPORTED);
        };
        if context.is_closing() {
            return WRONG_STATE;
        }
        match desk.accept(&packet, memory) {
            Ok(()) => abi::OK,
            Err((what, status)) => refuse(what, status),
        }
    })
}

unsafe extern "C" fn abandon(ctx: *mut c_void, slab: *const abi::Slab) {
    enter(ctx, "memory.abandon", (), |context| {
        // SAFETY: not NULL and aligned is checked; a plugin's pointer to a slab is readable.
        let memory = unsafe { foreign::copied(slab) }.and_then(|slab| context.slabs.take(slab.token));
        if memory.is_none() {
            context
                .account
                .misbehaving("memory.abandon", "the slab is NULL, not out, or of another instance");
        }
    });
}

unsafe extern "C" fn retain(ctx: *mut c_void, token: u64) -> abi::Status {
    enter(ctx, "memory.retain", WRONG_STATE, |context| {
        let outcome = context.encoder().map_or(Err(HoldRefusal::Unknown), |desk| desk.retain(token));
        match outcome {
            Ok(()) => abi::OK,
            Err(HoldRefusal::TooMany) => EXHAUSTED,
            Err(HoldRefusal::Unknown) => {
                context
                    .account
                    .misbehaving("memory.retain", "the token is not that of the current call's frame");
                WRONG_STATE
            }
        }
    })
}

unsafe extern "C" fn release(ctx: *mut c_void, token: u64) {
    enter(ctx, "memory.release", (), |context| {
        let outcome = context.encoder().map_or(Err(HoldRefusal::Unknown), |desk| desk.release(token));
        if outcome.is_err() {
            context.account.misbehaving("memory.release", "no frame with this token is retained");
        }
    });
}
