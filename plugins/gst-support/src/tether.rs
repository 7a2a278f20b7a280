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
    fn cut(&self) {
        self.lock().cut = true;
    }
}

/// The instance's end of a tether: it stays until no frame is in the pipeline.
#[derive(Debug)]
pub(crate) struct Leash {
    tether: Tether,
    /// Of the encoder.
    name: &'static str,
    /// How long it waits before it says that it does.
    patience: Duration,
}

impl Leash {
    pub(crate) fn new(name: &'static str, patience: Duration) -> Self {
        Self { tether: Tether::default(), name, patience }
    }

    pub(crate) fn tether(&self) -> &Tether {
        &self.tether
    }
}

impl Drop for Leash {
    /// Waits, however long it takes: after `destroy` the host reuses the memory of its frames, which a driver's thread that
    /// hangs may still read. A host counts an encoder that does not end, and keeps its frames meanwhile (MD015).
    fn drop(&mut self) {
        if !self.tether.is_empty_within(self.patience) {
            tracing::warn!(
                encoder = self.name,
                "the device does not let go of a frame; the encoder waits for it"
            );
            while !self.tether.is_empty_within(Duration::from_mins(1)) {}
        }
        self.tether.cut();
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_instance_does_not_end_before_its_frames() {
        let leash = Leash::new("test", Duration::from_millis(1));
        let tether = leash.tether().clone();
        tether.lock().count = 1;
        let (ended, end) = mpsc::channel();
        let ending = std::thread::spawn({
            let tether = tether.clone();
            move || {
                drop(leash);
                let state = tether.lock();
                let _ = ended.send((state.count, state.cut));
            }
        });
        // Far past its patience. Where the thread has not begun by then, this proves less, and is right all the same.
        assert_eq!(end.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout));
        {
            let mut state = tether.lock();
            assert!(!state.cut, "a frame that ends now goes back to the host");
            state.count = 0;
        }
        tether.inner.1.notify_all();
        assert_eq!(end.recv_timeout(Duration::from_secs(30)), Ok((0, true)));
        ending.join().expect("it ends");
    }
}
