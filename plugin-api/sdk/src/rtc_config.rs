//! RTC configuration: where ICE servers and their credentials come from.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, Result, Wake, abi,
    guard::{self, size32},
    slot::Slot,
};

/// For whom a configuration is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcRequest {
    /// TURN over TLS is wanted.
    pub tls: bool,
    /// The user that the credentials are for.
    pub user: String,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// When the answer is given up, nanoseconds of `CLOCK_MONOTONIC`.
    pub deadline_ns: u64,
}

/// A source of `RTCConfiguration`. `[control]`
pub trait RtcConfig: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Makes the source.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// What ends a wait from another thread; asked for once, after `create`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// The JSON of the W3C `RTCConfiguration` with `lifetimeDuration`.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn fetch(&mut self, request: &RtcRequest) -> Result<String>;

    /// Blocks until the configuration changed (true), or `timeout` passed or the waker was called (false).
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool>;
}

type RtcSlot<T> = Slot<T, Arc<dyn Wake>>;

/// Builds the table of an RTC configuration source.
#[derive(Debug)]
pub struct RtcConfigTable<T>(PhantomData<T>);

impl<T: RtcConfig> RtcConfigTable<T> {
    /// The table.
    pub const TABLE: &'static abi::RtcConfigV1 = &abi::RtcConfigV1 {
        struct_size: size32::<abi::RtcConfigV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        fetch: Some(fetch::<T>),
        wait: Some(wait::<T>),
        wake: Some(wake::<T>),
    };
}

unsafe extern "C" fn create<T: RtcConfig>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        RtcSlot::<T>::create(host, config, out, |host, config| {
            let source = T::create(host, config)?;
            let waker = source.waker();
            Ok((source, waker))
        })
    }
}

unsafe extern "C" fn destroy<T: RtcConfig>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { RtcSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn fetch<T: RtcConfig>(
    instance: *mut abi::Instance,
    request: *const abi::RtcConfigRequest,
    sink: *const abi::TextSink,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table; request and sink live for the call.
    unsafe {
        RtcSlot::<T>::with(instance, |source, _| {
            let raw: &abi::RtcConfigRequest = guard::sized(request, "request")?;
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            let request = RtcRequest {
                tls: raw.tls != 0,
                user: guard::text(raw.user)?.to_owned(),
                protocol: guard::text(raw.protocol)?.to_owned(),
                deadline_ns: raw.deadline_ns,
            };
            let answer = source.fetch(&request)?;
            if answer.len() > abi::MAX_RTC_CONFIG_BYTES {
                return Err(Error::retry(format!("an answer of {} bytes is too long", answer.len())));
            }
            emit(sink.ctx, abi::Str::new(&answer));
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn wait<T: RtcConfig>(instance: *mut abi::Instance, timeout_ns: u64) -> abi::Status {
    // SAFETY: as in `fetch`.
    unsafe {
        RtcSlot::<T>::with(instance, |source, _| {
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            Ok(if source.wait(timeout)? { abi::OK } else { abi::NOTHING })
        })
    }
}

unsafe extern "C" fn wake<T: RtcConfig>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        RtcSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}
