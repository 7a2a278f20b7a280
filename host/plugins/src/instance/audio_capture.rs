//! `selkies.audio-capture/1`.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use selkies_plugin_abi::{self as abi, AudioCaptureV1, Instance, MAX_AUDIO_BLOCK_SAMPLES, Status, Str};
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

const START: &str = "audio-capture.start";
const READ: &str = "audio-capture.read";

/// What to capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioCaptureRequest {
    /// The form of the samples.
    pub format: AudioFormat,
    /// Samples of each channel in every block; at most 15360 of all channels together.
    pub block_frames: u32,
    /// The plugin's name of the device, or empty for what the desktop plays.
    pub device: String,
}

/// A source of sound. `start` and `stop` may follow each other as often as wanted.
#[derive(Debug)]
pub struct AudioCaptureInstance {
    arm: Arm,
    /// Of the last start.
    block: Option<(u32, u32)>,
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
    info: unsafe extern "C" fn(*mut Instance, *mut abi::AudioCaptureInfo) -> Status,
    start: unsafe extern "C" fn(*mut Instance, *const abi::AudioCaptureParams) -> Status,
    read: unsafe extern "C" fn(*mut Instance, u64, *mut abi::AudioBlock) -> Status,
    stop: unsafe extern "C" fn(*mut Instance) -> Status,
}

impl AudioCaptureInstance {
    /// Connects with the source. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails; class device-lost when there is
    /// no source now.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        const CREATE: &str = "audio-capture.create";
        if let Some(child) = origin.plugin.child() {
            let (services, config) = (origin.services, origin.config_json);
            let (wake, event) = capture::wake(origin, child, CREATE)?;
            let event = [event.as_fd()];
            let remote = Remote::create(services, child, config, Create::AudioCapture, &event, CREATE)?;
            return Ok(Self { arm: Arm::Child { remote: Box::new(remote), wake }, block: None });
        }
        let plugin = origin.plugin.id();
        let table: &AudioCaptureV1 = origin.plugin.table("audio-capture")?;
        sized_table::<AudioCaptureV1>(plugin, "audio-capture", table.struct_size)?;
        let create = required(plugin, CREATE, table.create)?;
        let destroy = required(plugin, "audio-capture.destroy", table.destroy)?;
        let functions = Functions {
            info: required(plugin, "audio-capture.info", table.info)?,
            start: required(plugin, START, table.start)?,
            read: required(plugin, READ, table.read)?,
            stop: required(plugin, "audio-capture.stop", table.stop)?,
        };
        let wake = required(plugin, "audio-capture.wake", table.wake)?;
        let core = Core::plain(origin, Role::Plain, CREATE, create, destroy)?;
        let here = Here { gate: WakeGate::new(&core, wake), core, functions };
        Ok(Self { arm: Arm::Here(here), block: None })
    }

    /// What the device itself has. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn info(&mut self) -> Result<AudioFormat, PluginError> {
        const INFO: &str = "audio-capture.info";
        match &mut self.arm {
            Arm::Here(here) => here.info(),
            Arm::Child { remote, .. } => match remote.ask(INFO, Task::AudioInfo)? {
                Reply::AudioFormat(format) if format.wrong().is_none() => Ok(format),
                _ => Err(remote.wrong_reply(INFO)),
            },
        }
    }

    /// Begins to capture. `[media]`
    ///
    /// # Errors
    /// What the plugin answers; or a block over the limits, which it is not asked for.
    pub fn start(&mut self, request: &AudioCaptureRequest) -> Result<(), PluginError> {
        let (frames, channels) = (request.block_frames, request.format.channels());
        let samples = u64::from(frames) * u64::from(channels);
        if request.format.wrong().is_some() || !(1..=u64::from(MAX_AUDIO_BLOCK_SAMPLES)).contains(&samples) {
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            let text = "a format or a block that sound has not";
            return Err(PluginError::caller(self.account(), START, class, detail, text));
        }
        match &mut self.arm {
            Arm::Here(here) => here.start(request)?,
            Arm::Child { remote, .. } => remote.tell(START, Task::AudioCaptureStart(request.clone()))?,
        }
        self.block = Some((frames, channels));
        Ok(())
    }

    /// Blocks until there is a block, `timeout` passed (`None`: no limit) or a waker was used; the last two answer `None`.
    /// `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn read(&mut self, timeout: Option<Duration>) -> Result<Option<AudioBlock>, PluginError> {
        let Some((frames, channels)) = self.block else {
            let (class, detail) = (FaultClass::Retry, FaultDetail::WrongState);
            let text = "the capture was not started";
            return Err(PluginError::caller(self.account(), READ, class, detail, text));
        };
        match &mut self.arm {
            Arm::Here(here) => here.read(timeout, frames, channels),
            Arm::Child { remote, wake } => {
                match remote.wait(READ, |timeout_ns| Task::AudioRead { timeout_ns }, timeout, wake)? {
                    Reply::Sound(None) => Ok(None),
                    Reply::Sound(Some(block))
                        if block.samples.len() == frames as usize * channels as usize =>
                    {
                        Ok(Some(block.settled()))
                    }
                    _ => Err(remote.wrong_reply(READ)),
                }
            }
        }
    }

    /// Ends `start`. `[media]`
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn stop(&mut self) -> Result<(), PluginError> {
        const STOP: &str = "audio-capture.stop";
        self.block = None;
        match &mut self.arm {
            Arm::Here(Here { core, functions, .. }) => {
                // SAFETY: a live instance.
                core.call(STOP, |instance| unsafe { (functions.stop)(instance) }).map(drop)
            }
            Arm::Child { remote, .. } => remote.tell(STOP, Task::AudioStop),
        }
    }

    /// A handle that ends a read from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        match &self.arm {
            Arm::Here(here) => here.gate.waker(),
            Arm::Child { wake, .. } => Waker::of_child(wake),
        }
    }

    fn account(&self) -> &Arc<PluginAccount> {
        match &self.arm {
            Arm::Here(here) => here.core.account(),
            Arm::Child { remote, .. } => remote.account(),
        }
    }
}

impl Here {
    fn info(&mut self) -> Result<AudioFormat, PluginError> {
        let mut out = abi::AudioCaptureInfo {
            struct_size: size_field::<abi::AudioCaptureInfo>(),
            sample_mask: 0,
            native: NO_FORMAT,
            reserved: [0; 4],
        };
        self.core.call("audio-capture.info", |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.functions.info)(instance, &raw mut out) }
        })?;
        AudioFormat::native(out.sample_mask, &out.native)
            .map_err(|wrong| self.core.contract("audio-capture.info", wrong))
    }

    fn start(&mut self, request: &AudioCaptureRequest) -> Result<(), PluginError> {
        let params = abi::AudioCaptureParams {
            struct_size: size_field::<abi::AudioCaptureParams>(),
            block_frames: request.block_frames,
            format: request.format.raw(),
            device: Str::new(&request.device),
            reserved: [0; 4],
        };
        // SAFETY: a live instance; the parameters are valid for the call.
        self.core.call(START, |instance| unsafe { (self.functions.start)(instance, &raw const params) })?;
        Ok(())
    }

    fn read(
        &mut self,
        timeout: Option<Duration>,
        frames: u32,
        channels: u32,
    ) -> Result<Option<AudioBlock>, PluginError> {
        let mut out = AudioBlock::default().raw(channels);
        let status = self.core.call(READ, |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.functions.read)(instance, timeout_ns(timeout), &raw mut out) }
        })?;
        if is_nothing(status) {
            return Ok(None);
        }
        // SAFETY: the samples are valid until the next call on the instance.
        let block = unsafe { AudioBlock::read(&out, frames, channels) };
        block.map(Some).map_err(|wrong| self.core.contract(READ, wrong))
    }
}
