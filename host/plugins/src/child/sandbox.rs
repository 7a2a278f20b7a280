//! What a child may do.
//!
//! Two mechanisms of the kernel, each without root and for good: Landlock decides about files, seccomp about system
//! calls. Where the host runs as root, root's powers go first. All are applied before a plugin's library is opened, because code runs as soon as it is.

mod calls;
mod capabilities;
mod files;
mod profile;

pub use profile::{Processes, Profile};

/// Confines this process and what it starts. Must be called while it has one thread. The answer is what does not work on
/// this system, one line each.
pub(super) fn restrict(profile: &Profile) -> Vec<String> {
    // Files first: the filter of calls would not stand in Landlock's way, but a failure there is then still seen.
    [capabilities::restrict(profile), files::restrict(profile), calls::restrict(profile)]
        .into_iter()
        .flatten()
        .collect()
}
