//! The one guard between the C ABI and a plugin's code.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Result, abi, host::Host, log::panic_text};

/// Status of a call that panicked.
pub(crate) const PANICKED: abi::Status = abi::failure(abi::CLASS_FATAL_INSTANCE, abi::DETAIL_PANIC);

/// Runs `call`; a failure or a panic becomes a status, and its text goes to the host.
pub(crate) fn guarded(host: Option<Host>, call: impl FnOnce() -> Result<abi::Status>) -> abi::Status {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            if let Some(host) = host {
                host.fail(error.status(), error.text());
            }
            error.status()
        }
        Err(payload) => {
            if let Some(host) = host {
                host.fail(PANICKED, &format!("panic: {}", panic_text(&*payload)));
            }
            // A payload whose own drop panics must not get out either.
            std::mem::forget(payload);
            PANICKED
        }
    }
}

/// Runs `call` where the ABI has no status to answer with. `None` after a panic.
pub(crate) fn quietly<T>(host: Option<Host>, call: impl FnOnce() -> T) -> Option<T> {
    let mut out = None;
    guarded(host, || {
        out = Some(call());
        Ok(abi::OK)
    });
    out
}

/// Borrows a text of the host for the call.
///
/// # Safety
/// `text` points to `len` readable bytes for `'a`.
pub(crate) unsafe fn text<'a>(text: abi::Str) -> Result<&'a str> {
    // SAFETY: the caller vouches for the pointer and length.
    let bytes = unsafe { bytes(abi::Bytes { ptr: text.ptr, len: text.len }) }?;
    std::str::from_utf8(bytes).map_err(|_| Error::invalid("a text from the host is not UTF-8"))
}

/// Borrows bytes of the host for the call.
///
/// # Safety
/// `bytes` points to `len` readable bytes for `'a`.
pub(crate) unsafe fn bytes<'a>(bytes: abi::Bytes) -> Result<&'a [u8]> {
    if bytes.len == 0 {
        return Ok(&[]);
    }
    if bytes.ptr.is_null() || bytes.len > isize::MAX as usize {
        return Err(Error::invalid("bytes from the host have no address"));
    }
    // SAFETY: the caller vouches for the range, and it is neither NULL nor too long.
    Ok(unsafe { std::slice::from_raw_parts(bytes.ptr, bytes.len) })
}

/// Borrows an array of the host for the call.
///
/// # Safety
/// `ptr` is NULL or points to `count` readable elements for `'a`.
pub(crate) unsafe fn array<'a, T>(ptr: *const T, count: u32, limit: usize, what: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() || count as usize > limit || !ptr.is_aligned() {
        return Err(Error::invalid(format!("{what} is NULL, misaligned or longer than {limit}")));
    }
    // SAFETY: the caller vouches for the range; it is not NULL, aligned and bounded.
    Ok(unsafe { std::slice::from_raw_parts(ptr, count as usize) })
}

/// Borrows a struct of the host for the call and checks its size field.
///
/// # Safety
/// `ptr` is NULL or points to a struct that begins with its `u32` size and lives for `'a`.
pub(crate) unsafe fn sized<'a, T>(ptr: *const T, what: &str) -> Result<&'a T> {
    if ptr.is_null() || !ptr.is_aligned() {
        return Err(Error::invalid(format!("{what} is NULL or misaligned")));
    }
    // SAFETY: not NULL; every struct of the ABI begins with its size.
    let size = unsafe { ptr.cast::<u32>().read() };
    if (size as usize) < size_of::<T>() {
        return Err(Error::invalid(format!("{what} has {size} bytes, {} are wanted", size_of::<T>())));
    }
    // SAFETY: not NULL, aligned, large enough; the caller vouches for its life.
    Ok(unsafe { &*ptr })
}

/// Borrows a struct that does not begin with its size.
///
/// # Safety
/// `ptr` is NULL or points to a `T` that lives for `'a`.
pub(crate) unsafe fn pointer<'a, T>(ptr: *const T, what: &str) -> Result<&'a T> {
    if ptr.is_null() || !ptr.is_aligned() {
        return Err(Error::invalid(format!("{what} is NULL or misaligned")));
    }
    // SAFETY: not NULL, aligned; the caller vouches for the rest.
    Ok(unsafe { &*ptr })
}

/// Where the host wants an answer. Checked before the plugin runs, so that no work is done for nothing.
pub(crate) struct Answer<T>(*mut T);

impl<T> Answer<T> {
    /// # Safety
    /// `out` is NULL or points to writable memory for a `T` that lives as long as this value.
    pub(crate) unsafe fn new(out: *mut T) -> Result<Self> {
        if out.is_null() || !out.is_aligned() {
            return Err(Error::invalid("out is NULL or misaligned"));
        }
        Ok(Self(out))
    }

    /// Writes the answer.
    pub(crate) fn give(self, value: T) -> abi::Status {
        // SAFETY: `new` checked the pointer and its caller vouches for the memory.
        unsafe { self.0.write(value) };
        abi::OK
    }
}

/// The size of an ABI struct in the width of its `struct_size`.
#[must_use]
#[allow(clippy::cast_possible_truncation)] // asserted at compile time
pub const fn size32<T>() -> u32 {
    const { assert!(size_of::<T>() <= u32::MAX as usize) };
    size_of::<T>() as u32
}

#[cfg(test)]
mod tests;
