//! The C tables of an encoder.

use std::marker::PhantomData;

use super::{Completion, Encoder, EncoderParams, EncoderRate, Progress, Rate, Submit, set};
use crate::{
    Error, FrameRef, Host, PacketSink, abi,
    guard::{self, size32},
    slot::Slot,
};

/// Builds the table of an encoder.
#[derive(Debug)]
pub struct EncoderTable<T>(PhantomData<T>);

impl<T: Encoder> EncoderTable<T> {
    /// The table.
    pub const TABLE: &'static abi::EncoderV1 = &abi::EncoderV1 {
        struct_size: size32::<abi::EncoderV1>(),
        reserved: 0,
        probe: Some(probe::<T>),
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        configure: Some(configure::<T>),
        submit: Some(submit::<T>),
        drain: Some(drain::<T>),
    };
}

/// Builds the rate table of an encoder.
#[derive(Debug)]
pub struct EncoderRateTable<T>(PhantomData<T>);

impl<T: EncoderRate> EncoderRateTable<T> {
    /// The table.
    pub const TABLE: &'static abi::EncoderRateV1 = &abi::EncoderRateV1 {
        struct_size: size32::<abi::EncoderRateV1>(),
        reserved: 0,
        set: Some(set_rate::<T>),
    };
}

unsafe extern "C" fn probe<T: Encoder>(
    host: *const abi::Host,
    config: abi::Str,
    sink: *const abi::CapsSink,
) -> abi::Status {
    // SAFETY: the ABI's contract for `probe`: the host, configuration and sink live for the call.
    unsafe {
        let host = Host::from_raw(host);
        guard::guarded(host, || {
            let host = host.ok_or_else(|| Error::invalid("host is NULL or too small"))?;
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            let found = match T::probe(host, crate::slot::parse_config(config)?) {
                // Nothing on this machine is no failure; the host is told why.
                Err(error) if error.is_device_lost() => {
                    host.fail(error.status(), error.text());
                    host.log(abi::LEVEL_INFO, error.text());
                    return Ok(abi::OK);
                }
                found => found?,
            };
            for caps in found {
                let fourcc_count = u32::try_from(caps.fourccs.len())
                    .ok()
                    .filter(|count| (1..=32).contains(count))
                    .ok_or_else(|| {
                        Error::fatal(format!("{}: a caps entry has 1 to 32 formats", caps.name))
                    })?;
                let raw = abi::EncoderCaps {
                    struct_size: size32::<abi::EncoderCaps>(),
                    flags: caps.flags,
                    name: abi::Str::new(&caps.name),
                    codec: caps.codec,
                    memory_mask: caps.memory_mask,
                    fourccs: caps.fourccs.as_ptr(),
                    fourcc_count,
                    chroma_mask: caps.chroma_mask,
                    rate_mask: caps.rate_mask,
                    depth: caps.depth,
                    max_retained: caps.max_retained,
                    max_width: caps.max_width,
                    max_height: caps.max_height,
                    quality_min: caps.quality_min,
                    quality_max: caps.quality_max,
                    bit_depth_mask: caps.bit_depth_mask,
                    reserved: [0; 4],
                };
                emit(sink.ctx, &raw const raw);
            }
            Ok(abi::OK)
        })
    }
}

type EncoderSlot<T> = Slot<T, Completion>;

unsafe extern "C" fn create<T: Encoder>(
    host: *const abi::Host,
    config: abi::Str,
    params: *const abi::EncoderParams,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe {
        EncoderSlot::<T>::create(host, config, out, |host, config| {
            let params = EncoderParams::from_raw(params)?;
            let completion = Completion::new(host)?;
            let encoder = T::create(host, config, &params, PacketSink::new(host)?, completion)?;
            Ok((encoder, completion))
        })
    }
}

unsafe extern "C" fn destroy<T: Encoder>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { EncoderSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn configure<T: Encoder>(
    instance: *mut abi::Instance,
    params: *const abi::EncoderParams,
) -> abi::Status {
    // SAFETY: the host calls these functions one at a time on an instance of this table.
    unsafe {
        EncoderSlot::<T>::with(instance, |encoder, _| {
            encoder.configure(&EncoderParams::from_raw(params)?)?;
            Ok(abi::OK)
        })
    }
}

/// Most regions of interest of one frame.
const MAX_ROI: usize = 64;

unsafe extern "C" fn submit<T: Encoder>(
    instance: *mut abi::Instance,
    frame: *const abi::Frame,
    params: *const abi::SubmitParams,
) -> abi::Status {
    // SAFETY: as in `configure`; frame and parameters live for the call.
    unsafe {
        EncoderSlot::<T>::with(instance, |encoder, host| {
            let frame = FrameRef::new(frame, host)?;
            let params = guard::sized(params, "params")?;
            let submit = Submit {
                keyframe: params.flags & abi::SUBMIT_KEYFRAME != 0,
                refine: params.flags & abi::SUBMIT_REFINE != 0,
                deadline_ns: params.deadline_ns,
                known_frame_id: params.known_frame_id,
                roi: guard::array(params.roi, params.roi_count, MAX_ROI, "roi")?,
            };
            let progress = encoder.submit(frame, submit)?;
            if let Progress::Done { refine_at_ns } = progress {
                Completion::new(host)?.done(frame.frame_id(), Ok(refine_at_ns));
            }
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn drain<T: Encoder>(instance: *mut abi::Instance) -> abi::Status {
    // SAFETY: as in `configure`.
    unsafe { EncoderSlot::<T>::with(instance, |encoder, _| encoder.drain().map(|()| abi::OK)) }
}

unsafe extern "C" fn set_rate<T: EncoderRate>(
    instance: *mut abi::Instance,
    rate: *const abi::EncoderRate,
) -> abi::Status {
    // SAFETY: as in `configure`; the rate lives for the call.
    unsafe {
        EncoderSlot::<T>::with(instance, |encoder, _| {
            let raw: &abi::EncoderRate = guard::sized(rate, "rate")?;
            let given = |value: u32| (value != 0).then_some(value);
            encoder.set_rate(Rate {
                bitrate_kbps: given(raw.bitrate_kbps),
                max_bitrate_kbps: given(raw.max_bitrate_kbps),
                quality: set(raw.quality),
                fps: given(raw.fps_num).zip(given(raw.fps_den)),
                vbv_ms: given(raw.vbv_ms),
            })?;
            Ok(abi::OK)
        })
    }
}
