//! A running capture in this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use selkies_plugin_abi::{self as abi, MAX_DAMAGE_RECTS, Rect};

use super::target;
use crate::instance::buffer::{MAX_FRAME_EDGE, SharedBuffer};
use crate::instance::capture::{CaptureInfo, CaptureSignal, HereCapture};
use crate::instance::core::{Core, is_nothing, timeout_ns};
use crate::instance::frame::{self, Damage, VideoFrame};
use crate::instance::{FaultClass, FaultDetail, PluginError};
use crate::services::{foreign_slice, now_ns};
use crate::size::{count_field, size_field};

/// A capture that watches for damage: calls the plugin's table.
pub(in crate::instance) struct HereRunning {
    pub(super) capture: HereCapture,
    pub(super) info: CaptureInfo,
    area: Rect,
    pub(super) buffers: Vec<Arc<SharedBuffer>>,
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

impl HereRunning {
    /// A capture that was just started with these buffers.
    pub(in crate::instance) fn new(
        capture: HereCapture,
        info: CaptureInfo,
        area: Rect,
        buffers: Vec<Arc<SharedBuffer>>,
        raw_buffers: Vec<abi::FrameBuffer>,
    ) -> Self {
        Self { capture, info, area, buffers, _raw_buffers: raw_buffers, returned: Arc::default() }
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Result<CaptureSignal, PluginError> {
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

    pub(super) fn grab(&mut self, buffer: usize, refresh: &[Rect]) -> Result<VideoFrame, PluginError> {
        self.hand_back();
        let core = &self.capture.core;
        let target = target(&self.buffers, buffer, self.info.host_buffers).map_err(|text| {
            let (class, detail) = (FaultClass::Retry, FaultDetail::WrongState);
            PluginError::caller(core.account(), "capture.grab", class, detail, text)
        })?;
        let Rect { width, height, .. } = self.area;
        let all = [Rect { x: 0, y: 0, width, height }];
        let refresh = if super::refreshes(refresh, width, height) { refresh } else { &all };
        // An index of the list above fits; without host buffers it means nothing.
        let index = u32::try_from(buffer).unwrap_or(u32::MAX);
        let mut out = frame::empty();
        let grab = self.capture.functions.grab;
        core.call("capture.grab", |instance| {
            // SAFETY: a live instance; the list is valid for the call, the place has the size that it says.
            unsafe { grab(instance, index, refresh.as_ptr(), count_field(refresh), &raw mut out) }
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
        let rects = unsafe { foreign_slice(out.damage, out.damage_count as usize, MAX_DAMAGE_RECTS) };
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

    pub(super) fn stop(mut self) -> Result<HereCapture, Box<(HereCapture, PluginError)>> {
        self.hand_back();
        let stop = self.capture.functions.stop;
        // SAFETY: a live, started instance.
        let outcome = self.capture.core.call("capture.stop", |instance| unsafe { stop(instance) });
        let Self { mut capture, buffers, .. } = self;
        match outcome {
            Ok(_) => Ok(capture),
            Err(error) => {
                capture.unsettled.extend(buffers);
                Err(Box::new((capture, error)))
            }
        }
    }
}
