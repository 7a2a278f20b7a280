//! `selkies.audio-sink/1`.

use std::sync::Arc;
use std::time::Duration;

use selkies_plugin_abi::{self as abi, AudioSinkV1, Instance, Status};
use serde::{Deserialize, Serialize};

use super::audio::{AudioBlock, AudioFormat, NO_FORMAT};
use super::core::{Core, required, sized_table};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::child::{
    Remote,
    wire::{Create, Reply, Task},
};
use crate::services::{PluginAccount, Role};
use crate::size::size_field;

const START: &str = "audio-sink.start";
const WRITE: &str = "audio-sink.write";

/// What will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioSinkRequest {
    /// The form of the samples.
    pub format: AudioFormat,
    /// How much the plugin is to keep against an uneven arrival; `None` leaves it to the plugin.
    pub buffer: Option<Duration>,
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
    Child(Box<Remote>),
}

#[derive(Debug)]
struct Here {
    core: Core,
    functions: Functions,
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    info: unsafe extern "C" fn(*mut Instance, *mut abi::AudioSinkInfo) -> Status,
    start: unsafe extern "C" fn(*mut Instance, *const abi::AudioSinkParams) -> Status,
    write: unsafe extern "C" fn(*mut Instance, *const abi::AudioBlock) -> Status,
    stop: unsafe extern "C" fn(*mut Instance) -> Status,
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
            let remote = Remote::create(services, child, config, Create::AudioSink, &[], CREATE)?;
            return Ok(Self { arm: Arm::Child(Box::new(remote)), channels: None });
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
        };
        let core = Core::plain(origin, Role::Plain, CREATE, create, destroy)?;
        Ok(Self { arm: Arm::Here(Here { core, functions }), channels: None })
    }

    /// What the device itself has. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn info(&mut self) -> Result<AudioFormat, PluginError> {
        const INFO: &str = "audio-sink.info";
        match &mut self.arm {
            Arm::Here(here) => here.info(),
            Arm::Child(remote) => match remote.ask(INFO, Task::AudioInfo)? {
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
            Arm::Child(remote) => remote.tell(START, Task::AudioSinkStart(*request))?,
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
            Arm::Here(Here { core, functions }) => {
                let raw = block.raw(channels);
                // SAFETY: a live instance; the block is valid for the call.
                core.call(WRITE, |instance| unsafe { (functions.write)(instance, &raw const raw) }).map(drop)
            }
            Arm::Child(remote) => remote.tell(WRITE, Task::AudioWrite(block.clone())),
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
            Arm::Here(Here { core, functions }) => {
                // SAFETY: a live instance.
                core.call(STOP, |instance| unsafe { (functions.stop)(instance) }).map(drop)
            }
            Arm::Child(remote) => remote.tell(STOP, Task::AudioStop),
        }
    }

    fn refusal(&self, function: &'static str, detail: FaultDetail, text: &str) -> PluginError {
        let account: &Arc<PluginAccount> = match &self.arm {
            Arm::Here(here) => here.core.account(),
            Arm::Child(remote) => remote.account(),
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
}
