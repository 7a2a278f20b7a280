//! `selkies.audio-sink/1`.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use selkies_plugin_abi::{self as abi, AudioSinkV1, Instance, Status, UNSET};
use serde::{Deserialize, Serialize};

use super::audio::{AudioBlock, AudioFormat, NO_FORMAT};
use super::core::{Core, is_nothing, required, sized_table, timeout_ns};
use super::wake::{WakeGate, Waker};
use super::{FaultClass, FaultDetail, Origin, PluginError, capture};
use crate::child::{
    Remote, RemoteWake,
    wire::{Create, Reply, Task},
};
use crate::services::{PluginAccount, Role};
use crate::size::size_field;

const START: &str = "audio-sink.start";
const WRITE: &str = "audio-sink.write";
const WAIT: &str = "audio-sink.wait";

/// What will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioSinkRequest {
    /// The form of the samples.
    pub format: AudioFormat,
    /// How much the plugin is to keep against an uneven arrival; `None` leaves it to the plugin.
    pub buffer: Option<Duration>,
}

/// How a sink is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioSinkState {
    /// How many record from the source now; `None` where that cannot be told.
    pub recorders: Option<u32>,
    /// What was written and was not heard yet; zero also where that cannot be told.
    pub queued: Duration,
}

/// A source of sound for applications, which the host writes. Creating it makes the source, dropping it removes it.
#[derive(Debug)]
pub struct AudioSinkInstance {
    arm: Arm,
    /// Channels of the last start.
    channels: Option<u32>,
}

/// Where it runs.
#[derive(Debug)]
enum Arm {
    Here(Here),
    Child { remote: Box<Remote>, wake: Arc<RemoteWake> },
}

#[derive(Debug)]
struct Here {
    gate: WakeGate,
    core: Core,
    functions: Functions,
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    info: unsafe extern "C" fn(*mut Instance, *mut abi::AudioSinkInfo) -> Status,
    start: unsafe extern "C" fn(*mut Instance, *const abi::AudioSinkParams) -> Status,
    write: unsafe extern "C" fn(*mut Instance, *const abi::AudioBlock) -> Status,
    stop: unsafe extern "C" fn(*mut Instance) -> Status,
    wait: unsafe extern "C" fn(*mut Instance, u64, *mut abi::AudioSinkState) -> Status,
}

impl AudioSinkInstance {
    /// Makes the source. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails; class device-lost when there is
    /// no sound server now.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        const CREATE: &str = "audio-sink.create";
        if let Some(child) = origin.plugin.child() {
            let (services, config) = (origin.services, origin.config_json);
            let (wake, event) = capture::wake(origin, child, CREATE)?;
            let event = [event.as_fd()];
            let remote = Remote::create(services, child, config, Create::AudioSink, &event, CREATE)?;
            return Ok(Self { arm: Arm::Child { remote: Box::new(remote), wake }, channels: None });
        }
        let plugin = origin.plugin.id();
        let table: &AudioSinkV1 = origin.plugin.table("audio-sink")?;
        sized_table::<AudioSinkV1>(plugin, "audio-sink", table.struct_size)?;
        let create = required(plugin, CREATE, table.create)?;
        let destroy = required(plugin, "audio-sink.destroy", table.destroy)?;
        let functions = Functions {
            info: required(plugin, "audio-sink.info", table.info)?,
            start: required(plugin, START, table.start)?,
            write: required(plugin, WRITE, table.write)?,
            stop: required(plugin, "audio-sink.stop", table.stop)?,
            wait: required(plugin, WAIT, table.wait)?,
        };
        let wake = required(plugin, "audio-sink.wake", table.wake)?;
        let core = Core::plain(origin, Role::Plain, CREATE, create, destroy)?;
        let here = Here { gate: WakeGate::new(&core, wake), core, functions };
        Ok(Self { arm: Arm::Here(here), channels: None })
    }

    /// What the device itself has. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn info(&mut self) -> Result<AudioFormat, PluginError> {
        const INFO: &str = "audio-sink.info";
        match &mut self.arm {
            Arm::Here(here) => here.info(),
            Arm::Child { remote, .. } => match remote.ask(INFO, Task::AudioInfo)? {
                Reply::AudioFormat(format) if format.wrong().is_none() => Ok(format),
                _ => Err(remote.wrong_reply(INFO)),
            },
        }
    }

    /// Begins to play. `[media]`
    ///
    /// # Errors
    /// What the plugin answers; or a format that sound has not, for which it is not asked.
    pub fn start(&mut self, request: &AudioSinkRequest) -> Result<(), PluginError> {
        if let Some(wrong) = request.format.wrong() {
            return Err(self.refusal(START, FaultDetail::InvalidArgument, wrong));
        }
        match &mut self.arm {
            Arm::Here(here) => here.start(request)?,
            Arm::Child { remote, .. } => remote.tell(START, Task::AudioSinkStart(*request))?,
        }
        self.channels = Some(request.format.channels());
        Ok(())
    }

    /// Takes samples and does not wait until they are heard. `[media]`
    ///
    /// # Errors
    /// What the plugin answers; or a block over the limits, which it does not get.
    pub fn write(&mut self, block: &AudioBlock) -> Result<(), PluginError> {
        let Some(channels) = self.channels else {
            return Err(self.refusal(WRITE, FaultDetail::WrongState, "the sink was not started"));
        };
        if !block.fits(channels) {
            return Err(self.refusal(WRITE, FaultDetail::InvalidArgument, "a block that sound has not"));
        }
        match &mut self.arm {
            Arm::Here(Here { core, functions, .. }) => {
                let raw = block.raw(channels);
                // SAFETY: a live instance; the block is valid for the call.
                core.call(WRITE, |instance| unsafe { (functions.write)(instance, &raw const raw) }).map(drop)
            }
            Arm::Child { remote, .. } => remote.tell(WRITE, Task::AudioWrite(block.clone())),
        }
    }

    /// Ends `start`; what was not heard yet is dropped. `[media]`
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn stop(&mut self) -> Result<(), PluginError> {
        const STOP: &str = "audio-sink.stop";
        self.channels = None;
        match &mut self.arm {
            Arm::Here(Here { core, functions, .. }) => {
                // SAFETY: a live instance.
                core.call(STOP, |instance| unsafe { (functions.stop)(instance) }).map(drop)
            }
            Arm::Child { remote, .. } => remote.tell(STOP, Task::AudioStop),
        }
    }

    /// Blocks until another number of applications records than the last answer said, `timeout` passed (`None`: no limit) or a
    /// waker was used; the last two answer `None`. The first call is answered at once, and one with a timeout of zero. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.wait(timeout),
            Arm::Child { remote, wake } => {
                match remote.wait(WAIT, |timeout_ns| Task::AudioSinkWait { timeout_ns }, timeout, wake)? {
                    Reply::AudioSinkState(state) => Ok(state),
                    _ => Err(remote.wrong_reply(WAIT)),
                }
            }
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        match &self.arm {
            Arm::Here(here) => here.gate.waker(),
            Arm::Child { wake, .. } => Waker::of_child(wake),
        }
    }

    fn refusal(&self, function: &'static str, detail: FaultDetail, text: &str) -> PluginError {
        let account: &Arc<PluginAccount> = match &self.arm {
            Arm::Here(here) => here.core.account(),
            Arm::Child { remote, .. } => remote.account(),
        };
        PluginError::caller(account, function, FaultClass::Retry, detail, text)
    }
}

impl Here {
    fn info(&mut self) -> Result<AudioFormat, PluginError> {
        let mut out = abi::AudioSinkInfo {
            struct_size: size_field::<abi::AudioSinkInfo>(),
            sample_mask: 0,
            native: NO_FORMAT,
            reserved: [0; 4],
        };
        self.core.call("audio-sink.info", |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.functions.info)(instance, &raw mut out) }
        })?;
        AudioFormat::native(out.sample_mask, &out.native)
            .map_err(|wrong| self.core.contract("audio-sink.info", wrong))
    }

    fn start(&mut self, request: &AudioSinkRequest) -> Result<(), PluginError> {
        let buffer_ns = request.buffer.map_or(0, |buffer| u64::try_from(buffer.as_nanos()).unwrap_or(0));
        let params = abi::AudioSinkParams {
            struct_size: size_field::<abi::AudioSinkParams>(),
            reserved32: 0,
            format: request.format.raw(),
            buffer_ns,
            reserved: [0; 4],
        };
        // SAFETY: a live instance; the parameters are valid for the call.
        self.core.call(START, |instance| unsafe { (self.functions.start)(instance, &raw const params) })?;
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>, PluginError> {
        let mut out = abi::AudioSinkState {
            struct_size: size_field::<abi::AudioSinkState>(),
            recorders: 0,
            queued_ns: 0,
            reserved: [0; 4],
        };
        let status = self.core.call(WAIT, |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.functions.wait)(instance, timeout_ns(timeout), &raw mut out) }
        })?;
        if is_nothing(status) {
            return Ok(None);
        }
        if out.struct_size != size_field::<abi::AudioSinkState>() {
            return Err(self.core.contract(WAIT, format!("answered {out:?}")));
        }
        Ok(Some(AudioSinkState {
            recorders: (out.recorders != UNSET).then_some(out.recorders),
            queued: Duration::from_nanos(out.queued_ns),
        }))
    }
}
