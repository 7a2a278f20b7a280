//! Frames of the host that are in a pipeline.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{Error, Result, RetainedFrame};

#[derive(Debug, Default)]
struct State {
    /// Frames in the pipeline.
    count: usize,
    /// The host is not to be called any more.
    cut: bool,
}

/// Counts the frames in a pipeline, and keeps those from the host's door that come after the instance's end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tether {
    inner: Arc<(Mutex<State>, Condvar)>,
}

impl Tether {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame's pixels as memory for a buffer.
    ///
    /// # Errors
    /// When the frame has none.
    pub(crate) fn hold(&self, frame: RetainedFrame) -> Result<Pixels> {
        frame.frame().plane(0)?;
        self.lock().count += 1;
        Ok(Pixels { frame: Some(frame), tether: self.clone() })
    }

    /// Waits until no frame is in the pipeline; false when that takes longer than `limit`.
    pub(crate) fn is_empty_within(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        while state.count > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.inner.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Frames that are dropped from now on are not given back: the host has taken them.
    pub(crate) fn cut(&self) {
        self.lock().cut = true;
    }
}

/// The pixels of a frame, which goes back to the host when the last buffer of them is gone.
#[derive(Debug)]
pub(crate) struct Pixels {
    /// Always there, until it is dropped.
    frame: Option<RetainedFrame>,
    tether: Tether,
}

impl AsRef<[u8]> for Pixels {
    fn as_ref(&self) -> &[u8] {
        let frame = self.frame.as_ref().map(RetainedFrame::frame);
        frame.and_then(|frame| frame.plane(0).ok()).map_or(&[], |(bytes, _)| bytes)
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        // The lock stays until the host was called: after `cut`, no call is under way.
        let mut state = self.tether.lock();
        let frame = self.frame.take();
        if state.cut {
            std::mem::forget(frame);
        } else {
            drop(frame);
        }
        state.count = state.count.saturating_sub(1);
        self.tether.inner.1.notify_all();
    }
}

/// The error for a pipeline that does not let go of a frame.
pub(crate) fn stuck(name: &str) -> Error {
    Error::fatal(format!("{name}: the pipeline does not let go of a frame; another encoder goes on"))
}
