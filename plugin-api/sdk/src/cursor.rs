//! Cursor: the shape of the pointer.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, Result, Wake, abi,
    guard::{Answer, size32},
    slot::Slot,
};

/// A cursor image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorImage {
    /// False when the pointer is hidden; the image may be empty then.
    pub visible: bool,
    /// Width in pixels, at most [`abi::MAX_CURSOR_EDGE`].
    pub width: u32,
    /// Height in pixels, at most [`abi::MAX_CURSOR_EDGE`].
    pub height: u32,
    /// The pixel of the image that points.
    pub hot_x: u32,
    /// The pixel of the image that points.
    pub hot_y: u32,
    /// Names the shape; equal serials have equal images.
    pub serial: u64,
    /// R, G, B, A bytes, not premultiplied, `width * height * 4` of them.
    pub rgba: Vec<u8>,
}

/// A source of cursor images.
pub trait Cursor: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Opens the source. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// What ends a wait from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Blocks until the shape differs from the last one reported, `timeout` passed (`None`: no limit) or the waker was
    /// called; the last two answer `None`. The first call answers at once. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<CursorImage>>;
}

struct State<T> {
    source: T,
    /// The last image, which the host may read until the next call.
    image: Vec<u8>,
}

type CursorSlot<T> = Slot<State<T>, Arc<dyn Wake>>;

/// Builds the table of a cursor source.
#[derive(Debug)]
pub struct CursorTable<T>(PhantomData<T>);

impl<T: Cursor> CursorTable<T> {
    /// The table.
    pub const TABLE: &'static abi::CursorV1 = &abi::CursorV1 {
        struct_size: size32::<abi::CursorV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        wait: Some(wait::<T>),
        wake: Some(wake::<T>),
    };
}

unsafe extern "C" fn create<T: Cursor>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        CursorSlot::<T>::create(host, config, out, |host, config| {
            let source = T::create(host, config)?;
            let waker = source.waker();
            Ok((State { source, image: Vec::new() }, waker))
        })
    }
}

unsafe extern "C" fn destroy<T: Cursor>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { CursorSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn wait<T: Cursor>(
    instance: *mut abi::Instance,
    timeout_ns: u64,
    out: *mut abi::CursorImage,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table.
    unsafe {
        CursorSlot::<T>::with(instance, |state, _| {
            let out = Answer::new(out)?;
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            let Some(image) = state.source.wait(timeout)? else { return Ok(abi::NOTHING) };
            if image.width > abi::MAX_CURSOR_EDGE || image.height > abi::MAX_CURSOR_EDGE {
                return Err(Error::retry(format!(
                    "a cursor of {}x{} is too large",
                    image.width, image.height
                )));
            }
            if image.rgba.len() != image.width as usize * image.height as usize * 4 {
                return Err(Error::fatal("a cursor image's length does not fit its size"));
            }
            state.image = image.rgba;
            let raw = abi::CursorImage {
                struct_size: size32::<abi::CursorImage>(),
                visible: u32::from(image.visible),
                width: image.width,
                height: image.height,
                hot_x: image.hot_x,
                hot_y: image.hot_y,
                serial: image.serial,
                rgba: state.image.as_ptr(),
                reserved: [0; 2],
            };
            Ok(out.give(raw))
        })
    }
}

unsafe extern "C" fn wake<T: Cursor>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        CursorSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}
