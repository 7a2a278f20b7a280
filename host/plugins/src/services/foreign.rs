//! Reading what a plugin hands over: texts, bytes, arrays and sized structures, each with a limit.
//!
//! A plugin is trusted to pass pointers that are readable for the length it names (that is the ABI, and nothing can
//! check it); it is not trusted with NULL, misaligned or absurdly long ones.

use std::panic::{AssertUnwindSafe, catch_unwind};

use selkies_plugin_abi as abi;

/// Elements behind a plugin's pointer, or `None` when it is NULL, misaligned or longer than `limit`.
///
/// # Safety
/// Where `ptr` is aligned and not NULL, `len` elements behind it must be readable and unchanged for `'a`.
pub(crate) unsafe fn slice<'a, T>(ptr: *const T, len: usize, limit: usize) -> Option<&'a [T]> {
    if len == 0 {
        return Some(&[]);
    }
    if ptr.is_null() || !ptr.is_aligned() || len > limit || len > isize::MAX as usize / size_of::<T>().max(1)
    {
        return None;
    }
    // SAFETY: not NULL, aligned and of a possible size by the checks above; readable by the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(ptr, len) })
}

/// A plugin's bytes.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn bytes<'a>(bytes: abi::Bytes, limit: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise is the one asked for.
    unsafe { slice(bytes.ptr, bytes.len, limit) }
}

/// A plugin's text, which must be UTF-8 and within `limit` bytes.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn text<'a>(text: abi::Str, limit: usize) -> Option<&'a str> {
    // SAFETY: the caller's promise is the one asked for.
    unsafe { slice(text.ptr, text.len, limit) }.and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// A plugin's text for people: cut at `limit` bytes, repaired where it is not UTF-8, empty where it is NULL.
///
/// # Safety
/// As [`slice`], for the first `limit` bytes.
pub(crate) unsafe fn lossy(text: abi::Str, limit: usize) -> String {
    // SAFETY: the caller's promise is the one asked for; a shorter part of a readable text is readable.
    let bytes = unsafe { slice(text.ptr, text.len.min(limit), limit) }.unwrap_or_default();
    let mut repaired = String::from_utf8_lossy(bytes).into_owned();
    if text.len > limit {
        // A character cut in half became one replacement character.
        while repaired.ends_with(char::REPLACEMENT_CHARACTER) {
            repaired.pop();
        }
    }
    repaired
}

/// Copies a structure that begins with its `struct_size`, or `None` when it is NULL, misaligned or too small.
///
/// # Safety
/// Where `ptr` is aligned and not NULL, four bytes behind it must be readable, and as many as those four say.
pub(crate) unsafe fn sized<T: Copy>(ptr: *const T) -> Option<T> {
    if ptr.is_null() || !ptr.is_aligned() {
        return None;
    }
    // SAFETY: every sized structure of the ABI begins with a u32; aligned and not NULL by the checks above.
    let size = unsafe { ptr.cast::<u32>().read() };
    if (size as usize) < size_of::<T>() {
        return None;
    }
    // SAFETY: the structure says itself that it is as large as T, whose fields are integers and pointers.
    Some(unsafe { ptr.read() })
}

/// Copies a structure without a `struct_size`, or `None` when it is NULL or misaligned.
///
/// # Safety
/// Where `ptr` is aligned and not NULL, a `T` behind it must be readable.
pub(crate) unsafe fn copied<T: Copy>(ptr: *const T) -> Option<T> {
    if ptr.is_null() || !ptr.is_aligned() {
        return None;
    }
    // SAFETY: aligned and not NULL by the check above, readable by the caller's promise.
    Some(unsafe { ptr.read() })
}

/// Runs a host function for a plugin. A panic of ours must not unwind into the plugin's frames.
pub(crate) fn guarded<R>(on_panic: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        tracing::error!("the host panicked in a function that a plugin called; this is a defect of the host");
        on_panic
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::size_field;

    #[test]
    fn null_long_and_misaligned_are_refused() {
        let words = [1u64, 2, 3];
        // SAFETY: every pointer is NULL or into `words`, with lengths inside it.
        unsafe {
            assert_eq!(slice(words.as_ptr(), 3, 3), Some(&words[..]));
            assert_eq!(slice(words.as_ptr(), 3, 2), None);
            assert_eq!(slice::<u64>(std::ptr::null(), 1, 8), None);
            assert_eq!(slice::<u64>(std::ptr::null(), 0, 8), Some(&[][..]));
            assert_eq!(slice(words.as_ptr().byte_add(1), 1, 8), None);
            assert_eq!(slice(words.as_ptr(), usize::MAX, usize::MAX), None);
        }
    }

    #[test]
    fn texts_are_checked_or_repaired() {
        let broken = abi::Str { ptr: b"a\xffb".as_ptr(), len: 3 };
        // SAFETY: the texts are static.
        unsafe {
            assert_eq!(text(broken, 16), None);
            assert_eq!(lossy(broken, 16), "a\u{fffd}b");
            assert_eq!(lossy(abi::Str::new("grün"), 3), "gr");
            assert_eq!(lossy(abi::Str { ptr: std::ptr::null(), len: 9 }, 16), "");
        }
    }

    #[test]
    fn structures_must_be_large_enough() {
        let mut done = abi::FrameDone {
            struct_size: size_field::<abi::FrameDone>(),
            status: 0,
            frame_id: 7,
            refine_at_ns: 0,
            reserved: [0; 2],
        };
        // SAFETY: `done` is a live structure.
        assert_eq!(unsafe { sized(&raw const done) }.map(|d: abi::FrameDone| d.frame_id), Some(7));
        done.struct_size -= 1;
        // SAFETY: as above.
        assert!(unsafe { sized(&raw const done) }.is_none());
    }

    #[test]
    fn a_panic_becomes_a_value() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let answer = guarded(5, || panic!("on purpose"));
        std::panic::set_hook(hook);
        assert_eq!(answer, 5);
    }
}
