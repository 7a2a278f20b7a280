//! What waits to be written of uploads over sockets: a queue for each client, served in turn, so that none holds the others.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use selkies_session::{ClientId, UploadStep};
use tokio::sync::Notify;

use super::Job;

/// What a client may have waiting before it is read on. Bytes, as the following.
const BRAKE: usize = 4 * 1024 * 1024;
/// What a client may have waiting at all.
const MOST: usize = 32 * 1024 * 1024;
/// What all clients together may have waiting, before those lose something who are past their brake.
const ALL: usize = 128 * 1024 * 1024;
/// What a step without bytes counts: it opens, makes or renames files.
const STEP: usize = 64 * 1024;

/// The queues. Any thread may put, one takes.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
    /// Something came, or the end.
    more: Condvar,
    /// Something was taken.
    less: Notify,
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<ClientId, Queue>,
    /// Those for whom something waits, whose turn it is first.
    turns: VecDeque<ClientId>,
    cost: usize,
    ended: bool,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<(Job, Instant)>,
    cost: usize,
    /// The loss of something waits to be told.
    overrun: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Turn {
    /// This, of a client that asked for it then.
    Job(ClientId, Job, Instant),
    /// Nothing came in time.
    Late,
    /// Nothing more.
    End,
}

/// What a job counts among those that wait, and in the pace of transfers.
pub(super) fn cost(job: &Job) -> usize {
    match job {
        Job::Step(UploadStep::Data(bytes)) => bytes.len(),
        Job::Step(UploadStep::Start { path, .. }) => STEP + path.len(),
        Job::Step(UploadStep::End | UploadStep::Abort) => STEP,
        Job::Overrun | Job::Left => 0,
    }
}

impl Waiting {
    /// Queues a job; what is beyond the limits is left out, which is told once. Never waits.
    pub(super) fn put(&self, client: ClientId, job: Job, now: Instant) {
        let mut state = self.state();
        let State { queues, turns, cost: all, .. } = &mut *state;
        let queue = queues.entry(client).or_default();
        let mut cost = cost(&job);
        let mut job = job;
        let full = queue.cost + cost > MOST || (*all + cost > ALL && queue.cost > BRAKE);
        if full && cost > 0 {
            if std::mem::replace(&mut queue.overrun, true) {
                return;
            }
            (job, cost) = (Job::Overrun, 0);
        }
        if queue.jobs.is_empty() {
            turns.push_back(client);
        }
        queue.jobs.push_back((job, now));
        queue.cost += cost;
        *all += cost;
        drop(state);
        self.more.notify_one();
    }

    /// The next job, of each client in turn. Waits until then.
    pub(super) fn take(&self, until: Option<Instant>) -> Turn {
        let mut state = self.state();
        loop {
            if state.ended {
                return Turn::End;
            }
            if let Some(turn) = state.next() {
                drop(state);
                self.less.notify_waiters();
                return turn;
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return Turn::Late,
                Some(left) => self.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.more.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Whether something of a client waits.
    pub(super) fn has(&self, client: ClientId) -> bool {
        self.state().queues.contains_key(&client)
    }

    /// Completes when there is room for more of a client.
    pub(super) async fn room(&self, client: ClientId) {
        loop {
            let less = self.less.notified();
            if self.state().queues.get(&client).is_none_or(|queue| queue.cost <= BRAKE) {
                return;
            }
            less.await;
        }
    }

    /// Whoever takes is told that this is the end.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.more.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> Option<Turn> {
        let client = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&client)?;
        let (job, asked) = queue.jobs.pop_front()?;
        let cost = cost(&job);
        queue.cost -= cost;
        self.cost -= cost;
        if let Job::Overrun = job {
            queue.overrun = false;
        }
        if queue.jobs.is_empty() {
            self.queues.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(Turn::Job(client, job, asked))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const QUICK: ClientId = ClientId(1);
    const SLOW: ClientId = ClientId(2);

    fn data(len: usize) -> Job {
        Job::Step(UploadStep::Data(vec![0; len]))
    }

    fn start() -> Job {
        Job::Step(UploadStep::Start { path: "f".into(), size: 1 })
    }

    fn taken(waiting: &Waiting) -> (ClientId, Job) {
        match waiting.take(Some(Instant::now())) {
            Turn::Job(client, job, _) => (client, job),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_client_that_sends_much_is_braked_and_no_other() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        for _ in 0..6 {
            waiting.put(QUICK, data(1 << 20), now);
        }
        assert_eq!(waiting.room(QUICK).now_or_never(), None);
        assert_eq!(waiting.room(SLOW).now_or_never(), Some(()));
        waiting.put(SLOW, data(5), now);
        // Each has its turn.
        let turns: Vec<_> = (0..3).map(|_| taken(&waiting).0).collect();
        assert_eq!(turns, [QUICK, SLOW, QUICK]);
        assert_eq!(waiting.room(QUICK).now_or_never(), Some(()));
        assert!(waiting.has(QUICK) && !waiting.has(SLOW));
    }

    #[test]
    fn steps_without_bytes_are_not_free() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        for _ in 0..BRAKE / STEP {
            waiting.put(QUICK, start(), now);
        }
        assert_eq!(waiting.room(QUICK).now_or_never(), None);
        for _ in 0..100_000 {
            waiting.put(QUICK, start(), now);
            waiting.put(QUICK, Job::Step(UploadStep::End), now);
        }
        waiting.put(QUICK, Job::Left, now);
        let (mut steps, mut overruns) = (0, 0);
        let last = loop {
            match taken(&waiting).1 {
                Job::Left => break waiting.take(Some(Instant::now())),
                Job::Overrun => overruns += 1,
                Job::Step(_) => steps += 1,
            }
        };
        assert!(matches!(last, Turn::Late), "{last:?}");
        assert!(steps <= MOST / STEP, "{steps}");
        assert_eq!(overruns, 1, "told once");
    }

    #[test]
    fn who_keeps_to_the_brake_loses_nothing_by_others() {
        let (waiting, now) = (Waiting::default(), Instant::now());
        let crowd = 2 * ALL / MOST;
        for client in 0..crowd {
            for _ in 0..2 * MOST / (1 << 20) {
                waiting.put(ClientId(10 + client as u64), data(1 << 20), now);
            }
        }
        waiting.put(SLOW, data(1 << 20), now);
        let mut kept = 0;
        loop {
            match waiting.take(Some(Instant::now())) {
                Turn::Job(SLOW, job, _) => assert!(matches!(job, Job::Step(_)), "{job:?}"),
                Turn::Job(_, job, _) => kept += cost(&job),
                Turn::Late => break,
                Turn::End => panic!("it goes on"),
            }
        }
        assert!(kept <= ALL + crowd * (BRAKE + (1 << 20)), "{kept}");
        waiting.put(SLOW, start(), now);
        waiting.end();
        assert!(matches!(waiting.take(None), Turn::End));
    }
}
