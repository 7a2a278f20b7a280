//! The operator's lines that wait for their turn.

use std::{collections::VecDeque, os::fd::OwnedFd, sync::Arc, time::Duration};

use crate::{CommandError, Report};

/// When a line of the operator is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody came while nobody else was there.
    FirstCame,
    /// The last one has left.
    LastLeft,
}

/// Hears what became of a line.
type Told = Box<dyn FnOnce(Result<Report, CommandError>) + Send>;

/// A line of the operator.
pub(crate) struct Hook {
    pub(crate) occasion: Occasion,
    pub(crate) line: String,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) limit: Duration,
    /// Makes it end.
    pub(crate) stop: Arc<OwnedFd>,
    pub(crate) told: Told,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook")
            .field("occasion", &self.occasion)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// Lines that wait while another one runs: at most one of each occasion, so that whoever comes and goes faster than they
/// run fills nothing. What is run in the end is what happened last.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// A thread runs them.
    pub(crate) served: bool,
    waiting: VecDeque<Hook>,
}

impl Hooks {
    /// Puts a line behind the others. One of the same occasion that waits, and what came after that, is left out: it was
    /// undone.
    pub(crate) fn put(&mut self, hook: Hook) {
        if self.waiting.iter().any(|waiting| waiting.occasion == hook.occasion) {
            self.waiting.clear();
        }
        self.waiting.push_back(hook);
    }

    /// The one whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Hook> {
        self.waiting.pop_front()
    }

    /// Leaves out all but the last. True when there is one.
    pub(crate) fn keep_last(&mut self) -> bool {
        self.waiting.drain(..self.waiting.len().saturating_sub(1));
        !self.waiting.is_empty()
    }

    /// Leaves all out.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}
