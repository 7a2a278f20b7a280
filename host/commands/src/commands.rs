//! The lines that run, and for whom.

use std::{
    collections::BTreeMap,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::Command,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, eventfd};
use tracing::info;

use crate::{
    CommandError, Occasion, Report,
    child::{GRACE, Line},
    hooks::{Hook, Hooks},
};

/// Longest line, bytes.
pub const MAX_LINE: usize = 4096;

/// What lines may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines that run at once, for all clients together.
    pub running: usize,
    /// Bytes that are kept of what a line prints.
    pub output: usize,
    /// How long a client's line may run; `None` for ever, as a desktop's programs do.
    pub time: Option<Duration>,
}

impl Default for Limits {
    /// 32 at once, 32 KiB of output, any time.
    fn default() -> Self {
        Self { running: 32, output: 32 * 1024, time: None }
    }
}

/// How lines are run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder they begin in; the root where it is not there.
    pub folder: PathBuf,
    /// Variables that they get.
    pub set: Vec<(String, String)>,
    /// Variables of the host that they do not get, such as passwords.
    pub unset: Vec<String>,
    /// What they may take.
    pub limits: Limits,
    /// A client's lines end when it leaves.
    pub end_with_client: bool,
}

/// The lines that run. Dropped, it leaves them alone; see [`Commands::end`].
#[derive(Debug)]
pub struct Commands {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    running: Mutex<Running>,
    fewer: Condvar,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    lines: BTreeMap<u64, Place>,
    hooks: Hooks,
    /// No line of a client is run any more.
    ending: bool,
    /// Nor one of the operator.
    ended: bool,
}

/// A line that runs, or is about to.
#[derive(Debug)]
struct Place {
    /// `None` for the operator's own.
    client: Option<u64>,
    stop: Arc<OwnedFd>,
}

impl Commands {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { shared: Arc::new(Shared { options, running: Mutex::default(), fewer: Condvar::new() }) }
    }

    /// Runs a client's line. `told` is called by another thread when the shell has ended, or could not be started.
    /// Never waits.
    ///
    /// # Errors
    /// [`CommandError`] for a line that is not run; `told` is not called then.
    pub fn run(
        &self,
        client: u64,
        line: &str,
        told: impl FnOnce(Result<Report, CommandError>) + Send + 'static,
    ) -> Result<(), CommandError> {
        check(line)?;
        let stop = bell()?;
        let number = self.shared.take_place(client, stop.clone())?;
        info!(client, line, "command");
        let (shared, line) = (self.shared.clone(), line.to_owned());
        let limit = shared.options.limits.time;
        let serve = move || {
            let _place = Leaves { shared: &shared, number };
            shared.run(&line, Vec::new(), limit, &stop, told);
        };
        thread::Builder::new().name("command".into()).spawn(serve).map(drop).map_err(|error| {
            self.shared.leave(number);
            CommandError::Start(error)
        })
    }

    /// Runs a line of the operator, with more variables and a time limit of its own, after those that came before. It does
    /// not count against the limit of running lines, and does not end with a client. While one runs, at most one of each
    /// occasion waits: where people come and go faster than the lines run, what was undone is left out. Never waits.
    ///
    /// # Errors
    /// As [`Commands::run`].
    pub fn hook(
        &self,
        occasion: Occasion,
        line: &str,
        set: Vec<(String, String)>,
        limit: Duration,
        told: impl FnOnce(Result<Report, CommandError>) + Send + 'static,
    ) -> Result<(), CommandError> {
        check(line)?;
        let hook = Hook { occasion, line: line.to_owned(), set, limit, stop: bell()?, told: Box::new(told) };
        let mut running = self.shared.lock();
        if running.ended {
            return Err(CommandError::Ending);
        }
        running.hooks.put(hook);
        if running.hooks.served {
            return Ok(());
        }
        running.hooks.served = true;
        let shared = self.shared.clone();
        let served = thread::Builder::new().name("hooks".into()).spawn(move || shared.serve_hooks());
        served.map(drop).map_err(|error| {
            running.hooks = Hooks::default();
            CommandError::Start(error)
        })
    }

    /// A client is gone: its lines end, where they are to.
    pub fn client_left(&self, client: u64) {
        if self.shared.options.end_with_client {
            self.shared.lock().stop(|place| place.client == Some(client));
        }
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.lock().lines.len()
    }

    /// Ends every line: those of clients at once, the operator's after `grace`, or at once where another one waits, of
    /// which the last is run then. Blocks until they have ended, at most for `grace` and two seconds and a half. No line is
    /// run afterwards.
    pub fn end(&self, grace: Duration) {
        let patience = Instant::now() + grace;
        let mut running = self.shared.lock();
        running.ending = true;
        let another = running.hooks.keep_last();
        running.stop(|place| place.client.is_some() || another);
        drop(running);
        self.shared.wait(patience);
        let mut running = self.shared.lock();
        running.ended = true;
        running.hooks.clear();
        running.stop(|_| true);
        drop(running);
        self.shared.wait(Instant::now().max(patience) + GRACE + Duration::from_millis(500));
    }
}

/// What no line is.
fn check(line: &str) -> Result<(), CommandError> {
    if line.len() > MAX_LINE {
        return Err(CommandError::TooLong { limit: MAX_LINE });
    }
    if line.trim().is_empty() || line.contains('\0') {
        return Err(CommandError::Malformed);
    }
    Ok(())
}

/// What makes a line end.
fn bell() -> Result<Arc<OwnedFd>, CommandError> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let bell = eventfd(0, flags).map_err(|error| CommandError::Start(error.into()))?;
    Ok(Arc::new(bell))
}

impl Running {
    fn insert(&mut self, client: Option<u64>, stop: Arc<OwnedFd>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.lines.insert(number, Place { client, stop });
        number
    }

    fn stop(&self, which: impl Fn(&Place) -> bool) {
        for place in self.lines.values().filter(|place| which(place)) {
            // Full, it was told already.
            let _: Result<usize, _> = rustix::io::write(&place.stop, &1_u64.to_ne_bytes());
        }
    }
}

impl Shared {
    fn take_place(&self, client: u64, stop: Arc<OwnedFd>) -> Result<u64, CommandError> {
        let limit = self.options.limits.running;
        let mut running = self.lock();
        if running.ending {
            return Err(CommandError::Ending);
        }
        let taken = running.lines.values().filter(|place| place.client.is_some()).count();
        if taken >= limit {
            return Err(CommandError::TooMany { limit });
        }
        Ok(running.insert(Some(client), stop))
    }

    /// Runs a line until nothing is left of it.
    fn run(
        &self,
        line: &str,
        set: Vec<(String, String)>,
        limit: Option<Duration>,
        stop: &OwnedFd,
        told: impl FnOnce(Result<Report, CommandError>),
    ) {
        match Line::start(self.shell(line, set), self.options.limits.output) {
            Ok(line) => line.serve(limit, stop, |report| told(Ok(report))),
            Err(error) => told(Err(CommandError::Start(error))),
        }
    }

    /// Runs the operator's lines until none waits.
    fn serve_hooks(&self) {
        let mut serves = Serves { shared: self, done: false };
        loop {
            let mut running = self.lock();
            let Some(Hook { line, set, limit, stop, told, .. }) = running.hooks.next() else {
                running.hooks.served = false;
                serves.done = true;
                self.fewer.notify_all();
                return;
            };
            let number = running.insert(None, stop.clone());
            drop(running);
            let _place = Leaves { shared: self, number };
            info!(line, "command of the operator");
            self.run(&line, set, Some(limit), &stop, told);
        }
    }

    fn shell(&self, line: &str, set: Vec<(String, String)>) -> Command {
        let Options { folder, set: usual, unset, .. } = &self.options;
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).process_group(0);
        shell.current_dir(if folder.is_dir() { folder.as_path() } else { std::path::Path::new("/") });
        for name in unset {
            shell.env_remove(name);
        }
        shell.envs(usual.iter().cloned()).envs(set);
        shell
    }

    /// Waits until nothing runs, at most until then.
    fn wait(&self, until: Instant) {
        let mut running = self.lock();
        while !running.lines.is_empty() || running.hooks.served {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.fewer.wait_timeout(running, left);
            running = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn leave(&self, number: u64) {
        self.lock().lines.remove(&number);
        self.fewer.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a place back, also when the thread panics.
struct Leaves<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.number);
    }
}

/// Lets another thread serve the operator's lines when this one panics.
struct Serves<'a> {
    shared: &'a Shared,
    done: bool,
}

impl Drop for Serves<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.shared.lock().hooks = Hooks::default();
            self.shared.fewer.notify_all();
        }
    }
}
