//! One instance in a child, as the host calls it.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    channel::{Channel, ChannelError, SEND_DEADLINE},
    home::ChildPlugin,
    link::{Call, Fault, Link},
    shortage::{SHORTAGE_PAUSE, is_shortage},
    spill,
    wakes::{RemoteWake, Waited},
    wire::{
        self, Control, Create, Event, MAX_CONFIG, MAX_EVENTS, MAX_RETURNED, MAX_SPILLED, Order, Reply,
        Report, Sent, Task,
    },
};
use crate::{FaultClass, FaultDetail, FaultOrigin, HostServices, PluginError, services::PluginAccount};

/// An instance in a child. Dropping it destroys the instance, or ends a child that does not let it.
pub(crate) struct Remote {
    link: Arc<Link>,
    channel: Channel,
    account: Arc<PluginAccount>,
    version: String,
    /// The instance failed for good.
    poisoned: bool,
    /// There is an instance to be destroyed.
    live: bool,
    /// Longest report in a file of its own, bytes.
    longest: usize,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

/// What an instance answered.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
}

/// Takes what an instance tells between calls; answers what is wrong with it.
pub(crate) type Ear<'a> = &'a mut dyn FnMut(Event) -> Result<(), String>;

/// For instances that tell nothing.
pub(crate) fn deaf(_: Event) -> Result<(), String> {
    Err("tells what only encoders tell".into())
}

impl Remote {
    /// Makes an instance in the plugin's child.
    pub(crate) fn create(
        services: &HostServices,
        plugin: &ChildPlugin,
        config: &str,
        what: Create,
        fds: &[BorrowedFd<'_>],
        function: &'static str,
    ) -> Result<Self, PluginError> {
        let account = services.account(plugin.id());
        if config.len() > MAX_CONFIG {
            let (class, detail) = (FaultClass::FatalPlugin, FaultDetail::Config);
            let text = format!("a configuration of {} bytes is too long for a child", config.len());
            return Err(PluginError::caller(&account, function, class, detail, text));
        }
        let (link, number) = plugin.link(services)?;
        let version = plugin.candidate().manifest().version.to_string();
        let failed = |fault: Fault| fault.error(&account, &version, function);
        let (channel, theirs) = Channel::pair().map_err(|error| {
            PluginError::shortage(&account, function, format!("no socket to its process: {error}"))
        })?;
        let order = Control::Create { plugin: number, config: config.to_owned(), what };
        let mut all = vec![theirs.as_fd()];
        all.extend_from_slice(fds);
        let call = Call { function, plugin: Some(&account.id) };
        link.order(&order, &all, call).map_err(failed)?;
        // Only the child's end stays open, so that its death is seen.
        drop(all);
        drop(theirs);
        let (inbox, outbox) = (Vec::new(), Vec::new());
        let deadline = link.deadlines().start_up;
        let mut remote = Self {
            link,
            channel,
            account,
            version,
            poisoned: false,
            live: false,
            longest: MAX_SPILLED,
            inbox,
            outbox,
        };
        match remote.answer(function, deadline, &mut deaf)?.reply {
            Reply::Done => {
                remote.live = true;
                Ok(remote)
            }
            _ => Err(remote.wrong_reply(function)),
        }
    }

    /// Takes answers of that many bytes.
    pub(crate) fn hears_up_to(&mut self, bytes: usize) {
        self.longest = bytes;
    }

    pub(crate) fn account(&self) -> &Arc<PluginAccount> {
        &self.account
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Sends a task and waits for its answer, hearing what comes before.
    pub(crate) fn call(
        &mut self,
        function: &'static str,
        task: Task,
        deadline: Duration,
        ear: Ear<'_>,
    ) -> Result<Answer, PluginError> {
        self.send(function, task, &[])?;
        self.answer(function, deadline, ear)
    }

    /// A call of an instance that tells nothing, with the usual deadline.
    pub(crate) fn ask(&mut self, function: &'static str, task: Task) -> Result<Reply, PluginError> {
        let deadline = self.link.deadlines().call;
        Ok(self.call(function, task, deadline, &mut deaf)?.reply)
    }

    /// A call that answers nothing.
    pub(crate) fn tell(&mut self, function: &'static str, task: Task) -> Result<(), PluginError> {
        match self.ask(function, task)? {
            Reply::Done => Ok(()),
            _ => Err(self.wrong_reply(function)),
        }
    }

    /// True when the instance can only be dropped.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Sends a task.
    pub(crate) fn send(
        &mut self,
        function: &'static str,
        task: Task,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), PluginError> {
        if self.poisoned {
            return Err(PluginError::poisoned(&self.account, function));
        }
        self.link.calls(self.calling(function));
        let returned = self.link.arena().returned(MAX_RETURNED);
        let order = Order { returned: returned.units(), task };
        if let Err(error) = wire::encode(&order, &mut self.outbox) {
            self.link.arena().untold(returned);
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            return Err(PluginError::caller(&self.account, function, class, detail, error.to_string()));
        }
        let Err(error) = self.channel.send(&self.outbox, fds) else { return Ok(()) };
        if error.is_shortage() {
            // Nothing was sent; the instance is as it was.
            self.link.arena().untold(returned);
            return Err(PluginError::shortage(&self.account, function, error.to_string()));
        }
        Err(self.gone(self.link.silent(&error, self.calling(function), SEND_DEADLINE), function))
    }

    fn calling(&self, function: &'static str) -> Call<'_> {
        Call { function, plugin: Some(&self.account.id) }
    }

    /// Waits for the answer to the task that was sent.
    pub(crate) fn answer(
        &mut self,
        function: &'static str,
        deadline: Duration,
        ear: Ear<'_>,
    ) -> Result<Answer, PluginError> {
        let end = Instant::now().checked_add(deadline);
        loop {
            match self.hear(function, end, ear)? {
                Heard::Answer(Ok(reply)) => return Ok(Answer { reply }),
                Heard::Answer(Err(error)) => {
                    let error = error.into_error(&self.account, function);
                    self.poisoned |= error.is_final();
                    return Err(error);
                }
                // One that talks without pause does not answer either.
                Heard::Events if end.is_none_or(|end| Instant::now() < end) => {}
                Heard::Events | Heard::Nothing => {
                    return Err(self.gone(self.link.late(self.calling(function), deadline), function));
                }
            }
        }
    }

    /// Hears one report that answers nothing; false when none came in time.
    pub(crate) fn listen(
        &mut self,
        function: &'static str,
        end: Instant,
        ear: Ear<'_>,
    ) -> Result<bool, PluginError> {
        match self.hear(function, Some(end), ear)? {
            Heard::Events => Ok(true),
            Heard::Nothing => Ok(false),
            Heard::Answer(_) => Err(self.broken(function, "answers what nobody asked")),
        }
    }

    fn hear(
        &mut self,
        function: &'static str,
        end: Option<Instant>,
        ear: Ear<'_>,
    ) -> Result<Heard, PluginError> {
        let fds = loop {
            match self.channel.receive(&mut self.inbox, end) {
                Ok(fds) => break fds,
                Err(ChannelError::Timeout) => return Ok(Heard::Nothing),
                Err(error) if error.is_shortage() => {
                    if error.is_loss() || end.is_some_and(|end| end <= Instant::now()) {
                        return Err(self.missed(function, &error));
                    }
                    // It is still there.
                    thread::sleep(SHORTAGE_PAUSE);
                }
                Err(error) => {
                    let fault = self.link.silent(&error, self.calling(function), Duration::ZERO);
                    return Err(self.gone(fault, function));
                }
            }
        };
        let report = match self.read(&fds) {
            Ok(report) => report,
            Err(Unread::Wrong(what)) => return Err(self.broken(function, &what)),
            Err(Unread::Missed(error)) => return Err(self.missed(function, &error)),
        };
        let Report { events, answer, misbehaved, metrics } = report;
        self.account.misbehaved(misbehaved);
        if let Some(metrics) = metrics {
            self.account.metrics.replace(metrics);
        }
        if events.len() > MAX_EVENTS {
            return Err(self.broken(function, "tells too much at once"));
        }
        for event in events {
            ear(event).map_err(|what| self.broken(function, &what))?;
        }
        Ok(answer.map_or(Heard::Events, Heard::Answer))
    }

    /// The report in the message that was received, or in the file that came with it.
    fn read(&self, fds: &[OwnedFd]) -> Result<Report, Unread> {
        let wrong = |error: &dyn std::fmt::Display| Unread::Wrong(error.to_string());
        match (wire::decode(&self.inbox).map_err(|error| wrong(&error))?, fds) {
            (Sent::Report(report), []) => Ok(report),
            (Sent::Spilled(len), [file]) => {
                let bytes =
                    spill::read(file, len as usize, self.longest).map_err(|error| {
                        match is_shortage(&error) {
                            true => Unread::Missed(error.into()),
                            false => Unread::Wrong(format!("sent a file that cannot be read: {error}")),
                        }
                    })?;
                wire::decode(&bytes).map_err(|error| wrong(&error))
            }
            _ => Err(Unread::Wrong("sent descriptors that do not belong to its message".into())),
        }
    }

    /// A call that waits for something, up to `timeout` or until it is woken. `None`: without a limit. `task` is given
    /// the timeout in nanoseconds.
    pub(crate) fn wait(
        &mut self,
        function: &'static str,
        task: impl FnOnce(Option<u64>) -> Task,
        timeout: Option<Duration>,
        wake: &RemoteWake,
    ) -> Result<Reply, PluginError> {
        let timeout_ns = timeout.and_then(|timeout| u64::try_from(timeout.as_nanos()).ok());
        self.send(function, task(timeout_ns), &[])?;
        // Beyond what it may wait, the child has the time of any call.
        let grace = self.link.deadlines().call;
        match wake.answer(self.channel.as_fd(), timeout, grace) {
            Waited::Answered(left) => Ok(self.answer(function, left, &mut deaf)?.reply),
            Waited::Late(waited) => Err(self.gone(self.link.late(self.calling(function), waited), function)),
        }
    }

    /// A child that breaks the protocol, which no plugin does by mistake, is ended.
    #[cold]
    pub(crate) fn broken(&mut self, function: &'static str, what: &str) -> PluginError {
        self.account.misbehaving(function, format_args!("its process {what}"));
        let fault = self.link.broken(self.calling(function), &format!("its process {what}"));
        self.gone(fault, function)
    }

    #[cold]
    pub(crate) fn wrong_reply(&mut self, function: &'static str) -> PluginError {
        self.broken(function, "answers something else than was asked")
    }

    /// What the child said could not be received, which is no fault of its own: the instance alone is of no use any more, and
    /// another one can be made. The child destroys it when its channel is closed.
    #[cold]
    fn missed(&mut self, function: &'static str, error: &ChannelError) -> PluginError {
        (self.poisoned, self.live) = (true, false);
        let error = PluginError::shortage(&self.account, function, error.to_string());
        PluginError { class: FaultClass::FatalInstance, ..error }
    }

    /// The child is gone, and the instance with it.
    #[cold]
    pub(crate) fn gone(&mut self, fault: Fault, function: &'static str) -> PluginError {
        self.poisoned = true;
        fault.error(&self.account, &self.version, function)
    }
}

/// Why there is no report in a message.
enum Unread {
    /// None of our children says that.
    Wrong(String),
    /// The host lacked what it takes to read it.
    Missed(ChannelError),
}

enum Heard {
    Events,
    Answer(Result<Reply, wire::WireError>),
    Nothing,
}

impl Drop for Remote {
    fn drop(&mut self) {
        if !self.live || self.link.fault().is_some() {
            return;
        }
        // An instance that failed for good can still be destroyed.
        self.poisoned = false;
        let deadline = self.link.deadlines().call;
        // What it tells has no receiver any more; slabs go back all the same.
        let arena = Arc::clone(self.link.arena());
        let ended = self.call("destroy", Task::End, deadline, &mut |event| {
            if let Event::Packet(packet) = event {
                arena.take(packet.place)?;
            }
            Ok(())
        });
        let Err(error) = ended else { return };
        tracing::warn!(%error, "an instance was not destroyed");
        // Nobody gets this error; what breaks the protocol was noted when that was found.
        if error.bystander {
            return;
        }
        self.link.untold();
        if matches!(error.origin, FaultOrigin::Died | FaultOrigin::Deadline) {
            self.account.misbehaving("destroy", &error.text);
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("plugin", &self.account.id)
            .field("poisoned", &self.poisoned)
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
