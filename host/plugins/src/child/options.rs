//! How children are started, and how long they may take.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use super::limits::STARTUP_DEADLINE;

/// The first argument by which a program knows that it is to run a plugin, see [`run`](super::run).
pub const CHILD_ARGUMENT: &str = "__plugin";

/// How children are started, and how long they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildOptions {
    /// A program that calls [`run`](super::run).
    pub program: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<OsString>,
    /// How long calls may take.
    pub deadlines: Deadlines,
}

/// How long calls into a child may take before the child is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Starting, loading a plugin, probing, and making an instance: drivers are loaded and devices opened.
    pub start_up: Duration,
    /// Any call but a frame's, beyond the time that it is asked to wait.
    pub call: Duration,
    /// The first frame of an encoder with these settings, with which some compile kernels.
    pub first_frame: Duration,
    /// Any other frame, at least. Never less than three frames' time (of which more than `start_up` does not count), nor than
    /// four times what frames took lately (of which more than `first_frame` does not count).
    pub frame: Duration,
}

impl Default for ChildOptions {
    /// This program again, whatever became of its file meanwhile.
    fn default() -> Self {
        Self {
            program: PathBuf::from("/proc/self/exe"),
            arguments: vec![CHILD_ARGUMENT.into()],
            deadlines: Deadlines::default(),
        }
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            start_up: STARTUP_DEADLINE,
            call: Duration::from_secs(2),
            first_frame: Duration::from_secs(1),
            frame: Duration::from_millis(150),
        }
    }
}
