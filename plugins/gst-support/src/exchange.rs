//! Between the host's thread, which submits, and the pipeline's, which answers.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{Error, Result};

/// Who hears what became of a frame. Called on the pipeline's thread, never at the same time.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The colours of the frame under way were converted, which took so long.
    fn converted(&self, _took: Duration) {}

    /// The packet of a frame. An error is what the frame is then answered with.
    fn packet(&self, frame: &Pending, bytes: &[u8], is_key: bool) -> Result<()>;

    /// The frame is finished.
    fn done(&self, frame: &Pending, outcome: Result<()>);
}

/// A frame under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) frame_id: u64,
    pub(crate) timestamp_ns: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Its packet must be a keyframe.
    pub(crate) wants_key: bool,
    /// It shows what the one before does, finer.
    pub(crate) refines: bool,
    /// It can be shown finer later, when nothing changes.
    pub(crate) is_coarse: bool,
}

#[derive(Debug, Default)]
struct State {
    pending: Option<Pending>,
    /// When the pending frame left the queue in front of the pipeline.
    entered: Option<Instant>,
    /// Decoders lack a packet: the next one must stand alone.
    anew: bool,
    broken: Option<Error>,
    /// The instance is ending: nobody is told anything any more.
    closed: bool,
}

/// At most one frame, and how it ends.
pub(crate) struct Exchange {
    name: &'static str,
    answer: Box<dyn Answer>,
    state: Mutex<State>,
    changed: Condvar,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("name", &self.name)
            .field("state", &*self.lock())
            .finish_non_exhaustive()
    }
}

impl Exchange {
    pub(crate) fn new(name: &'static str, answer: Box<dyn Answer>) -> Self {
        Self { name, answer, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a frame that is about to be pushed.
    ///
    /// # Errors
    /// What broke the pipeline; [`Error::wrong_state`] while another frame is under way.
    pub(crate) fn begin(&self, frame: Pending) -> Result<()> {
        let mut state = self.lock();
        if let Some(error) = &state.broken {
            return Err(error.clone());
        }
        if state.pending.is_some() {
            return Err(Error::wrong_state(
                "the frame before is still under way; this encoder takes one at a time",
            ));
        }
        state.pending = Some(frame);
        state.entered = None;
        Ok(())
    }

    /// Takes a frame back that did not get into the pipeline. False when it was answered meanwhile.
    pub(crate) fn withdraw(&self) -> bool {
        self.lock().pending.take().is_some()
    }

    /// True when the next packet must be a keyframe, because one before it was lost.
    pub(crate) fn starts_anew(&self) -> bool {
        self.lock().anew
    }

    /// What broke the pipeline.
    pub(crate) fn broken(&self) -> Option<Error> {
        self.lock().broken.clone()
    }

    /// The pending frame is in the pipeline now.
    pub(crate) fn entered(&self) {
        self.lock().entered = Some(Instant::now());
    }

    /// The pending frame has come to the encoder.
    pub(crate) fn converted(&self) {
        let state = self.lock();
        if let (Some(since), Some(_), false) = (state.entered, state.pending, state.closed) {
            self.answer.converted(since.elapsed());
        }
    }

    /// The pipeline asks for more, having passed on what it had. With an encoder that is `synchronous`, the pending frame
    /// has made no packet: what changed in it would be missing until it changes again.
    pub(crate) fn passed(&self) {
        let mut state = self.lock();
        if state.entered.is_some() {
            let error = Error::retry(format!(
                "{}: the element made no packet of a picture; take properties out of its configuration that let it drop \
                 pictures (dropframe-threshold, drop-frame, enable-frame-skip)",
                self.name
            ));
            self.finish(&mut state, Err(error));
        }
    }

    /// What the encoder made of the pending frame.
    pub(crate) fn packet(&self, bytes: &[u8], is_key: bool) {
        let mut state = self.lock();
        if state.closed || bytes.is_empty() {
            return;
        }
        let Some(frame) = state.pending else {
            // Decoders would miss it: nobody is there to send it with.
            state.anew = true;
            tracing::warn!(encoder = self.name, bytes = bytes.len(), "a packet that belongs to no frame");
            return;
        };
        let outcome = if frame.wants_key && !is_key {
            Err(Error::retry(format!("{}: asked for a keyframe, the element made none", self.name)))
        } else {
            self.answer.packet(&frame, bytes, is_key)
        };
        self.finish(&mut state, outcome);
    }

    /// The pipeline is of no use any more.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        tracing::debug!(encoder = self.name, %error, "the pipeline failed");
        // The first error is the reason, the others follow from it.
        let error = state.broken.get_or_insert(error).clone();
        self.finish(&mut state, Err(error));
    }

    fn finish(&self, state: &mut State, outcome: Result<()>) {
        if let Some(frame) = state.pending.take() {
            state.entered = None;
            // Decoders lack what this one should have shown, or a keyframe that was asked for.
            state.anew = outcome.is_err();
            if !state.closed {
                self.answer.done(&frame, outcome);
            }
        }
        self.changed.notify_all();
    }

    /// Waits until no frame is under way; false when that takes longer than `limit`.
    pub(crate) fn is_idle_within(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        while state.pending.is_some() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Nobody is told anything from now on; a call that is under way is over when this returns.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.pending = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What was told: packets as their first byte, ends as text.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    impl Answer for Told {
        fn packet(&self, frame: &Pending, bytes: &[u8], is_key: bool) -> Result<()> {
            let refused = bytes[0] == 0xff;
            self.0.lock().expect("a lock").push(format!(
                "{} {}",
                frame.frame_id,
                if is_key { "key" } else { "delta" }
            ));
            if refused { Err(Error::retry("no slab")) } else { Ok(()) }
        }

        fn done(&self, frame: &Pending, outcome: Result<()>) {
            let end = outcome.err().map_or("done".to_owned(), |error| error.text().to_owned());
            self.0.lock().expect("a lock").push(format!("{} {end}", frame.frame_id));
        }
    }

    fn exchange() -> (Exchange, Told) {
        let told = Told::default();
        (Exchange::new("test", Box::new(told.clone())), told)
    }

    fn frame(frame_id: u64, wants_key: bool) -> Pending {
        Pending { frame_id, width: 64, height: 64, wants_key, ..Pending::default() }
    }

    fn said(told: &Told) -> Vec<String> {
        std::mem::take(&mut *told.0.lock().expect("a lock"))
    }

    #[test]
    fn each_frame_ends_once() {
        let (exchange, told) = exchange();
        // The pipeline asks for its first frame, and once more while that one waits in front of it.
        exchange.passed();
        exchange.begin(frame(1, true)).expect("nothing is under way");
        exchange.passed();
        assert!(exchange.begin(frame(2, false)).is_err());
        exchange.entered();
        exchange.packet(&[1], true);
        exchange.passed();
        assert_eq!(said(&told), ["1 key", "1 done"]);
        // A frame of which the encoder makes nothing.
        exchange.begin(frame(2, false)).expect("idle");
        exchange.entered();
        exchange.passed();
        let [dropped] = &said(&told)[..] else { panic!("one answer") };
        assert!(dropped.starts_with("2 test: the element made no packet of a picture"), "{dropped}");
        assert!(exchange.is_idle_within(Duration::ZERO) && exchange.starts_anew());
    }

    #[test]
    fn what_is_lost_makes_the_next_one_a_keyframe() {
        let (exchange, told) = exchange();
        exchange.begin(frame(1, true)).expect("idle");
        exchange.packet(&[1], false);
        assert_eq!(said(&told), ["1 test: asked for a keyframe, the element made none"]);
        assert!(exchange.starts_anew());
        exchange.begin(frame(2, true)).expect("idle");
        exchange.packet(&[0xff], true);
        assert_eq!(said(&told), ["2 key", "2 no slab"]);
        assert!(exchange.starts_anew());
        exchange.begin(frame(3, true)).expect("idle");
        exchange.packet(&[1], true);
        assert!(!exchange.starts_anew());
        exchange.packet(&[1], false);
        assert!(exchange.starts_anew());
        assert_eq!(said(&told), ["3 key", "3 done"]);
    }

    #[test]
    fn a_broken_pipeline_answers_and_stays_broken() {
        let (exchange, told) = exchange();
        exchange.begin(frame(1, true)).expect("idle");
        exchange.fail(Error::device_lost("the first"));
        exchange.fail(Error::fatal("the second"));
        assert_eq!(said(&told), ["1 the first"]);
        assert_eq!(exchange.begin(frame(2, true)), Err(Error::device_lost("the first")));
        assert!(!exchange.withdraw());
    }

    #[test]
    fn after_the_end_nobody_is_told() {
        let (exchange, told) = exchange();
        exchange.begin(frame(1, true)).expect("idle");
        exchange.close();
        exchange.packet(&[1], true);
        exchange.fail(Error::fatal("late"));
        assert_eq!(said(&told), Vec::<String>::new());
    }
}
