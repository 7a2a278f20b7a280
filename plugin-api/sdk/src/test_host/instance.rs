//! An instance that is destroyed when the last user is gone.

use std::sync::Arc;

use super::{Failure, TestHost};
use crate::abi;

type Create =
    Option<unsafe extern "C" fn(*const abi::Host, abi::Str, *mut *mut abi::Instance) -> abi::Status>;
type Destroy = Option<unsafe extern "C" fn(*mut abi::Instance)>;

/// An instance and the host it was made with.
#[derive(Debug)]
pub(super) struct TestInstance {
    raw: *mut abi::Instance,
    destroy: Destroy,
    host: TestHost,
}

// SAFETY: the drivers call an instance from one thread at a time, except for what the ABI marks `[any]`.
unsafe impl Send for TestInstance {}
// SAFETY: as above.
unsafe impl Sync for TestInstance {}

impl TestInstance {
    /// # Safety
    /// Both functions belong to one table that keeps the ABI's promises.
    pub(super) unsafe fn create(
        host: &TestHost,
        create: Create,
        destroy: Destroy,
        config: &str,
    ) -> Result<Arc<Self>, Failure> {
        // SAFETY: the arguments are those that the ABI describes.
        let call = |out| unsafe { create.map(|create| create(host.raw(), abi::Str::new(config), out)) };
        // SAFETY: the caller vouches for `destroy`.
        unsafe { Self::made(host, destroy, call) }
    }

    /// Takes what `create` writes.
    ///
    /// # Safety
    /// `create` writes an instance that `destroy` ends.
    pub(super) unsafe fn made(
        host: &TestHost,
        destroy: Destroy,
        create: impl FnOnce(*mut *mut abi::Instance) -> Option<abi::Status>,
    ) -> Result<Arc<Self>, Failure> {
        let mut raw = std::ptr::null_mut();
        host.check(create(&raw mut raw))?;
        if raw.is_null() {
            return Err(Failure { status: 0, text: "create succeeded without an instance".into() });
        }
        Ok(Arc::new(Self { raw, destroy, host: host.clone() }))
    }

    pub(super) fn raw(&self) -> *mut abi::Instance {
        self.raw
    }

    pub(super) fn host(&self) -> &TestHost {
        &self.host
    }
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: made by `create` of the same table, and this is the last use.
            unsafe { destroy(self.raw) }
        }
    }
}

impl TestHost {
    /// Turns an answer into a result; `None` is a function that the table lacks. `Ok(false)` is `NOTHING`.
    pub(super) fn check(&self, answer: Option<abi::Status>) -> Result<bool, Failure> {
        let Some(status) = answer else {
            return Err(Failure { status: 0, text: "the table lacks this function".into() });
        };
        if status >= 0 {
            return Ok(status != abi::NOTHING);
        }
        let said = self.inner.lock().failures.last().filter(|last| last.status == status).cloned();
        Err(said.unwrap_or(Failure { status, text: String::new() }))
    }
}

/// Ends the wait of a driver from any thread.
#[derive(Clone, Debug)]
pub struct TestWaker {
    pub(super) instance: Arc<TestInstance>,
    pub(super) wake: Option<unsafe extern "C" fn(*mut abi::Instance)>,
}

impl TestWaker {
    /// Ends the current or the next wait.
    pub fn wake(&self) {
        if let Some(wake) = self.wake {
            // SAFETY: the instance is alive, and `wake` may be called from any thread.
            unsafe { wake(self.instance.raw()) }
        }
    }
}
