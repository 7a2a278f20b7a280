//! Drives what makes, encodes and takes sound.

use core::ffi::c_void;
use std::{sync::Arc, time::Duration};

use super::{
    Failure, TestHost, TestWaker,
    instance::TestInstance,
    small::{TestAudioCapture, TestAudioSink, nanos},
};
use crate::{
    AudioBlock, AudioCaptureParams, AudioEncoder, AudioEncoderCaps, AudioEncoderParams, AudioFormat,
    AudioPacket, AudioRate, AudioRead, AudioSinkParams, AudioSinkState, AudioStreamInfo, abi, guard,
    guard::size32,
};

const NO_FORMAT: abi::AudioFormat = abi::AudioFormat { sample: 0, rate: 0, channel_mask: 0, reserved: 0 };

impl TestAudioCapture {
    /// What the device has.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn info(&mut self) -> Result<AudioFormat, Failure> {
        let mut out = abi::AudioCaptureInfo {
            struct_size: size32::<abi::AudioCaptureInfo>(),
            sample_mask: 0,
            native: NO_FORMAT,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive and `out` writable.
        self.check(self.table.info.map(|info| unsafe { info(self.raw(), &raw mut out) }))?;
        Ok(AudioFormat { rate: out.native.rate, channel_mask: out.native.channel_mask })
    }

    /// Begins to capture.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn start(&mut self, params: &AudioCaptureParams) -> Result<(), Failure> {
        let raw = abi::AudioCaptureParams {
            struct_size: size32::<abi::AudioCaptureParams>(),
            block_frames: u32::try_from(params.block_frames).unwrap_or(u32::MAX),
            format: params.format.raw(),
            device: abi::Str::new(&params.device),
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive; the parameters live for the call.
        self.check(self.table.start.map(|start| unsafe { start(self.raw(), &raw const raw) })).map(drop)
    }

    /// Waits for a block; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn read(
        &mut self,
        timeout: Option<Duration>,
        channels: usize,
    ) -> Result<Option<(AudioRead, Vec<f32>)>, Failure> {
        let mut out = abi::AudioBlock {
            struct_size: size32::<abi::AudioBlock>(),
            flags: 0,
            samples: std::ptr::null(),
            frames: 0,
            reserved32: 0,
            timestamp_ns: 0,
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.read.map(|read| unsafe { read(self.raw(), nanos(timeout), &raw mut out) });
        if !self.check(answer)? {
            return Ok(None);
        }
        let count = out.frames.saturating_mul(u32::try_from(channels).unwrap_or(u32::MAX));
        let limit = abi::MAX_AUDIO_BLOCK_SAMPLES as usize;
        // SAFETY: the plugin keeps the samples until the next call on the instance.
        let samples = unsafe { guard::array(out.samples.cast::<f32>(), count, limit, "samples") };
        let read = AudioRead { timestamp_ns: out.timestamp_ns, gap: out.flags & abi::AUDIO_BLOCK_GAP != 0 };
        Ok(Some((read, samples.map(<[f32]>::to_vec).unwrap_or_default())))
    }

    /// Ends reads from other threads.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn stop(&mut self) -> Result<(), Failure> {
        // SAFETY: the instance is alive.
        self.check(self.table.stop.map(|stop| unsafe { stop(self.raw()) })).map(drop)
    }
}

impl TestAudioSink {
    /// What the device has.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn info(&mut self) -> Result<AudioFormat, Failure> {
        let mut out = abi::AudioSinkInfo {
            struct_size: size32::<abi::AudioSinkInfo>(),
            sample_mask: 0,
            native: NO_FORMAT,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive and `out` writable.
        self.check(self.table.info.map(|info| unsafe { info(self.raw(), &raw mut out) }))?;
        Ok(AudioFormat { rate: out.native.rate, channel_mask: out.native.channel_mask })
    }

    /// Begins to play.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn start(&mut self, params: AudioSinkParams) -> Result<(), Failure> {
        let buffer_ns = params.buffer.map_or(0, |buffer| nanos(Some(buffer)));
        let raw = abi::AudioSinkParams {
            struct_size: size32::<abi::AudioSinkParams>(),
            reserved32: 0,
            format: params.format.raw(),
            buffer_ns,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive; the parameters live for the call.
        self.check(self.table.start.map(|start| unsafe { start(self.raw(), &raw const raw) })).map(drop)
    }

    /// Writes samples of so many channels.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn write(&mut self, block: AudioBlock<'_>, channels: usize) -> Result<(), Failure> {
        let raw = raw_block(block, channels);
        // SAFETY: the instance is alive; the block lives for the call.
        self.check(self.table.write.map(|write| unsafe { write(self.raw(), &raw const raw) })).map(drop)
    }

    /// Waits for another number of recorders; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>, Failure> {
        let mut out = abi::AudioSinkState {
            struct_size: size32::<abi::AudioSinkState>(),
            recorders: 0,
            queued_ns: 0,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive and `out` writable.
        let answer = self.table.wait.map(|wait| unsafe { wait(self.raw(), nanos(timeout), &raw mut out) });
        let answered = self.check(answer)?;
        Ok(answered.then_some(AudioSinkState {
            recorders: (out.recorders != abi::UNSET).then_some(out.recorders),
            queued: Duration::from_nanos(out.queued_ns),
        }))
    }

    /// Ends waits from other threads.
    #[must_use]
    pub fn waker(&self) -> TestWaker {
        TestWaker { instance: self.instance.clone(), wake: self.table.wake }
    }

    /// Ends playing.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn stop(&mut self) -> Result<(), Failure> {
        // SAFETY: the instance is alive.
        self.check(self.table.stop.map(|stop| unsafe { stop(self.raw()) })).map(drop)
    }
}

fn raw_block(block: AudioBlock<'_>, channels: usize) -> abi::AudioBlock {
    abi::AudioBlock {
        struct_size: size32::<abi::AudioBlock>(),
        flags: if block.gap { abi::AUDIO_BLOCK_GAP } else { 0 },
        samples: block.samples.as_ptr().cast(),
        frames: u32::try_from(block.samples.len() / channels.max(1)).unwrap_or(u32::MAX),
        reserved32: 0,
        timestamp_ns: block.timestamp_ns,
        reserved: [0; 2],
    }
}

/// A packet of sound and what the encoder said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestAudioPacket {
    /// What it is.
    pub info: AudioPacket,
    /// The timestamp that it was given.
    pub timestamp_ns: u64,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// An encoder of sound, called through its table.
#[derive(Debug)]
pub struct TestAudioEncoder {
    table: &'static abi::AudioEncoderV1,
    instance: Arc<TestInstance>,
    channels: usize,
}

impl TestAudioEncoder {
    /// What an SDK plugin can encode.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn probe<T: AudioEncoder>(host: &TestHost, config: &str) -> Result<Vec<AudioEncoderCaps>, Failure> {
        let table = crate::private::AudioEncoderTable::<T>::TABLE;
        let mut found: Vec<AudioEncoderCaps> = Vec::new();
        let sink = abi::AudioCapsSink { ctx: (&raw mut found).cast(), emit: Some(emit_caps) };
        let answer =
            // SAFETY: host, text and sink live for the call.
            table.probe.map(|probe| unsafe { probe(host.raw(), abi::Str::new(config), &raw const sink) });
        host.check(answer).map(|_| found)
    }

    /// An instance of an SDK plugin. `config` is JSON.
    ///
    /// # Errors
    /// When `create` fails.
    pub fn of<T: AudioEncoder>(
        host: &TestHost,
        config: &str,
        params: &AudioEncoderParams,
    ) -> Result<Self, Failure> {
        let table = crate::private::AudioEncoderTable::<T>::TABLE;
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let raw = abi::AudioEncoderParams {
            struct_size: size32::<abi::AudioEncoderParams>(),
            flags: flag(params.dtx, abi::AUDIO_ENCODE_DTX) | flag(params.fec, abi::AUDIO_ENCODE_FEC),
            name: abi::Str::new(&params.name),
            format: params.format.raw(),
            block_frames: params.block_frames,
            bitrate: params.bitrate,
            complexity: params.complexity.unwrap_or(abi::UNSET),
            loss_ppm: params.loss_ppm,
            reserved: [0; 4],
        };
        // SAFETY: the arguments are those that the ABI describes.
        let create = |out| unsafe {
            table.create.map(|create| create(host.raw(), abi::Str::new(config), &raw const raw, out))
        };
        // SAFETY: the SDK's tables keep the ABI's promises.
        let instance = unsafe { TestInstance::made(host, table.destroy, create) }?;
        Ok(Self { table, instance, channels: params.format.channels() })
    }

    fn check(&self, answer: Option<abi::Status>) -> Result<bool, Failure> {
        self.instance.host().check(answer)
    }

    /// What a decoder must know.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn info(&mut self) -> Result<AudioStreamInfo, Failure> {
        let mut out = abi::AudioStreamInfo {
            struct_size: size32::<abi::AudioStreamInfo>(),
            lookahead_frames: 0,
            description: abi::Bytes::new(&[]),
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive and `out` writable.
        self.check(self.table.info.map(|info| unsafe { info(self.instance.raw(), &raw mut out) }))?;
        // SAFETY: the plugin keeps the description until the next call on the instance.
        let description = unsafe { guard::bytes(out.description) }.map(<[u8]>::to_vec).unwrap_or_default();
        Ok(AudioStreamInfo { lookahead_frames: out.lookahead_frames, description })
    }

    /// Changes the rate.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn adjust(&mut self, rate: AudioRate) -> Result<(), Failure> {
        let raw = abi::AudioRate {
            struct_size: size32::<abi::AudioRate>(),
            bitrate: rate.bitrate.unwrap_or(0),
            loss_ppm: rate.loss_ppm.unwrap_or(abi::UNSET),
            reserved32: 0,
            reserved: [0; 2],
        };
        let answer =
            // SAFETY: the instance is alive; the rate lives for the call.
            self.table.adjust.map(|adjust| unsafe { adjust(self.instance.raw(), &raw const raw) });
        self.check(answer).map(drop)
    }

    /// Encodes a block; `Ok(None)` when there is no packet for it.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn encode(&mut self, block: AudioBlock<'_>) -> Result<Option<TestAudioPacket>, Failure> {
        let raw = raw_block(block, self.channels);
        let mut room = vec![0; abi::MAX_AUDIO_PACKET_BYTES];
        let mut out = abi::AudioPacket {
            struct_size: size32::<abi::AudioPacket>(),
            flags: 0,
            len: 0,
            timestamp_ns: 0,
            reserved: [0; 2],
        };
        // SAFETY: the instance is alive; block, room and packet live for the call.
        let answer = self.table.encode.map(|encode| unsafe {
            encode(self.instance.raw(), &raw const raw, room.as_mut_ptr(), room.len(), &raw mut out)
        });
        if !self.check(answer)? {
            return Ok(None);
        }
        room.truncate(out.len);
        let info = AudioPacket { len: out.len, dtx: out.flags & abi::AUDIO_PACKET_DTX != 0 };
        Ok(Some(TestAudioPacket { info, timestamp_ns: out.timestamp_ns, payload: room }))
    }
}

unsafe extern "C" fn emit_caps(ctx: *mut c_void, caps: *const abi::AudioEncoderCaps) {
    // SAFETY: `probe` passes its list; the entry lives for the call. An unusable one is left out.
    unsafe {
        let found = &mut *ctx.cast::<Vec<AudioEncoderCaps>>();
        let Ok(caps) = guard::sized(caps, "caps") else { return };
        let Ok(name) = guard::text(caps.name) else { return };
        let list = |at, count| guard::array(at, count, abi::MAX_AUDIO_CHOICES, "a list");
        let (Ok(rates), Ok(channel_masks), Ok(block_frames)) = (
            list(caps.rates, caps.rate_count),
            list(caps.channel_masks, caps.channel_mask_count),
            list(caps.block_frames, caps.block_frames_count),
        ) else {
            return;
        };
        found.push(AudioEncoderCaps {
            name: name.to_owned(),
            flags: caps.flags,
            codec: caps.codec,
            rates: rates.to_vec(),
            channel_masks: channel_masks.to_vec(),
            block_frames: block_frames.to_vec(),
            min_bitrate: caps.min_bitrate,
            max_bitrate: caps.max_bitrate,
        });
    }
}
