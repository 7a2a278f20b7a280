//! Ending another thread's `wait`.

use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use selkies_plugin_abi::Instance;

use super::core::Core;
use crate::child::RemoteWake;

type Wake = unsafe extern "C" fn(*mut Instance);

/// Ends the current or next `wait` of one instance, from any thread. Does nothing once the instance is gone.
#[derive(Clone)]
pub struct Waker {
    gate: Arc<Gate>,
}

enum Gate {
    Here {
        wake: Wake,
        /// `None` once the instance is about to be destroyed.
        instance: Mutex<Option<Target>>,
    },
    Child(Arc<RemoteWake>),
}

struct Target(NonNull<Instance>);

// SAFETY: only `wake` is called on it, which the ABI allows from any thread until `destroy`.
unsafe impl Send for Target {}

impl Waker {
    /// For an instance in a child.
    pub(super) fn of_child(wake: &Arc<RemoteWake>) -> Self {
        Self { gate: Arc::new(Gate::Child(Arc::clone(wake))) }
    }

    /// Ends the current or next `wait`.
    pub fn wake(&self) {
        match &*self.gate {
            Gate::Here { wake, instance } => {
                let target = instance.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(Target(instance)) = &*target {
                    // SAFETY: the instance lives: it is destroyed only after the gate, whose lock is held, was closed.
                    unsafe { wake(instance.as_ptr()) };
                }
            }
            Gate::Child(child) => child.wake(),
        }
    }
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

/// Closes the gate of all wakers when dropped. Must be dropped before the instance: wrappers name it as a field before
/// their core.
#[derive(Debug)]
pub(super) struct WakeGate(Waker);

impl WakeGate {
    pub(super) fn new(core: &Core, wake: Wake) -> Self {
        let instance = Mutex::new(Some(Target(core.instance())));
        Self(Waker { gate: Arc::new(Gate::Here { wake, instance }) })
    }

    pub(super) fn waker(&self) -> Waker {
        self.0.clone()
    }
}

impl Drop for WakeGate {
    fn drop(&mut self) {
        if let Gate::Here { instance, .. } = &*self.0.gate {
            instance.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}
