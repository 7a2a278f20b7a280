//! The connection to the sound server, on the thread that owns it.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use libpulse_binding::{
    callbacks::ListResult,
    context::{Context, FlagSet, State, subscribe::Facility},
    error::{Code, PAErr},
    mainloop::standard::Mainloop,
    proplist::{Proplist, properties},
    time::MicroSeconds,
};
use selkies_plugin_sdk::{AudioFormat, Error, Result, abi};

use crate::layout;

/// How long a server may take for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1500);
/// After so long without a word a server is asked for one.
const QUIET: Duration = Duration::from_secs(1);

/// What the server says of its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) sink: Option<String>,
    pub(crate) source: Option<String>,
}

/// A connection. Fields end in this order: the context before its loop.
pub(crate) struct Server {
    context: Context,
    mainloop: Mainloop,
    /// What is watched changed since this was looked at.
    changed: Rc<RefCell<bool>>,
    /// When the server last gave a sign of itself.
    heard: Instant,
    /// The question whether it is there, and when it was asked.
    question: Option<(Instant, Answer<()>)>,
}

/// What an answer is put into.
pub(crate) type Answer<T> = Rc<RefCell<Option<T>>>;

impl Server {
    /// Connects, and never starts a server.
    pub(crate) fn connect(mainloop: Mainloop, address: Option<&str>) -> Result<Self> {
        let mut about = Proplist::new().ok_or_else(|| Error::fatal("libpulse has no memory"))?;
        // A name is shown to people only; without it, it works as well.
        let _ = about.set_str(properties::APPLICATION_NAME, "selkies-host");
        let context = Context::new_with_proplist(&mainloop, "selkies-host", &about)
            .ok_or_else(|| Error::fatal("libpulse has no memory"))?;
        let changed = Rc::default();
        let mut server = Self { context, mainloop, changed, heard: Instant::now(), question: None };
        if let Err(error) = server.context.connect(address, FlagSet::NOAUTOSPAWN, None) {
            return Err(absent(&error.to_string().unwrap_or_default()));
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match server.context.get_state() {
                State::Ready => return Ok(server),
                State::Failed | State::Terminated => return Err(absent(&server.errno())),
                _ if Instant::now() >= until => return Err(absent("no answer in 1.5 s")),
                _ => server.turn(Some(until))?,
            }
        }
    }

    pub(crate) fn context(&mut self) -> &mut Context {
        &mut self.context
    }

    pub(crate) fn mainloop(&mut self) -> &mut Mainloop {
        &mut self.mainloop
    }

    /// What went wrong last, in words.
    pub(crate) fn errno(&self) -> String {
        self.context.errno().to_string().unwrap_or_else(|| "unknown error".into())
    }

    /// Waits for something to happen, until then at the most, and lets libpulse work on it.
    pub(crate) fn turn(&mut self, until: Option<Instant>) -> Result<()> {
        let timeout = until.map(|until| {
            // A little longer than asked: a wait that ends early is one in vain.
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(500);
            MicroSeconds(u64::try_from(left.as_micros()).unwrap_or(0).min(1_000_000_000))
        });
        let lost = |error: PAErr| Error::device_lost(format!("libpulse: {error}"));
        self.mainloop.prepare(timeout).map_err(lost)?;
        self.mainloop.poll().map_err(lost)?;
        self.mainloop.dispatch().map_err(lost)?;
        Ok(())
    }

    /// That the server is still there.
    pub(crate) fn alive(&self) -> Result<()> {
        match self.context.get_state() {
            State::Failed | State::Terminated => {
                Err(Error::device_lost(format!("the sound server is gone: {}", self.errno()))
                    .with_detail(abi::DETAIL_IO))
            }
            _ => Ok(()),
        }
    }

    /// The server gave a sign of itself.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
        self.question = None;
    }

    /// When [`Self::look_after`] has something to do.
    pub(crate) fn due(&self) -> Instant {
        self.question.as_ref().map_or(self.heard + QUIET, |(asked, _)| *asked + PATIENCE)
    }

    /// Asks a server that was silent whether it is there. One that was stopped keeps its connections open and says nothing.
    pub(crate) fn look_after(&mut self) -> Result<()> {
        let now = Instant::now();
        match &self.question {
            Some((_, answer)) if answer.borrow_mut().take().is_some() => self.heard(),
            Some((asked, _)) if now >= *asked + PATIENCE => return Err(silent("is it there")),
            None if now >= self.heard + QUIET => {
                let answer: Answer<()> = Rc::default();
                let slot = answer.clone();
                drop(self.context.introspect().get_server_info(move |_| *slot.borrow_mut() = Some(())));
                self.question = Some((now, answer));
            }
            _ => {}
        }
        Ok(())
    }

    /// Waits until something was answered.
    pub(crate) fn answered<T>(&mut self, what: &str, answer: &Answer<T>) -> Result<T> {
        self.answered_in(PATIENCE, what, answer)
    }

    /// Waits so long at most until something was answered.
    pub(crate) fn answered_in<T>(&mut self, limit: Duration, what: &str, answer: &Answer<T>) -> Result<T> {
        let until = Instant::now() + limit;
        loop {
            if let Some(answer) = answer.borrow_mut().take() {
                self.heard();
                return Ok(answer);
            }
            self.alive()?;
            if Instant::now() >= until {
                return Err(silent(what));
            }
            self.turn(Some(until))?;
        }
    }

    /// The names of the devices that serve when none is named.
    pub(crate) fn defaults(&mut self) -> Result<Defaults> {
        let answer: Answer<Defaults> = Rc::default();
        let slot = answer.clone();
        let operation = self.context.introspect().get_server_info(move |info| {
            let name = |name: &Option<std::borrow::Cow<'_, str>>| {
                name.as_deref().filter(|name| !name.is_empty()).map(str::to_owned)
            };
            let (sink, source) = (name(&info.default_sink_name), name(&info.default_source_name));
            *slot.borrow_mut() = Some(Defaults { sink, source });
        });
        let defaults = self.answered("defaults", &answer);
        drop(operation);
        defaults
    }

    /// The name of a sink's monitor, and what it has; `None` when there is no such sink.
    pub(crate) fn sink(&mut self, name: &str) -> Result<Option<(String, AudioFormat)>> {
        let answer: Answer<Option<(String, AudioFormat)>> = Rc::default();
        let (slot, mut found) = (answer.clone(), None);
        let operation = self.context.introspect().get_sink_info_by_name(name, move |item| match item {
            ListResult::Item(sink) => {
                let monitor = sink.monitor_source_name.as_deref().unwrap_or_default().to_owned();
                found = Some((monitor, layout::format(sink.sample_spec, &sink.channel_map)));
            }
            ListResult::End | ListResult::Error => *slot.borrow_mut() = Some(found.take()),
        });
        let sink = self.answered("sink", &answer);
        drop(operation);
        sink
    }

    /// The number of the source of this name, if there is one.
    pub(crate) fn source(&mut self, name: &str) -> Result<Option<u32>> {
        let answer: Answer<Option<u32>> = Rc::default();
        let (slot, mut found) = (answer.clone(), None);
        let operation = self.context.introspect().get_source_info_by_name(name, move |item| match item {
            ListResult::Item(source) => found = Some(source.index),
            ListResult::End | ListResult::Error => *slot.borrow_mut() = Some(found),
        });
        let source = self.answered("source", &answer);
        drop(operation);
        source
    }

    /// How many record from these sources, and are not only connected; modules of the server have no client and do not count.
    pub(crate) fn recorders(&mut self, sources: Vec<u32>) -> Result<u32> {
        let answer: Answer<u32> = Rc::default();
        let (slot, mut count) = (answer.clone(), 0);
        let operation = self.context.introspect().get_source_output_info_list(move |item| match item {
            ListResult::Item(output) => {
                let records = !output.corked && output.client.is_some();
                count += u32::from(records && sources.contains(&output.source));
            }
            ListResult::End | ListResult::Error => *slot.borrow_mut() = Some(count),
        });
        let recorders = self.answered("recorders", &answer);
        drop(operation);
        recorders
    }

    /// Asks to be told when the defaults change ([`Facility::Server`]), or who records ([`Facility::SourceOutput`]).
    pub(crate) fn watch(&mut self, facility: Facility) {
        let changed = self.changed.clone();
        self.context.set_subscribe_callback(Some(Box::new(move |told, _, _| {
            if told == Some(facility) {
                *changed.borrow_mut() = true;
            }
        })));
        drop(self.context.subscribe(facility.to_interest_mask(), |_| {}));
    }

    /// Whether it changed since the last such question.
    pub(crate) fn changed(&self) -> bool {
        self.changed.replace(false)
    }

    /// The failure behind a stream or an operation that did not succeed.
    pub(crate) fn failure(&self, what: &str) -> Error {
        // A context has it positive, the binding's errors are negative.
        let code = Code::try_from(PAErr(-self.context.errno().0.abs()));
        let error = Error::device_lost(format!("{what}: {}", self.errno()));
        match code {
            Ok(Code::NoEntity) => error.with_detail(abi::DETAIL_NOT_FOUND),
            Ok(Code::Access) => error.with_detail(abi::DETAIL_PERMISSION),
            Ok(Code::NotSupported | Code::Invalid) => Error::unsupported(error.text()),
            _ => error.with_detail(abi::DETAIL_IO),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.context.set_subscribe_callback(None);
        self.context.disconnect();
    }
}

fn silent(what: &str) -> Error {
    Error::device_lost(format!("the sound server does not answer ({what})")).with_detail(abi::DETAIL_TIMEOUT)
}

fn absent(why: &str) -> Error {
    Error::device_lost(format!(
        "no sound server answers ({why}): PulseAudio or pipewire-pulse must run for this user, or PULSE_SERVER name one"
    ))
    .with_detail(abi::DETAIL_IO)
}
