//! Where a plugin's code runs.
//!
//! This host runs every plugin in its own process: a plugin that crashes ends the host, and one that hangs keeps its
//! thread. What a manifest says under `isolation` is read, kept and listed; a plugin that forbids in-process is
//! refused rather than run against its vendor's word. A child process would be one more arm in [`placement_of`] and
//! one more way to make a [`LoadedPlugin`](crate::LoadedPlugin): the tables of a child are proxies with the same types,
//! so that nothing beyond this crate sees the difference.

use crate::{Manifest, Refusal, manifest::Placement};

/// The places where this host can run a plugin.
pub const AVAILABLE: &[Placement] = &[Placement::InProcess];

/// Where this host runs the plugin of `manifest`: its default if that is [`AVAILABLE`], else the first available place
/// that it allows.
///
/// # Errors
/// [`Refusal::NoPlacement`] when it allows none of them.
pub fn placement_of(manifest: &Manifest) -> Result<Placement, Refusal> {
    let allowed = |place: &Placement| {
        manifest.isolation.allowed.is_empty() || manifest.isolation.allowed.contains(place)
    };
    std::iter::once(&manifest.isolation.default)
        .filter(|place| AVAILABLE.contains(place))
        .chain(AVAILABLE)
        .find(|place| allowed(place))
        .copied()
        .ok_or_else(|| Refusal::NoPlacement { id: manifest.id.to_string() })
}
