//! Drives an encoder.

use std::sync::Arc;

use super::{Failure, TestHost, instance::TestInstance};
use crate::{Encoder, EncoderCaps, EncoderRate, Rate, abi, guard, guard::size32};

/// A picture to submit: packed 32-bit pixels in plain memory.
#[derive(Clone, Debug)]
pub struct TestPicture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Rows of `width * 4` bytes.
    pub pixels: Arc<[u8]>,
    /// What changed; `None` for everything.
    pub damage: Option<Vec<abi::Rect>>,
    /// `SUBMIT_*` flags.
    pub flags: u32,
    /// Regions of interest.
    pub roi: Vec<abi::RoiRect>,
}

impl TestPicture {
    /// A grey picture (B, G, R, unused) that changed everywhere.
    #[must_use]
    pub fn bgrx(width: u32, height: u32) -> Self {
        let pixels = vec![0x80; width as usize * height as usize * 4].into();
        Self { width, height, pixels, damage: None, flags: 0, roi: Vec::new() }
    }
}

/// A frame without planes.
pub(super) fn empty_frame() -> abi::Frame {
    let plane = abi::Plane { ptr: std::ptr::null(), handle: 0, offset: 0, len: 0, stride: 0, fd: -1 };
    abi::Frame {
        struct_size: size32::<abi::Frame>(),
        memory: abi::MEMORY_CPU,
        width: 0,
        height: 0,
        fourcc: abi::FOURCC_XRGB8888,
        plane_count: 0,
        modifier: abi::MODIFIER_LINEAR,
        color: abi::Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 },
        flags: 0,
        timestamp_ns: 0,
        frame_id: 0,
        token: 0,
        planes: [plane; 4],
        acquire_fence_fd: -1,
        damage_count: 0,
        damage: std::ptr::null(),
        reserved: [0; 4],
    }
}

/// An encoder instance, called through its table.
#[derive(Debug)]
pub struct TestEncoder {
    table: &'static abi::EncoderV1,
    instance: Arc<TestInstance>,
    frame_id: u64,
    max_retained: usize,
}

impl TestEncoder {
    /// Parameters for frames of this size: 60 frames a second, constant quality 75, 4:2:0, 8 bit, CPU memory.
    #[must_use]
    pub fn params(codec: u32, width: u32, height: u32) -> abi::EncoderParams {
        abi::EncoderParams {
            struct_size: size32::<abi::EncoderParams>(),
            codec,
            name: abi::Str::EMPTY,
            width,
            height,
            fourcc: abi::FOURCC_XRGB8888,
            memory: abi::MEMORY_CPU,
            fps_num: 60,
            fps_den: 1,
            chroma: abi::CHROMA_420,
            bit_depth: 8,
            rate: abi::RATE_QUALITY,
            quality: 75,
            refine_quality: abi::UNSET,
            refine_frames: 0,
            bitrate_kbps: 0,
            max_bitrate_kbps: 0,
            vbv_ms: 0,
            keyframe_interval: 0,
            threads: 0,
            stripe_height: 0,
            min_qp: abi::UNSET,
            max_qp: abi::UNSET,
            ignore_damage: 0,
            reserved32: 0,
            color: abi::Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 },
            out_width: 0,
            out_height: 0,
            reserved: [0; 5],
        }
    }

    /// What an SDK plugin can encode here.
    ///
    /// # Errors
    /// When `probe` fails.
    pub fn probe<T: Encoder>(host: &TestHost, config: &str) -> Result<Vec<EncoderCaps>, Failure> {
        // SAFETY: the SDK's tables keep the ABI's promises.
        unsafe { Self::probe_table(crate::private::EncoderTable::<T>::TABLE, host, config) }
    }

    /// What a table can encode here.
    ///
    /// # Errors
    /// When `probe` fails.
    ///
    /// # Safety
    /// The table is that of a plugin that keeps the ABI's promises.
    pub unsafe fn probe_table(
        table: &'static abi::EncoderV1,
        host: &TestHost,
        config: &str,
    ) -> Result<Vec<EncoderCaps>, Failure> {
        let mut found: Vec<EncoderCaps> = Vec::new();
        let sink = abi::CapsSink { ctx: (&raw mut found).cast(), emit: Some(emit_caps) };
        // SAFETY: the caller vouches for the table; host, configuration and sink live for the call.
        let answer =
            table.probe.map(|probe| unsafe { probe(host.raw(), abi::Str::new(config), &raw const sink) });
        host.check(answer).map(|_| found)
    }

    /// An instance of an SDK plugin. `config` is JSON; `name` is that of a caps entry and goes into the parameters.
    ///
    /// # Errors
    /// When `create` fails.
    pub fn of<T: Encoder>(
        host: &TestHost,
        config: &str,
        name: &str,
        params: &abi::EncoderParams,
    ) -> Result<Self, Failure> {
        // SAFETY: the SDK's tables keep the ABI's promises.
        unsafe { Self::from_table(crate::private::EncoderTable::<T>::TABLE, host, config, name, params) }
    }

    /// An instance of any table.
    ///
    /// # Errors
    /// When `create` fails.
    ///
    /// # Safety
    /// The table is that of a plugin that keeps the ABI's promises.
    pub unsafe fn from_table(
        table: &'static abi::EncoderV1,
        host: &TestHost,
        config: &str,
        name: &str,
        params: &abi::EncoderParams,
    ) -> Result<Self, Failure> {
        let params = abi::EncoderParams { name: abi::Str::new(name), ..*params };
        let create = |out| {
            // SAFETY: the caller vouches for the table; the arguments live for the call.
            table
                .create
                .map(|create| unsafe { create(host.raw(), abi::Str::new(config), &raw const params, out) })
        };
        // SAFETY: both functions are of one table.
        let instance = unsafe { TestInstance::made(host, table.destroy, create) }?;
        Ok(Self { table, instance, frame_id: 0, max_retained: 0 })
    }

    /// Lets the encoder retain this many frames at once (its caps' `max_retained`); 0 at first.
    pub fn allow_retained(&mut self, count: usize) {
        self.max_retained = count;
    }

    /// The instance, for tests that call the table themselves.
    #[must_use]
    pub fn raw(&self) -> *mut abi::Instance {
        self.instance.raw()
    }

    /// Changes parameters; `name` as in [`TestEncoder::of`].
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn configure(&mut self, name: &str, params: &abi::EncoderParams) -> Result<(), Failure> {
        let params = abi::EncoderParams { name: abi::Str::new(name), ..*params };
        // SAFETY: the instance is alive; the parameters live for the call.
        let answer = self.table.configure.map(|call| unsafe { call(self.raw(), &raw const params) });
        self.instance.host().check(answer).map(drop)
    }

    /// Changes the rate through the plugin's `selkies.encoder.rate/1`.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn set_rate<T: EncoderRate>(&mut self, rate: Rate) -> Result<(), Failure> {
        let raw = abi::EncoderRate {
            struct_size: size32::<abi::EncoderRate>(),
            bitrate_kbps: rate.bitrate_kbps.unwrap_or(0),
            max_bitrate_kbps: rate.max_bitrate_kbps.unwrap_or(0),
            quality: rate.quality.unwrap_or(abi::UNSET),
            fps_num: rate.fps.map_or(0, |fps| fps.0),
            fps_den: rate.fps.map_or(0, |fps| fps.1),
            vbv_ms: rate.vbv_ms.unwrap_or(0),
            reserved32: 0,
            reserved: [0; 2],
        };
        let set = crate::private::EncoderRateTable::<T>::TABLE.set;
        // SAFETY: the instance is alive; the SDK refuses instances of another type.
        let answer = set.map(|set| unsafe { set(self.raw(), &raw const raw) });
        self.instance.host().check(answer).map(drop)
    }

    /// Submits a picture and answers its `frame_id`, which counts from 1.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn submit(&mut self, picture: &TestPicture) -> Result<u64, Failure> {
        self.frame_id += 1;
        let host = self.instance.host().clone();
        let token = host.inner.lock().frames.lend(picture.pixels.clone(), self.max_retained);
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let damage = picture.damage.as_deref();
        let mut frame = empty_frame();
        frame.width = picture.width;
        frame.height = picture.height;
        frame.plane_count = 1;
        frame.planes[0].ptr = picture.pixels.as_ptr();
        frame.planes[0].len = picture.pixels.len() as u64;
        frame.planes[0].stride = picture.width * 4;
        frame.flags = if damage.is_some() { 0 } else { abi::FRAME_FULL_DAMAGE };
        frame.damage = damage.map_or(std::ptr::null(), <[abi::Rect]>::as_ptr);
        frame.damage_count = count(damage.map_or(0, <[abi::Rect]>::len));
        frame.frame_id = self.frame_id;
        frame.timestamp_ns = self.frame_id * 16_666_667;
        frame.token = token;
        let params = abi::SubmitParams {
            struct_size: size32::<abi::SubmitParams>(),
            flags: picture.flags,
            deadline_ns: 0,
            known_frame_id: 0,
            roi: picture.roi.as_ptr(),
            roi_count: count(picture.roi.len()),
            reserved32: 0,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive; frame and parameters live for the call, retained pixels until released.
        let answer = self
            .table
            .submit
            .map(|submit| unsafe { submit(self.raw(), &raw const frame, &raw const params) });
        host.inner.lock().frames.call_ended(token);
        host.check(answer).map(|_| self.frame_id)
    }

    /// Finishes every frame in flight.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn drain(&mut self) -> Result<(), Failure> {
        // SAFETY: the instance is alive.
        let answer = self.table.drain.map(|drain| unsafe { drain(self.raw()) });
        self.instance.host().check(answer).map(drop)
    }
}

unsafe extern "C" fn emit_caps(ctx: *mut core::ffi::c_void, caps: *const abi::EncoderCaps) {
    // SAFETY: `probe_table` passes its list; the entry lives for the call. Unusable entries are left out.
    unsafe {
        let found = &mut *ctx.cast::<Vec<EncoderCaps>>();
        let Ok(caps) = guard::sized(caps, "caps") else { return };
        let (Ok(name), Ok(fourccs)) =
            (guard::text(caps.name), guard::array(caps.fourccs, caps.fourcc_count, 32, "fourccs"))
        else {
            return;
        };
        found.push(EncoderCaps {
            name: name.to_owned(),
            flags: caps.flags,
            codec: caps.codec,
            memory_mask: caps.memory_mask,
            fourccs: fourccs.to_vec(),
            chroma_mask: caps.chroma_mask,
            rate_mask: caps.rate_mask,
            depth: caps.depth,
            max_retained: caps.max_retained,
            max_width: caps.max_width,
            max_height: caps.max_height,
            quality_min: caps.quality_min,
            quality_max: caps.quality_max,
            bit_depth_mask: caps.bit_depth_mask,
        });
    }
}
