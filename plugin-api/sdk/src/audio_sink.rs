//! Sound into the desktop, as from a microphone.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    AudioBlock, AudioFormat, Error, Host, Result, Wake, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

/// What will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSinkParams {
    /// The form of the samples.
    pub format: AudioFormat,
    /// How much to keep against an uneven arrival; `None` leaves it to the plugin.
    pub buffer: Option<Duration>,
}

/// How a sink is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioSinkState {
    /// How many record from the source now; `None` where that cannot be told.
    pub recorders: Option<u32>,
    /// What was written and was not heard yet; zero also where that cannot be told.
    pub queued: Duration,
}

/// A source of sound for applications, which the host writes. A server that is not there, or goes away, is
/// [`Error::device_lost`] in any function.
pub trait AudioSink: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;
    /// A sink that plays.
    type Run: AudioSinkRun;

    /// Makes the source that applications record from, within two seconds. Dropping the value removes it. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// What the device itself has. `[control]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn info(&mut self) -> Result<AudioFormat>;

    /// What ends a wait from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Blocks until [`AudioSinkState::recorders`] is another number than the last answer said, `timeout` passed (`None`: no
    /// limit) or the waker was called; the last two answer `None`. The first call is answered at once, and so is one with a timeout
    /// of zero, changed or not. Between `start` and `stop`, too. `[media]`
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<AudioSinkState>>;

    /// Begins to play. `[media]`
    ///
    /// # Errors
    /// [`Error::unsupported`] for a format that it cannot play; else with the class that the host is to act on.
    fn start(&mut self, params: AudioSinkParams) -> Result<Self::Run>;
}

/// A sink between `start` and `stop`. Dropping it ends it. `[media]`
pub trait AudioSinkRun: Send + 'static {
    /// Takes samples and does not wait until they are heard.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn write(&mut self, block: AudioBlock<'_>) -> Result<()>;
}

struct State<T: AudioSink> {
    // Declared first: it ends before the sink does.
    run: Option<(T::Run, AudioFormat)>,
    sink: T,
}

type SinkSlot<T> = Slot<State<T>, Arc<dyn Wake>>;

/// Builds the table of a sink of sound.
#[derive(Debug)]
pub struct AudioSinkTable<T>(PhantomData<T>);

impl<T: AudioSink> AudioSinkTable<T> {
    /// The table.
    pub const TABLE: &'static abi::AudioSinkV1 = &abi::AudioSinkV1 {
        struct_size: size32::<abi::AudioSinkV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        info: Some(info::<T>),
        start: Some(start::<T>),
        write: Some(write::<T>),
        stop: Some(stop::<T>),
        wait: Some(wait::<T>),
        wake: Some(wake::<T>),
    };
}

unsafe extern "C" fn create<T: AudioSink>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        SinkSlot::<T>::create(host, config, out, |host, config| {
            let sink = T::create(host, config)?;
            let waker = sink.waker();
            Ok((State { run: None, sink }, waker))
        })
    }
}

unsafe extern "C" fn destroy<T: AudioSink>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { SinkSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn info<T: AudioSink>(
    instance: *mut abi::Instance,
    out: *mut abi::AudioSinkInfo,
) -> abi::Status {
    // SAFETY: the host calls these functions one at a time on an instance of this table.
    unsafe {
        SinkSlot::<T>::with(instance, |state, _| {
            let out = Answer::new(out)?;
            let native = state.sink.info()?.raw();
            Ok(out.give(abi::AudioSinkInfo {
                struct_size: size32::<abi::AudioSinkInfo>(),
                sample_mask: 1 << abi::AUDIO_SAMPLE_F32,
                native,
                reserved: [0; 4],
            }))
        })
    }
}

unsafe extern "C" fn start<T: AudioSink>(
    instance: *mut abi::Instance,
    params: *const abi::AudioSinkParams,
) -> abi::Status {
    // SAFETY: as in `info`; the parameters live for the call.
    unsafe {
        SinkSlot::<T>::with(instance, |state, _| {
            if state.run.is_some() {
                return Err(Error::wrong_state("start: the sink plays already"));
            }
            let raw = guard::sized(params, "params")?;
            let format = AudioFormat::of(&raw.format)?;
            let buffer = (raw.buffer_ns != 0).then(|| Duration::from_nanos(raw.buffer_ns));
            state.run = Some((state.sink.start(AudioSinkParams { format, buffer })?, format));
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn write<T: AudioSink>(
    instance: *mut abi::Instance,
    block: *const abi::AudioBlock,
) -> abi::Status {
    // SAFETY: as in `info`; the block lives for the call.
    unsafe {
        SinkSlot::<T>::with(instance, |state, _| {
            let Some((run, format)) = state.run.as_mut() else {
                return Err(Error::wrong_state("write: the sink was not started"));
            };
            run.write(AudioBlock::of(block, *format)?).map(|()| abi::OK)
        })
    }
}

unsafe extern "C" fn stop<T: AudioSink>(instance: *mut abi::Instance) -> abi::Status {
    // SAFETY: as in `info`.
    unsafe {
        SinkSlot::<T>::with(instance, |state, _| match state.run.take() {
            Some(_) => Ok(abi::OK),
            None => Err(Error::wrong_state("stop: the sink was not started")),
        })
    }
}

unsafe extern "C" fn wait<T: AudioSink>(
    instance: *mut abi::Instance,
    timeout_ns: u64,
    out: *mut abi::AudioSinkState,
) -> abi::Status {
    // SAFETY: as in `info`.
    unsafe {
        SinkSlot::<T>::with(instance, |state, _| {
            let out = Answer::new(out)?;
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            let Some(AudioSinkState { recorders, queued }) = state.sink.wait(timeout)? else {
                return Ok(abi::NOTHING);
            };
            Ok(out.give(abi::AudioSinkState {
                struct_size: size32::<abi::AudioSinkState>(),
                recorders: recorders.unwrap_or(abi::UNSET),
                queued_ns: u64::try_from(queued.as_nanos()).unwrap_or(u64::MAX),
                reserved: [0; 4],
            }))
        })
    }
}

unsafe extern "C" fn wake<T: AudioSink>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        SinkSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}
