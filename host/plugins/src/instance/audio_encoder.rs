//! `selkies.audio-encoder/1`.

use std::sync::Arc;

use selkies_plugin_abi::{
    self as abi, AudioEncoderV1, Host, Instance, MAX_AUDIO_BLOCK_SAMPLES, MAX_AUDIO_DESCRIPTION_BYTES,
    MAX_AUDIO_PACKET_BYTES, Status, Str,
};
use serde::{Deserialize, Serialize};

use super::audio::{AudioBlock, AudioFormat};
use super::core::{Core, is_nothing, required, sized_table};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::child::{
    Remote,
    wire::{Create, Reply, Task},
};
use crate::services::{PluginAccount, Role, foreign_slice};
use crate::size::size_field;

const CREATE: &str = "audio-encoder.create";
const INFO: &str = "audio-encoder.info";
const ENCODE: &str = "audio-encoder.encode";

/// What to produce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioEncoderSettings {
    /// Name of the offer.
    pub name: String,
    /// The form of the samples.
    pub format: AudioFormat,
    /// Samples of each channel in every block and packet, one of the offer's numbers.
    pub block_frames: u32,
    /// Bit rate of all channels together, bit/s.
    pub bitrate: u32,
    /// Effort from 0 to 10; `None` leaves it to the plugin.
    pub complexity: Option<u32>,
    /// Packets that are expected to be lost, parts per million.
    pub loss_ppm: u32,
    /// Mark packets of silence.
    pub dtx: bool,
    /// Let packets repair the one before.
    pub fec: bool,
}

/// What a decoder must know of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioStreamInfo {
    /// Samples of each channel that a decoder gives before the first that went in.
    pub lookahead_frames: u32,
    /// The codec's own description, at most 1024 bytes; of Opus, the identification header of RFC 7845.
    pub description: Vec<u8>,
}

/// One packet of sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioPacket {
    /// Its bytes, 1 to 16384.
    pub data: Vec<u8>,
    /// When the first sample that went into it was captured, nanoseconds.
    pub timestamp_ns: u64,
    /// It holds silence and need not be sent.
    pub dtx: bool,
}

/// An encoder of sound.
#[derive(Debug)]
pub struct AudioEncoderInstance {
    arm: Arm,
    channels: u32,
    /// Samples of all channels in a block.
    block: usize,
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
    room: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    info: unsafe extern "C" fn(*mut Instance, *mut abi::AudioStreamInfo) -> Status,
    adjust: unsafe extern "C" fn(*mut Instance, *const abi::AudioRate) -> Status,
    encode: unsafe extern "C" fn(
        *mut Instance,
        *const abi::AudioBlock,
        *mut u8,
        usize,
        *mut abi::AudioPacket,
    ) -> Status,
}

type CreateFunction =
    unsafe extern "C" fn(*const Host, Str, *const abi::AudioEncoderParams, *mut *mut Instance) -> Status;

impl AudioEncoderSettings {
    /// Samples of all channels in a block, if sound has such blocks.
    fn block(&self) -> Option<usize> {
        let samples = u64::from(self.block_frames) * u64::from(self.format.channels());
        let fits = (1..=u64::from(MAX_AUDIO_BLOCK_SAMPLES)).contains(&samples);
        (fits && self.format.wrong().is_none()).then_some(usize::try_from(samples).ok()?)
    }

    fn raw(&self) -> abi::AudioEncoderParams {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        abi::AudioEncoderParams {
            struct_size: size_field::<abi::AudioEncoderParams>(),
            flags: flag(self.dtx, abi::AUDIO_ENCODE_DTX) | flag(self.fec, abi::AUDIO_ENCODE_FEC),
            name: Str::new(&self.name),
            format: self.format.raw(),
            block_frames: self.block_frames,
            bitrate: self.bitrate,
            complexity: self.complexity.unwrap_or(abi::UNSET),
            loss_ppm: self.loss_ppm,
            reserved: [0; 4],
        }
    }
}

impl AudioEncoderInstance {
    /// Makes an encoder. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails; or settings that sound has not.
    pub fn create(origin: &Origin<'_>, settings: &AudioEncoderSettings) -> Result<Self, PluginError> {
        let plugin = origin.plugin.id();
        let channels = settings.format.channels();
        let Some(block) = settings.block() else {
            let account = origin.services.account(plugin);
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            return Err(PluginError::caller(&account, CREATE, class, detail, "settings that sound has not"));
        };
        if let Some(child) = origin.plugin.child() {
            let (services, config) = (origin.services, origin.config_json);
            let what = Create::AudioEncoder(settings.clone());
            let remote = Remote::create(services, child, config, what, &[], CREATE)?;
            return Ok(Self { arm: Arm::Child(Box::new(remote)), channels, block });
        }
        let table: &AudioEncoderV1 = origin.plugin.table("audio-encoder")?;
        sized_table::<AudioEncoderV1>(plugin, "audio-encoder", table.struct_size)?;
        let create: CreateFunction = required(plugin, CREATE, table.create)?;
        let destroy = required(plugin, "audio-encoder.destroy", table.destroy)?;
        let functions = Functions {
            info: required(plugin, INFO, table.info)?,
            adjust: required(plugin, "audio-encoder.adjust", table.adjust)?,
            encode: required(plugin, ENCODE, table.encode)?,
        };
        let raw = settings.raw();
        let core = Core::create(origin, Role::Plain, CREATE, destroy, |host, config, out| {
            // SAFETY: host, text, parameters and place are valid for the call, the host until `destroy` returned.
            unsafe { create(host, config, &raw const raw, out) }
        })?;
        let room = vec![0; MAX_AUDIO_PACKET_BYTES];
        Ok(Self { arm: Arm::Here(Here { core, functions, room }), channels, block })
    }

    /// What a decoder must know. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn info(&mut self) -> Result<AudioStreamInfo, PluginError> {
        match &mut self.arm {
            Arm::Here(here) => here.info(),
            Arm::Child(remote) => match remote.ask(INFO, Task::AudioStreamInfo)? {
                Reply::AudioStreamInfo(info) if info.description.len() <= MAX_AUDIO_DESCRIPTION_BYTES => {
                    Ok(info)
                }
                _ => Err(remote.wrong_reply(INFO)),
            },
        }
    }

    /// Takes effect with the next block; `None` leaves a value. `[media]`
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn adjust(&mut self, bitrate: Option<u32>, loss_ppm: Option<u32>) -> Result<(), PluginError> {
        const ADJUST: &str = "audio-encoder.adjust";
        match &mut self.arm {
            Arm::Here(Here { core, functions, .. }) => {
                let raw = abi::AudioRate {
                    struct_size: size_field::<abi::AudioRate>(),
                    bitrate: bitrate.unwrap_or(0),
                    loss_ppm: loss_ppm.unwrap_or(abi::UNSET),
                    reserved32: 0,
                    reserved: [0; 2],
                };
                // SAFETY: a live instance; the change is valid for the call.
                core.call(ADJUST, |instance| unsafe { (functions.adjust)(instance, &raw const raw) })
                    .map(drop)
            }
            Arm::Child(remote) => remote.tell(ADJUST, Task::AudioAdjust { bitrate, loss_ppm }),
        }
    }

    /// Encodes a block of the agreed length. `None`: there is no packet for it. `[media]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract; or a block of another length, which it does not get.
    pub fn encode(&mut self, block: &AudioBlock) -> Result<Option<AudioPacket>, PluginError> {
        if block.samples.len() != self.block {
            let account: &Arc<PluginAccount> = match &self.arm {
                Arm::Here(here) => here.core.account(),
                Arm::Child(remote) => remote.account(),
            };
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            let text = "the block has another length than was agreed on";
            return Err(PluginError::caller(account, ENCODE, class, detail, text));
        }
        match &mut self.arm {
            Arm::Here(here) => here.encode(block, self.channels),
            Arm::Child(remote) => match remote.ask(ENCODE, Task::AudioEncode(block.clone()))? {
                Reply::AudioPacket(None) => Ok(None),
                Reply::AudioPacket(Some(packet))
                    if (1..=MAX_AUDIO_PACKET_BYTES).contains(&packet.data.len()) =>
                {
                    Ok(Some(packet))
                }
                _ => Err(remote.wrong_reply(ENCODE)),
            },
        }
    }
}

impl Here {
    fn info(&mut self) -> Result<AudioStreamInfo, PluginError> {
        let mut out = abi::AudioStreamInfo {
            struct_size: size_field::<abi::AudioStreamInfo>(),
            lookahead_frames: 0,
            description: abi::Bytes::new(&[]),
            reserved: [0; 2],
        };
        self.core.call(INFO, |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.functions.info)(instance, &raw mut out) }
        })?;
        let (ptr, len) = (out.description.ptr, out.description.len);
        // SAFETY: the description is valid until the next call on the instance.
        let description = unsafe { foreign_slice(ptr, len, MAX_AUDIO_DESCRIPTION_BYTES) };
        let Some(description) = description else {
            return Err(self.core.contract(INFO, "the description is NULL or over 1024 bytes"));
        };
        Ok(AudioStreamInfo { lookahead_frames: out.lookahead_frames, description: description.to_vec() })
    }

    fn encode(&mut self, block: &AudioBlock, channels: u32) -> Result<Option<AudioPacket>, PluginError> {
        let raw = block.raw(channels);
        let mut out = abi::AudioPacket {
            struct_size: size_field::<abi::AudioPacket>(),
            flags: 0,
            len: 0,
            timestamp_ns: 0,
            reserved: [0; 2],
        };
        let (room, capacity) = (self.room.as_mut_ptr(), self.room.len());
        let status = self.core.call(ENCODE, |instance| {
            // SAFETY: a live instance; block, room and packet are valid for the call.
            unsafe { (self.functions.encode)(instance, &raw const raw, room, capacity, &raw mut out) }
        })?;
        if is_nothing(status) {
            return Ok(None);
        }
        match self.room.get(..out.len) {
            Some(bytes @ [_, ..]) => Ok(Some(AudioPacket {
                data: bytes.to_vec(),
                timestamp_ns: out.timestamp_ns,
                dtx: out.flags & abi::AUDIO_PACKET_DTX != 0,
            })),
            _ => Err(self.core.contract(ENCODE, format!("a packet of {} bytes", out.len))),
        }
    }
}
