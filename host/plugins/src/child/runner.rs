//! What a child does: serves the host with the plugins that it is told to load.
//!
//! The same code as in the host loads them, makes their instances and checks what they do. The main thread serves the
//! child as a whole; every instance has a thread and a channel of its own, so that no call waits for another instance.

use std::{
    os::fd::OwnedFd,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicU64},
    thread,
};

use super::{
    channel::{Channel, ChannelError},
    entry::{Adopted, adopt},
    outbox::{Outbox, misbehaved},
    relay::Relay,
    served::{self, Instance, Packets},
    wire::{
        self, Control, ControlAnswer, Create, FromChild, LoadFault, Loaded, Order, Reply, Task, WireOffer,
    },
};
use crate::{
    Candidate, HostServices, Origin, Plugin, PluginError, SlabPool, StartError,
    loader::load_judged,
    probe_audio_encoder, probe_encoder,
    services::{ARENA_BYTES, Arena},
    shared_memory::SharedMemory,
    stamp::Judged,
};

/// Runs this process as a child of the host that started it, until the host ends it. For the first line of a program
/// that was started with [`CHILD_ARGUMENT`](super::CHILD_ARGUMENT): there must be no other thread.
#[must_use]
pub fn run() -> ExitCode {
    let adopted = match adopt() {
        Ok(adopted) => adopted,
        Err(error) => {
            eprintln!("selkies-host: {error}");
            return ExitCode::from(error.exit_code());
        }
    };
    // Before anything of a plugin is opened.
    let notes = adopted.restrict();
    match serve(adopted, &notes) {
        Ok(()) | Err(RunError::Channel(ChannelError::Closed)) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("selkies-host: a plugin's process ends: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a child cannot go on.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("{0}")]
    Channel(#[from] ChannelError),
    #[error("{0}")]
    Wire(#[from] wire::WireFault),
    #[error("the host sent something else than it should: {0}")]
    Order(&'static str),
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// A plugin of this child.
struct Member {
    plugin: Plugin,
    /// How many broken contracts the host knows of.
    told: Arc<AtomicU64>,
}

struct Runner {
    channel: Arc<Channel>,
    services: HostServices,
    arena: Arena,
    packets: Arc<Packets>,
    members: Vec<Member>,
    message: Vec<u8>,
}

fn serve(adopted: Adopted, notes: &[String]) -> Result<(), RunError> {
    let channel = Arc::new(adopted.channel);
    let mut message = Vec::new();
    let fds = channel.receive(&mut message, None)?;
    let (Control::Hello { level }, Ok([arena])) = (wire::decode(&message)?, <[OwnedFd; 1]>::try_from(fds))
    else {
        return Err(RunError::Order("no arena"));
    };
    let arena = Arena::new(SharedMemory::of_fd(arena, ARENA_BYTES, true)?);
    let services = HostServices::new(SlabPool::in_arena(arena.clone()));
    services.set_log_level(level);
    // Set once, here.
    let _ = tracing::subscriber::set_global_default(Relay::new(Arc::clone(&channel), services.clone()));
    for note in notes {
        tracing::warn!("{note}");
    }
    let packets = Arc::default();
    let mut runner = Runner { channel, services, arena, packets, members: Vec::new(), message };
    runner.answer(ControlAnswer::Ready, None)?;
    loop {
        runner.next()?;
    }
}

impl Runner {
    fn next(&mut self) -> Result<(), RunError> {
        let channel = Arc::clone(&self.channel);
        let fds = channel.receive(&mut self.message, None)?;
        match wire::decode(&self.message)? {
            Control::Hello { .. } => Err(RunError::Order("a second hello")),
            Control::Load { manifest, id, judged } => {
                let loaded = self.load(&manifest, &id, &judged);
                let member = loaded.is_ok().then(|| self.members.len() - 1);
                self.answer(ControlAnswer::Loaded(loaded), member)
            }
            Control::Probe { plugin, config } => {
                let (at, member) = self.member(plugin)?;
                let origin =
                    Origin { services: &self.services, plugin: &member.plugin, config_json: &config };
                let offers = probe_encoder(&origin).map_err(Into::into);
                self.answer(ControlAnswer::Offers(offers), Some(at))
            }
            Control::ProbeAudio { plugin, config } => {
                let (at, member) = self.member(plugin)?;
                let origin =
                    Origin { services: &self.services, plugin: &member.plugin, config_json: &config };
                let offers = probe_audio_encoder(&origin).map_err(Into::into);
                self.answer(ControlAnswer::AudioOffers(offers), Some(at))
            }
            Control::Create { plugin, config, what } => self.create(plugin, config, what, fds),
            Control::LogLevel(level) => {
                self.services.set_log_level(level);
                self.members.iter().for_each(|member| member.plugin.set_log_level(level));
                Ok(())
            }
        }
    }

    fn member(&self, plugin: u32) -> Result<(usize, &Member), RunError> {
        let at = plugin as usize;
        self.members.get(at).map(|member| (at, member)).ok_or(RunError::Order("an unknown plugin"))
    }

    fn answer(&mut self, answer: ControlAnswer, member: Option<usize>) -> Result<(), RunError> {
        let member = member.and_then(|at| self.members.get(at));
        let misbehaved =
            member.map_or(0, |member| misbehaved(&self.services.account(member.plugin.id()), &member.told));
        wire::encode(&FromChild::Answer { answer, misbehaved }, &mut self.message)?;
        Ok(self.channel.send(&self.message, &[])?)
    }

    /// Loads a plugin as a host does. The host judged it by its policy just before.
    fn load(&mut self, manifest: &Path, id: &str, judged: &Judged) -> Result<Loaded, LoadFault> {
        let start = || -> Result<Plugin, StartError> {
            let candidate = Candidate::read(manifest)?;
            if candidate.id() != id {
                return Err(
                    crate::Refusal::Unknown { id: id.to_owned(), known: candidate.id().to_owned() }.into()
                );
            }
            Ok(Plugin::here(&self.services, load_judged(&candidate, judged)?)?)
        };
        let plugin = start().map_err(|error| match error {
            StartError::Refused(refusal) => LoadFault::Refused(refusal),
            StartError::Failed(error) => LoadFault::Failed(error.into()),
        })?;
        let offers = plugin.table_offers().iter().cloned().map(|offer| WireOffer {
            id: offer.id,
            bytes: offer.bytes,
            wanted: offer.wanted,
            refusal: offer.refusal,
        });
        let loaded = Loaded {
            plugin: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            offers: offers.collect(),
        };
        self.members.push(Member { plugin, told: Arc::default() });
        Ok(loaded)
    }

    /// Makes an instance on a thread of its own. Its answer goes to its channel.
    fn create(&self, plugin: u32, config: String, what: Create, fds: Vec<OwnedFd>) -> Result<(), RunError> {
        let (_, member) = self.member(plugin)?;
        let mut fds = fds.into_iter();
        let channel = Channel::from_fd(fds.next().ok_or(RunError::Order("an instance without a channel"))?);
        let account = self.services.account(member.plugin.id());
        let outbox = Arc::new(Outbox::new(channel, account, Arc::clone(&member.told)));
        let place = served::Place {
            services: self.services.clone(),
            plugin: member.plugin.clone(),
            config,
            arena: self.arena.clone(),
            packets: Arc::clone(&self.packets),
            outbox,
            wakes: fds.next(),
        };
        thread::Builder::new().name("instance".into()).spawn(move || serve_instance(place, what))?;
        Ok(())
    }
}

/// The life of one instance.
fn serve_instance(place: served::Place, what: Create) {
    let (outbox, packets) = (Arc::clone(&place.outbox), Arc::clone(&place.packets));
    let mut instance = match Instance::create(place, what) {
        Ok(instance) => {
            outbox.answer(Ok(Reply::Done), false);
            instance
        }
        Err(error) => return outbox.answer(Err(error), true),
    };
    let mut message = Vec::new();
    // Without the host's end there is nobody to be served.
    while let Ok(fds) = outbox.channel().receive(&mut message, None) {
        let order = match wire::decode(&message) {
            Ok(Order { returned, task }) => {
                packets.give_back(&returned);
                task
            }
            Err(error) => {
                tracing::error!("an order cannot be understood: {error}");
                return;
            }
        };
        match order {
            Task::Buffer { slot, shape } => {
                if let Err(error) = instance.buffer(slot, shape, fds) {
                    tracing::error!("a frame buffer cannot be mapped: {error}");
                }
            }
            Task::Forget(slot) => instance.forget(slot),
            Task::End => {
                outbox.begin();
                drop(instance);
                return outbox.answer(Ok(Reply::Done), true);
            }
            task => {
                outbox.begin();
                let answer: Result<Reply, PluginError> = instance.serve(task, fds);
                outbox.answer(answer, false);
            }
        }
    }
}
