//! `selkies.capture/1`.

use std::{sync::Arc, time::Duration};

use selkies_plugin_sdk::{
    Capture, CaptureInfo, CaptureParams, CaptureRun, Error, Grab, Grabbed, Host, Result, Waited, Wake, abi,
};

use super::{Config, shared};
use crate::capture::{PIXEL_BYTES, Recording, Source, Target};

/// The screen as a capture plugin.
#[derive(Debug)]
pub struct X11Capture {
    host: Host,
    source: Source,
}

/// A capture of the screen that runs.
#[derive(Debug)]
pub struct X11Run {
    host: Host,
    recording: Recording,
}

impl Capture for X11Capture {
    type Config = Config;
    type Run = X11Run;

    fn create(host: Host, config: Config) -> Result<Self> {
        Ok(Self { host, source: Source::open(config.display())? })
    }

    fn info(&mut self) -> Result<CaptureInfo> {
        let (width, height) = self.source.size()?;
        Ok(CaptureInfo {
            damage: true,
            draws_cursor: false,
            width,
            height,
            fourcc: abi::FOURCC_XRGB8888,
            stride_align: PIXEL_BYTES,
        })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        shared(self.source.waker())
    }

    fn start(&mut self, params: CaptureParams) -> Result<X11Run> {
        let mut targets = Vec::with_capacity(params.buffers.len());
        for buffer in &params.buffers {
            if buffer.fourcc() != abi::FOURCC_XRGB8888 {
                return Err(Error::unsupported(format!(
                    "X11_FORMAT: a buffer wants format {:#010x}; the X server writes XRGB8888 only",
                    buffer.fourcc()
                )));
            }
            let memory = buffer.fd().try_clone_to_owned().map_err(|error| {
                Error::retry(format!("X11_SYSTEM: a descriptor: {error}; check the limit on open files"))
                    .with_detail(abi::DETAIL_OUT_OF_RESOURCES)
            })?;
            targets.push(Target { memory, len: buffer.len(), stride: buffer.stride() });
        }
        let recording = self.source.start(params.area, &params.output, targets)?;
        Ok(X11Run { host: self.host, recording })
    }
}

impl CaptureRun for X11Run {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited> {
        Ok(self.recording.wait(timeout)?)
    }

    fn grab(&mut self, grab: Grab<'_>) -> Result<Grabbed> {
        // Taken before the picture: what it shows is at least as new as this.
        let timestamp_ns = self.host.now_ns();
        let damage = self.recording.grab(grab.buffer, grab.refresh)?;
        Ok(Grabbed { timestamp_ns, damage })
    }
}
