//! A few threads that wait for work, and a caller that works along.
//!
//! Made for jobs of about 0.1 ms that borrow from the caller's stack: scoped threads would be spawned per frame, and a
//! work-stealing pool spins before it sleeps. Here a worker sleeps on one futex until there are jobs for it, and a
//! caller with a single job never touches another thread.

#![allow(unsafe_code)] // One lifetime is erased so that workers, which outlive the call, can borrow from the caller.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

/// What a worker runs: `work(worker, job)`.
type Work<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Threads named `jpeg-1`, `jpeg-2`, ...; worker 0 is whoever calls [`Pool::run`].
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Workers sleep here.
    work: Condvar,
    /// The caller sleeps here until no worker is in its work any more.
    idle: Condvar,
    /// The next job of the current batch.
    next: AtomicUsize,
}

struct State {
    /// What is to be done now. Taken away by the caller, after which no worker can begin it.
    batch: Option<Batch>,
    /// Batches so far, by which a worker knows one that it has run already.
    batches: u64,
    /// Workers that run the batch now.
    active: usize,
    panic: Option<Box<dyn Any + Send>>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Batch {
    work: Work<'static>,
    jobs: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, batch: Batch, worker: usize) {
        loop {
            let job = self.next.fetch_add(1, Ordering::Relaxed);
            if job >= batch.jobs {
                return;
            }
            (batch.work)(worker, job);
        }
    }
}

impl Pool {
    /// A pool of `workers` workers, the caller included. Where the system gives fewer threads it has fewer.
    pub(crate) fn new(workers: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { batch: None, batches: 0, active: 0, panic: None, ended: false }),
            work: Condvar::new(),
            idle: Condvar::new(),
            next: AtomicUsize::new(0),
        });
        let threads = (1..workers)
            .map_while(|worker| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("jpeg-{worker}"))
                    .spawn(move || serve(&shared, worker))
                    .ok()
            })
            .collect();
        Self { shared, threads }
    }

    /// Workers, the caller included.
    pub(crate) fn workers(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `work(worker, job)` for each job below `jobs`, waking at most `helpers` threads for it; returns when all are
    /// done. A worker runs one job at a time. A panic in `work` goes on here, after every worker has left.
    pub(crate) fn run(&mut self, jobs: usize, helpers: usize, work: Work<'_>) {
        let helpers = self.threads.len().min(helpers).min(jobs.saturating_sub(1));
        if helpers == 0 {
            (0..jobs).for_each(|job| work(0, job));
            return;
        }
        // SAFETY: only the lifetime changes. `Closing` takes the batch away and waits until no worker runs it before
        // this function returns or unwinds, so nobody calls `work` past its life.
        let work = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        let batch = Batch { work, jobs };
        {
            let mut state = self.shared.lock();
            // Published by the lock.
            self.shared.next.store(0, Ordering::Relaxed);
            state.batch = Some(batch);
            state.batches += 1;
            // One from before is left when the caller panicked too.
            state.panic = None;
        }
        let closing = Closing { shared: &self.shared };
        for _ in 0..helpers {
            self.shared.work.notify_one();
        }
        self.shared.run(batch, 0);
        drop(closing);
        let panic = self.shared.lock().panic.take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// Ends a batch, also when the caller's own job panics.
struct Closing<'a> {
    shared: &'a Shared,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.batch = None;
        while state.active > 0 {
            state = self.shared.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its work, so there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}

/// The life of one worker.
fn serve(shared: &Shared, worker: usize) {
    let mut seen = 0;
    let mut state = shared.lock();
    loop {
        if state.ended {
            return;
        }
        match state.batch {
            Some(batch) if state.batches != seen => {
                seen = state.batches;
                state.active += 1;
                drop(state);
                let outcome = catch_unwind(AssertUnwindSafe(|| shared.run(batch, worker)));
                state = shared.lock();
                state.active -= 1;
                if let Err(panic) = outcome {
                    state.panic = Some(panic);
                }
                if state.active == 0 {
                    shared.idle.notify_one();
                }
            }
            _ => state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU64, thread};

    use super::*;

    #[test]
    fn every_job_runs_once_and_is_done_on_return() {
        for workers in [1, 2, 5] {
            let mut pool = Pool::new(workers);
            assert_eq!(pool.workers(), workers);
            for jobs in [0, 1, 2, 3, 64, 1000] {
                let runs: Vec<AtomicU64> = (0..jobs).map(|_| AtomicU64::new(0)).collect();
                pool.run(jobs, jobs, &|worker, job| {
                    assert!(worker < workers);
                    runs[job].fetch_add(1, Ordering::Relaxed);
                });
                assert!(runs.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_single_job_and_work_without_helpers_stay_on_the_callers_thread() {
        let mut pool = Pool::new(4);
        let caller = thread::current().id();
        for (jobs, helpers) in [(1, 4), (9, 0)] {
            pool.run(jobs, helpers, &|worker, _| {
                assert_eq!(worker, 0);
                assert_eq!(thread::current().id(), caller);
            });
        }
    }

    #[test]
    fn workers_have_names_and_take_part() {
        let mut pool = Pool::new(2);
        let names = Mutex::new(Vec::new());
        // Both jobs wait for each other, so two threads must run them.
        let barrier = std::sync::Barrier::new(2);
        pool.run(2, 2, &|_, _| {
            barrier.wait();
            names.lock().unwrap().push(thread::current().name().unwrap_or_default().to_owned());
        });
        assert!(names.into_inner().unwrap().iter().any(|name| name == "jpeg-1"));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let mut pool = Pool::new(3);
        for bad in 0..8 {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(8, 2, &|_, job| assert_ne!(job, bad, "job {bad}"));
            }));
            assert!(outcome.is_err());
        }
        let count = AtomicUsize::new(0);
        pool.run(8, 2, &|_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 8);
    }
}
