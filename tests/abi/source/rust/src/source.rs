//! Pictures of one value.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use selkies_plugin_sdk::{
    BufferRef, Capture, CaptureInfo, CaptureParams, CaptureRun, Damage, Error, Grab, Grabbed, Host, Result, Waited,
    Wake, abi,
};

use crate::Config;

const SIZE: (u32, u32) = (32, 16);

#[derive(Debug)]
pub struct Source {
    host: Host,
    next: u8,
    bell: Arc<Bell>,
    rung: Option<Receiver<()>>,
}

#[derive(Debug)]
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(&self) {
        // Fails when nothing runs, and then there is nobody to wake.
        let _ = self.0.send(());
    }
}

impl Capture for Source {
    type Config = Config;
    type Run = Run;

    fn create(host: Host, config: Config) -> Result<Self> {
        let (bell, rung) = channel();
        Ok(Self { host, next: config.first, bell: Arc::new(Bell(bell)), rung: Some(rung) })
    }

    fn info(&mut self) -> Result<CaptureInfo> {
        Ok(CaptureInfo {
            damage: true,
            draws_cursor: false,
            width: SIZE.0,
            height: SIZE.1,
            fourcc: abi::FOURCC_XRGB8888,
            stride_align: 64,
        })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    fn start(&mut self, params: CaptureParams) -> Result<Run> {
        let abi::Rect { x, y, width, height } = params.area;
        let fits = |from: u32, length: u32, limit: u32| from.checked_add(length).is_some_and(|end| end <= limit);
        if !fits(x, width, SIZE.0) || !fits(y, height, SIZE.1) {
            return Err(Error::unsupported("the area is outside"));
        }
        let rung = self.rung.take().ok_or_else(|| Error::fatal("it starts once"))?;
        let Self { host, next, .. } = *self;
        let (width, height) = (width as usize, height as usize);
        Ok(Run { host, next, rung, seen: false, width, height, buffers: params.buffers })
    }
}

#[derive(Debug)]
pub struct Run {
    host: Host,
    next: u8,
    rung: Receiver<()>,
    seen: bool,
    width: usize,
    height: usize,
    buffers: Vec<BufferRef>,
}

impl CaptureRun for Run {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited> {
        if !self.seen {
            return Ok(Waited::Damage);
        }
        match self.rung.recv_timeout(timeout.unwrap_or(Duration::from_secs(3600))) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(Waited::Nothing),
            Err(RecvTimeoutError::Disconnected) => Err(Error::fatal("nobody can wake it")),
        }
    }

    fn grab(&mut self, grab: Grab<'_>) -> Result<Grabbed> {
        let buffer = self.buffers.get_mut(grab.buffer).ok_or_else(|| Error::invalid("there is no such buffer"))?;
        let stride = buffer.stride();
        for row in buffer.bytes_mut().chunks_mut(stride).take(self.height) {
            row[..self.width * 4].fill(self.next);
        }
        self.next = self.next.wrapping_add(1);
        self.seen = true;
        Ok(Grabbed { timestamp_ns: self.host.now_ns(), damage: Damage::Full })
    }
}
