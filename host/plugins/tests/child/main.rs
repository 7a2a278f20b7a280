//! Plugins in a child of this test: the same instances, the same bytes, and what becomes of a child that fails.

#[path = "../support/mod.rs"]
mod support;

mod desktop;
mod faults;
#[cfg(target_arch = "x86_64")] // so are the binaries
mod kept;
mod making;
mod rogues;
mod sound;
mod stage;
mod starts;
mod streams;
mod swaps;
mod tables;
