//! Command lines of clients and of the operator, run on the streamed desktop within limits.
//!
//! A line is run by `sh -c` in a process group of its own, in the user's folder, with what stands on its standard output and
//! error collected up to a limit. It is the shell that reads the line, as in Selkies: who may send one holds the keyboard
//! of the same desktop, and could type it there.
//!
//! Each running line has a thread, which sleeps until something happens. What a line leaves in the background lives on: it
//! counts as running, and ends with the line, also where it prints elsewhere or has left the shell's group and session.
//! The operator's lines run one after another, see [`Commands::hook`].
//!
//! ```
//! use std::sync::mpsc;
//! use selkies_commands::{Commands, Exit, Options};
//!
//! let commands = Commands::new(Options::default());
//! let (told, heard) = mpsc::channel();
//! commands.run(7, "echo hello; exit 3", move |report| told.send(report).unwrap())?;
//! let report = heard.recv().unwrap()?;
//! assert_eq!((report.exit, report.output.as_str()), (Exit::Code(3), "hello\n"));
//! # Ok::<(), selkies_commands::CommandError>(())
//! ```
#![forbid(unsafe_code)]

mod child;
mod commands;
mod family;
mod hooks;
mod report;

pub use commands::{Commands, Limits, MAX_LINE, Options};
pub use hooks::Occasion;
pub use report::{CommandError, Exit, Report};
