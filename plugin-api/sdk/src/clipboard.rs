//! Clipboard: what applications copied, and what they are to paste.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, Result, Wake, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

/// Which of a desktop's clipboards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selection {
    /// What copying fills and pasting takes.
    Clipboard,
    /// What was marked last.
    Primary,
}

impl Selection {
    /// The ABI's number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Clipboard => abi::SELECTION_CLIPBOARD,
            Self::Primary => abi::SELECTION_PRIMARY,
        }
    }

    fn of(number: u32) -> Result<Self> {
        match number {
            abi::SELECTION_CLIPBOARD => Ok(Self::Clipboard),
            abi::SELECTION_PRIMARY => Ok(Self::Primary),
            other => {
                Err(Error::retry(format!("there is no selection {other}"))
                    .with_detail(abi::DETAIL_UNSUPPORTED))
            }
        }
    }
}

/// A selection got another content, or lost its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipboardChange {
    /// Which.
    pub selection: Selection,
    /// There is a content.
    pub filled: bool,
    /// Names the content; greater than that of every content before it.
    pub serial: u64,
}

/// What is wanted of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipboardRequest {
    /// Whose.
    pub selection: Selection,
    /// The content that was reported with this serial.
    pub serial: u64,
    /// The format that is to be read; empty for [`Clipboard::formats`].
    pub mime: String,
    /// Most bytes that are wanted.
    pub limit: usize,
    /// When the answer is given up, nanoseconds of `CLOCK_MONOTONIC`.
    pub deadline_ns: u64,
}

/// What there is of a content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClipboardFormats {
    /// Its MIME types, best first.
    pub mimes: Vec<String>,
    /// It is a password or the like.
    pub secret: bool,
}

/// A content in one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipboardItem<'a> {
    /// MIME type; `text/plain` is UTF-8 whose lines end with LF.
    pub mime: &'a str,
    /// The content.
    pub data: &'a [u8],
}

/// A content that is to be pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipboardOffer<'a> {
    /// Where.
    pub selection: Selection,
    /// Its formats, best first; none when nothing is offered any more.
    pub items: &'a [ClipboardItem<'a>],
    /// It is a password or the like.
    pub secret: bool,
}

/// A clipboard. `[control]`
///
/// What was offered is given to applications within `wait`, `formats` and `read`: the host is in `wait` while it has
/// nothing else to do.
pub trait Clipboard: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Opens the clipboard.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// What ends a wait from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Blocks until a selection has another content than the one reported last, `timeout` passed (`None`: no limit) or
    /// the waker was called; the last two answer `None`. The first calls report what is there already; what this
    /// instance offers is not reported.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<ClipboardChange>>;

    /// What there is of a content; `None` when the waker was called.
    ///
    /// # Errors
    /// With the class that the host is to act on; retry and not-found for a content that is gone.
    fn formats(&mut self, request: &ClipboardRequest) -> Result<Option<ClipboardFormats>>;

    /// A content in one format; `None` when the waker was called.
    ///
    /// # Errors
    /// With the class that the host is to act on; retry and not-found for what is gone.
    fn read(&mut self, request: &ClipboardRequest) -> Result<Option<Vec<u8>>>;

    /// Makes one content, in several formats, that of a selection; without items, nothing is offered any more.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn offer(&mut self, offer: &ClipboardOffer<'_>) -> Result<()>;
}

type ClipboardSlot<T> = Slot<T, Arc<dyn Wake>>;

/// Builds the table of a clipboard.
#[derive(Debug)]
pub struct ClipboardTable<T>(PhantomData<T>);

impl<T: Clipboard> ClipboardTable<T> {
    /// The table.
    pub const TABLE: &'static abi::ClipboardV1 = &abi::ClipboardV1 {
        struct_size: size32::<abi::ClipboardV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        wait: Some(wait::<T>),
        formats: Some(formats::<T>),
        read: Some(read::<T>),
        offer: Some(offer::<T>),
        wake: Some(wake::<T>),
    };
}

unsafe extern "C" fn create<T: Clipboard>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        ClipboardSlot::<T>::create(host, config, out, |host, config| {
            let clipboard = T::create(host, config)?;
            let waker = clipboard.waker();
            Ok((clipboard, waker))
        })
    }
}

unsafe extern "C" fn destroy<T: Clipboard>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { ClipboardSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn wait<T: Clipboard>(
    instance: *mut abi::Instance,
    timeout_ns: u64,
    out: *mut abi::ClipboardChange,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table.
    unsafe {
        ClipboardSlot::<T>::with(instance, |clipboard, _| {
            let out = Answer::new(out)?;
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            let Some(change) = clipboard.wait(timeout)? else { return Ok(abi::NOTHING) };
            Ok(out.give(abi::ClipboardChange {
                struct_size: size32::<abi::ClipboardChange>(),
                selection: change.selection.number(),
                filled: u32::from(change.filled),
                reserved32: 0,
                serial: change.serial,
                reserved: [0; 2],
            }))
        })
    }
}

/// # Safety
/// `request` lives for the call.
unsafe fn asked(request: *const abi::ClipboardRequest) -> Result<ClipboardRequest> {
    // SAFETY: the caller vouches for the request and the text in it.
    unsafe {
        let raw: &abi::ClipboardRequest = guard::sized(request, "request")?;
        Ok(ClipboardRequest {
            selection: Selection::of(raw.selection)?,
            serial: raw.serial,
            mime: guard::text(raw.mime)?.to_owned(),
            limit: usize::try_from(raw.limit).unwrap_or(usize::MAX).min(abi::MAX_CLIPBOARD_BYTES),
            deadline_ns: raw.deadline_ns,
        })
    }
}

unsafe extern "C" fn formats<T: Clipboard>(
    instance: *mut abi::Instance,
    request: *const abi::ClipboardRequest,
    out: *mut abi::ClipboardContentInfo,
    sink: *const abi::TextSink,
) -> abi::Status {
    // SAFETY: as in `wait`; request, answer and sink live for the call.
    unsafe {
        ClipboardSlot::<T>::with(instance, |clipboard, _| {
            let request = asked(request)?;
            let out = Answer::new(out)?;
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            let Some(found) = clipboard.formats(&request)? else { return Ok(abi::NOTHING) };
            let fits = |mime: &&String| !mime.is_empty() && mime.len() <= abi::MAX_CLIPBOARD_MIME;
            for mime in found.mimes.iter().filter(fits).take(abi::MAX_CLIPBOARD_FORMATS as usize) {
                emit(sink.ctx, abi::Str::new(mime));
            }
            Ok(out.give(abi::ClipboardContentInfo {
                struct_size: size32::<abi::ClipboardContentInfo>(),
                flags: if found.secret { abi::CLIPBOARD_SECRET } else { 0 },
                reserved: [0; 2],
            }))
        })
    }
}

unsafe extern "C" fn read<T: Clipboard>(
    instance: *mut abi::Instance,
    request: *const abi::ClipboardRequest,
    sink: *const abi::BytesSink,
) -> abi::Status {
    // SAFETY: as in `formats`.
    unsafe {
        ClipboardSlot::<T>::with(instance, |clipboard, _| {
            let request = asked(request)?;
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            let Some(bytes) = clipboard.read(&request)? else { return Ok(abi::NOTHING) };
            if bytes.len() > request.limit {
                let text = format!("{} bytes, {} are allowed", bytes.len(), request.limit);
                return Err(Error::retry(text).with_detail(abi::DETAIL_OUT_OF_RESOURCES));
            }
            emit(sink.ctx, abi::Bytes::new(&bytes));
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn offer<T: Clipboard>(
    instance: *mut abi::Instance,
    offer: *const abi::ClipboardOffer,
) -> abi::Status {
    // SAFETY: as in `wait`; the offer and its items live for the call.
    unsafe {
        ClipboardSlot::<T>::with(instance, |clipboard, _| {
            let raw: &abi::ClipboardOffer = guard::sized(offer, "offer")?;
            let selection = Selection::of(raw.selection)?;
            let (mut items, mut total) = (Vec::new(), 0_usize);
            for item in guard::array(raw.items, raw.count, abi::MAX_CLIPBOARD_FORMATS as usize, "items")? {
                let item: &abi::ClipboardItem = guard::sized(item, "item")?;
                let (mime, data) = (guard::text(item.mime)?, guard::bytes(item.data)?);
                total = total.saturating_add(data.len());
                if mime.is_empty()
                    || mime.len() > abi::MAX_CLIPBOARD_MIME
                    || data.len() > abi::MAX_CLIPBOARD_BYTES
                    || total > abi::MAX_CLIPBOARD_TOTAL
                {
                    return Err(Error::invalid("an item without a MIME type, or over a limit"));
                }
                items.push(ClipboardItem { mime, data });
            }
            let secret = raw.flags & abi::CLIPBOARD_SECRET != 0;
            clipboard.offer(&ClipboardOffer { selection, items: &items, secret })?;
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn wake<T: Clipboard>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        ClipboardSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}
