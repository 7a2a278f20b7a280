//! A running capture in a child.

use std::{sync::Arc, time::Duration};

use selkies_plugin_abi::{self as abi, MAX_DAMAGE_RECTS, Rect};

use super::{refreshes, target};
use crate::{
    child::wire::{Grabbed, Reply, Task, color_of},
    instance::{
        CaptureInfo, CaptureSignal, Damage, FaultClass, FaultDetail, MAX_FRAME_EDGE, PluginError,
        SharedBuffer, VideoFrame, Waker,
        capture::{MAX_BUFFERS, RemoteCapture},
        frame,
    },
    services::now_ns,
};

/// A capture that watches for damage: asks an instance in a child.
pub(in crate::instance) struct RemoteRunning {
    capture: RemoteCapture,
    pub(super) info: CaptureInfo,
    area: Rect,
    /// The buffers of the request; our own where the capture has its memory in the child, which copies from it.
    buffers: Vec<Arc<SharedBuffer>>,
    /// The child's numbers of the buffers.
    slots: Vec<u32>,
}

impl RemoteRunning {
    pub(in crate::instance) fn new(
        capture: RemoteCapture,
        info: CaptureInfo,
        area: Rect,
        buffers: Vec<Arc<SharedBuffer>>,
        slots: Vec<u32>,
    ) -> Self {
        Self { capture, info, area, buffers, slots }
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Result<CaptureSignal, PluginError> {
        const WAIT: &str = "capture.wait";
        let RemoteCapture { remote, wake, .. } = &mut self.capture;
        let edges = 1..=MAX_FRAME_EDGE;
        match remote.wait(WAIT, |timeout_ns| Task::CaptureWait { timeout_ns }, timeout, wake)? {
            Reply::Signal(CaptureSignal::Resized { width, height })
                if !edges.contains(&width) || !edges.contains(&height) =>
            {
                Err(remote.broken(WAIT, "says that the source has a size that none can have"))
            }
            Reply::Signal(signal) => Ok(signal),
            _ => Err(remote.wrong_reply(WAIT)),
        }
    }

    pub(super) fn grab(&mut self, buffer: usize, refresh: &[Rect]) -> Result<VideoFrame, PluginError> {
        const GRAB: &str = "capture.grab";
        let index = if self.info.host_buffers { buffer } else { self.own_buffer()? };
        let refused = |text: &str| {
            let (class, detail) = (FaultClass::Retry, FaultDetail::WrongState);
            PluginError::caller(self.capture.account(), GRAB, class, detail, text)
        };
        let target = target(&self.buffers, index, true).map_err(refused)?;
        let (Some(target), Some(slot)) = (target.cloned(), self.slots.get(index)) else {
            return Err(refused("there is no such buffer"));
        };
        let Rect { width, height, .. } = self.area;
        let all = [Rect { x: 0, y: 0, width, height }];
        let refresh = if refreshes(refresh, width, height) { refresh } else { &all };
        let refresh = refresh.iter().map(|rect| (*rect).into()).collect();
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let task = Task::CaptureGrab { buffer: number, slot: *slot, refresh };
        let remote = &mut self.capture.remote;
        let Reply::Frame(Grabbed { timestamp_ns, color, planes, damage }) = remote.ask(GRAB, task)? else {
            return Err(remote.wrong_reply(GRAB));
        };
        let mut raw = frame::empty();
        (raw.memory, raw.fourcc) = (abi::MEMORY_MEMFD, self.info.fourcc);
        (raw.width, raw.height, raw.color) = (width, height, color_of(color));
        let now = now_ns();
        raw.timestamp_ns = if timestamp_ns == 0 || timestamp_ns > now { now } else { timestamp_ns };
        raw.plane_count = u32::try_from(planes.len()).unwrap_or(u32::MAX);
        for (plane, from) in raw.planes.iter_mut().zip(&planes) {
            (plane.offset, plane.len, plane.stride) = (from.0, from.1, from.2);
        }
        frame::check(&raw, width, height, self.info.fourcc, Some(target.bytes()))
            .map_err(|wrong| remote.broken(GRAB, &format!("made a frame that is none: {wrong}")))?;
        let damage = match damage {
            Some(rects) if self.info.damage && rects.len() <= MAX_DAMAGE_RECTS => {
                let rects: Vec<Rect> = rects.into_iter().map(Into::into).collect();
                Damage::checked(&rects, width, height)
                    .map_err(|wrong| remote.broken(GRAB, &format!("made a frame that is none: {wrong}")))?
            }
            _ => Damage::Full,
        };
        let lease = target.lend();
        Ok(VideoFrame::checked(raw, Some(lease.clone()), damage, Arc::new(lease)))
    }

    /// A buffer that nobody reads, for a capture that has its memory in the child.
    fn own_buffer(&mut self) -> Result<usize, PluginError> {
        if let Some(free) = self.buffers.iter().position(|buffer| !buffer.is_lent()) {
            return Ok(free);
        }
        let refused = |capture: &RemoteCapture, text: String| {
            let (class, detail) = (FaultClass::Retry, FaultDetail::OutOfResources);
            PluginError::caller(capture.account(), "capture.grab", class, detail, text)
        };
        if self.buffers.len() >= MAX_BUFFERS {
            return Err(refused(&self.capture, "every buffer is still lent".into()));
        }
        let buffer = SharedBuffer::new(self.area.width, self.area.height, self.info.fourcc, 64)
            .map_err(|error| refused(&self.capture, error.to_string()))?;
        self.slots.push(self.capture.lend(&buffer)?);
        self.buffers.push(buffer);
        Ok(self.buffers.len() - 1)
    }

    pub(super) fn stop(self) -> Result<RemoteCapture, Box<(RemoteCapture, PluginError)>> {
        let Self { mut capture, buffers, slots, .. } = self;
        match capture.remote.tell("capture.stop", Task::CaptureStop) {
            Ok(()) => {
                capture.forget(slots);
                Ok(capture)
            }
            Err(error) => {
                capture.unsettled.extend(buffers);
                Err(Box::new((capture, error)))
            }
        }
    }

    /// The buffers of the request.
    pub(super) fn buffers(&self) -> &[Arc<SharedBuffer>] {
        if self.info.host_buffers { &self.buffers } else { &[] }
    }

    pub(super) fn waker(&self) -> Waker {
        self.capture.waker()
    }
}
