//! Instances as a child serves them: tasks become calls of the instance that is in this process.

mod audio;
mod capture;
mod clipboard;
mod encoder;

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    outbox::Outbox,
    wakes::WakeThread,
    wire::{Create, Reply, Task},
};
use crate::{
    AudioCaptureInstance, AudioEncoderInstance, AudioSinkInstance, CaptureInstance, ClipboardInstance,
    CursorInstance, DisplayInstance, FaultClass, FaultDetail, GamepadInstance, HostServices, InputInstance,
    Origin, Plugin, PluginError, RtcConfigInstance, SharedBuffer,
    instance::BufferShape,
    services::{Arena, PacketBuf},
};

use capture::ServedCapture;
use encoder::ServedEncoder;

/// Packets that the host has, by the place of their slab.
#[derive(Default)]
pub(super) struct Packets {
    out: Mutex<BTreeMap<u32, PacketBuf>>,
}

impl Packets {
    fn keep(&self, unit: u32, packet: PacketBuf) {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).insert(unit, packet);
    }

    /// The host does not need these any more.
    pub(super) fn give_back(&self, units: &[u32]) {
        if !units.is_empty() {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            units.iter().for_each(|unit| drop(out.remove(unit)));
        }
    }
}

/// What an instance is made from and talks to.
pub(super) struct Place {
    pub(super) services: HostServices,
    pub(super) plugin: Plugin,
    pub(super) config: String,
    pub(super) arena: Arena,
    pub(super) packets: Arc<Packets>,
    pub(super) outbox: Arc<Outbox>,
    /// From which comes what ends waits.
    pub(super) wakes: Option<OwnedFd>,
}

impl Place {
    fn origin(&self) -> Origin<'_> {
        Origin { services: &self.services, plugin: &self.plugin, config_json: &self.config }
    }
}

/// Any instance, with the buffers that it knows.
pub(super) struct Instance {
    /// First, so that nothing is woken that is being destroyed.
    _wakes: Option<WakeThread>,
    served: Served,
    buffers: BTreeMap<u32, Arc<SharedBuffer>>,
    place: Place,
}

enum Served {
    Encoder(ServedEncoder),
    Capture(ServedCapture),
    Clipboard(ClipboardInstance),
    Display(DisplayInstance),
    Cursor(CursorInstance),
    Input(InputInstance),
    Gamepad(GamepadInstance),
    RtcConfig(RtcConfigInstance),
    AudioCapture(AudioCaptureInstance),
    AudioEncoder(AudioEncoderInstance),
    AudioSink(AudioSinkInstance),
}

impl Instance {
    pub(super) fn create(mut place: Place, what: Create) -> Result<Self, PluginError> {
        let origin = place.origin();
        let served = match what {
            Create::Encoder { offer, settings } => {
                Served::Encoder(ServedEncoder::create(&place, &offer, settings)?)
            }
            Create::Capture => Served::Capture(ServedCapture::new(CaptureInstance::create(&origin)?)),
            Create::Clipboard => Served::Clipboard(ClipboardInstance::create(&origin)?),
            Create::Display => Served::Display(DisplayInstance::create(&origin)?),
            Create::Cursor => Served::Cursor(CursorInstance::create(&origin)?),
            Create::Input => Served::Input(InputInstance::create(&origin)?),
            Create::Gamepad => Served::Gamepad(GamepadInstance::create(&origin)?),
            Create::RtcConfig => Served::RtcConfig(RtcConfigInstance::create(&origin)?),
            Create::AudioCapture => Served::AudioCapture(AudioCaptureInstance::create(&origin)?),
            Create::AudioEncoder(settings) => {
                Served::AudioEncoder(AudioEncoderInstance::create(&origin, &settings)?)
            }
            Create::AudioSink => Served::AudioSink(AudioSinkInstance::create(&origin)?),
        };
        let waker = match &served {
            Served::Capture(capture) => capture.waker(),
            Served::Clipboard(clipboard) => Some(clipboard.waker()),
            Served::Cursor(cursor) => Some(cursor.waker()),
            Served::Gamepad(pads) => Some(pads.waker()),
            Served::RtcConfig(config) => Some(config.waker()),
            Served::AudioCapture(capture) => Some(capture.waker()),
            Served::AudioSink(sink) => Some(sink.waker()),
            Served::Encoder(_) | Served::Display(_) | Served::Input(_) | Served::AudioEncoder(_) => None,
        };
        let wakes = match (place.wakes.take(), waker) {
            (Some(socket), Some(waker)) => {
                let started = WakeThread::start(socket, waker);
                Some(started.map_err(|error| place.refusal(&format!("no thread: {error}")))?)
            }
            _ => None,
        };
        Ok(Self { _wakes: wakes, served, buffers: BTreeMap::new(), place })
    }

    /// Maps a buffer: for captures to write, for encoders to read.
    pub(super) fn buffer(&mut self, slot: u32, shape: BufferShape, fds: Vec<OwnedFd>) -> io::Result<()> {
        let fd = fds.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
        let writable = !matches!(self.served, Served::Encoder(_));
        self.buffers.insert(slot, SharedBuffer::of_fd(fd, shape, writable)?);
        Ok(())
    }

    pub(super) fn forget(&mut self, slot: u32) {
        self.buffers.remove(&slot);
    }

    /// Calls the instance. `fds` came with the task.
    pub(super) fn serve(&mut self, task: Task, fds: Vec<OwnedFd>) -> Result<Reply, PluginError> {
        let timeout = |nanos: Option<u64>| nanos.map(Duration::from_nanos);
        match (&mut self.served, task) {
            (Served::Encoder(encoder), task) => encoder.serve(task, &self.buffers, &self.place),
            (Served::Capture(capture), task) => capture.serve(task, &self.buffers, &self.place),
            (Served::Clipboard(clipboard), task) => clipboard::serve(clipboard, task, fds, &self.place),
            (Served::Display(display), Task::Outputs) => display.outputs().map(Reply::Outputs),
            (Served::Display(display), Task::Apply(requests)) => {
                display.apply(&requests).map(|()| Reply::Done)
            }
            (Served::Cursor(cursor), Task::CursorWait { timeout_ns }) => {
                cursor.wait(timeout(timeout_ns)).map(Reply::Cursor)
            }
            (Served::Input(input), Task::InputKinds) => Ok(Reply::Kinds(input.kinds())),
            (Served::Input(input), Task::Inject(events)) => input.inject(&events).map(|()| Reply::Done),
            (Served::Gamepad(pads), Task::Plug { slot, identity }) => {
                pads.plug(slot, &identity).map(|()| Reply::Done)
            }
            (Served::Gamepad(pads), Task::Unplug { slot }) => pads.unplug(slot).map(|()| Reply::Done),
            (Served::Gamepad(pads), Task::Play(events)) => pads.inject(&events).map(|()| Reply::Done),
            (Served::Gamepad(pads), Task::GamepadWait { timeout_ns }) => {
                pads.wait(timeout(timeout_ns)).map(Reply::Rumble)
            }
            (Served::RtcConfig(config), Task::Fetch(request)) => config.fetch(&request).map(Reply::RtcConfig),
            (Served::RtcConfig(config), Task::RtcWait { timeout_ns }) => {
                config.wait(timeout(timeout_ns)).map(Reply::Changed)
            }
            (Served::AudioCapture(capture), task) => audio::capture(capture, task, &self.place),
            (Served::AudioEncoder(encoder), task) => audio::encoder(encoder, task, &self.place),
            (Served::AudioSink(sink), task) => audio::sink(sink, task, &self.place),
            _ => Err(self.place.misdirected()),
        }
    }
}

impl Place {
    /// What the host asked for cannot be done here.
    fn refusal(&self, text: &str) -> PluginError {
        let account = self.services.account(self.plugin.id());
        let (class, detail) = (FaultClass::FatalInstance, FaultDetail::OutOfResources);
        PluginError::caller(&account, "process", class, detail, text)
    }

    /// The host asked for what this instance cannot do; a defect of the host.
    fn misdirected(&self) -> PluginError {
        self.refusal("the host asked another kind of instance")
    }
}
