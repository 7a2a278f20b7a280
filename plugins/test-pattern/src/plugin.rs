//! The picture as a capture plugin.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use schemars::JsonSchema;
use selkies_plugin_sdk::{
    Bell, BufferRef, Capture, CaptureInfo, CaptureParams, CaptureRun, Damage, Error, Grab, Grabbed, Host,
    Result, Waited, Wake, abi,
};
use serde::Deserialize;

use crate::picture::Picture;

/// Configuration of the test picture.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Width in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub width: u32,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub height: u32,
    /// Pictures per second; 0 draws one and then stands still.
    #[schemars(range(min = 0, max = 240))]
    pub fps: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 1280, height: 720, fps: 60 }
    }
}

/// The source.
#[derive(Debug)]
pub struct TestPattern {
    host: Host,
    config: Config,
    bell: Arc<Bell>,
}

impl Capture for TestPattern {
    type Config = Config;
    type Run = Run;

    fn create(host: Host, config: Config) -> Result<Self> {
        let fits = |edge: u32| (1..=16_384).contains(&edge);
        if !fits(config.width) || !fits(config.height) || config.fps > 240 {
            return Err(Error::config("width and height are 1 to 16384, fps 0 to 240"));
        }
        Ok(Self { host, config, bell: Arc::default() })
    }

    fn info(&mut self) -> Result<CaptureInfo> {
        Ok(CaptureInfo {
            damage: true,
            draws_cursor: false,
            width: self.config.width,
            height: self.config.height,
            fourcc: abi::FOURCC_XRGB8888,
            stride_align: 4,
        })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.bell.clone()
    }

    fn start(&mut self, params: CaptureParams) -> Result<Run> {
        let whole = abi::Rect { x: 0, y: 0, width: self.config.width, height: self.config.height };
        if params.area != whole {
            return Err(Error::unsupported("the test picture is captured whole only"));
        }
        let count = params.buffers.len();
        Ok(Run {
            host: self.host,
            bell: self.bell.clone(),
            picture: Picture::new(self.config.width, self.config.height),
            period: (self.config.fps > 0).then(|| Duration::from_secs(1) / self.config.fps),
            started: Instant::now(),
            whole,
            shown: None,
            contents: vec![None; count],
            buffers: params.buffers,
        })
    }
}

/// The running source.
#[derive(Debug)]
pub struct Run {
    host: Host,
    bell: Arc<Bell>,
    picture: Picture,
    period: Option<Duration>,
    started: Instant,
    whole: abi::Rect,
    /// The number of the last picture handed out.
    shown: Option<u64>,
    /// The number of the picture in each buffer.
    contents: Vec<Option<u64>>,
    buffers: Vec<BufferRef>,
}

impl Run {
    /// The number of the picture that is due now. The first is 1.
    fn due(&self) -> u64 {
        match self.period {
            Some(period) => 1 + (self.started.elapsed().as_nanos() / period.as_nanos().max(1)) as u64,
            None => 1,
        }
    }
}

impl CaptureRun for Run {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited> {
        let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let Some(shown) = self.shown else { return Ok(Waited::Damage) };
            if self.due() > shown {
                return Ok(Waited::Damage);
            }
            let next = self.period.map(|period| self.started + period.saturating_mul(shown as u32));
            let until = [give_up, next].into_iter().flatten().min();
            if self.bell.wait(until) || give_up.is_some_and(|at| Instant::now() >= at) {
                return Ok(Waited::Nothing);
            }
        }
    }

    fn grab(&mut self, grab: Grab<'_>) -> Result<Grabbed> {
        let number = self.due();
        let buffer = self.buffers.get_mut(grab.buffer).ok_or_else(|| Error::invalid("no such buffer"))?;
        let stride = buffer.stride();
        // What this buffer lacks is known here better than by the refresh list: the picture is a function of its number.
        let missing = match self.contents[grab.buffer] {
            Some(before) => self.picture.damage(before, number),
            None => vec![self.whole],
        };
        for rect in missing {
            self.picture.draw(number, rect, buffer.bytes_mut(), stride);
        }
        self.contents[grab.buffer] = Some(number);
        let damage = match self.shown.replace(number) {
            Some(before) => Damage::Rects(self.picture.damage(before, number)),
            None => Damage::Full,
        };
        Ok(Grabbed { timestamp_ns: self.host.now_ns(), damage })
    }
}
