//! `selkies.capture/1`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use selkies_plugin_abi::{self as abi, CaptureV1, Instance, MAX_DAMAGE_RECTS, Rect, Status, Str};

use super::buffer::{MAX_FRAME_EDGE, MAX_STRIDE_ALIGN, SharedBuffer};
use super::core::{Core, is_nothing, required, size_field, sized_table, timeout_ns};
use super::frame::{self, Damage, VideoFrame};
use super::wake::{WakeGate, Waker};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::services::{Role, now_ns};

/// Buffers that one capture may cycle through.
const MAX_BUFFERS: usize = 16;

/// What a capture can do and how large its source is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureInfo {
    /// Writes into buffers of the host; otherwise frames carry the plugin's own memory.
    pub host_buffers: bool,
    /// Damage lists are exact enough to encode by.
    pub damage: bool,
    /// The pointer is drawn into the frame.
    pub draws_cursor: bool,
    /// Width of the source in pixels.
    pub width: u32,
    /// Height of the source in pixels.
    pub height: u32,
    /// The format of its frames.
    pub fourcc: u32,
    /// Row alignment in bytes for [`SharedBuffer::new`].
    pub stride_align: u32,
}

/// What to capture.
#[derive(Clone, Debug, Default)]
pub struct CaptureRequest {
    /// The part of the source; frames have this size.
    pub area: Rect,
    /// Name of the output, or empty for the whole source.
    pub output: String,
    /// Buffers of the area's size and the information's format; empty without
    /// [`CaptureInfo::host_buffers`], else 1 to 16.
    pub buffers: Vec<Arc<SharedBuffer>>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureSignal {
    /// Something changed since the last grab.
    Damage,
    /// The source has a new size: stop and start anew.
    Resized {
        /// New width in pixels.
        width: u32,
        /// New height in pixels.
        height: u32,
    },
    /// The time passed, or a [`Waker`] was used.
    Nothing,
}

/// A start or stop that failed. The instance can be tried again or dropped.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct CaptureFailure {
    /// The instance, stopped as far as it goes.
    pub capture: CaptureInstance,
    /// Why.
    pub error: PluginError,
}

type Wait = unsafe extern "C" fn(*mut Instance, u64, *mut abi::CaptureEvent) -> Status;
type Grab = unsafe extern "C" fn(*mut Instance, u32, *const Rect, u32, *mut abi::Frame) -> Status;

#[derive(Clone, Copy)]
struct Functions {
    info: unsafe extern "C" fn(*mut Instance, *mut abi::CaptureInfo) -> Status,
    start: unsafe extern "C" fn(*mut Instance, *const abi::CaptureParams) -> Status,
    wait: Wait,
    grab: Grab,
    done_with: unsafe extern "C" fn(*mut Instance, *const abi::Frame),
    stop: unsafe extern "C" fn(*mut Instance) -> Status,
}

/// A capture that is not running.
pub struct CaptureInstance {
    gate: WakeGate,
    core: Arc<Core>,
    functions: Functions,
    /// Buffers of a run whose `stop` failed; dropped after the instance.
    unsettled: Vec<Arc<SharedBuffer>>,
}

/// A capture that watches for damage. Dropping it ends the instance.
pub struct RunningCapture {
    capture: CaptureInstance,
    info: CaptureInfo,
    area: Rect,
    buffers: Vec<Arc<SharedBuffer>>,
    /// The array that `start` named, in case the plugin looks at it later.
    _raw_buffers: Vec<abi::FrameBuffer>,
    /// Frames of the plugin's memory that nobody needs any more.
    returned: Arc<Mutex<Vec<abi::Frame>>>,
}

/// A frame in the plugin's memory: handed back on the media thread once nobody uses it.
struct PluginMemory {
    raw: abi::Frame,
    returned: Arc<Mutex<Vec<abi::Frame>>>,
    /// The memory lives as long as the instance.
    _core: Arc<Core>,
}

impl Drop for PluginMemory {
    fn drop(&mut self) {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).push(self.raw);
    }
}

impl CaptureInstance {
    /// Opens the source. `[control]`, may block.
    ///
    /// # Errors
    /// [`PluginError`] when the table is incomplete or the plugin fails.
    pub fn create(origin: &Origin<'_>, table: &'static CaptureV1) -> Result<Self, PluginError> {
        let plugin = origin.plugin;
        sized_table::<CaptureV1>(plugin, "capture", table.struct_size)?;
        let create = required(plugin, "capture.create", table.create)?;
        let destroy = required(plugin, "capture.destroy", table.destroy)?;
        let wake = required(plugin, "capture.wake", table.wake)?;
        let functions = Functions {
            info: required(plugin, "capture.info", table.info)?,
            start: required(plugin, "capture.start", table.start)?,
            wait: required(plugin, "capture.wait", table.wait)?,
            grab: required(plugin, "capture.grab", table.grab)?,
            done_with: required(plugin, "capture.done_with", table.done_with)?,
            stop: required(plugin, "capture.stop", table.stop)?,
        };
        let core = Arc::new(Core::plain(origin, Role::Plain, "capture.create", create, destroy)?);
        Ok(Self { gate: WakeGate::new(&core, wake), core, functions, unsettled: Vec::new() })
    }

    /// Describes the source as it is now. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn info(&mut self) -> Result<CaptureInfo, PluginError> {
        let mut out = abi::CaptureInfo {
            struct_size: size_field::<abi::CaptureInfo>(),
            flags: 0,
            width: 0,
            height: 0,
            fourcc: 0,
            stride_align: 0,
            reserved: [0; 4],
        };
        let describe = self.functions.info;
        // SAFETY: a live instance, and a place of the size that it says.
        self.core.call("capture.info", |instance| unsafe { describe(instance, &raw mut out) })?;
        let host_buffers = out.flags & abi::CAPTURE_HOST_BUFFERS != 0;
        let wrong = if out.struct_size != size_field::<abi::CaptureInfo>() {
            Some(format!("the struct_size is {}", out.struct_size))
        } else if out.width == 0 || out.height == 0 || out.width.max(out.height) > MAX_FRAME_EDGE {
            Some(format!("the source is {}x{}", out.width, out.height))
        } else if out.fourcc == 0 {
            Some("there is no format".into())
        } else if host_buffers
            && !(out.stride_align.is_power_of_two() && out.stride_align <= MAX_STRIDE_ALIGN)
        {
            Some(format!("the row alignment {} is not a power of two up to 4096", out.stride_align))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Err(self.core.contract("capture.info", wrong));
        }
        Ok(CaptureInfo {
            host_buffers,
            damage: out.flags & abi::CAPTURE_DAMAGE != 0,
            draws_cursor: out.flags & abi::CAPTURE_DRAWS_CURSOR != 0,
            width: out.width,
            height: out.height,
            fourcc: out.fourcc,
            stride_align: out.stride_align.max(1),
        })
    }

    /// Begins to watch for damage; the first wait reports damage at once. `[media]`
    ///
    /// # Errors
    /// [`CaptureFailure`] with the instance: what the plugin answers, or a request that does not fit it.
    pub fn start(mut self, request: CaptureRequest) -> Result<RunningCapture, Box<CaptureFailure>> {
        match self.try_start(&request) {
            Ok((info, raw_buffers)) => Ok(RunningCapture {
                capture: self,
                info,
                area: request.area,
                buffers: request.buffers,
                _raw_buffers: raw_buffers,
                returned: Arc::default(),
            }),
            Err(error) => Err(Box::new(CaptureFailure { capture: self, error })),
        }
    }

    fn try_start(
        &mut self,
        request: &CaptureRequest,
    ) -> Result<(CaptureInfo, Vec<abi::FrameBuffer>), PluginError> {
        let info = self.info()?;
        let area = &request.area;
        let refuse = |text: String| {
            let (class, detail) = (FaultClass::Reconfigure, FaultDetail::InvalidArgument);
            Err(PluginError::caller(self.core.account(), "capture.start", class, detail, text))
        };
        if area.width == 0 || area.height == 0 || !frame::within(area, info.width, info.height) {
            return refuse(format!("{area:?} is not in the source of {}x{}", info.width, info.height));
        }
        let count = request.buffers.len();
        if info.host_buffers != (count > 0) || count > MAX_BUFFERS {
            return refuse(format!("{count} buffers do not fit what the capture does"));
        }
        let fits = |buffer: &Arc<SharedBuffer>| {
            (buffer.width(), buffer.height(), buffer.fourcc()) == (area.width, area.height, info.fourcc)
                && buffer.stride().is_multiple_of(info.stride_align)
        };
        if !request.buffers.iter().all(fits) {
            return refuse("a buffer has another size, format or alignment than the capture".into());
        }
        let raw: Vec<_> = request.buffers.iter().map(|buffer| buffer.to_abi()).collect();
        let params = abi::CaptureParams {
            struct_size: size_field::<abi::CaptureParams>(),
            buffer_count: count as u32,
            area: *area,
            buffers: if raw.is_empty() { std::ptr::null() } else { raw.as_ptr() },
            output: Str::new(&request.output),
            reserved: [0; 4],
        };
        let start = self.functions.start;
        // SAFETY: a live instance; the parameters and what they point to are valid for the call, the buffers longer.
        self.core.call("capture.start", |instance| unsafe { start(instance, &raw const params) })?;
        Ok((info, raw))
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.gate.waker()
    }
}

impl RunningCapture {
    /// Blocks until there is something to grab, `timeout` passed (`None`: no limit) or a waker was used. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<CaptureSignal, PluginError> {
        self.hand_back();
        let mut event =
            abi::CaptureEvent { struct_size: size_field::<abi::CaptureEvent>(), ..Default::default() };
        let (core, wait) = (&self.capture.core, self.capture.functions.wait);
        let status = core.call("capture.wait", |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { wait(instance, timeout_ns(timeout), &raw mut event) }
        })?;
        if is_nothing(status) {
            return Ok(CaptureSignal::Nothing);
        }
        let edges = 1..=MAX_FRAME_EDGE;
        match event.kind {
            abi::CAPTURE_EVENT_DAMAGE => Ok(CaptureSignal::Damage),
            abi::CAPTURE_EVENT_RESIZED if edges.contains(&event.width) && edges.contains(&event.height) => {
                Ok(CaptureSignal::Resized { width: event.width, height: event.height })
            }
            abi::CAPTURE_EVENT_RESIZED => {
                let size = format!("the source became {}x{}", event.width, event.height);
                Err(core.contract("capture.wait", size))
            }
            kind => Err(core.contract("capture.wait", format!("there is no event of kind {kind}"))),
        }
    }

    /// Takes a picture. `[media]`
    ///
    /// With host buffers it goes into `buffers[buffer]`, where only new damage and `refresh` (what this buffer missed
    /// while others were used) are written; the buffer must not be lent. Otherwise both arguments mean nothing.
    ///
    /// A damage list that breaks the contract is reported and replaced by [`Damage::Full`], which is always right.
    ///
    /// # Errors
    /// What the plugin answers, a broken contract, or a buffer that is lent or does not exist.
    pub fn grab(&mut self, buffer: usize, refresh: &[Rect]) -> Result<VideoFrame, PluginError> {
        self.hand_back();
        let core = &self.capture.core;
        let target = self.buffers.get(buffer);
        if self.info.host_buffers && target.is_none_or(|buffer| buffer.is_lent()) {
            let text = if target.is_none() { "there is no such buffer" } else { "the buffer is still lent" };
            let (class, detail) = (FaultClass::Retry, FaultDetail::WrongState);
            return Err(PluginError::caller(core.account(), "capture.grab", class, detail, text));
        }
        let Rect { width, height, .. } = self.area;
        let all = [Rect { x: 0, y: 0, width, height }];
        let fits =
            refresh.len() <= MAX_DAMAGE_RECTS && refresh.iter().all(|r| frame::within(r, width, height));
        let refresh = if fits { refresh } else { &all };
        let mut out = frame::empty();
        let grab = self.capture.functions.grab;
        core.call("capture.grab", |instance| {
            // SAFETY: a live instance; the list is valid for the call, the place has the size that it says.
            unsafe { grab(instance, buffer as u32, refresh.as_ptr(), refresh.len() as u32, &raw mut out) }
        })?;
        let len = target.map(|buffer| buffer.bytes());
        frame::check(&out, width, height, self.info.fourcc, len)
            .map_err(|wrong| core.contract("capture.grab", wrong))?;
        let damage = self.damage_of(&out);
        let now = now_ns();
        if out.timestamp_ns == 0 || out.timestamp_ns > now {
            out.timestamp_ns = now;
        }
        Ok(match target {
            Some(buffer) => {
                let lease = buffer.lend();
                VideoFrame::checked(out, Some(lease.clone()), damage, Arc::new(lease))
            }
            None => {
                let returned = Arc::clone(&self.returned);
                let memory = PluginMemory { raw: out, returned, _core: Arc::clone(core) };
                VideoFrame::checked(out, None, damage, Arc::new(memory))
            }
        })
    }

    fn damage_of(&self, out: &abi::Frame) -> Damage {
        if !self.info.damage || out.flags & abi::FRAME_FULL_DAMAGE != 0 {
            return Damage::Full;
        }
        // SAFETY: the list stays valid until the next call on the instance, which needs `&mut self`.
        let rects = unsafe {
            crate::services::foreign_slice(out.damage, out.damage_count as usize, MAX_DAMAGE_RECTS)
        };
        let checked = rects
            .ok_or_else(|| "the damage list is NULL, not aligned or longer than 64".to_owned())
            .and_then(|rects| Damage::checked(rects, out.width, out.height));
        checked.unwrap_or_else(|wrong| {
            self.capture.core.account().misbehaving("capture.grab", wrong);
            Damage::Full
        })
    }

    /// Tells the plugin which frames of its memory are free again.
    fn hand_back(&mut self) {
        let frames = std::mem::take(&mut *self.returned.lock().unwrap_or_else(PoisonError::into_inner));
        for raw in &frames {
            // SAFETY: a live instance on its media thread, and a frame that it made.
            self.capture.core.tell(|instance| unsafe { (self.capture.functions.done_with)(instance, raw) });
        }
    }

    /// Ends the watch; after it the buffers are not written. `[media]`
    ///
    /// # Errors
    /// [`CaptureFailure`] with what the plugin answers; the buffers stay reserved until the instance is dropped.
    pub fn stop(mut self) -> Result<CaptureInstance, Box<CaptureFailure>> {
        self.hand_back();
        let stop = self.capture.functions.stop;
        // SAFETY: a live, started instance.
        let outcome = self.capture.core.call("capture.stop", |instance| unsafe { stop(instance) });
        let Self { mut capture, buffers, .. } = self;
        match outcome {
            Ok(_) => Ok(capture),
            Err(error) => {
                capture.unsettled.extend(buffers);
                Err(Box::new(CaptureFailure { capture, error }))
            }
        }
    }

    /// What the capture said of itself when it was started.
    #[must_use]
    pub fn info(&self) -> CaptureInfo {
        self.info
    }

    /// The buffers it writes, by number.
    #[must_use]
    pub fn buffers(&self) -> &[Arc<SharedBuffer>] {
        &self.buffers
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.capture.waker()
    }
}

impl std::fmt::Debug for CaptureInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureInstance").field("core", &self.core).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RunningCapture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningCapture")
            .field("area", &self.area)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
