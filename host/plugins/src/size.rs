//! Sizes and counts as the ABI has them, 32 bits wide.

/// The size that a structure or table of the ABI begins with.
#[allow(clippy::cast_possible_truncation, reason = "proved when compiling; `try_from` is not const")]
pub(crate) const fn size_field<T>() -> u32 {
    const { assert!(size_of::<T>() <= u32::MAX as usize) };
    size_of::<T>() as u32
}

/// The length of a list. Entries beyond what 32 bits count are not seen by the plugin; every list is limited far below.
pub(crate) fn count_field<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
