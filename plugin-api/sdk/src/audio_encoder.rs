//! Encoder of sound: samples in, packets out.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{
    AudioBlock, AudioFormat, Error, Host, Result, abi,
    guard::{self, Answer, guarded, size32},
    slot::{Slot, parse_config},
};

/// One thing that an encoder of sound can produce. Fields as in [`abi::AudioEncoderCaps`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioEncoderCaps {
    /// Name that configuration uses, `[a-z0-9-]{1,32}`.
    pub name: String,
    /// `AUDIO_ENCODER_*` flags.
    pub flags: u32,
    /// One of `CODEC_*`.
    pub codec: u32,
    /// Sample rates in Hz, each once, the best first.
    pub rates: Vec<u32>,
    /// Masks of `SPEAKER_*` bits, each once.
    pub channel_masks: Vec<u32>,
    /// Samples of each channel in a block and a packet, ascending.
    pub block_frames: Vec<u32>,
    /// Lowest bit rate, bit/s.
    pub min_bitrate: u32,
    /// Highest bit rate, bit/s.
    pub max_bitrate: u32,
}

/// What to produce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioEncoderParams {
    /// Name of the caps entry.
    pub name: String,
    /// The form of the samples.
    pub format: AudioFormat,
    /// Samples of each channel in every block and packet.
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

/// Changes that need no new encoder; `None` leaves a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioRate {
    /// Bit rate of all channels together, bit/s.
    pub bitrate: Option<u32>,
    /// Packets that are expected to be lost, parts per million.
    pub loss_ppm: Option<u32>,
}

/// What a decoder must know of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioStreamInfo {
    /// Samples of each channel that a decoder gives before the first that went in.
    pub lookahead_frames: u32,
    /// The codec's own description; of Opus, the identification header of RFC 7845.
    pub description: Vec<u8>,
}

/// One packet, at the beginning of the memory that it was asked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioPacket {
    /// Its bytes, at least 1.
    pub len: usize,
    /// It holds silence and need not be sent.
    pub dtx: bool,
}

/// An encoder of sound.
pub trait AudioEncoder: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// What can be encoded. `[control]`
    ///
    /// # Errors
    /// [`Error::device_lost`] when there is nothing to offer on this machine, with the reason: that is no failure of the
    /// plugin. Any other when it cannot be told.
    fn probe(host: Host, config: Self::Config) -> Result<Vec<AudioEncoderCaps>>;

    /// Makes an encoder. `[control]`
    ///
    /// # Errors
    /// [`Error::unsupported`] for parameters it cannot serve.
    fn create(host: Host, config: Self::Config, params: &AudioEncoderParams) -> Result<Self>;

    /// What a decoder must know. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn info(&mut self) -> Result<AudioStreamInfo>;

    /// Takes effect with the next block. `[media]`
    ///
    /// # Errors
    /// [`Error::invalid`] for a bit rate that it does not have.
    fn adjust(&mut self, rate: AudioRate) -> Result<()>;

    /// Encodes a block of the agreed length into `out`, which has at least [`abi::MAX_AUDIO_PACKET_BYTES`]. `None`: it was
    /// taken in, and there is no packet for it. `[media]`
    ///
    /// # Errors
    /// The block has no packet then.
    fn encode(&mut self, block: AudioBlock<'_>, out: &mut [u8]) -> Result<Option<AudioPacket>>;
}

struct State<T> {
    encoder: T,
    format: AudioFormat,
    /// Samples of all channels in a block.
    block: usize,
    /// What `info` answered, which the host may read until the next call.
    description: Vec<u8>,
}

type EncoderSlot<T> = Slot<State<T>, ()>;

/// Builds the table of an encoder of sound.
#[derive(Debug)]
pub struct AudioEncoderTable<T>(PhantomData<T>);

impl<T: AudioEncoder> AudioEncoderTable<T> {
    /// The table.
    pub const TABLE: &'static abi::AudioEncoderV1 = &abi::AudioEncoderV1 {
        struct_size: size32::<abi::AudioEncoderV1>(),
        reserved: 0,
        probe: Some(probe::<T>),
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        info: Some(info::<T>),
        adjust: Some(adjust::<T>),
        encode: Some(encode::<T>),
    };
}

unsafe extern "C" fn probe<T: AudioEncoder>(
    host: *const abi::Host,
    config: abi::Str,
    sink: *const abi::AudioCapsSink,
) -> abi::Status {
    // SAFETY: the ABI's contract for `probe`.
    unsafe {
        let host = Host::from_raw(host);
        guarded(host, || {
            let host = host.ok_or_else(|| Error::invalid("host is NULL or too small"))?;
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            let found = match T::probe(host, parse_config(config)?) {
                // Not on this machine: no entry, with success, and the reason.
                Err(error) if error.is_device_lost() => {
                    host.fail(error.status(), error.text());
                    host.log(abi::LEVEL_INFO, error.text());
                    return Ok(abi::OK);
                }
                found => found?,
            };
            for caps in found {
                let count = |list: &[u32]| u32::try_from(list.len()).unwrap_or(u32::MAX);
                let raw = abi::AudioEncoderCaps {
                    struct_size: size32::<abi::AudioEncoderCaps>(),
                    flags: caps.flags,
                    name: abi::Str::new(&caps.name),
                    codec: caps.codec,
                    sample_mask: 1 << abi::AUDIO_SAMPLE_F32,
                    rates: caps.rates.as_ptr(),
                    channel_masks: caps.channel_masks.as_ptr(),
                    block_frames: caps.block_frames.as_ptr(),
                    rate_count: count(&caps.rates),
                    channel_mask_count: count(&caps.channel_masks),
                    block_frames_count: count(&caps.block_frames),
                    min_bitrate: caps.min_bitrate,
                    max_bitrate: caps.max_bitrate,
                    reserved32: 0,
                    reserved: [0; 4],
                };
                emit(sink.ctx, &raw const raw);
            }
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn create<T: AudioEncoder>(
    host: *const abi::Host,
    config: abi::Str,
    params: *const abi::AudioEncoderParams,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`; the parameters live for the call.
    unsafe {
        EncoderSlot::<T>::create(host, config, out, |host, config| {
            let raw = guard::sized(params, "params")?;
            let params = AudioEncoderParams {
                name: guard::text(raw.name)?.to_owned(),
                format: AudioFormat::of(&raw.format)?,
                block_frames: raw.block_frames,
                bitrate: raw.bitrate,
                complexity: (raw.complexity != abi::UNSET).then_some(raw.complexity),
                loss_ppm: raw.loss_ppm,
                dtx: raw.flags & abi::AUDIO_ENCODE_DTX != 0,
                fec: raw.flags & abi::AUDIO_ENCODE_FEC != 0,
            };
            let block = params.format.block(u64::from(params.block_frames))?;
            let encoder = T::create(host, config, &params)?;
            Ok((State { encoder, format: params.format, block, description: Vec::new() }, ()))
        })
    }
}

unsafe extern "C" fn destroy<T: AudioEncoder>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { EncoderSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn info<T: AudioEncoder>(
    instance: *mut abi::Instance,
    out: *mut abi::AudioStreamInfo,
) -> abi::Status {
    // SAFETY: the host calls these functions one at a time on an instance of this table.
    unsafe {
        EncoderSlot::<T>::with(instance, |state, _| {
            let out = Answer::new(out)?;
            let AudioStreamInfo { lookahead_frames, description } = state.encoder.info()?;
            if description.len() > abi::MAX_AUDIO_DESCRIPTION_BYTES {
                return Err(Error::fatal(format!("info: a description of {} bytes", description.len())));
            }
            state.description = description;
            Ok(out.give(abi::AudioStreamInfo {
                struct_size: size32::<abi::AudioStreamInfo>(),
                lookahead_frames,
                description: abi::Bytes::new(&state.description),
                reserved: [0; 2],
            }))
        })
    }
}

unsafe extern "C" fn adjust<T: AudioEncoder>(
    instance: *mut abi::Instance,
    rate: *const abi::AudioRate,
) -> abi::Status {
    // SAFETY: as in `info`; the rate lives for the call.
    unsafe {
        EncoderSlot::<T>::with(instance, |state, _| {
            let raw = guard::sized(rate, "rate")?;
            let rate = AudioRate {
                bitrate: (raw.bitrate != 0).then_some(raw.bitrate),
                loss_ppm: (raw.loss_ppm != abi::UNSET).then_some(raw.loss_ppm),
            };
            state.encoder.adjust(rate).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn encode<T: AudioEncoder>(
    instance: *mut abi::Instance,
    block: *const abi::AudioBlock,
    out: *mut u8,
    capacity: usize,
    packet: *mut abi::AudioPacket,
) -> abi::Status {
    // SAFETY: as in `info`; block, memory and packet live for the call.
    unsafe {
        EncoderSlot::<T>::with(instance, |state, _| {
            let answer = Answer::new(packet)?;
            let block = AudioBlock::of(block, state.format)?;
            if block.samples.len() != state.block {
                let (has, wants) = (block.samples.len(), state.block);
                return Err(Error::invalid(format!(
                    "encode: a block of {has} samples, {wants} were agreed on"
                )));
            }
            if out.is_null() || !(abi::MAX_AUDIO_PACKET_BYTES..=isize::MAX as usize).contains(&capacity) {
                return Err(Error::invalid("encode: no room for a packet"));
            }
            // SAFETY: not NULL, and the host promises that many writable bytes. They are given a value first, for what the
            // host has there need not have one.
            out.write_bytes(0, abi::MAX_AUDIO_PACKET_BYTES);
            let room = std::slice::from_raw_parts_mut(out, abi::MAX_AUDIO_PACKET_BYTES);
            let Some(AudioPacket { len, dtx }) = state.encoder.encode(block, room)? else {
                return Ok(abi::NOTHING);
            };
            if !(1..=room.len()).contains(&len) {
                return Err(Error::fatal(format!("encode: a packet of {len} bytes")));
            }
            Ok(answer.give(abi::AudioPacket {
                struct_size: size32::<abi::AudioPacket>(),
                flags: if dtx { abi::AUDIO_PACKET_DTX } else { 0 },
                len,
                timestamp_ns: block.timestamp_ns,
                reserved: [0; 2],
            }))
        })
    }
}
