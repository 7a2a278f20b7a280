//! The source: replace this with yours.

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

/// The colours in turn: B, G, R, unused.
const COLOURS: [[u8; 4]; 3] = [[0x20, 0x20, 0xc0, 0xff], [0x20, 0xc0, 0x20, 0xff], [0xc0, 0x20, 0x20, 0xff]];

/// Configuration. Its schema is part of `selkies-plugin.json`; a test compares the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Width in pixels.
    #[schemars(range(min = 1, max = 8192))]
    pub width: u32,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 8192))]
    pub height: u32,
    /// How long each colour stays, in milliseconds.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub period_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 1280, height: 720, period_ms: 1000 }
    }
}

/// The source between `create` and `destroy`.
#[derive(Debug)]
pub struct SolidColour {
    host: Host,
    config: Config,
    bell: Arc<Bell>,
}

impl Capture for SolidColour {
    type Config = Config;
    type Run = Run;

    fn create(host: Host, config: Config) -> Result<Self> {
        // The host has checked the schema; a plugin checks again what would break it.
        let edge = 1..=8192;
        if !edge.contains(&config.width) || !edge.contains(&config.height) || config.period_ms == 0 {
            return Err(Error::config("width and height are 1 to 8192, period_ms at least 1"));
        }
        tracing::info!(width = config.width, height = config.height, "solid colour opened");
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
        let abi::Rect { x, y, width, height } = params.area;
        let fits =
            |from: u32, length: u32, limit: u32| from.checked_add(length).is_some_and(|end| end <= limit);
        if !fits(x, width, self.config.width) || !fits(y, height, self.config.height) {
            return Err(Error::unsupported("the area is not inside the source"));
        }
        Ok(Run {
            host: self.host,
            bell: self.bell.clone(),
            period: Duration::from_millis(self.config.period_ms.into()),
            started: Instant::now(),
            shown: None,
            width: params.area.width as usize,
            height: params.area.height as usize,
            buffers: params.buffers,
        })
    }
}

/// The source between `start` and `stop`. Dropping it ends it.
#[derive(Debug)]
pub struct Run {
    host: Host,
    bell: Arc<Bell>,
    period: Duration,
    started: Instant,
    /// The number of the colour that was grabbed last.
    shown: Option<u128>,
    width: usize,
    height: usize,
    buffers: Vec<BufferRef>,
}

impl Run {
    /// The number of the colour that is due now.
    fn due(&self) -> u128 {
        self.started.elapsed().as_nanos() / self.period.as_nanos().max(1)
    }

    /// How long until the next colour.
    fn left(&self) -> Duration {
        let period = self.period.as_nanos().max(1);
        let nanos = period - self.started.elapsed().as_nanos() % period;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl CaptureRun for Run {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Waited> {
        let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            // The first wait answers at once, and so does one after damage that came while nobody waited.
            if self.shown.is_none_or(|shown| self.due() > shown) {
                return Ok(Waited::Damage);
            }
            let until = [give_up, Instant::now().checked_add(self.left())].into_iter().flatten().min();
            if self.bell.wait(until) || give_up.is_some_and(|at| Instant::now() >= at) {
                return Ok(Waited::Nothing);
            }
        }
    }

    fn grab(&mut self, grab: Grab<'_>) -> Result<Grabbed> {
        let due = self.due();
        let buffer =
            self.buffers.get_mut(grab.buffer).ok_or_else(|| Error::invalid("there is no such buffer"))?;
        let stride = buffer.stride();
        let colour = COLOURS[usize::try_from(due % COLOURS.len() as u128).unwrap_or(0)];
        // All of it is new with each colour. A source that changes in parts draws the new damage and `grab.refresh`.
        for row in buffer.bytes_mut().chunks_mut(stride).take(self.height) {
            for pixel in row.chunks_exact_mut(4).take(self.width) {
                pixel.copy_from_slice(&colour);
            }
        }
        let changed = self.shown.replace(due) != Some(due);
        let damage = if changed { Damage::Full } else { Damage::Rects(Vec::new()) };
        Ok(Grabbed { timestamp_ns: self.host.now_ns(), damage })
    }
}
