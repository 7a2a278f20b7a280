//! `selkies.capture/1`.

use std::sync::Arc;

use selkies_plugin_abi::{self as abi, CaptureV1, Instance, Rect, Status, Str};
use serde::{Deserialize, Serialize};

use super::buffer::{MAX_FRAME_EDGE, MAX_STRIDE_ALIGN, SharedBuffer};
use super::core::{Core, required, sized_table};
use super::frame;
use super::running::RunningCapture;
use super::wake::{WakeGate, Waker};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::services::Role;
use crate::size::{count_field, size_field};

/// Buffers that one capture may cycle through.
const MAX_BUFFERS: usize = 16;

/// What a capture can do and how large its source is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub(super) struct Functions {
    pub(super) info: unsafe extern "C" fn(*mut Instance, *mut abi::CaptureInfo) -> Status,
    pub(super) start: unsafe extern "C" fn(*mut Instance, *const abi::CaptureParams) -> Status,
    pub(super) wait: Wait,
    pub(super) grab: Grab,
    pub(super) done_with: unsafe extern "C" fn(*mut Instance, *const abi::Frame),
    pub(super) stop: unsafe extern "C" fn(*mut Instance) -> Status,
}

/// A capture that is not running.
pub struct CaptureInstance {
    gate: WakeGate,
    pub(super) core: Arc<Core>,
    pub(super) functions: Functions,
    /// Buffers of a run whose `stop` failed; dropped after the instance.
    pub(super) unsettled: Vec<Arc<SharedBuffer>>,
}

impl CaptureInstance {
    /// Opens the source. `[control]`, may block.
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        let plugin = origin.plugin.id();
        let table: &CaptureV1 = origin.plugin.table("capture")?;
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
            Ok((info, raw)) => Ok(RunningCapture::new(self, info, request.area, request.buffers, raw)),
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
            buffer_count: count_field(&raw),
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

impl std::fmt::Debug for CaptureInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureInstance").field("core", &self.core).finish_non_exhaustive()
    }
}
