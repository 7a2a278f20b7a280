//! Root's powers, when the host has them, as in many containers.
//!
//! Some of them reach past Landlock: since 6.15 who may profile (`CAP_PERFMON`) may read other processes' memory and
//! environment.

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use super::profile::{Processes, Profile};

/// To open what belongs to the desktop's user, the X server's key for instance, which Landlock then decides about; and
/// to give threads a priority.
const KEPT: CapabilitySet =
    CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH).union(CapabilitySet::SYS_NICE);

pub(super) fn restrict(profile: &Profile) -> Option<String> {
    let kept = if profile.processes == Processes::Killed { CapabilitySet::empty() } else { KEPT };
    let drop = || {
        let present = capabilities(None)?;
        let effective = present.effective & kept;
        let permitted = present.permitted & kept;
        set_capabilities(None, CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() })
    };
    let error = drop().err()?;
    Some(format!("the plugin keeps the capabilities of the host: {error}"))
}
