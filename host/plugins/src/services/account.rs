//! What the host keeps per plugin, whatever the number of its instances: log budget, metrics, misbehaviour.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::context::ForeverHost;
use super::metrics::MetricSet;

/// Lines that a plugin may log in one second; the rest is dropped and counted.
pub const LOG_LINES_PER_SECOND: u32 = 200;
/// Lines about one plugin's misbehaviour in one second.
const COMPLAINTS_PER_SECOND: u32 = 20;

/// A number of lines per second.
pub(crate) struct LineBudget {
    limit: u32,
    second: Option<Instant>,
    used: u32,
    dropped: u64,
}

/// What is to happen with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Write it.
    Write,
    /// Say first that this many lines are missing, then write it.
    WriteAfter(u64),
    /// It is the first one over the budget of this second: say so instead.
    StartDropping,
    /// Drop it.
    Drop,
}

impl LineBudget {
    pub(crate) const fn new(limit: u32) -> Self {
        Self { limit, second: None, used: 0, dropped: 0 }
    }

    pub(crate) fn charge(&mut self, now: Instant) -> Verdict {
        let current = self.second.is_some_and(|start| now.duration_since(start) < Duration::from_secs(1));
        let mut missing = 0;
        if !current {
            self.second = Some(now);
            self.used = 0;
            missing = std::mem::take(&mut self.dropped);
        }
        if self.used < self.limit {
            self.used += 1;
            return if missing > 0 { Verdict::WriteAfter(missing) } else { Verdict::Write };
        }
        self.dropped += 1;
        if self.dropped == 1 { Verdict::StartDropping } else { Verdict::Drop }
    }

    /// Lines dropped since the last [`Verdict::WriteAfter`]; it will not tell them again.
    pub(crate) const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped, 0)
    }
}

/// The host's books on one plugin.
pub(crate) struct PluginAccount {
    pub(crate) id: Arc<str>,
    pub(crate) metrics: MetricSet,
    /// The host's log level, shared by all plugins.
    pub(crate) level: Arc<AtomicU32>,
    /// The host of the plugin's lifecycle table.
    pub(crate) process_host: OnceLock<ForeverHost>,
    lines: Mutex<LineBudget>,
    complaints: Mutex<LineBudget>,
    misbehaviours: AtomicU64,
}

impl PluginAccount {
    pub(crate) fn new(id: &str, level: Arc<AtomicU32>) -> Self {
        Self {
            id: id.into(),
            metrics: MetricSet::default(),
            level,
            process_host: OnceLock::new(),
            lines: Mutex::new(LineBudget::new(LOG_LINES_PER_SECOND)),
            complaints: Mutex::new(LineBudget::new(COMPLAINTS_PER_SECOND)),
            misbehaviours: AtomicU64::new(0),
        }
    }

    /// Whether a line of the plugin is to be written; says itself when lines go missing.
    pub(crate) fn may_log(&self) -> bool {
        match charge(&self.lines) {
            Verdict::Write => true,
            Verdict::WriteAfter(missing) => {
                tracing::warn!(target: "selkies::plugin", plugin = &*self.id, "{missing} log lines were suppressed");
                true
            }
            Verdict::StartDropping => {
                tracing::warn!(
                    target: "selkies::plugin",
                    plugin = &*self.id,
                    "suppressed: more than {LOG_LINES_PER_SECOND} log lines in a second"
                );
                false
            }
            Verdict::Drop => false,
        }
    }

    /// Notes that the plugin broke the contract in `function`, and says so unless it does that all the time.
    pub(crate) fn misbehaving(&self, function: &str, what: impl fmt::Display) {
        self.misbehaviours.fetch_add(1, Ordering::Relaxed);
        if matches!(charge(&self.complaints), Verdict::Write | Verdict::WriteAfter(_)) {
            tracing::error!(target: "selkies::plugin", plugin = &*self.id, function, "plugin misbehaving: {what}");
        }
    }

    /// The plugin broke the contract in its child, which said so in the log.
    pub(crate) fn misbehaved(&self, times: u32) {
        self.misbehaviours.fetch_add(times.into(), Ordering::Relaxed);
    }

    /// How often it broke the contract since the host started.
    pub(crate) fn misbehaviours(&self) -> u64 {
        self.misbehaviours.load(Ordering::Relaxed)
    }
}

fn charge(budget: &Mutex<LineBudget>) -> Verdict {
    budget.lock().unwrap_or_else(PoisonError::into_inner).charge(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_drops_and_counts() {
        let mut budget = LineBudget::new(2);
        let start = Instant::now();
        let verdicts: Vec<_> = (0..5).map(|n| budget.charge(start + Duration::from_millis(n))).collect();
        use Verdict::{Drop, StartDropping, Write, WriteAfter};
        assert_eq!(verdicts, [Write, Write, StartDropping, Drop, Drop]);
        assert_eq!(budget.charge(start + Duration::from_millis(1000)), WriteAfter(3));
        assert_eq!(budget.charge(start + Duration::from_millis(1001)), Write);
        assert_eq!(budget.charge(start + Duration::from_millis(1002)), StartDropping);
        assert_eq!(budget.take_dropped(), 1);
        assert_eq!(budget.charge(start + Duration::from_millis(2000)), Write);
    }
}
