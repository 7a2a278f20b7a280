//! A capture through its C table: order, buffers, waits.
#![allow(unsafe_code)] // one test hands broken buffers to the C table

use std::{
    ptr::null_mut,
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_plugin_sdk::{
    Bell, BufferRef, Capture, CaptureInfo, CaptureParams, CaptureRun, Damage, Error, Grab, Grabbed, Host,
    Result, Waited, Wake, abi,
    private::CaptureTable,
    test_host::{Failure, TestCapture, TestHost},
};
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    panic_in_grab: bool,
    many_rects: bool,
    resized: bool,
}

/// A 32x8 source that writes its grab's number into the first byte.
#[derive(Debug)]
struct Counter {
    host: Host,
    config: Config,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Running {
    host: Host,
    config: Config,
    bell: Arc<Bell>,
    buffers: Vec<BufferRef>,
    grabbed: u8,
}

impl Capture for Counter {
    type Config = Config;
    type Run = Running;

    fn create(host: Host, config: Config) -> Result<Self> {
        Ok(Self { host, config, bell: Arc::default() })
    }

    fn info(&mut self) -> Result<CaptureInfo> {
        Ok(CaptureInfo {
            damage: true,
            draws_cursor: true,
            width: 32,
            height: 8,
            fourcc: abi::FOURCC_XRGB8888,
            stride_align: 64,
        })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    fn start(&mut self, params: CaptureParams) -> Result<Running> {
        if params.area.width > 32 {
            return Err(Error::unsupported("the area is wider than the source"));
        }
        let (config, bell) = (self.config.clone(), self.bell.clone());
        Ok(Running { host: self.host, config, bell, buffers: params.buffers, grabbed: 0 })
    }
}

impl CaptureRun for Running {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited> {
        if self.grabbed == 0 {
            return Ok(Waited::Damage);
        }
        if self.config.resized {
            return Ok(Waited::Resized { width: 64, height: 16 });
        }
        self.bell.wait(timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
        Ok(Waited::Nothing)
    }

    fn grab(&mut self, grab: Grab<'_>) -> Result<Grabbed> {
        assert!(!self.config.panic_in_grab, "told to panic in grab");
        self.grabbed += 1;
        self.buffers[grab.buffer].bytes_mut()[0] = self.grabbed;
        let rect = abi::Rect { x: 0, y: 0, width: 1, height: 1 };
        let count = if self.config.many_rects { abi::MAX_DAMAGE_RECTS + 1 } else { 1 + grab.refresh.len() };
        Ok(Grabbed { timestamp_ns: self.host.now_ns(), damage: Damage::Rects(vec![rect; count]) })
    }
}

fn wrong_state<T: std::fmt::Debug>(result: Result<T, Failure>) -> bool {
    result.is_err_and(|failure| failure.detail() == abi::DETAIL_WRONG_STATE)
}

#[test]
fn pictures_go_into_the_buffers_of_the_host() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<Counter>(&host, "{}")?;
    let info = capture.info()?;
    assert_eq!(info.flags, abi::CAPTURE_HOST_BUFFERS | abi::CAPTURE_DAMAGE | abi::CAPTURE_DRAWS_CURSOR);
    assert_eq!((info.width, info.height, info.stride_align), (32, 8, 64));
    capture.start(2)?;
    assert_eq!(capture.wait(None)?, Waited::Damage, "the first wait reports damage at once");
    let first = capture.grab(0, &[])?;
    assert!(first.timestamp_ns > 0);
    let rect = abi::Rect { x: 0, y: 0, width: 1, height: 1 };
    assert_eq!(first.damage, Damage::Rects(vec![rect]));
    assert_eq!(capture.grab(1, &[rect; 2])?.damage, Damage::Rects(vec![rect; 3]), "refresh arrived");
    assert_eq!((capture.pixels(0).0[0], capture.pixels(1).0[0]), (1, 2));
    assert_eq!(capture.pixels(0).1, 128);
    let failure = capture.grab(2, &[]).expect_err("there are two buffers");
    assert_eq!(failure.detail(), abi::DETAIL_INVALID_ARGUMENT);
    capture.stop()?;
    capture.start(1)?;
    capture.stop()
}

#[test]
fn wrong_order_is_refused() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<Counter>(&host, "{}")?;
    assert!(wrong_state(capture.grab(0, &[])), "grab before start");
    assert!(wrong_state(capture.wait(None)), "wait before start");
    assert!(wrong_state(capture.stop()), "stop before start");
    capture.start(1)?;
    assert!(wrong_state(capture.start(1)), "start twice");
    capture.grab(0, &[])?;
    capture.stop()?;
    assert!(wrong_state(capture.grab(0, &[])), "grab after stop");
    Ok(())
}

#[test]
fn a_wait_ends_by_its_timeout_and_by_wake() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<Counter>(&host, "{}")?;
    capture.start(1)?;
    capture.grab(0, &[])?;
    assert_eq!(capture.wait(Some(Duration::from_millis(1)))?, Waited::Nothing);
    let waker = capture.waker();
    let waking = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        waker.wake();
    });
    let began = Instant::now();
    assert_eq!(capture.wait(None)?, Waited::Nothing);
    assert!(began.elapsed() < Duration::from_secs(10), "woken, not timed out");
    waking.join().expect("the waker's thread ends");
    Ok(())
}

#[test]
fn events_and_long_lists_are_translated() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<Counter>(&host, r#"{"resized": true, "many_rects": true}"#)?;
    capture.start(1)?;
    assert_eq!(capture.grab(0, &[])?.damage, Damage::Full, "over 64 rectangles count as everything");
    assert_eq!(capture.wait(None)?, Waited::Resized { width: 64, height: 16 });
    Ok(())
}

#[test]
fn a_panic_in_a_run_poisons_the_capture() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<Counter>(&host, r#"{"panic_in_grab": true}"#)?;
    capture.start(1)?;
    for _ in 0..2 {
        assert_eq!(capture.grab(0, &[]).expect_err("panics").detail(), abi::DETAIL_PANIC);
    }
    assert_eq!(capture.info().expect_err("poisoned").detail(), abi::DETAIL_PANIC);
    Ok(())
}

#[test]
fn unusable_areas_and_buffers_are_refused() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut capture = TestCapture::of::<Counter>(&host, "{}")?;
    let area = abi::Rect { x: 0, y: 0, width: 32, height: 8 };
    let refused = |failure: Failure| (failure.class(), failure.detail());
    assert_eq!(
        capture.start_area(abi::Rect { width: 0, ..area }, 1).map_err(refused),
        Err((abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT))
    );
    assert_eq!(
        capture.start_area(abi::Rect { width: 33, ..area }, 1).map_err(refused),
        Err((abi::CLASS_RECONFIGURE, abi::DETAIL_UNSUPPORTED)),
        "the plugin's own answer"
    );
    assert!(capture.start(0).is_err(), "no buffers");
    assert!(capture.start(17).is_err(), "too many buffers");

    let mut memory = [0_u8; 128 * 8];
    let good = abi::FrameBuffer {
        struct_size: size_of::<abi::FrameBuffer>() as u32,
        memory: abi::MEMORY_MEMFD,
        ptr: memory.as_mut_ptr(),
        len: 128 * 8,
        fd: 0,
        stride: 128,
        fourcc: abi::FOURCC_XRGB8888,
        reserved: 0,
    };
    let start = |buffer: abi::FrameBuffer| {
        let params = abi::CaptureParams {
            struct_size: size_of::<abi::CaptureParams>() as u32,
            buffer_count: 1,
            area,
            buffers: &raw const buffer,
            output: abi::Str::EMPTY,
            reserved: [0; 4],
        };
        let table = CaptureTable::<Counter>::TABLE;
        // SAFETY: the instance is alive; what is broken about the buffer is what has to be refused.
        unsafe { table.start.expect("start")(capture.raw(), &raw const params) }
    };
    for broken in [
        abi::FrameBuffer { struct_size: 8, ..good },
        abi::FrameBuffer { ptr: null_mut(), ..good },
        abi::FrameBuffer { fd: -1, ..good },
        abi::FrameBuffer { memory: abi::MEMORY_DMABUF, ..good },
        abi::FrameBuffer { len: 128 * 8 - 1, ..good },
        abi::FrameBuffer { stride: 127, ..good },
        abi::FrameBuffer { len: u64::MAX, ..good },
    ] {
        assert_eq!(abi::detail_of(start(broken)), abi::DETAIL_INVALID_ARGUMENT, "{broken:?}");
    }
    assert_eq!(start(good), abi::OK);
    capture.stop()
}
