//! A capture between `start` and `stop`.

mod here;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use selkies_plugin_abi::{MAX_DAMAGE_RECTS, Rect};

use super::PluginError;
use super::buffer::SharedBuffer;
use super::capture::{CaptureFailure, CaptureInfo, CaptureInstance, CaptureSignal};
use super::frame::{self, VideoFrame};
use super::wake::Waker;
pub(super) use here::HereRunning;
pub(super) use remote::RemoteRunning;

/// A capture that watches for damage. Dropping it ends the instance.
pub struct RunningCapture {
    arm: Arm,
}

/// Where it runs.
enum Arm {
    Here(Box<HereRunning>),
    Child(Box<RemoteRunning>),
}

/// The buffer to write, if it is one of the host's; why it cannot be written.
fn target(
    buffers: &[Arc<SharedBuffer>],
    buffer: usize,
    host_buffers: bool,
) -> Result<Option<&Arc<SharedBuffer>>, &'static str> {
    match buffers.get(buffer) {
        None if host_buffers => Err("there is no such buffer"),
        Some(target) if target.is_lent() => Err("the buffer is still lent"),
        target => Ok(target),
    }
}

/// Whether a list of what is to be written anew is one; otherwise everything is.
fn refreshes(refresh: &[Rect], width: u32, height: u32) -> bool {
    refresh.len() <= MAX_DAMAGE_RECTS && refresh.iter().all(|rect| frame::within(rect, width, height))
}

impl RunningCapture {
    pub(super) fn of_here(running: HereRunning) -> Self {
        Self { arm: Arm::Here(Box::new(running)) }
    }

    pub(super) fn of_child(running: RemoteRunning) -> Self {
        Self { arm: Arm::Child(Box::new(running)) }
    }

    /// Blocks until there is something to grab, `timeout` passed (`None`: no limit) or a waker was used. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<CaptureSignal, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.wait(timeout),
            Arm::Child(child) => child.wait(timeout),
        }
    }

    /// Takes a picture. `[media]`
    ///
    /// With host buffers it goes into `buffers[buffer]`, where only new damage and `refresh` (what this buffer missed
    /// while others were used) are written; the buffer must not be lent. Otherwise both arguments mean nothing.
    ///
    /// A damage list that breaks the contract is reported and replaced by [`Damage::Full`](crate::Damage::Full), which is always right.
    ///
    /// # Errors
    /// What the plugin answers, a broken contract, or a buffer that is lent or does not exist.
    pub fn grab(&mut self, buffer: usize, refresh: &[Rect]) -> Result<VideoFrame, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.grab(buffer, refresh),
            Arm::Child(child) => child.grab(buffer, refresh),
        }
    }

    /// Ends the watch; after it the buffers are not written. `[media]`
    ///
    /// # Errors
    /// [`CaptureFailure`] with what the plugin answers; the buffers stay reserved until the instance is dropped.
    pub fn stop(self) -> Result<CaptureInstance, Box<CaptureFailure>> {
        match self.arm {
            Arm::Here(here) => match here.stop() {
                Ok(capture) => Ok(CaptureInstance::of_here(capture)),
                Err(failed) => {
                    let (capture, error) = *failed;
                    Err(Box::new(CaptureFailure { capture: CaptureInstance::of_here(capture), error }))
                }
            },
            Arm::Child(child) => match child.stop() {
                Ok(capture) => Ok(CaptureInstance::of_child(capture)),
                Err(failed) => {
                    let (capture, error) = *failed;
                    Err(Box::new(CaptureFailure { capture: CaptureInstance::of_child(capture), error }))
                }
            },
        }
    }

    /// What the capture said of itself when it was started.
    #[must_use]
    pub fn info(&self) -> CaptureInfo {
        match &self.arm {
            Arm::Here(here) => here.info,
            Arm::Child(child) => child.info,
        }
    }

    /// The buffers it writes, by number.
    #[must_use]
    pub fn buffers(&self) -> &[Arc<SharedBuffer>] {
        match &self.arm {
            Arm::Here(here) => &here.buffers,
            Arm::Child(child) => child.buffers(),
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        match &self.arm {
            Arm::Here(here) => here.capture.waker(),
            Arm::Child(child) => child.waker(),
        }
    }
}

impl std::fmt::Debug for RunningCapture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningCapture").field("info", &self.info()).finish_non_exhaustive()
    }
}
