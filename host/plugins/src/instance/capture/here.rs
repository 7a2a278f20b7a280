//! A capture in this process.

use std::sync::Arc;

use selkies_plugin_abi::{self as abi, CaptureV1, Instance, Rect, Status, Str};

use super::{CaptureInfo, CaptureRequest};
use crate::instance::buffer::SharedBuffer;
use crate::instance::core::{Core, required, sized_table};
use crate::instance::running::HereRunning;
use crate::instance::wake::{WakeGate, Waker};
use crate::instance::{FaultClass, FaultDetail, Origin, PluginError};
use crate::services::{PluginAccount, Role};
use crate::size::{count_field, size_field};

type Wait = unsafe extern "C" fn(*mut Instance, u64, *mut abi::CaptureEvent) -> Status;
type Grab = unsafe extern "C" fn(*mut Instance, u32, *const Rect, u32, *mut abi::Frame) -> Status;

#[derive(Clone, Copy)]
pub(in crate::instance) struct Functions {
    pub(in crate::instance) info: unsafe extern "C" fn(*mut Instance, *mut abi::CaptureInfo) -> Status,
    pub(in crate::instance) start: unsafe extern "C" fn(*mut Instance, *const abi::CaptureParams) -> Status,
    pub(in crate::instance) wait: Wait,
    pub(in crate::instance) grab: Grab,
    pub(in crate::instance) done_with: unsafe extern "C" fn(*mut Instance, *const abi::Frame),
    pub(in crate::instance) stop: unsafe extern "C" fn(*mut Instance) -> Status,
}

/// A capture that is not running: calls the plugin's table.
pub(in crate::instance) struct HereCapture {
    gate: WakeGate,
    pub(in crate::instance) core: Arc<Core>,
    pub(in crate::instance) functions: Functions,
    /// Buffers of a run whose `stop` failed; dropped after the instance.
    pub(in crate::instance) unsettled: Vec<Arc<SharedBuffer>>,
}

impl HereCapture {
    pub(super) fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
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

    pub(super) fn info(&mut self) -> Result<CaptureInfo, PluginError> {
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
        if out.struct_size != size_field::<abi::CaptureInfo>() {
            return Err(self
                .core
                .contract("capture.info", format!("the struct_size is {}", out.struct_size)));
        }
        let host_buffers = out.flags & abi::CAPTURE_HOST_BUFFERS != 0;
        let info = CaptureInfo {
            host_buffers,
            damage: out.flags & abi::CAPTURE_DAMAGE != 0,
            draws_cursor: out.flags & abi::CAPTURE_DRAWS_CURSOR != 0,
            width: out.width,
            height: out.height,
            fourcc: out.fourcc,
            stride_align: if host_buffers { out.stride_align } else { out.stride_align.max(1) },
        };
        match info.wrong() {
            None => Ok(info),
            Some(wrong) => Err(self.core.contract("capture.info", wrong)),
        }
    }

    pub(super) fn start(mut self, request: CaptureRequest) -> Result<HereRunning, Box<(Self, PluginError)>> {
        match self.try_start(&request) {
            Ok((info, raw)) => Ok(HereRunning::new(self, info, request.area, request.buffers, raw)),
            Err(error) => Err(Box::new((self, error))),
        }
    }

    fn try_start(
        &mut self,
        request: &CaptureRequest,
    ) -> Result<(CaptureInfo, Vec<abi::FrameBuffer>), PluginError> {
        let info = self.info()?;
        if let Some(text) = request.misfit(&info) {
            let (class, detail) = (FaultClass::Reconfigure, FaultDetail::InvalidArgument);
            return Err(PluginError::caller(self.core.account(), "capture.start", class, detail, text));
        }
        let area = &request.area;
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

    pub(in crate::instance) fn waker(&self) -> Waker {
        self.gate.waker()
    }

    pub(super) fn account(&self) -> &Arc<PluginAccount> {
        self.core.account()
    }
}
