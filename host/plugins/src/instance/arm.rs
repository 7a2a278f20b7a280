//! Where an instance runs whose waits other threads can end: in this process, or in a child.

use std::{os::fd::AsFd, sync::Arc};

use super::wake::{WakeGate, Waker};
use super::{Origin, PluginError, capture};
use crate::child::{Remote, RemoteWake, wire::Create};

/// The instance here (`H`), or the way to it.
#[derive(Debug)]
pub(super) enum Arm<H> {
    Here(H),
    Child { remote: Box<Remote>, wake: Arc<RemoteWake> },
}

/// What has a gate for wakers.
pub(super) trait Gated {
    fn gate(&self) -> &WakeGate;
}

impl<H: Gated> Arm<H> {
    /// Makes the instance in the plugin's child; `None` for a plugin that runs here.
    ///
    /// # Errors
    /// What the child answers, or the host lacks for it.
    pub(super) fn in_child(
        origin: &Origin<'_>,
        what: Create,
        function: &'static str,
    ) -> Result<Option<Self>, PluginError> {
        let Some(child) = origin.plugin.child() else { return Ok(None) };
        let (wake, event) = capture::wake(origin, child, function)?;
        let (services, config, event) = (origin.services, origin.config_json, [event.as_fd()]);
        let remote = Remote::create(services, child, config, what, &event, function)?;
        Ok(Some(Self::Child { remote: Box::new(remote), wake }))
    }

    /// A handle that ends a wait from any thread.
    pub(super) fn waker(&self) -> Waker {
        match self {
            Self::Here(here) => here.gate().waker(),
            Self::Child { wake, .. } => Waker::of_child(wake),
        }
    }
}
