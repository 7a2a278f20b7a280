//! The C table of a capture.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use super::{BufferRef, Capture, CaptureParams, CaptureRun, Grab, Waited};
use crate::{
    Damage, Error, Result, Wake, abi,
    guard::{self, Answer, size32},
    slot::Slot,
};

struct State<T: Capture> {
    // Declared first: it ends before the source does.
    run: Option<Running<T::Run>>,
    source: T,
}

struct Running<R> {
    run: R,
    buffers: Vec<abi::FrameBuffer>,
    area: abi::Rect,
    /// The list of the last grab, which the host may read until the next call.
    damage: Vec<abi::Rect>,
}

type CaptureSlot<T> = Slot<State<T>, Arc<dyn Wake>>;

/// Builds the table of a capture.
#[derive(Debug)]
pub struct CaptureTable<T>(PhantomData<T>);

impl<T: Capture> CaptureTable<T> {
    /// The table.
    pub const TABLE: &'static abi::CaptureV1 = &abi::CaptureV1 {
        struct_size: size32::<abi::CaptureV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        info: Some(info::<T>),
        start: Some(start::<T>),
        wait: Some(wait::<T>),
        wake: Some(wake::<T>),
        grab: Some(grab::<T>),
        done_with: Some(done_with),
        stop: Some(stop::<T>),
    };
}

unsafe extern "C" fn create<T: Capture>(
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

unsafe extern "C" fn destroy<T: Capture>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { CaptureSlot::<T>::destroy(instance) }
}

unsafe extern "C" fn info<T: Capture>(
    instance: *mut abi::Instance,
    out: *mut abi::CaptureInfo,
) -> abi::Status {
    // SAFETY: the host calls these functions one at a time on an instance of this table.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            let out = Answer::new(out)?;
            let info = state.source.info()?;
            let mut flags = abi::CAPTURE_HOST_BUFFERS;
            if info.damage {
                flags |= abi::CAPTURE_DAMAGE;
            }
            if info.draws_cursor {
                flags |= abi::CAPTURE_DRAWS_CURSOR;
            }
            let info = abi::CaptureInfo {
                struct_size: size32::<abi::CaptureInfo>(),
                flags,
                width: info.width,
                height: info.height,
                fourcc: info.fourcc,
                stride_align: info.stride_align,
                reserved: [0; 4],
            };
            Ok(out.give(info))
        })
    }
}

/// Checks a buffer of the host and answers its length in bytes.
fn usable(buffer: &abi::FrameBuffer, area: abi::Rect) -> Result<usize> {
    let refused = || Error::invalid("start: a buffer is not mapped, no memfd or too small for the area");
    let packed =
        matches!(buffer.fourcc, abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888 | abi::FOURCC_XRGB2101010);
    // Of other formats only the host knows the size of a pixel; a row has at least one byte for each.
    let row = u64::from(area.width) * if packed { 4 } else { 1 };
    let rows = u64::from(buffer.stride) * u64::from(area.height);
    let fits = !buffer.ptr.is_null()
        && buffer.fd >= 0
        && buffer.memory == abi::MEMORY_MEMFD
        && u64::from(buffer.stride) >= row
        && buffer.len >= rows;
    // The largest object that Rust lets a slice be.
    let len = isize::try_from(buffer.len).ok().and_then(|len| usize::try_from(len).ok());
    len.filter(|_| fits).ok_or_else(refused)
}

/// Most buffers of one capture.
const MAX_BUFFERS: usize = 16;

unsafe extern "C" fn start<T: Capture>(
    instance: *mut abi::Instance,
    params: *const abi::CaptureParams,
) -> abi::Status {
    // SAFETY: as in `info`; the parameters live for the call, the buffers until `stop` returned.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            if state.run.is_some() {
                return Err(Error::wrong_state("start: the capture runs already"));
            }
            let params = guard::sized(params, "params")?;
            let raw = guard::array(params.buffers, params.buffer_count, MAX_BUFFERS, "buffers")?;
            let area = params.area;
            let mut buffers = Vec::with_capacity(raw.len());
            if area.width == 0 || area.height == 0 {
                return Err(Error::invalid("start: the area is empty"));
            }
            for buffer in raw {
                guard::sized(buffer, "a buffer")?;
                buffers.push(BufferRef { raw: *buffer, len: usable(buffer, area)? });
            }
            if buffers.is_empty() {
                return Err(Error::invalid("start: this capture needs at least one buffer"));
            }
            let output = guard::text(params.output)?.to_owned();
            let run = state.source.start(CaptureParams { area, buffers, output })?;
            state.run = Some(Running { run, buffers: raw.to_vec(), area, damage: Vec::new() });
            Ok(abi::OK)
        })
    }
}

unsafe extern "C" fn wait<T: Capture>(
    instance: *mut abi::Instance,
    timeout_ns: u64,
    out: *mut abi::CaptureEvent,
) -> abi::Status {
    // SAFETY: as in `info`.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            let run =
                state.run.as_mut().ok_or_else(|| Error::wrong_state("wait: the capture was not started"))?;
            let out = Answer::new(out)?;
            let timeout = (timeout_ns != u64::MAX).then(|| Duration::from_nanos(timeout_ns));
            let (kind, width, height) = match run.run.wait(timeout)? {
                Waited::Nothing => return Ok(abi::NOTHING),
                Waited::Damage => (abi::CAPTURE_EVENT_DAMAGE, 0, 0),
                Waited::Resized { width, height } => (abi::CAPTURE_EVENT_RESIZED, width, height),
            };
            let event = abi::CaptureEvent {
                struct_size: size32::<abi::CaptureEvent>(),
                kind,
                width,
                height,
                reserved: [0; 2],
            };
            Ok(out.give(event))
        })
    }
}

unsafe extern "C" fn wake<T: Capture>(instance: *mut abi::Instance) {
    // SAFETY: the instance is not destroyed while the host calls this.
    unsafe {
        CaptureSlot::<T>::with_shared(instance, |waker, _| {
            waker.wake();
            Ok(abi::OK)
        });
    }
}

unsafe extern "C" fn grab<T: Capture>(
    instance: *mut abi::Instance,
    buffer: u32,
    refresh: *const abi::Rect,
    refresh_count: u32,
    out: *mut abi::Frame,
) -> abi::Status {
    // SAFETY: as in `info`; the list lives for the call.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| {
            let run =
                state.run.as_mut().ok_or_else(|| Error::wrong_state("grab: the capture was not started"))?;
            let out = Answer::new(out)?;
            let refresh = guard::array(refresh, refresh_count, abi::MAX_DAMAGE_RECTS, "refresh")?;
            let Some(target) = run.buffers.get(buffer as usize).copied() else {
                return Err(Error::invalid(format!("grab: buffer {buffer} of {}", run.buffers.len())));
            };
            let grabbed = run.run.grab(Grab { buffer: buffer as usize, refresh })?;
            let flags = match grabbed.damage {
                Damage::Rects(rects) if rects.len() <= abi::MAX_DAMAGE_RECTS => {
                    run.damage = rects;
                    0
                }
                _ => {
                    run.damage.clear();
                    abi::FRAME_FULL_DAMAGE
                }
            };
            Ok(out.give(describe(run, &target, flags, grabbed.timestamp_ns)))
        })
    }
}

/// The frame in a buffer of the host.
fn describe<R>(run: &Running<R>, buffer: &abi::FrameBuffer, flags: u32, timestamp_ns: u64) -> abi::Frame {
    // `grab` keeps at most MAX_DAMAGE_RECTS of them.
    let count = u32::try_from(run.damage.len()).unwrap_or(0);
    let unused = abi::Plane { ptr: std::ptr::null(), handle: 0, offset: 0, len: 0, stride: 0, fd: -1 };
    let plane = abi::Plane {
        ptr: buffer.ptr,
        handle: 0,
        offset: 0,
        len: u64::from(buffer.stride) * u64::from(run.area.height),
        stride: buffer.stride,
        fd: buffer.fd,
    };
    abi::Frame {
        struct_size: size32::<abi::Frame>(),
        memory: abi::MEMORY_MEMFD,
        width: run.area.width,
        height: run.area.height,
        fourcc: buffer.fourcc,
        plane_count: 1,
        modifier: abi::MODIFIER_LINEAR,
        color: abi::Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 },
        flags,
        timestamp_ns,
        frame_id: 0,
        token: 0,
        planes: [plane, unused, unused, unused],
        acquire_fence_fd: -1,
        damage_count: count,
        damage: run.damage.as_ptr(),
        reserved: [0; 4],
    }
}

unsafe extern "C" fn done_with(_: *mut abi::Instance, _: *const abi::Frame) {
    // Only for frames in the plugin's own memory, of which there are none.
}

unsafe extern "C" fn stop<T: Capture>(instance: *mut abi::Instance) -> abi::Status {
    // SAFETY: as in `info`.
    unsafe {
        CaptureSlot::<T>::with(instance, |state, _| match state.run.take() {
            Some(_) => Ok(abi::OK),
            None => Err(Error::wrong_state("stop: the capture was not started")),
        })
    }
}
