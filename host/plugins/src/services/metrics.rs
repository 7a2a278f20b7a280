//! `selkies.host.metrics/1`: counters, gauges and histograms of plugins, kept in memory until someone asks.

use core::ffi::c_void;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use selkies_plugin_abi as abi;
use serde::{Deserialize, Serialize};

use super::context::{Context, enter};
use super::encoder::CONVERT_SECONDS;
use super::foreign;
use crate::size::size_field;

/// Names that one plugin may use.
pub const MAX_METRICS: usize = 64;
/// Longest name, in bytes.
const MAX_NAME: usize = 64;

/// Upper bounds of the histograms' buckets, in seconds: from half a millisecond (an encode) to ten seconds (a TURN
/// request). Values above the last one count in the total only.
pub const HISTOGRAM_BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub(crate) static METRICS: abi::MetricsV1 = abi::MetricsV1 {
    struct_size: size_field::<abi::MetricsV1>(),
    reserved: 0,
    counter_add: Some(counter_add),
    gauge_set: Some(gauge_set),
    observe: Some(observe),
};

/// The metrics of one plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginMetrics {
    /// The plugin's id, the label of its metrics.
    pub plugin: Arc<str>,
    /// Name and value, by name.
    pub metrics: Vec<(String, MetricValue)>,
}

/// One metric at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MetricValue {
    /// A sum that only grows.
    Counter(u64),
    /// The newest value.
    Gauge(f64),
    /// Observations.
    Histogram(Histogram),
}

/// Observations, sorted into buckets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Observations up to each of [`HISTOGRAM_BOUNDS`] and above the bound before (not cumulative).
    pub buckets: [u64; HISTOGRAM_BOUNDS.len()],
    /// All observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// One plugin's registry.
#[derive(Default)]
pub(crate) struct MetricSet {
    values: Mutex<BTreeMap<String, MetricValue>>,
    warned: AtomicBool,
}

impl MetricSet {
    pub(crate) fn snapshot(&self) -> Vec<(String, MetricValue)> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Takes over what a child counted; what breaks the rules for metrics is left out.
    pub(crate) fn replace(&self, counted: Vec<(String, MetricValue)>) {
        let sound = |value: &MetricValue| match value {
            MetricValue::Counter(_) => true,
            MetricValue::Gauge(value) => value.is_finite(),
            MetricValue::Histogram(histogram) => histogram.sum.is_finite(),
        };
        let counted = counted.into_iter().filter(|(name, value)| is_name(name) && sound(value));
        let counted = counted.take(MAX_METRICS).collect();
        *self.values.lock().unwrap_or_else(PoisonError::into_inner) = counted;
    }

    /// Changes the metric `name`, which `fresh` makes when it is new. `change` answers false when it is of another
    /// kind. Answers why it was dropped.
    fn change(
        &self,
        name: &str,
        fresh: MetricValue,
        change: impl FnOnce(&mut MetricValue) -> bool,
    ) -> Result<(), &'static str> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = values.get_mut(name) {
            return if change(value) { Ok(()) } else { Err("was used with another kind of metric before") };
        }
        if !is_name(name) {
            return Err("does not match [a-z][a-z0-9_]{0,63}");
        }
        if values.len() >= MAX_METRICS {
            return Err("is one too many, a plugin may use 64");
        }
        change(values.entry(name.to_owned()).or_insert(fresh));
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn change(
    context: &Context,
    name: abi::Str,
    fresh: MetricValue,
    apply: impl FnOnce(&mut MetricValue) -> bool,
) {
    // SAFETY: texts of a call are readable for the call. One byte over the limit shows that a name is too long.
    let name = unsafe { foreign::lossy(name, MAX_NAME + 1) };
    let metrics = &context.account.metrics;
    if let Err(reason) = metrics.change(&name, fresh, apply)
        && !metrics.warned.swap(true, Ordering::Relaxed)
    {
        let plugin = &*context.account.id;
        tracing::warn!(
            target: "selkies::plugin",
            plugin,
            "the metric {name:?} is dropped: its name {reason}. This is said once"
        );
    }
}

unsafe extern "C" fn counter_add(ctx: *mut c_void, name: abi::Str, value: u64) {
    enter(ctx, "metrics.counter_add", (), |context| {
        change(context, name, MetricValue::Counter(0), |metric| match metric {
            MetricValue::Counter(sum) => {
                *sum = sum.saturating_add(value);
                true
            }
            _ => false,
        });
    });
}

unsafe extern "C" fn gauge_set(ctx: *mut c_void, name: abi::Str, value: f64) {
    enter(ctx, "metrics.gauge_set", (), |context| {
        if !value.is_finite() {
            return;
        }
        change(context, name, MetricValue::Gauge(0.0), |metric| match metric {
            MetricValue::Gauge(newest) => {
                *newest = value;
                true
            }
            _ => false,
        });
    });
}

unsafe extern "C" fn observe(ctx: *mut c_void, name: abi::Str, value: f64) {
    enter(ctx, "metrics.observe", (), |context| {
        if !value.is_finite() {
            return;
        }
        if let Some(desk) = context.encoder() {
            // SAFETY: texts of a call are readable for the call.
            let told = unsafe { foreign::text(name, MAX_NAME) };
            if told == Some(CONVERT_SECONDS) {
                desk.converts(value);
            }
        }
        change(context, name, MetricValue::Histogram(Histogram::default()), |metric| match metric {
            MetricValue::Histogram(histogram) => {
                if let Some(bucket) = HISTOGRAM_BOUNDS.iter().position(|bound| value <= *bound) {
                    histogram.buckets[bucket] += 1;
                }
                histogram.count += 1;
                histogram.sum += value;
                true
            }
            _ => false,
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "frames_total", &"a".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1a", "_a", "A", "a-b", "a b", "ä", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_plugin_has_64_names_of_one_kind_each() {
        let set = MetricSet::default();
        for n in 0..MAX_METRICS {
            set.change(&format!("m{n}"), MetricValue::Counter(0), |_| true).unwrap();
        }
        assert!(set.change("m64", MetricValue::Counter(0), |_| true).unwrap_err().contains("too many"));
        assert!(set.change("m1", MetricValue::Gauge(0.0), |_| false).unwrap_err().contains("another kind"));
        assert_eq!(set.snapshot().len(), MAX_METRICS);
    }
}
