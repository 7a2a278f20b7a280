//! The life of frames in the test host.

use std::{collections::HashMap, sync::Arc};

/// Frames that a plugin may read now.
#[derive(Debug, Default)]
pub(super) struct Frames {
    held: HashMap<u64, Held>,
    next: u64,
}

#[derive(Debug)]
struct Held {
    retains: usize,
    in_call: bool,
    limit: usize,
    /// Keeps the memory until the last release.
    _pixels: Arc<[u8]>,
}

impl Frames {
    /// Lends a frame for a call and names it.
    pub(super) fn lend(&mut self, pixels: Arc<[u8]>, limit: usize) -> u64 {
        self.next += 1;
        self.held.insert(self.next, Held { retains: 0, in_call: true, limit, _pixels: pixels });
        self.next
    }

    /// The call ended.
    pub(super) fn call_ended(&mut self, token: u64) {
        if let Some(held) = self.held.get_mut(&token) {
            held.in_call = false;
        }
        self.sweep(token);
    }

    /// Keeps the frame of the current call.
    pub(super) fn retain(&mut self, token: u64) -> Result<(), String> {
        let retained = self.retained();
        let held = self.held.get_mut(&token).filter(|held| held.in_call);
        let held = held.ok_or_else(|| format!("frame {token} is not that of the current call"))?;
        if retained >= held.limit {
            return Err(format!("frame {token} would be retained over the caps' limit of {}", held.limit));
        }
        held.retains += 1;
        Ok(())
    }

    /// Ends one retain.
    pub(super) fn release(&mut self, token: u64) -> Result<(), String> {
        let held = self.held.get_mut(&token).filter(|held| held.retains > 0);
        held.ok_or_else(|| format!("frame {token} is not retained"))?.retains -= 1;
        self.sweep(token);
        Ok(())
    }

    pub(super) fn retained(&self) -> usize {
        self.held.values().map(|held| held.retains).sum()
    }

    fn sweep(&mut self, token: u64) {
        if self.held.get(&token).is_some_and(|held| held.retains == 0 && !held.in_call) {
            self.held.remove(&token);
        }
    }
}
