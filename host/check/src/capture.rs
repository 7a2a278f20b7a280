//! Drives a capture through its table, as the host does, and judges what it fills in.

use std::time::Duration;

use selkies_plugin_abi::{self as abi, ids};

use crate::{
    call::{self, Failure, Site, control, media, now_ns},
    fence::{Backing, Fenced},
    host::{Role, size32},
    jobs::{
        Blocked, Instance, Task,
        waiting::{GRACE, timed},
    },
    journal::fail,
    rules::capture::{CAP_001, CAP_002, CAP_003, CAP_004, CAP_005, CAP_006, CAP_009, CAP_011},
};

static INFO: Site = control("capture.info");
static START: Site = media("capture.start");
pub(crate) static WAIT: Site = media("capture.wait");
static GRAB: Site = media("capture.grab");
static STOP: Site = media("capture.stop");
static DONE_WITH: Site = media("capture.done_with");

/// Largest edge of a source.
const MAX_EDGE: u32 = 16_384;
/// Largest picture that the kit makes buffers for, bytes.
const MAX_BUFFER: usize = 64 << 20;

/// An instance and its buffers.
pub(crate) struct Capture {
    pub(crate) table: &'static abi::CaptureV1,
    pub(crate) instance: Instance,
    pub(crate) info: abi::CaptureInfo,
    pub(crate) area: abi::Rect,
    pub(crate) buffers: Vec<Buffer>,
}

pub(crate) struct Buffer {
    pub(crate) memory: Fenced,
    pub(crate) raw: abi::FrameBuffer,
}

/// What `grab` filled.
pub(crate) struct Grabbed {
    pub(crate) frame: abi::Frame,
    /// When it returned.
    returned_ns: u64,
}

impl Capture {
    pub(crate) fn open(task: &Task) -> Result<Self, Blocked> {
        let library = task.library()?;
        // SAFETY: the struct published under this id.
        let table: &'static abi::CaptureV1 = unsafe { task.table(&library, ids::CAPTURE_V1) }?;
        let functions = table.create.zip(table.destroy).ok_or("PKG-007: create or destroy is NULL")?;
        let instance = Instance::create(Role::Plain, functions, &task.config)
            .map_err(|failure| format!("no instance: {failure}"))?;
        let info = abi::CaptureInfo {
            struct_size: size32::<abi::CaptureInfo>(),
            flags: 0,
            width: 0,
            height: 0,
            fourcc: 0,
            stride_align: 0,
            reserved: [0; 4],
        };
        let area = abi::Rect::default();
        let mut capture = Self { table, instance, info, area, buffers: Vec::new() };
        capture.read_info()?;
        Ok(capture)
    }

    fn read_info(&mut self) -> Result<(), Blocked> {
        let (function, raw) = (self.table.info, self.instance.raw);
        let out = &raw mut self.info;
        // SAFETY: the instance lives and `out` is writable.
        let call = || function.map_or(abi::OK, |info| unsafe { info(raw, out) });
        call::status(&INFO, &self.instance.context, Duration::ZERO, call).map_err(|failure| {
            failure.breaks(&CAP_001, "info");
            failure.to_string()
        })?;
        let abi::CaptureInfo { width, height, fourcc, stride_align, .. } = self.info;
        let sane = (1..=MAX_EDGE).contains(&width) && (1..=MAX_EDGE).contains(&height) && fourcc != 0;
        if !sane || !stride_align.is_power_of_two() || stride_align > 4096 {
            let found = format!("{width}x{height}, format {fourcc:#x}, stride_align {stride_align}");
            fail(&CAP_001, found.as_str());
            return Err(format!("CAP-001: {found}"));
        }
        Ok(())
    }

    pub(crate) fn own_memory(&self) -> bool {
        self.info.flags & abi::CAPTURE_HOST_BUFFERS == 0
    }

    pub(crate) fn whole(&self) -> abi::Rect {
        abi::Rect { x: 0, y: 0, width: self.info.width, height: self.info.height }
    }

    /// Buffers for an area; none for captures with memory of their own.
    pub(crate) fn make_buffers(&self, area: abi::Rect, count: usize) -> Result<Vec<Buffer>, Blocked> {
        if self.own_memory() {
            return Ok(Vec::new());
        }
        if !matches!(self.info.fourcc, abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888 | abi::FOURCC_XRGB2101010)
        {
            return Err(format!("the kit makes no buffers of format {:#x}", self.info.fourcc));
        }
        let align = self.info.stride_align.max(4) as usize;
        // Wider than it need be: a row of a buffer is not a row of the picture.
        let stride = (area.width as usize * 4 + 4).next_multiple_of(align);
        let len = stride * area.height as usize;
        if len > MAX_BUFFER {
            return Err(format!("a picture of {len} bytes is larger than the kit tries"));
        }
        let make = |_| {
            let memory =
                Fenced::new(len, Backing::Memfd, &CAP_009, &CAP_005).map_err(|error| error.to_string())?;
            let raw = abi::FrameBuffer {
                struct_size: size32::<abi::FrameBuffer>(),
                memory: abi::MEMORY_MEMFD,
                ptr: memory.pointer(),
                len: memory.mapped() as u64,
                fd: memory.descriptor(),
                stride: u32::try_from(stride).unwrap_or(u32::MAX),
                fourcc: self.info.fourcc,
                reserved: 0,
            };
            Ok(Buffer { memory, raw })
        };
        (0..count).map(make).collect()
    }

    pub(crate) fn start_with(&mut self, area: abi::Rect, buffers: &[Buffer]) -> Result<(), Failure> {
        let list: Vec<abi::FrameBuffer> = buffers.iter().map(|buffer| buffer.raw).collect();
        let params = abi::CaptureParams {
            struct_size: size32::<abi::CaptureParams>(),
            buffer_count: u32::try_from(list.len()).unwrap_or(0),
            area,
            buffers: if list.is_empty() { std::ptr::null() } else { list.as_ptr() },
            output: abi::Str::EMPTY,
            reserved: [0; 4],
        };
        let (start, raw) = (self.table.start, self.instance.raw);
        // SAFETY: the instance lives, the parameters for the call, the buffers until after `stop` or `destroy`.
        let call = || start.map_or(abi::OK, |start| unsafe { start(raw, &raw const params) });
        call::status(&START, &self.instance.context, Duration::ZERO, call).map(drop)
    }

    pub(crate) fn start(&mut self, area: abi::Rect, count: usize) -> Result<(), Blocked> {
        self.try_start(area, count)?.map_err(|failure| {
            failure.breaks(&CAP_009, "start");
            failure.to_string()
        })
    }

    pub(crate) fn try_start(
        &mut self,
        area: abi::Rect,
        count: usize,
    ) -> Result<Result<(), Failure>, Blocked> {
        let buffers = self.make_buffers(area, count)?;
        let answer = self.start_with(area, &buffers);
        if answer.is_ok() {
            (self.area, self.buffers) = (area, buffers);
        }
        Ok(answer)
    }

    pub(crate) fn wait(&mut self, timeout: Duration) -> (Result<bool, Failure>, Duration, u32) {
        let mut event =
            abi::CaptureEvent { struct_size: size32::<abi::CaptureEvent>(), ..abi::CaptureEvent::default() };
        let (wait, raw) = (self.table.wait, self.instance.raw);
        let out = &raw mut event;
        let (answer, took) = timed(&WAIT, &self.instance, timeout, |nanos| {
            // SAFETY: the instance lives and `out` is writable.
            wait.map_or(abi::OK, |wait| unsafe { wait(raw, nanos, out) })
        });
        (answer, took, event.kind)
    }

    pub(crate) fn grab(&mut self, buffer: usize, refresh: &[abi::Rect]) -> Result<Grabbed, Failure> {
        let plane = abi::Plane { ptr: std::ptr::null(), handle: 0, offset: 0, len: 0, stride: 0, fd: -1 };
        let mut frame = abi::Frame {
            struct_size: size32::<abi::Frame>(),
            memory: 0,
            width: 0,
            height: 0,
            fourcc: 0,
            plane_count: 0,
            modifier: 0,
            color: abi::Color { primaries: 0, transfer: 0, matrix: 0, full_range: 0 },
            flags: 0,
            timestamp_ns: 0,
            frame_id: 0,
            token: 0,
            planes: [plane; 4],
            acquire_fence_fd: -1,
            damage_count: 0,
            damage: std::ptr::null(),
            reserved: [0; 4],
        };
        let (grab, raw, out) = (self.table.grab, self.instance.raw, &raw mut frame);
        let (list, count) = (refresh.as_ptr(), u32::try_from(refresh.len()).unwrap_or(0));
        let index = u32::try_from(buffer).unwrap_or(u32::MAX);
        let call = || {
            // SAFETY: the instance lives; the list lives for the call and `out` is writable.
            grab.map_or(abi::OK, |grab| unsafe { grab(raw, index, list, count, out) })
        };
        call::status(&GRAB, &self.instance.context, Duration::ZERO, call)?;
        let returned_ns = now_ns();
        self.judge_damage(&frame);
        Ok(Grabbed { frame, returned_ns })
    }

    /// Judges the damage list.
    fn judge_damage(&self, frame: &abi::Frame) {
        let count = frame.damage_count as usize;
        if frame.flags & abi::FRAME_FULL_DAMAGE != 0 || count == 0 {
            return;
        }
        if count > abi::MAX_DAMAGE_RECTS || frame.damage.is_null() || !frame.damage.is_aligned() {
            return fail(&CAP_006, format!("{count} rectangles at {:p}", frame.damage));
        }
        // SAFETY: not NULL, aligned and of bounded length; unchanged until the next call by the ABI.
        let list = unsafe { std::slice::from_raw_parts(frame.damage, count) };
        let inside = |start: u32, len: u32, edge: u32| {
            len > 0 && start.checked_add(len).is_some_and(|end| end <= edge)
        };
        for rect in list {
            let abi::Rect { x, y, width, height } = *rect;
            if !inside(x, width, self.area.width) || !inside(y, height, self.area.height) {
                let (aw, ah) = (self.area.width, self.area.height);
                fail(&CAP_006, format!("{width}x{height} at {x},{y} in a frame of {aw}x{ah}"));
            }
        }
    }

    /// Gives a frame of the plugin's own memory back.
    pub(crate) fn done_with(&self, grabbed: &Grabbed) {
        if self.own_memory()
            && let Some(function) = self.table.done_with
        {
            let raw = self.instance.raw;
            // SAFETY: the instance lives, the frame is the one that `grab` filled.
            call::watched(&DONE_WITH, Duration::ZERO, || unsafe { function(raw, &raw const grabbed.frame) });
        }
    }

    pub(crate) fn stop(&mut self) -> Result<(), Failure> {
        let (stop, raw) = (self.table.stop, self.instance.raw);
        // SAFETY: the instance lives.
        let call = || stop.map_or(abi::OK, |stop| unsafe { stop(raw) });
        call::status(&STOP, &self.instance.context, Duration::ZERO, call).map(drop)
    }

    /// Waits for damage and takes the first picture.
    pub(crate) fn first(&mut self, buffer: usize) -> Result<Grabbed, Blocked> {
        let (answer, took, kind) = self.wait(GRACE);
        match answer {
            Ok(true) if kind == abi::CAPTURE_EVENT_DAMAGE => {}
            Ok(true) => fail(&CAP_002, format!("the first wait reported event {kind}")),
            Ok(false) => {
                fail(&CAP_002, format!("the first wait ended with NOTHING after {} ms", took.as_millis()));
                return Err("CAP-002: there was no damage".into());
            }
            Err(failure) => {
                failure.breaks(&CAP_002, "the first wait");
                return Err(failure.to_string());
            }
        }
        if took > GRACE {
            fail(&CAP_002, format!("the first wait took {} ms", took.as_millis()));
        }
        let whole = abi::Rect { x: 0, y: 0, width: self.area.width, height: self.area.height };
        self.grab(buffer, &[whole]).map_err(|failure| {
            failure.breaks(&CAP_003, "the first grab");
            failure.to_string()
        })
    }

    /// Judges what a grab filled.
    pub(crate) fn described(&self, grabbed: &Grabbed, buffer: usize) {
        let frame = &grabbed.frame;
        let wrong = |what: String| fail(&CAP_004, what);
        if (frame.width, frame.height) != (self.area.width, self.area.height) {
            let (w, h, aw, ah) = (frame.width, frame.height, self.area.width, self.area.height);
            wrong(format!("a frame of {w}x{h} of an area of {aw}x{ah}"));
        }
        if frame.fourcc != self.info.fourcc {
            wrong(format!("format {:#x}, info says {:#x}", frame.fourcc, self.info.fourcc));
        }
        if !(1..=4).contains(&frame.plane_count) {
            wrong(format!("{} planes", frame.plane_count));
            return;
        }
        let plane = &frame.planes[0];
        if let Some(Buffer { raw, .. }) = self.buffers.get(buffer) {
            if frame.memory != raw.memory {
                wrong(format!("memory kind {}, the buffer's is {}", frame.memory, raw.memory));
            }
            if (plane.ptr.addr(), plane.stride) != (raw.ptr.addr(), raw.stride) {
                wrong("the first plane is not the buffer".into());
            }
            let least = u64::from(raw.stride) * u64::from(frame.height.saturating_sub(1))
                + u64::from(frame.width) * 4;
            if plane.len < least || plane.len > raw.len {
                wrong(format!("a plane of {} bytes, wanted {least} to {}", plane.len, raw.len));
            }
        } else if matches!(frame.memory, abi::MEMORY_CPU | abi::MEMORY_MEMFD) && plane.ptr.is_null() {
            wrong("the first plane has no address".into());
        }
    }

    pub(crate) fn timestamp(&self, grabbed: &Grabbed, before: u64) -> u64 {
        let found = grabbed.frame.timestamp_ns;
        let (now, oldest) = (grabbed.returned_ns, grabbed.returned_ns.saturating_sub(60_000_000_000));
        if found > now || found < oldest {
            fail(&CAP_011, format!("{found} ns when the clock says {now}"));
        } else if found < before {
            fail(&CAP_011, format!("{found} ns after {before}"));
        }
        found
    }
}
