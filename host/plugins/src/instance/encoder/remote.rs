//! An encoder in a child.

mod books;
mod pace;

use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use selkies_plugin_abi as abi;

use books::{Books, hear};
use pace::{Pace, period};

use super::{RateChange, SubmitOptions};
use crate::{
    child::{
        Call, ChildPlugin, Remote,
        wire::{Create, Reply, Submit, Task, color_bytes},
    },
    instance::{
        Damage, EncoderOffer, EncoderSettings, FaultClass, FaultDetail, Origin, PluginError, SharedBuffer,
        VideoFrame,
    },
    services::{EncoderDesk, EncoderSink, Flight, PluginAccount, now_ns},
};

const SUBMIT: &str = "encoder.submit";

/// Asks an instance in a child.
pub(super) struct RemoteEncoder {
    /// First, so that the child has let go of every frame before their memory is given free.
    remote: Remote,
    desk: EncoderDesk,
    books: Books,
    /// The buffers that the child knows, by their number there.
    slots: BTreeMap<u64, (u32, Weak<SharedBuffer>)>,
    next_slot: u32,
    /// Takes frames whose memory no other process can map.
    spare: Option<Arc<SharedBuffer>>,
    /// Three frames' time.
    period: Duration,
    max_retained: usize,
}

impl RemoteEncoder {
    pub(super) fn create(
        origin: &Origin<'_>,
        child: &ChildPlugin,
        offer: &EncoderOffer,
        settings: &EncoderSettings,
        sink: Arc<dyn EncoderSink>,
    ) -> Result<Self, PluginError> {
        const CREATE: &str = "encoder.create";
        if ![abi::MEMORY_CPU, abi::MEMORY_MEMFD].contains(&settings.memory) {
            let text = format!("memory kind {} does not reach a plugin in a child", settings.memory);
            let (class, detail) = (FaultClass::FatalPlugin, FaultDetail::Unsupported);
            let account = origin.services.account(child.id());
            return Err(PluginError::caller(&account, CREATE, class, detail, text));
        }
        let what = Create::Encoder { offer: offer.clone(), settings: settings.clone() };
        let remote = Remote::create(origin.services, child, origin.config_json, what, &[], CREATE)?;
        let desk = EncoderDesk::new(sink, offer.codec, offer.max_retained);
        Ok(Self {
            remote,
            desk,
            books: Books::default(),
            slots: BTreeMap::new(),
            next_slot: 0,
            spare: None,
            period: period(settings),
            max_retained: offer.max_retained as usize,
        })
    }

    pub(super) fn configure(&mut self, settings: &EncoderSettings) -> Result<(), PluginError> {
        let reply = self.ask("encoder.configure", Task::Configure(settings.clone()))?;
        (self.period, self.books.pace) = (period(settings), Pace::default());
        self.done("encoder.configure", &reply)
    }

    /// Submits a frame that fits; `None` when its memory cannot be read by a child.
    pub(super) fn submit(
        &mut self,
        frame: &VideoFrame,
        flight: Flight,
        options: &SubmitOptions<'_>,
    ) -> Option<Result<(), PluginError>> {
        let frame = match frame.lease() {
            Some(_) => frame.clone(),
            None => match self.copied(frame)? {
                Ok(copy) => copy,
                Err(error) => return Some(Err(error)),
            },
        };
        Some(self.submit_shared(&frame, flight, options))
    }

    fn submit_shared(
        &mut self,
        frame: &VideoFrame,
        flight: Flight,
        options: &SubmitOptions<'_>,
    ) -> Result<(), PluginError> {
        let Some(lease) = frame.lease() else {
            return Err(PluginError::poisoned(self.account(), SUBMIT));
        };
        let slot = self.slot(lease.buffer())?;
        let token = self.books.next_token;
        self.books.next_token += 1;
        let damage = match frame.damage() {
            Damage::Full => None,
            Damage::Rects(rects) => Some(rects.iter().map(|rect| (*rect).into()).collect()),
        };
        let submit = Submit {
            slot,
            token,
            frame_id: flight.frame_id,
            timestamp_ns: flight.timestamp_ns,
            color: color_bytes(frame.shape().color),
            planes: frame.planes(),
            damage,
            keyframe: options.keyframe,
            refine: options.refine,
            deadline_ns: options.deadline_ns,
            known_frame_id: options.known_frame_id,
            roi: options.roi.iter().map(Into::into).collect(),
        };
        // What cannot be sent is not lent.
        self.remote.send(SUBMIT, Task::Submit(Box::new(submit)), &[]).inspect_err(|_| self.mourn())?;
        self.desk.frames().enter(flight);
        self.books.lent.insert(token, frame.keep());
        let outcome = self.answer(SUBMIT, self.allowance());
        if outcome.is_err() {
            self.desk.frames().finish(flight.frame_id);
        }
        let reply = outcome?;
        if self.books.lent.len() > self.max_retained {
            let what = format!("keeps {} frames, {} are allowed", self.books.lent.len(), self.max_retained);
            return Err(self.remote.broken(SUBMIT, &what));
        }
        self.done(SUBMIT, &reply)
    }

    /// Waits until the child said something, or until `end`.
    pub(super) fn pump(&mut self, end: Instant) -> Result<(), PluginError> {
        let allowance = self.allowance();
        let oldest = self.desk.frames().oldest();
        // What the oldest frame has left of its time.
        let late = oldest.map(|flight| {
            let age = Duration::from_nanos(now_ns().saturating_sub(flight.submitted_ns));
            Instant::now() + allowance.saturating_sub(age)
        });
        let limit = late.map_or(end, |late| late.min(end));
        let (desk, books, link) = (&self.desk, &mut self.books, Arc::clone(self.remote.link()));
        let account = Arc::clone(self.remote.account());
        let heard = self.remote.listen(SUBMIT, limit, &mut |event| hear(&link, desk, books, &account, event));
        let heard = heard.inspect_err(|_| self.mourn())?;
        if !heard && late.is_some_and(|late| late <= Instant::now()) {
            let call = Call { function: SUBMIT, plugin: Some(&self.remote.account().id) };
            let fault = self.remote.link().late(call, allowance);
            self.mourn();
            return Err(self.remote.gone(fault, SUBMIT));
        }
        Ok(())
    }

    pub(super) fn drain(&mut self) -> Result<(), PluginError> {
        let allowance = self.allowance() * 2;
        let deadline = allowance.max(self.remote.link().deadlines().call);
        let reply = self.call("encoder.drain", Task::Drain, deadline)?;
        self.done("encoder.drain", &reply)?;
        match self.desk.frames().in_flight() {
            0 => Ok(()),
            // The child's own check would have found that.
            _ => Err(self.remote.broken("encoder.drain", "says that frames are done that it did not finish")),
        }
    }

    pub(super) fn set_rate(&mut self, change: RateChange) -> Result<bool, PluginError> {
        match self.ask("encoder.rate.set", Task::SetRate(change))? {
            Reply::Rate(can) => Ok(can),
            _ => Err(self.remote.wrong_reply("encoder.rate.set")),
        }
    }

    pub(super) fn desk(&self) -> &EncoderDesk {
        &self.desk
    }

    pub(super) fn account(&self) -> &Arc<PluginAccount> {
        self.remote.account()
    }

    /// The number by which the child knows a buffer. A new one is sent, those that are gone are forgotten.
    fn slot(&mut self, buffer: &Arc<SharedBuffer>) -> Result<u32, PluginError> {
        if let Some((slot, _)) = self.slots.get(&buffer.id()) {
            return Ok(*slot);
        }
        let gone: Vec<u64> = self
            .slots
            .iter()
            .filter(|(_, (_, buffer))| buffer.strong_count() == 0)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some((slot, _)) = self.slots.remove(&id) {
                self.remote.send(SUBMIT, Task::Forget(slot), &[])?;
            }
        }
        // For reading and nothing else.
        let fd = buffer.read_only().map_err(|error| {
            let text = format!("a frame buffer cannot be passed on: {error}");
            PluginError::shortage(self.remote.account(), SUBMIT, text)
        })?;
        let slot = self.next_slot;
        self.next_slot += 1;
        self.remote.send(SUBMIT, Task::Buffer { slot, shape: buffer.shape() }, &[fd.as_fd()])?;
        self.slots.insert(buffer.id(), (slot, Arc::downgrade(buffer)));
        Ok(slot)
    }

    /// A copy of a frame that lies in a plugin's own memory; `None` when it cannot be read here.
    fn copied(&mut self, frame: &VideoFrame) -> Option<Result<VideoFrame, PluginError>> {
        let shape = frame.shape();
        let fits = |buffer: &&Arc<SharedBuffer>| {
            !buffer.is_lent()
                && (buffer.width(), buffer.height(), buffer.fourcc())
                    == (shape.width, shape.height, shape.fourcc)
        };
        let buffer = match self.spare.as_ref().filter(fits) {
            Some(buffer) => Arc::clone(buffer),
            None => match SharedBuffer::new(shape.width, shape.height, shape.fourcc, 64) {
                Ok(buffer) => Arc::clone(self.spare.insert(buffer)),
                Err(error) => {
                    let (class, detail) = (FaultClass::Retry, FaultDetail::OutOfResources);
                    let text = error.to_string();
                    return Some(Err(PluginError::caller(self.account(), SUBMIT, class, detail, text)));
                }
            },
        };
        frame.copied_to(buffer.lend()).map(Ok)
    }

    /// How long the next frame may take.
    fn allowance(&self) -> Duration {
        self.books.pace.allowance(self.period, self.remote.link().deadlines())
    }

    fn ask(&mut self, function: &'static str, task: Task) -> Result<Reply, PluginError> {
        let deadline = self.remote.link().deadlines().call;
        self.call(function, task, deadline)
    }

    fn call(&mut self, function: &'static str, task: Task, deadline: Duration) -> Result<Reply, PluginError> {
        self.remote.send(function, task, &[]).inspect_err(|_| self.mourn())?;
        self.answer(function, deadline)
    }

    /// Waits for the answer to the task that was sent, taking what comes before.
    fn answer(&mut self, function: &'static str, deadline: Duration) -> Result<Reply, PluginError> {
        let (desk, books, link) = (&self.desk, &mut self.books, Arc::clone(self.remote.link()));
        let account = Arc::clone(self.remote.account());
        let mut ear = |event| hear(&link, desk, books, &account, event);
        let answer = self.remote.answer(function, deadline, &mut ear);
        Ok(answer.inspect_err(|_| self.mourn())?.reply)
    }

    /// Gives free what the child had, if it is dead.
    fn mourn(&mut self) {
        if self.remote.link().fault().is_some() {
            self.books.lent.clear();
            drop(self.desk.frames().clear());
        }
    }

    fn done(&mut self, function: &'static str, reply: &Reply) -> Result<(), PluginError> {
        match reply {
            Reply::Done => Ok(()),
            _ => Err(self.remote.wrong_reply(function)),
        }
    }
}

impl std::fmt::Debug for RemoteEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteEncoder")
            .field("remote", &self.remote)
            .field("lent", &self.books.lent.len())
            .finish_non_exhaustive()
    }
}
