//! Whether the queue on the path grows: the slope of the delay over the last groups of packets.
//!
//! Grouping, filter and adaptive threshold are those of draft-ietf-rmcat-gcc-02 (5.2 to 5.5), with a line through the last
//! deltas instead of a Kalman filter.

use std::collections::VecDeque;

use super::difference;

/// What the path is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usage {
    /// The queue grows.
    Over,
    #[default]
    Normal,
    /// The queue shrinks.
    Under,
}

/// Packets that leave within this time are one group.
const BURST_NS: u64 = 5_000_000;
/// Deltas through which the line goes.
const WINDOW: usize = 20;
/// Smoothing of the delay.
const SMOOTHING: f64 = 0.9;
/// Slopes are small numbers; this makes them comparable with a threshold in milliseconds.
const GAIN: f64 = 4.0;
const MAX_DELTAS: usize = 60;
/// The threshold and its bounds, in milliseconds.
const THRESHOLD: (f64, f64, f64) = (12.5, 6.0, 600.0);
/// How fast it follows, up and down, per millisecond.
const FOLLOW: (f64, f64) = (0.0087, 0.039);
/// Growth must last, in milliseconds.
const LASTING: f64 = 10.0;

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: u64,
    last_sent: u64,
    last_arrived: u64,
}

/// The detector.
#[derive(Debug)]
pub(super) struct Trend {
    group: Option<Group>,
    before: Option<Group>,
    begin_arrived: Option<u64>,
    deltas: usize,
    accumulated: f64,
    smoothed: f64,
    line: VecDeque<(f64, f64)>,
    slope: f64,
    threshold: f64,
    over_for: f64,
    usage: Usage,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            group: None,
            before: None,
            begin_arrived: None,
            deltas: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            line: VecDeque::with_capacity(WINDOW),
            slope: 0.0,
            threshold: THRESHOLD.0,
            over_for: 0.0,
            usage: Usage::Normal,
        }
    }
}

impl Trend {
    /// A packet that arrived.
    pub(super) fn add(&mut self, sent_ns: u64, arrived_ns: u64) {
        match &mut self.group {
            // One that was overtaken says nothing about the queue.
            Some(group) if sent_ns < group.first_sent => {}
            Some(group) if sent_ns - group.first_sent <= BURST_NS => {
                group.last_sent = group.last_sent.max(sent_ns);
                if difference(arrived_ns, group.last_arrived) > 0 {
                    group.last_arrived = arrived_ns;
                }
            }
            _ => {
                let new = Group { first_sent: sent_ns, last_sent: sent_ns, last_arrived: arrived_ns };
                let whole = self.group.replace(new);
                if let Some((whole, before)) =
                    whole.and_then(|whole| Some((whole, self.before.replace(whole)?)))
                {
                    self.delta(&before, &whole);
                }
            }
        }
    }

    fn delta(&mut self, before: &Group, group: &Group) {
        let sent = difference(group.last_sent, before.last_sent) as f64 / 1e6;
        let arrived = difference(group.last_arrived, before.last_arrived) as f64 / 1e6;
        // A pause, or a clock that jumped: what was before says nothing about what follows.
        if !(-500.0..3000.0).contains(&arrived) || sent > 3000.0 {
            self.line.clear();
            self.deltas = 0;
            (self.accumulated, self.smoothed, self.usage) = (0.0, 0.0, Usage::Normal);
            return;
        }
        let begin = *self.begin_arrived.get_or_insert(group.last_arrived);
        self.deltas = (self.deltas + 1).min(1000);
        self.accumulated += arrived - sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        if self.line.len() == WINDOW {
            self.line.pop_front();
        }
        self.line.push_back((difference(group.last_arrived, begin) as f64 / 1e6, self.smoothed));
        let before = self.slope;
        if self.line.len() == WINDOW {
            self.slope = slope(&self.line).unwrap_or(self.slope);
        }
        self.detect(before, sent.max(0.0));
    }

    fn detect(&mut self, slope_before: f64, elapsed: f64) {
        let trend = self.deltas.min(MAX_DELTAS) as f64 * self.slope * GAIN;
        if trend > self.threshold {
            self.over_for += elapsed;
            if self.over_for > LASTING && self.slope >= slope_before {
                self.over_for = 0.0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = 0.0;
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        // Far outliers do not move the threshold.
        if trend.abs() <= self.threshold + 15.0 {
            let follow = if trend.abs() < self.threshold { FOLLOW.1 } else { FOLLOW.0 };
            self.threshold += follow * (trend.abs() - self.threshold) * elapsed.min(100.0);
            self.threshold = self.threshold.clamp(THRESHOLD.1, THRESHOLD.2);
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }
}

/// The slope of the line with the least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (above, below) = points.iter().fold((0.0, 0.0), |sum, (x, y)| {
        (sum.0 + (x - mean_x) * (y - mean_y), sum.1 + (x - mean_x) * (x - mean_x))
    });
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames every 16 ms, each delayed by so many milliseconds more than the one before.
    fn usage(growth: impl Fn(u64) -> f64) -> Usage {
        let (mut trend, mut delay) = (Trend::default(), 20.0);
        for i in 0..200_u64 {
            delay += growth(i);
            let sent = i * 16_000_000;
            trend.add(sent, sent + (delay * 1e6) as u64);
        }
        trend.usage()
    }

    #[test]
    fn a_queue_that_grows_is_seen_and_jitter_is_not() {
        assert_eq!(usage(|_| 0.0), Usage::Normal);
        assert_eq!(usage(|i| if i % 2 == 0 { 4.0 } else { -4.0 }), Usage::Normal);
        assert_eq!(usage(|i| if i > 180 { 3.0 } else { 0.0 }), Usage::Over);
        assert_eq!(
            usage(|i| if i < 100 {
                1.0
            } else if i > 180 {
                -3.0
            } else {
                0.0
            }),
            Usage::Under
        );
    }
}
