//! Waits, and what ends them; the same for captures, cursors and RTC configurations.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use selkies_plugin_abi as abi;

use super::{Blocked, Instance};
use crate::{
    call::{self, Failure, Site, now_ns},
    journal::fail,
    random::Random,
    rule::Rule,
};

/// How much later than its timeout or its wake a wait may end.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// A timeout that a wake is to beat.
const LONG: Duration = Duration::from_secs(8);

/// `wake` of an instance, from any thread.
#[derive(Clone, Copy)]
pub(super) struct Wake {
    function: unsafe extern "C" fn(*mut abi::Instance),
    instance: *mut abi::Instance,
}

// SAFETY: `wake` is `[any]`.
unsafe impl Send for Wake {}
// SAFETY: as above.
unsafe impl Sync for Wake {}

impl Wake {
    pub(super) fn new(
        function: Option<unsafe extern "C" fn(*mut abi::Instance)>,
        instance: &Instance,
    ) -> Option<Self> {
        function.map(|function| Self { function, instance: instance.raw })
    }

    fn ring(self) {
        // SAFETY: the instance outlives every use: threads are joined before it is destroyed.
        unsafe { (self.function)(self.instance) }
    }
}

/// Calls a wait: the timeout in nanoseconds goes to `wait`.
pub(crate) fn timed(
    site: &'static Site,
    instance: &Instance,
    timeout: Duration,
    wait: impl FnOnce(u64) -> abi::Status,
) -> (Result<bool, Failure>, Duration) {
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let start = Instant::now();
    let answer = call::status(site, &instance.context, timeout, || wait(nanos));
    (answer, start.elapsed())
}

/// Judges that waits end by their timeout. `wait` answers whether something happened, and how long it took.
pub(super) fn timeouts(
    rule: &'static Rule,
    mut wait: impl FnMut(Duration) -> (Result<bool, Failure>, Duration),
) -> Result<(), Blocked> {
    for timeout in [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(300)] {
        let (answer, took) = wait(timeout);
        if took > timeout + GRACE {
            fail(rule, format!("a wait of {} ms took {} ms", timeout.as_millis(), took.as_millis()));
        }
        if let Ok(false) = answer
            && took + Duration::from_millis(20) < timeout
        {
            let (timeout, took) = (timeout.as_millis(), took.as_millis());
            fail(rule, format!("a wait of {timeout} ms ended with NOTHING after {took} ms, without a wake"));
        }
        if let Err(failure) = answer {
            failure.breaks(rule, "a wait");
            return Err(failure.to_string());
        }
    }
    Ok(())
}

/// Judges that wakes end waits: the next one, and the one that runs.
pub(super) fn wakes(
    rule: &'static Rule,
    site: &'static Site,
    wake: Wake,
    mut wait: impl FnMut(Duration) -> (Result<bool, Failure>, Duration),
) -> Result<(), Blocked> {
    let mut judge = |what: &str, since: Option<u64>| {
        let (answer, took) = wait(LONG);
        if let Err(failure) = answer {
            failure.breaks(rule, what);
            return Err(failure.to_string());
        }
        let late = since.map_or(took, |rung| Duration::from_nanos(now_ns().saturating_sub(rung)).min(took));
        if late > GRACE {
            fail(rule, format!("{what}: the wait took {} ms longer", late.as_millis()));
            return Err(format!("{} is not ended by wake", site.name));
        }
        Ok(())
    };
    wake.ring();
    judge("a wake before the wait", None)?;
    let waiting = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let ringer = scope.spawn(|| {
            // Until the other thread is inside `wait` and had the time to block there; or it ended by itself.
            while waiting.load(Ordering::Relaxed) && call::current_name() != site.name {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(100));
            wake.ring();
        });
        let outcome = judge("a wake during the wait", Some(now_ns() + 100_000_000));
        waiting.store(false, Ordering::Relaxed);
        let _ = ringer.join();
        outcome
    })?;
    Ok(())
}

/// Waits with timeouts that pass, and after wakes: one or several, which are as good as one. Judged like [`timeouts`], by the
/// first rule, and like [`wakes`], by the second.
pub(super) fn random_waits(
    random: &mut Random,
    [ends, hears]: [&'static Rule; 2],
    wake: Wake,
    mut wait: impl FnMut(Duration) -> (Result<bool, Failure>, Duration),
) -> Result<(), Blocked> {
    for _ in 0..random.between(1, 16) {
        let rung = if random.once_in(3) { random.between(1, 4) } else { 0 };
        (0..rung).for_each(|_| wake.ring());
        let (rule, timeout, limit) = match rung {
            0 => {
                let timeout = Duration::from_millis(u64::from(random.between(0, 20)));
                (ends, timeout, timeout + GRACE)
            }
            _ => (hears, LONG, GRACE),
        };
        let (answer, took) = wait(timeout);
        let what = || format!("a wait of {} ms after {rung} wakes", timeout.as_millis());
        if let Err(failure) = answer {
            failure.breaks(rule, &what());
            return Err(failure.to_string());
        }
        if took > limit {
            fail(rule, format!("{} took {} ms", what(), took.as_millis()));
            return Err(format!("{} was broken", rule.id));
        }
    }
    Ok(())
}
