//! Times in log-linear buckets: the last minute, and everything since the start.
//!
//! One thread at a time records, with plain stores and without a lock; any number read meanwhile, and none makes it wait.
//! A figure of the last minute is within 6.3 % of the truth, and below 16 µs exact to the microsecond.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering, fence},
    },
    time::{Duration, Instant},
};

/// Longer times count as this.
pub const LONGEST: Duration = Duration::from_secs(10);
/// What "the last minute" is: the newest slice and those before it, so 50 to 60 s.
pub const WINDOW: Duration = Duration::from_secs(SLICE.as_secs() * SLICES as u64);

const SLICE: Duration = Duration::from_secs(10);
const SLICES: usize = 6;
const LONGEST_US: u32 = LONGEST.as_micros() as u32;
/// Up to here each microsecond has a bucket; above, each power of two has [`PARTS`].
const LINEAR: u32 = 2 * PARTS;
const PARTS: u32 = 8;
const BUCKETS: usize = bucket(LONGEST_US) + 1;
/// Number of a slice that is empty or being emptied.
const EMPTY: u64 = u64::MAX;

const fn bucket(us: u32) -> usize {
    if us < LINEAR {
        return us as usize;
    }
    let power = us.ilog2() - LINEAR.ilog2();
    (LINEAR + power * PARTS + (us >> (power + 1)) - PARTS) as usize
}

/// The least and the greatest value of a bucket, in microseconds.
const fn limits(bucket: usize) -> (u32, u32) {
    let bucket = bucket as u32;
    if bucket < LINEAR {
        return (bucket, bucket);
    }
    let power = (bucket - LINEAR) / PARTS;
    let least = (PARTS + (bucket - LINEAR) % PARTS) << (power + 1);
    (least, least + (1 << (power + 1)) - 1)
}

/// A histogram, as its readers see it.
#[derive(Debug)]
pub struct Histogram {
    began: Instant,
    slices: [Slice; SLICES],
    totals: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// Ten seconds.
#[derive(Debug)]
struct Slice {
    /// Which ten seconds since the begin, or [`EMPTY`].
    number: AtomicU64,
    max_us: AtomicU32,
    counts: [AtomicU32; BUCKETS],
}

/// The last minute in figures, times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Values; at least one.
    pub count: u64,
    /// Half of them are at most this.
    pub p50_us: u32,
    /// 95 of 100 are at most this.
    pub p95_us: u32,
    /// 99 of 100 are at most this.
    pub p99_us: u32,
    /// All of them are at most this; exact.
    pub max_us: u32,
}

/// Everything since the start. None of it ever falls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Sum of all values in microseconds.
    pub sum_us: u64,
    counts: Vec<u64>,
}

impl Totals {
    /// All values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Values up to `us` microseconds, to the accuracy of the buckets: those that reach above it are left out, the last
    /// one excepted, which has no end.
    #[must_use]
    pub fn at_most(&self, us: u32) -> u64 {
        let within = |bucket: usize| limits(bucket).1 <= us || us >= LONGEST_US;
        self.counts.iter().enumerate().filter(|&(bucket, _)| within(bucket)).map(|(_, count)| count).sum()
    }
}

impl Histogram {
    fn new(now: Instant) -> Self {
        let slice = |_| Slice {
            number: AtomicU64::new(EMPTY),
            max_us: AtomicU32::new(0),
            counts: [const { AtomicU32::new(0) }; BUCKETS],
        };
        Self {
            began: now,
            slices: std::array::from_fn(slice),
            totals: [const { AtomicU64::new(0) }; BUCKETS],
            sum_us: AtomicU64::new(0),
        }
    }

    /// The last minute; `None` when it has no value.
    #[must_use]
    pub fn summary(&self, now: Instant) -> Option<Summary> {
        let mut counts = [0_u64; BUCKETS];
        let mut max_us = 0;
        let newest = self.number(now);
        for slice in &self.slices {
            if let Some((found, max)) = slice.read(newest) {
                counts.iter_mut().zip(found).for_each(|(sum, count)| *sum += u64::from(count));
                max_us = max_us.max(max);
            }
        }
        let count: u64 = counts.iter().sum();
        let share = |percent: u64| {
            let rank = (count * percent).div_ceil(100);
            let mut below = 0;
            let found = counts.iter().position(|count| {
                below += count;
                below >= rank
            });
            let (least, greatest) = limits(found.unwrap_or(BUCKETS - 1));
            least.midpoint(greatest).min(max_us)
        };
        (count > 0).then(|| Summary {
            count,
            p50_us: share(50),
            p95_us: share(95),
            p99_us: share(99),
            max_us,
        })
    }

    /// Everything since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let counts = self.totals.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Totals { sum_us: self.sum_us.load(Ordering::Relaxed), counts }
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / SLICE.as_secs()
    }
}

impl Slice {
    /// What it counted, when it belongs to the minute that ends with the slice `newest`.
    fn read(&self, newest: u64) -> Option<([u32; BUCKETS], u32)> {
        let number = self.number.load(Ordering::Acquire);
        // Ahead of a reader that took its time a little earlier counts, too.
        if number == EMPTY || number + SLICES as u64 <= newest {
            return None;
        }
        let counts = std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed));
        let max_us = self.max_us.load(Ordering::Relaxed);
        // Emptied meanwhile: it had left the window.
        fence(Ordering::Acquire);
        (self.number.load(Ordering::Relaxed) == number).then_some((counts, max_us))
    }

    /// Begins the ten seconds `number`. Readers see the old content, none, or the new one.
    fn begin(&self, number: u64) {
        self.number.store(EMPTY, Ordering::Relaxed);
        fence(Ordering::Release);
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        self.max_us.store(0, Ordering::Relaxed);
        self.number.store(number, Ordering::Release);
    }
}

/// The only one that writes into its [`Histogram`].
#[derive(Debug)]
pub struct Recorder {
    histogram: Arc<Histogram>,
    /// The slice in use.
    number: u64,
}

impl Recorder {
    /// An empty histogram that begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let histogram = Arc::new(Histogram::new(now));
        histogram.slices[0].begin(0);
        Self { histogram, number: 0 }
    }

    /// What readers are given.
    #[must_use]
    pub fn histogram(&self) -> Arc<Histogram> {
        self.histogram.clone()
    }

    /// Adds one value, measured at `now`. Times that run back count for the newest slice.
    pub fn record(&mut self, now: Instant, value: Duration) {
        let us = value.min(LONGEST).as_micros() as u32;
        let (histogram, number) = (&*self.histogram, self.histogram.number(now));
        if number > self.number {
            self.number = number;
            histogram.slices[(number % SLICES as u64) as usize].begin(number);
        }
        let slice = &histogram.slices[(self.number % SLICES as u64) as usize];
        // Nobody else writes, so a load and a store do; what readers need is that none is torn.
        let (count, total) = (&slice.counts[bucket(us)], &histogram.totals[bucket(us)]);
        count.store(count.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        total.store(total.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let sum = histogram.sum_us.load(Ordering::Relaxed);
        histogram.sum_us.store(sum + u64::from(us), Ordering::Relaxed);
        if us > slice.max_us.load(Ordering::Relaxed) {
            slice.max_us.store(us, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(value: u64) -> Duration {
        Duration::from_micros(value)
    }

    fn filled(values: impl IntoIterator<Item = u64>) -> (Instant, Recorder) {
        let now = Instant::now();
        let mut recorder = Recorder::new(now);
        values.into_iter().for_each(|value| recorder.record(now, us(value)));
        (now, recorder)
    }

    /// Whether a figure is as near to the truth as the buckets promise.
    fn near(found: u32, truth: u32) -> bool {
        f64::from(found.abs_diff(truth)) <= f64::from(truth) * 0.063
    }

    #[test]
    fn buckets_follow_each_other_without_gap() {
        let mut next = 0;
        for index in 0..BUCKETS {
            let (least, greatest) = limits(index);
            assert_eq!(least, next, "bucket {index}");
            assert_eq!((bucket(least), bucket(greatest)), (index, index));
            // The middle is at most this far from any of its values.
            assert!(near(least.midpoint(greatest), least) && near(least.midpoint(greatest), greatest));
            next = greatest + 1;
        }
        assert!(next > LONGEST_US && BUCKETS < 200);
    }

    #[test]
    fn a_uniform_distribution_has_its_percentiles() {
        // 1 to 50,000 µs in an order that jumps about.
        let (now, recorder) = filled((0..50_000).map(|n| n * 7919 % 50_000 + 1));
        let found = recorder.histogram().summary(now).expect("values");
        assert_eq!((found.count, found.max_us), (50_000, 50_000));
        for (found, truth) in [(found.p50_us, 25_000), (found.p95_us, 47_500), (found.p99_us, 49_500)] {
            assert!(near(found, truth), "{found} for {truth}");
        }
    }

    #[test]
    fn a_long_tail_shows_in_the_last_percentile_only() {
        // 98 of 100 take 200 µs, two take 80 ms.
        let (now, recorder) = filled((0..1000).map(|n| if n % 50 == 0 { 80_000 } else { 200 }));
        let found = recorder.histogram().summary(now).expect("values");
        assert!(near(found.p50_us, 200) && near(found.p95_us, 200) && near(found.p99_us, 80_000));
        assert_eq!(found.max_us, 80_000);
    }

    #[test]
    fn short_times_are_exact_and_long_ones_bounded() {
        let (now, recorder) = filled([3, 3, 12]);
        let found = recorder.histogram().summary(now).expect("values");
        assert_eq!((found.p50_us, found.p99_us, found.max_us), (3, 12, 12));
        let (now, recorder) = filled([60_000_000]);
        let found = recorder.histogram().summary(now).expect("a value");
        assert_eq!(found.max_us, LONGEST_US);
        assert!(near(found.p50_us, LONGEST_US));
        assert_eq!(recorder.histogram().totals().at_most(u32::MAX), 1);
    }

    #[test]
    fn a_single_value_is_every_percentile() {
        let (now, recorder) = filled([5000]);
        let found = recorder.histogram().summary(now).expect("a value");
        assert!(near(found.p50_us, 5000));
        assert_eq!((found.p50_us, found.p50_us, found.max_us), (found.p95_us, found.p99_us, 5000));
    }

    #[test]
    fn the_window_slides_and_totals_stay() {
        let began = Instant::now();
        let mut recorder = Recorder::new(began);
        let histogram = recorder.histogram();
        let count =
            |at: u64| histogram.summary(began + Duration::from_secs(at)).map_or(0, |found| found.count);
        for second in 0..200 {
            recorder.record(began + Duration::from_secs(second), us(1000));
            let seen = count(second);
            let full = second.min(59) + 1;
            assert!((full.min(51)..=full).contains(&seen), "{seen} at {second} s");
        }
        // Nothing more comes: the window empties by reading alone.
        assert!((31..=41).contains(&count(219)), "{}", count(219));
        assert_eq!(count(260), 0);
        assert_eq!(histogram.summary(began + Duration::from_secs(10_000)), None);
        let totals = histogram.totals();
        assert_eq!((totals.count(), totals.sum_us), (200, 200_000));
        // After a long pause, old slices are not taken for new ones.
        recorder.record(began + Duration::from_secs(10_000), us(7));
        let found = histogram.summary(began + Duration::from_secs(10_000)).expect("a value");
        assert_eq!((found.count, found.max_us), (1, 7));
        assert_eq!(histogram.totals().count(), 201);
    }

    #[test]
    fn totals_are_cumulative() {
        let (_, recorder) = filled([5, 10, 500, 5_000, 2_000_000]);
        let totals = recorder.histogram().totals();
        let found = [4, 5, 15, 1_000, 10_000, 1_000_000, 10_000_000].map(|bound| totals.at_most(bound));
        assert_eq!(found, [0, 1, 2, 3, 4, 4, 5]);
        assert_eq!((totals.count(), totals.sum_us), (5, 2_005_515));
    }

    #[test]
    fn readers_never_see_more_than_was_recorded() {
        let began = Instant::now();
        let mut recorder = Recorder::new(began);
        let histogram = recorder.histogram();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // One value a second of 100 µs: at no time does a minute have more than 60 of them.
                for second in 0..200_000 {
                    recorder.record(began + Duration::from_secs(second), us(100));
                }
                done.store(true, Ordering::Release);
            });
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let total = histogram.totals().count();
                assert!(total >= last, "totals fell from {last} to {total}");
                last = total;
                if let Some(found) = histogram.summary(began + Duration::from_secs(total)) {
                    assert!(found.count <= 10 * SLICES as u64, "{} in a minute", found.count);
                    assert!(
                        found.p50_us <= found.p99_us && found.p99_us <= found.max_us && found.max_us <= 100
                    );
                }
            }
        });
    }
}
