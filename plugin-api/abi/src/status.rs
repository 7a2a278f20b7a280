//! Status codes. Zero or positive is success; a negative status carries a class and a detail.
//!
//! `status = -((class << 8) | detail)`. The class drives what the host does next, the detail and the text given to
//! [`LogV1::fail`](crate::LogV1::fail) are for people.

/// What a plugin function answers.
pub type Status = i32;

/// Success.
pub const OK: Status = 0;
/// Success, but nothing happened: a wait ended by its timeout or by `wake`.
pub const NOTHING: Status = 1;

/// Class: this call failed, the next may succeed. The host retries with the next frame.
pub const CLASS_RETRY: i32 = 1;
/// Class: the parameters no longer fit. The host destroys the instance and creates one with fresh parameters.
pub const CLASS_RECONFIGURE: i32 = 2;
/// Class: this instance is unusable. The host destroys it and falls back.
pub const CLASS_FATAL_INSTANCE: i32 = 3;
/// Class: the plugin is unusable in this process. The host creates nothing from it again.
pub const CLASS_FATAL_PLUGIN: i32 = 4;
/// Class: the device behind it is gone (GPU reset, X server ended). The host falls back and may return later.
pub const CLASS_DEVICE_LOST: i32 = 5;

/// Detail: nothing more to say than the text.
pub const DETAIL_UNSPECIFIED: i32 = 0;
/// Detail: an argument was out of its documented range.
pub const DETAIL_INVALID_ARGUMENT: i32 = 1;
/// Detail: the request is valid, this plugin cannot do it.
pub const DETAIL_UNSUPPORTED: i32 = 2;
/// Detail: memory, descriptors or slabs ran out.
pub const DETAIL_OUT_OF_RESOURCES: i32 = 3;
/// Detail: a deadline passed.
pub const DETAIL_TIMEOUT: i32 = 4;
/// Detail: the plugin panicked; the instance is poisoned and may only be destroyed.
pub const DETAIL_PANIC: i32 = 5;
/// Detail: the function was called in a state that does not allow it.
pub const DETAIL_WRONG_STATE: i32 = 6;
/// Detail: the operating system refused access.
pub const DETAIL_PERMISSION: i32 = 7;
/// Detail: a named thing does not exist.
pub const DETAIL_NOT_FOUND: i32 = 8;
/// Detail: reading, writing or a peer failed.
pub const DETAIL_IO: i32 = 9;
/// Detail: the plugin's configuration is not usable.
pub const DETAIL_CONFIG: i32 = 10;

/// Builds a failure from a class and a detail.
#[must_use]
pub const fn failure(class: i32, detail: i32) -> Status {
    -((class << 8) | (detail & 0xff))
}

/// The class of a failure, 0 for success.
#[must_use]
pub const fn class_of(status: Status) -> i32 {
    if status >= 0 { 0 } else { -(status / 256) }
}

/// The detail of a failure, 0 for success.
#[must_use]
pub const fn detail_of(status: Status) -> i32 {
    if status >= 0 { 0 } else { -(status % 256) }
}
