//! A running child as the host uses it: what is asked of it as a whole, and how its end becomes errors.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    channel::{Channel, ChannelError, SEND_DEADLINE},
    ending::Ending,
    options::Deadlines,
    process::{Child, Launch},
    shortage::SHORTAGE_PAUSE,
    voice::Voice,
    wire::{self, Control, ControlAnswer, FromChild, LoadFault, Loaded},
};
use crate::{
    Candidate, FaultDetail, FaultOrigin, HostServices, Offer, PluginError, StartError,
    services::{PacketArena, PluginAccount},
    stamp::Judged,
};

/// How long a child that closed its socket may take to be dead; usually it is already.
const END_DEADLINE: Duration = Duration::from_millis(300);
/// How long a killed child is waited for: whoever meets the end gives free what the child had. After the signal it runs
/// no code of its own any more; the kernel may still be busy, with a gigabyte to free for a third of a second, and the
/// picture must not wait for that.
const KILL_DEADLINE: Duration = Duration::from_millis(30);
/// Tables that a plugin can have, and more.
const MAX_OFFERS: usize = 64;
const ANOTHER_ANSWER: &str = "answered something else than was asked";

/// A running child. Dropping it kills the child; instances in it keep it alive.
pub(crate) struct Link {
    child: Child,
    arena: Arc<PacketArena>,
    deadlines: Deadlines,
    /// One question at a time.
    asking: Mutex<Asking>,
    /// Numbers of the plugins that it has.
    loaded: Mutex<BTreeMap<String, u32>>,
    /// What ended it.
    fault: OnceLock<Fault>,
    /// The newest call, and of which plugin.
    last_call: Mutex<(&'static str, Option<Arc<str>>)>,
}

struct Asking {
    answers: Receiver<(ControlAnswer, u32)>,
    message: Vec<u8>,
}

/// Why a child is not used any more.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    origin: FaultOrigin,
    detail: FaultDetail,
    text: String,
    /// How the process ended, where it did so by itself.
    ending: Option<Ending>,
    /// The plugin whose call was the last one.
    suspect: Option<Arc<str>>,
    /// An error of the suspect told of it.
    told: Arc<AtomicBool>,
    /// What the host lacks or cannot do; nothing ended.
    of_host: Option<FaultDetail>,
}

/// A call, for those who must say whose fault an end was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Table and function.
    pub(crate) function: &'static str,
    /// Of which plugin; `None` for what concerns a child as a whole.
    pub(crate) plugin: Option<&'a Arc<str>>,
}

impl Fault {
    fn new(origin: FaultOrigin, text: String) -> Self {
        let detail = match origin {
            FaultOrigin::Deadline => FaultDetail::Timeout,
            FaultOrigin::Protocol => FaultDetail::InvalidArgument,
            _ => FaultDetail::Unspecified,
        };
        let (suspect, told) = (None, Arc::default());
        Self { origin, detail, text, ending: None, suspect, told, of_host: None }
    }

    /// What the host itself lacks.
    fn shortage(text: String) -> Self {
        Self::of_host(FaultDetail::OutOfResources, text)
    }

    /// What the host itself lacks or cannot do.
    fn of_host(detail: FaultDetail, text: String) -> Self {
        Self { of_host: Some(detail), ..Self::new(FaultOrigin::Caller, text) }
    }

    /// The same for a child in which nothing of a plugin is yet: it is the host's own that ended, or said nothing.
    fn before_plugins(self) -> Self {
        match self.origin {
            FaultOrigin::Died => Self::of_host(FaultDetail::Io, self.text),
            FaultOrigin::Deadline => Self::of_host(FaultDetail::Timeout, self.text),
            _ => self,
        }
    }

    /// The error of a call of this plugin.
    pub(crate) fn error(
        &self,
        account: &PluginAccount,
        version: &str,
        function: &'static str,
    ) -> PluginError {
        if let Some(detail) = self.of_host {
            return PluginError::of_host(account, function, detail, self.text.clone());
        }
        let text = format!("{} {version}: {}", account.id, self.text);
        let suspected = self.suspect.as_ref().is_none_or(|suspect| *suspect == account.id);
        // One end is one fault, however many instances meet it.
        let bystander = !suspected || self.told.swap(true, Ordering::Relaxed);
        let error = PluginError::of_child(account, function, self.origin, self.detail, text);
        PluginError { ending: self.ending, bystander, ..error }
    }
}

impl Link {
    /// Starts a child and waits until it answers.
    pub(crate) fn start(
        launch: Launch,
        services: &HostServices,
        deadlines: Deadlines,
        members: Vec<String>,
    ) -> Result<Arc<Self>, Fault> {
        let arena = PacketArena::new()
            .map_err(|error| Fault::shortage(format!("no memory for its packets: {error}")))?;
        let child = Child::spawn(launch).map_err(|error| match error.of_host() {
            Some(detail) => Fault::of_host(detail, error.to_string()),
            None => Fault::new(FaultOrigin::Died, error.to_string()),
        })?;
        let (sender, answers) = sync_channel(1);
        let asking = Mutex::new(Asking { answers, message: Vec::new() });
        let channel = Arc::clone(child.channel());
        let link = Arc::new(Self {
            child,
            arena,
            deadlines,
            asking,
            loaded: Mutex::default(),
            fault: OnceLock::new(),
            last_call: Mutex::new(("start", None)),
        });
        let (weak, voice) = (Arc::downgrade(&link), Voice::new(services.clone(), members));
        thread::Builder::new()
            .name("plugin-control".into())
            .spawn(move || hear(&channel, &weak, voice, &sender))
            .map_err(|error| Fault::shortage(format!("no thread for its process: {error}")))?;
        let hello = Control::Hello { level: services.log_level() };
        let call = Call { function: "start", plugin: None };
        let answer = link.ask(&hello, &[link.arena.memory().as_fd()], link.deadlines.start_up, call);
        match answer.map_err(Fault::before_plugins)? {
            (ControlAnswer::Ready, _) => Ok(link),
            _ => Err(link.broken(call, ANOTHER_ANSWER)),
        }
    }

    /// The number of the plugin with this id, if it was loaded.
    pub(crate) fn loaded(&self, id: &str) -> Option<u32> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    /// Loads a plugin of these files, unless that was done before; answers its number, and what it offers if it was
    /// loaded now.
    pub(crate) fn load(
        &self,
        services: &HostServices,
        candidate: &Candidate,
        judged: Judged,
    ) -> Result<(u32, Option<Vec<Offer>>), StartError> {
        let id = candidate.id();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(id) {
            return Ok((*plugin, None));
        }
        let account = services.account(id);
        let version = candidate.manifest().version.as_str();
        let manifest = candidate.manifest_path().to_owned();
        let order = Control::Load { manifest, id: id.to_owned(), judged };
        let error = |fault: Fault| fault.error(&account, version, "lifecycle.init");
        let call = Call { function: "lifecycle.init", plugin: Some(&account.id) };
        let (answer, misbehaved) = self.ask(&order, &[], self.deadlines.start_up, call).map_err(error)?;
        account.misbehaved(misbehaved);
        match answer {
            ControlAnswer::Loaded(Ok(Loaded { offers, .. })) if offers.len() > MAX_OFFERS => {
                Err(error(self.broken(call, "answered with more tables than there are")).into())
            }
            ControlAnswer::Loaded(Ok(Loaded { plugin, offers })) => {
                loaded.insert(id.to_owned(), plugin);
                let offers = offers.into_iter().map(|offer| Offer {
                    id: offer.id,
                    bytes: offer.bytes,
                    wanted: offer.wanted,
                    refusal: offer.refusal,
                });
                Ok((plugin, Some(offers.collect())))
            }
            ControlAnswer::Loaded(Err(LoadFault::Refused(refusal))) => Err(refusal.into()),
            ControlAnswer::Loaded(Err(LoadFault::Failed(fault))) => {
                Err(fault.into_error(&account, "lifecycle.init").into())
            }
            _ => Err(error(self.broken(call, ANOTHER_ANSWER)).into()),
        }
    }

    /// Asks the child as a whole. The second part of the answer is how often the contract was broken meanwhile.
    pub(crate) fn ask(
        &self,
        order: &Control,
        fds: &[BorrowedFd<'_>],
        deadline: Duration,
        call: Call<'_>,
    ) -> Result<(ControlAnswer, u32), Fault> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(order, fds, call, &mut asking.message)?;
        match asking.answers.recv_timeout(deadline) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(self.late(call, deadline)),
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    /// Sends what is not answered here.
    pub(crate) fn order(&self, order: &Control, fds: &[BorrowedFd<'_>], call: Call<'_>) -> Result<(), Fault> {
        self.tell(order, fds, call, &mut Vec::new())
    }

    fn tell(
        &self,
        order: &Control,
        fds: &[BorrowedFd<'_>],
        call: Call<'_>,
        message: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone());
        }
        if call.plugin.is_some() {
            self.calls(call);
        }
        wire::encode(order, message).map_err(|error| Fault::new(FaultOrigin::Caller, error.to_string()))?;
        self.child.channel().send(message, fds).map_err(|error| self.silent(&error, call, SEND_DEADLINE))
    }

    /// Notes the newest call, which is the most likely reason when the process dies by itself.
    pub(crate) fn calls(&self, call: Call<'_>) {
        let call = (call.function, call.plugin.cloned());
        *self.last_call.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }

    pub(crate) fn arena(&self) -> &Arc<PacketArena> {
        &self.arena
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// What ended it; also notices an end that nobody met yet.
    pub(crate) fn fault(&self) -> Option<Fault> {
        if self.fault.get().is_none() && self.child.ended().is_some() {
            return Some(self.died());
        }
        self.fault.get().cloned()
    }

    /// The child closed a socket, or does not serve it; or the host cannot use it now, which ends nothing.
    pub(crate) fn silent(&self, error: &ChannelError, call: Call<'_>, deadline: Duration) -> Fault {
        match error {
            ChannelError::Closed => self.died(),
            ChannelError::Timeout => self.late(call, deadline),
            error if error.is_shortage() => Fault::shortage(error.to_string()),
            ChannelError::TooLong | ChannelError::TooManyDescriptors | ChannelError::Io(_) => {
                self.broken(call, &error.to_string())
            }
        }
    }

    /// The child is dead, or ends.
    pub(crate) fn died(&self) -> Fault {
        self.end(FaultOrigin::Died, "", None)
    }

    /// This call was not answered in time.
    pub(crate) fn late(&self, call: Call<'_>, deadline: Duration) -> Fault {
        let what = format!("{} was not answered within {} ms", call.function, deadline.as_millis());
        self.end(FaultOrigin::Deadline, &what, Some(call))
    }

    /// The child broke the protocol in this call.
    pub(crate) fn broken(&self, call: Call<'_>, what: &str) -> Fault {
        self.end(FaultOrigin::Protocol, what, Some(call))
    }

    /// The error that told of the end reached nobody: the next one of the suspect tells.
    pub(crate) fn untold(&self) {
        if let Some(fault) = self.fault.get() {
            fault.told.store(false, Ordering::Relaxed);
        }
    }

    /// Ends the child for this reason, unless it has ended for another. The plugin of `call` is to blame; without it that of
    /// the newest call.
    fn end(&self, origin: FaultOrigin, what: &str, call: Option<Call<'_>>) -> Fault {
        let fault = self.fault.get_or_init(|| {
            let ending = match origin {
                FaultOrigin::Died => self.child.wait(END_DEADLINE),
                _ => None,
            };
            if ending.is_none() {
                self.child.kill();
                let _ = self.child.wait(KILL_DEADLINE);
            }
            let (call, suspect) = match call {
                Some(Call { function, plugin: Some(plugin) }) => (function, Some(Arc::clone(plugin))),
                _ => self.last_call.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            };
            let ended = match ending {
                Some(ending @ Ending::Signal { .. }) => format!("was {ending}"),
                Some(ending @ Ending::Exit(_)) => format!("ended with {ending}"),
                Some(Ending::Unknown) => "ended in an unknown way".to_owned(),
                None => "closed its channel and was ended".to_owned(),
            };
            let text = match origin {
                FaultOrigin::Died => format!("its process {ended}, the last call was {call}{}", hint(ending)),
                _ => format!("{what}; its process was ended, the last call was {call}"),
            };
            tracing::error!(target: "selkies::plugin", plugins = self.child.label(), "{text}");
            Fault { ending, suspect, ..Fault::new(origin, text) }
        });
        fault.clone()
    }
}

/// What an ending tells of its reason.
fn hint(ending: Option<Ending>) -> &'static str {
    match ending {
        Some(Ending::Signal { number: libc::SIGSYS }) => {
            "; it did what `requires` of its manifest does not let it do"
        }
        Some(Ending::Signal { number: libc::SIGKILL }) => "; memory may have run out",
        _ => "",
    }
}

/// Serves what a child says by itself, until its end.
fn hear(channel: &Channel, link: &Weak<Link>, mut voice: Voice, answers: &SyncSender<(ControlAnswer, u32)>) {
    let mut message = Vec::new();
    let wrong = loop {
        match channel.receive(&mut message, None) {
            Ok(fds) => drop(fds),
            Err(ChannelError::Closed) => return,
            Err(error) if error.is_shortage() => {
                thread::sleep(SHORTAGE_PAUSE);
                continue;
            }
            Err(error) => break error.to_string(),
        }
        match wire::decode(&message) {
            Ok(FromChild::Line(line)) => {
                if !voice.say(line, Instant::now()) {
                    break "logs without end".to_owned();
                }
            }
            Ok(FromChild::Answer { answer, misbehaved }) => {
                if answers.try_send((answer, misbehaved)).is_err() {
                    break "answers what nobody asked".to_owned();
                }
            }
            Err(error) => break error.to_string(),
        }
    };
    if let Some(link) = link.upgrade() {
        let _ = link.end(FaultOrigin::Protocol, &wrong, None);
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("child", &self.child)
            .field("fault", &self.fault.get())
            .finish_non_exhaustive()
    }
}
