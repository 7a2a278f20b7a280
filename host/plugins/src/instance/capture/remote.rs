//! A capture in a child.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use super::{CaptureInfo, CaptureRequest};
use crate::{
    child::{
        ChildPlugin, Remote, RemoteWake,
        wire::{Create, Reply, Task},
    },
    instance::{FaultClass, FaultDetail, Origin, PluginError, SharedBuffer, Waker, running::RemoteRunning},
    services::PluginAccount,
};

const START: &str = "capture.start";

/// A capture that is not running: asks an instance in a child.
pub(in crate::instance) struct RemoteCapture {
    pub(in crate::instance) remote: Remote,
    pub(in crate::instance) wake: Arc<RemoteWake>,
    /// The child's next number for a buffer.
    next_slot: u32,
    /// Buffers of a run whose `stop` failed; dropped after the instance.
    pub(in crate::instance) unsettled: Vec<Arc<SharedBuffer>>,
}

impl RemoteCapture {
    pub(super) fn create(origin: &Origin<'_>, child: &ChildPlugin) -> Result<Self, PluginError> {
        const CREATE: &str = "capture.create";
        let (wake, event) = wake(origin, child, CREATE)?;
        let event = [event.as_fd()];
        let remote =
            Remote::create(origin.services, child, origin.config_json, Create::Capture, &event, CREATE)?;
        Ok(Self { remote, wake, next_slot: 0, unsettled: Vec::new() })
    }

    pub(super) fn info(&mut self) -> Result<CaptureInfo, PluginError> {
        const INFO: &str = "capture.info";
        match self.remote.ask(INFO, Task::CaptureInfo)? {
            Reply::CaptureInfo(info) if info.wrong().is_none() && info.stride_align > 0 => Ok(info),
            _ => Err(self.remote.wrong_reply(INFO)),
        }
    }

    pub(super) fn start(
        mut self,
        request: CaptureRequest,
    ) -> Result<RemoteRunning, Box<(Self, PluginError)>> {
        match self.try_start(&request) {
            Ok((info, slots)) => Ok(RemoteRunning::new(self, info, request.area, request.buffers, slots)),
            Err(error) => Err(Box::new((self, error))),
        }
    }

    fn try_start(&mut self, request: &CaptureRequest) -> Result<(CaptureInfo, Vec<u32>), PluginError> {
        let info = self.info()?;
        if let Some(text) = request.misfit(&info) {
            let (class, detail) = (FaultClass::Reconfigure, FaultDetail::InvalidArgument);
            return Err(PluginError::caller(self.account(), START, class, detail, text));
        }
        let first = self.next_slot;
        let started = self.start_with(request);
        if started.is_err() {
            self.forget(first..self.next_slot);
        }
        started.map(|slots| (info, slots))
    }

    fn start_with(&mut self, request: &CaptureRequest) -> Result<Vec<u32>, PluginError> {
        let slots = request.buffers.iter().map(|buffer| self.lend(buffer)).collect::<Result<Vec<_>, _>>()?;
        let task = Task::CaptureStart {
            area: request.area.into(),
            output: request.output.clone(),
            slots: slots.clone(),
        };
        self.remote.tell(START, task)?;
        Ok(slots)
    }

    /// Lets the child unmap these buffers.
    pub(in crate::instance) fn forget(&mut self, slots: impl IntoIterator<Item = u32>) {
        // Whoever is gone by now says so at the next call.
        let forget = |slot| self.remote.send("capture.stop", Task::Forget(slot), &[]);
        let _ = slots.into_iter().try_for_each(forget);
    }

    /// Lets the child write a buffer; answers its number there.
    pub(in crate::instance) fn lend(&mut self, buffer: &Arc<SharedBuffer>) -> Result<u32, PluginError> {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.remote.send(START, Task::Buffer { slot, shape: buffer.shape() }, &[buffer.as_fd()])?;
        Ok(slot)
    }

    pub(in crate::instance) fn waker(&self) -> Waker {
        Waker::of_child(&self.wake)
    }

    pub(in crate::instance) fn account(&self) -> &Arc<PluginAccount> {
        self.remote.account()
    }
}

/// What ends a wait, and the child's end of it.
pub(in crate::instance) fn wake(
    origin: &Origin<'_>,
    child: &ChildPlugin,
    function: &'static str,
) -> Result<(Arc<RemoteWake>, OwnedFd), PluginError> {
    RemoteWake::new().map_err(|error| {
        let account = origin.services.account(child.id());
        PluginError::shortage(&account, function, format!("no event for its process: {error}"))
    })
}
