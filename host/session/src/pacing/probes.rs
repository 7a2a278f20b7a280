//! Lone frames for a client that does not answer, and when it counts as gone silent.

use std::time::{Duration, Instant};

/// First wait before a frame is sent past missing acknowledgements, doubled up to [`LAST`].
pub(super) const FIRST: Duration = Duration::from_millis(500);
/// Longest such wait (2.1.0 re-probes a stalled client every 2 s).
const LAST: Duration = Duration::from_secs(2);
/// Missing acknowledgements for this long make the client stalled (2.1.0's figure).
const STALL: Duration = Duration::from_secs(4);

/// The frames past missing acknowledgements, since something came back.
#[derive(Debug, Clone)]
pub(super) struct Probes {
    wait: Duration,
    /// When the oldest batch was sent of those that were given up on, where the transport's word is fresh.
    given_up: Option<Instant>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { wait: FIRST, given_up: None }
    }
}

impl Probes {
    /// How long after the newest batch the next one goes all the same.
    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// One is sent, and what was under way since `oldest` is given up. `speaks`: the client's transport has spoken lately, so
    /// that the client is there; then probes are as frequent as ever, since the transport drops what its path does not take.
    /// `repeats`: the client need not answer the newest batch.
    pub(super) fn sends(&mut self, oldest: Option<Instant>, speaks: bool, repeats: bool) {
        if speaks {
            self.given_up = self.given_up.or(oldest);
        } else if !repeats {
            self.wait = (self.wait * 2).min(LAST);
        }
    }

    /// Something came back, or what was sent is forgotten.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether only lone frames go, because frames were given up and nothing came back since.
    pub(super) fn go_alone(&self) -> bool {
        self.wait > FIRST || self.given_up.is_some()
    }

    /// Whether the client stayed silent through two of them.
    pub(super) fn were_in_vain(&self) -> bool {
        self.wait >= LAST
    }

    /// From when on a client counts as stalled of whose frames under way the oldest was sent then.
    pub(super) fn stall_at(&self, oldest: Option<Instant>) -> Option<Instant> {
        self.given_up.or(oldest).map(|at| at + STALL)
    }
}
