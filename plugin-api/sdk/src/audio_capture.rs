//! Capture of sound.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    AudioFormat, Error, Host, Result, Wake, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

/// What to capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioCaptureParams {
    /// The form of the samples.
    pub format: AudioFormat,
    /// Samples of each channel in every block.
    pub block_frames: usize,
    /// The plugin's name of the device, or empty for what the desktop plays.
    pub device: String,
}

/// A block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioRead {
    /// When its first sample was captured, nanoseconds of `CLOCK_MONOTONIC`; 0 when unknown.
    pub timestamp_ns: u64,
    /// Samples are missing before it.
    pub gap: bool,
}

/// A source of sound. One that is not there, or goes away, is [`Error::device_lost`] in any function.
pub trait AudioCapture: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;
    /// A running capture.
    type Run: AudioCaptureRun;

    /// Connects with the source, within two seconds. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// What the device has that would be captured without a name. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn info(&mut self) -> Result<AudioFormat>;

    /// What ends a read from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Begins to capture. `[media]`
    ///
    /// # Errors
    /// [`Error::unsupported`] for a format that cannot be had; else with the class that the host is to act on.
    fn start(&mut self, params: AudioCaptureParams) -> Result<Self::Run>;
}

/// A capture of sound between `start` and `stop`. Dropping it ends it. `[media]`
pub trait AudioCaptureRun: Send + 'static {
    /// Blocks until there is a block, which replaces what is in `samples`; `timeout` passed (`None`: no limit) or the waker
    /// was called answer `None`. Of what nobody reads, the newest 200 ms are kept.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn read(&mut self, timeout: Option<Duration>, samples: &mut Vec<f32>) -> Result<Option<AudioRead>>;
}

struct State<T: AudioCapture> {
    // Declared first: it ends before the source does.
    run: Option<Running<T::Run>>,
    source: T,
}

struct Running<R> {
    run: R,
    /// Samples of all channels in a block.
    block: usize,
    block_frames: u32,
    /// The last block, which the host may read until the next call.
    samples: Vec<f32>,
}

type CaptureSlot<T> = Slot<State<T>, Arc<dyn Wake>>;

/// Builds the table of a capture of sound.
#[derive(Debug)]
pub struct AudioCaptureTable<T>(PhantomData<T>);

impl<T: AudioCapture> AudioCaptureTable<T> {
    /// The table.
    pub const TABLE: &'static abi::AudioCaptureV1 = &abi::AudioCaptureV1 {
        struct_size: size32::<abi::AudioCaptureV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        info: Some(info::<T>),
        start: Some(start::<T>),
        read: Some(read::<T>),
        wake: Some(wake::<T>),
        stop: Some(stop::<T>),
    };
}

unsafe extern "C" fn create<T: AudioCapture>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        CaptureSlot::<T>::create(host, config, out, |host, config| {
            let source = T::create(host, config)?;
            let waker = source.waker();
            Ok((State { run: None, source }, waker))
        })
    }
}

unsafe extern "C" fn destroy<T: AudioCapture>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { CaptureSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn info<T: AudioCapture>(
    instance: *mut abi::Instance,
    out: *mut abi::AudioCaptureInfo,
) -> abi::Status {
    // SAFETY: the host calls these functions one at a time on an instance of this table.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            let out = Answer::new(out)?;
            let native = state.source.info()?.raw();
            Ok(out.give(abi::AudioCaptureInfo {
                struct_size: size32::<abi::AudioCaptureInfo>(),
                sample_mask: 1 << abi::AUDIO_SAMPLE_F32,
                native,
                reserved: [0; 4],
            }))
        })
    }
}

unsafe extern "C" fn start<T: AudioCapture>(
    instance: *mut abi::Instance,
    params: *const abi::AudioCaptureParams,
) -> abi::Status {
    // SAFETY: as in `info`; the parameters live for the call.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            if state.run.is_some() {
                return Err(Error::wrong_state("start: the capture runs already"));
            }
            let params = guard::sized(params, "params")?;
            let format = AudioFormat::of(&params.format)?;
            let block = format.block(u64::from(params.block_frames))?;
            let run = state.source.start(AudioCaptureParams {
                format,
                block_frames: params.block_frames as usize,
                device: guard::text(params.device)?.to_owned(),
            })?;
            let block_frames = params.block_frames;
            state.run = Some(Running { run, block, block_frames, samples: Vec::with_capacity(block) });
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn read<T: AudioCapture>(
    instance: *mut abi::Instance,
    timeout_ns: u64,
    out: *mut abi::AudioBlock,
) -> abi::Status {
    // SAFETY: as in `info`.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            let running =
                state.run.as_mut().ok_or_else(|| Error::wrong_state("read: the capture was not started"))?;
            let out = Answer::new(out)?;
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            let Some(AudioRead { timestamp_ns, gap }) = running.run.read(timeout, &mut running.samples)?
            else {
                return Ok(abi::NOTHING);
            };
            if running.samples.len() != running.block {
                let (has, wants) = (running.samples.len(), running.block);
                return Err(Error::fatal(format!("read: a block of {has} samples, {wants} are wanted")));
            }
            Ok(out.give(abi::AudioBlock {
                struct_size: size32::<abi::AudioBlock>(),
                flags: if gap { abi::AUDIO_BLOCK_GAP } else { 0 },
                samples: running.samples.as_ptr().cast(),
                frames: running.block_frames,
                reserved32: 0,
                timestamp_ns,
                reserved: [0; 2],
            }))
        })
    }
}

unsafe extern "C" fn wake<T: AudioCapture>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        CaptureSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}

unsafe extern "C" fn stop<T: AudioCapture>(instance: *mut abi::Instance) -> abi::Status {
    // SAFETY: as in `info`.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| match state.run.take() {
            Some(_) => Ok(abi::OK),
            None => Err(Error::wrong_state("stop: the capture was not started")),
        })
    }
}
