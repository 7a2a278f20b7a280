//! The conformance kit behind `selkies-host plugins check`.
//!
//! ```text
//! rules (data) <--judges-- jobs (code) --run in--> a child per job --journal--> verdicts --> report
//! ```
//!
//! A [`Rule`] is a sentence of the contract with an id; docs/specs/ lists the same sentences. A job is a scenario that
//! judges some of them: it loads the plugin in a process of its own, calls its tables as the ABI has them, and offers an
//! instrumented host whose memory is fenced. The plugin never runs in the process that reports about it, so whatever it
//! does there (a crash, `exit`, a hang) becomes a verdict.
//!
//! The kit looks at raw tables and not through the host's wrappers, because those would forgive, or hide, what it looks
//! for.
// dlopen, the tables behind the C ABI, fenced memory and the handler of fatal signals; each block says why.
#![allow(unsafe_code)]
// At this boundary a wrong cast is memory corruption on somebody else's side.
#![warn(
    clippy::borrow_as_ptr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_ptr_alignment,
    clippy::cast_sign_loss,
    clippy::ptr_as_ptr
)]

mod call;
mod capture;
mod child;
mod decode;
mod encoder;
mod fence;
mod host;
mod jobs;
mod journal;
mod library;
mod picture;
mod process;
mod random;
mod report;
mod rule;
mod rules;
mod run;
mod signals;
mod verdict;

pub use child::{CHILD_ARGUMENT, run_child};
pub use report::{PluginReport, Report, RuleReport};
pub use rule::{Rule, Severity, rules};
pub use run::{CheckError, Fuzz, Options, check};
pub use verdict::Outcome;
