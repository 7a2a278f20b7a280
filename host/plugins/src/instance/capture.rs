//! `selkies.capture/1`.

mod here;
mod remote;

use std::sync::Arc;

use selkies_plugin_abi::Rect;
use serde::{Deserialize, Serialize};

use super::buffer::{MAX_FRAME_EDGE, MAX_STRIDE_ALIGN, SharedBuffer};
use super::running::RunningCapture;
use super::wake::Waker;
use super::{Origin, PluginError, frame};
pub(super) use here::HereCapture;
pub(super) use remote::{RemoteCapture, wake};

/// Buffers that one capture may cycle through.
pub(super) const MAX_BUFFERS: usize = 16;

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

impl CaptureInfo {
    /// Which rule it breaks.
    pub(super) fn wrong(&self) -> Option<String> {
        let edges = 1..=MAX_FRAME_EDGE;
        if !edges.contains(&self.width) || !edges.contains(&self.height) {
            return Some(format!("the source is {}x{}", self.width, self.height));
        }
        if self.fourcc == 0 {
            return Some("there is no format".into());
        }
        let aligned = self.stride_align.is_power_of_two() && self.stride_align <= MAX_STRIDE_ALIGN;
        (self.host_buffers && !aligned)
            .then(|| format!("the row alignment {} is not a power of two up to 4096", self.stride_align))
    }
}

impl CaptureRequest {
    /// Why it does not fit the capture.
    pub(super) fn misfit(&self, info: &CaptureInfo) -> Option<String> {
        let area = &self.area;
        if area.width == 0 || area.height == 0 || !frame::within(area, info.width, info.height) {
            return Some(format!("{area:?} is not in the source of {}x{}", info.width, info.height));
        }
        let count = self.buffers.len();
        if info.host_buffers != (count > 0) || count > MAX_BUFFERS {
            return Some(format!("{count} buffers do not fit what the capture does"));
        }
        let fits = |buffer: &Arc<SharedBuffer>| {
            (buffer.width(), buffer.height(), buffer.fourcc()) == (area.width, area.height, info.fourcc)
                && buffer.stride().is_multiple_of(info.stride_align)
        };
        let all = self.buffers.iter().all(fits);
        (!all).then(|| "a buffer has another size, format or alignment than the capture".into())
    }
}

/// A capture that is not running.
pub struct CaptureInstance {
    arm: Arm,
}

/// Where it runs.
enum Arm {
    Here(Box<HereCapture>),
    Child(Box<RemoteCapture>),
}

impl CaptureInstance {
    /// Opens the source. `[control]`, may block.
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        Ok(match origin.plugin.child() {
            None => Self::of_here(HereCapture::create(origin)?),
            Some(child) => Self::of_child(RemoteCapture::create(origin, child)?),
        })
    }

    pub(super) fn of_here(capture: HereCapture) -> Self {
        Self { arm: Arm::Here(Box::new(capture)) }
    }

    pub(super) fn of_child(capture: RemoteCapture) -> Self {
        Self { arm: Arm::Child(Box::new(capture)) }
    }

    /// Describes the source as it is now. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn info(&mut self) -> Result<CaptureInfo, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.info(),
            Arm::Child(child) => child.info(),
        }
    }

    /// Begins to watch for damage; the first wait reports damage at once. `[media]`
    ///
    /// # Errors
    /// [`CaptureFailure`] with the instance: what the plugin answers, or a request that does not fit it.
    pub fn start(self, request: CaptureRequest) -> Result<RunningCapture, Box<CaptureFailure>> {
        match self.arm {
            Arm::Here(here) => match here.start(request) {
                Ok(running) => Ok(RunningCapture::of_here(running)),
                Err(failed) => {
                    let (capture, error) = *failed;
                    Err(Box::new(CaptureFailure { capture: Self::of_here(capture), error }))
                }
            },
            Arm::Child(child) => match child.start(request) {
                Ok(running) => Ok(RunningCapture::of_child(running)),
                Err(failed) => {
                    let (capture, error) = *failed;
                    Err(Box::new(CaptureFailure { capture: Self::of_child(capture), error }))
                }
            },
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        match &self.arm {
            Arm::Here(here) => here.waker(),
            Arm::Child(child) => child.waker(),
        }
    }
}

impl std::fmt::Debug for CaptureInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let account = match &self.arm {
            Arm::Here(here) => here.account(),
            Arm::Child(child) => child.account(),
        };
        f.debug_struct("CaptureInstance").field("plugin", &account.id).finish_non_exhaustive()
    }
}
