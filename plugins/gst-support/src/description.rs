//! Encoder elements as data.

/// A version of GStreamer, major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// What stands before encoders that take pictures from ordinary memory.
pub const SOFTWARE_CONVERTERS: &[&str] = &["videoconvert"];

/// A property of an element and what it is set to.
///
/// A value is text in GStreamer's own form (numbers, nicks of enumerations), with places that the host's request fills:
/// `{quality}`, `{kbps}`, `{bps}`, `{max_kbps}`, `{max_bps}`, `{vbv_ms}`, `{vbv_kbit}`, `{min_qp}`, `{max_qp}`,
/// `{keyframes}`, `{threads}`, `{fps}`; `{quality_255}`, `{min_qp_255}` and `{max_qp_255}` are quantisers on a scale of 255,
/// `{quality_63}` and the like on one of 63, made of the host's of 51. After `|` stands what is meant when the request leaves it open; without one, the
/// property is then not set.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Values, best first: the first that the element knows is set. Nicks differ between versions.
    pub values: &'static [&'static str],
    /// The first version with the property, as its documentation says or the sources do.
    pub since: Version,
    /// Another property that stands for it in other versions and alternatives; empty for none.
    pub instead: &'static str,
    /// The element has it only where the device or the driver knows what it stands for.
    pub conditional: bool,
    /// Low latency or a right picture depends on it: an element of a version that should have it, and has not, is not used.
    pub needed: bool,
}

impl Property {
    /// A property that is there in every version that is served, and may be missing.
    #[must_use]
    pub const fn new(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values, since: Version(1, 22), instead: "", conditional: false, needed: false }
    }

    /// One without which the encoder is of no use.
    #[must_use]
    pub const fn needed(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { needed: true, ..Self::new(name, values) }
    }

    /// The same, from this version on.
    #[must_use]
    pub const fn since(self, major: u32, minor: u32) -> Self {
        Self { since: Version(major, minor), ..self }
    }

    /// The same, where the element does not have `instead`.
    #[must_use]
    pub const fn or(self, instead: &'static str) -> Self {
        Self { instead, ..self }
    }

    /// The same, where the device has it.
    #[must_use]
    pub const fn conditional(self) -> Self {
        Self { conditional: true, ..self }
    }
}

/// The scale of constant quality.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// Best value.
    pub best: u32,
    /// Worst value.
    pub worst: u32,
    /// What is set, in this order; also while the element runs, if `live`.
    pub properties: &'static [Property],
    /// Takes effect while the element runs.
    pub live: bool,
}

/// The device of a hardware encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// None: the CPU encodes.
    Cpu,
    /// NVENC.
    Nvidia,
    /// VA-API.
    Va,
}

/// An encoder.
#[derive(Debug)]
pub struct Description {
    /// Its name in configurations.
    pub name: &'static str,
    /// One of the ABI's `CODEC_*`.
    pub codec: u32,
    /// Elements that do it, best first: the first that exists is used.
    pub elements: &'static [&'static str],
    /// Where an element comes from, for people: a package and its version.
    pub source: &'static str,
    /// What encodes.
    pub device: Device,
    /// Elements before it, in order.
    pub converters: &'static [&'static str],
    /// Caps feature of what it reads, such as `memory:VAMemory`; empty for ordinary memory.
    pub memory: &'static str,
    /// GStreamer's name of the raw format in 4:2:0.
    pub raw: &'static str,
    /// Colours, as GStreamer writes them: what decoders assume of the codec, or read from the stream.
    pub colorimetry: &'static str,
    /// Caps of what comes out.
    pub output: &'static str,
    /// The picture needs even sides: the last row and column are repeated.
    pub even: bool,
    /// A picture is encoded by the time that its buffer was passed on. One that then made nothing was dropped: an error.
    pub synchronous: bool,
    /// Heeds orders for a keyframe (`GstForceKeyUnit`). One that does not is started anew for each.
    pub forces_keys: bool,
    /// Always set: what all elements over one library need, then what this one does.
    pub common: &'static [Property],
    /// See `common`.
    pub fixed: &'static [Property],
    /// Constant quality.
    pub quality: Quality,
    /// Set for a constant bit rate, in this order; also while the element runs, if `live_bitrate`.
    pub bitrate: &'static [Property],
    /// A bit rate takes effect while the element runs.
    pub live_bitrate: bool,
    /// The highest bit rate that it takes, kbit/s; more is brought down to it.
    pub max_kbps: u32,
    /// Widest and highest picture.
    pub max_size: (u32, u32),
}

impl Description {
    /// Every property that may be set, in the order of the tables.
    pub fn properties(&self) -> impl Iterator<Item = &'static Property> {
        self.common.iter().chain(self.fixed).chain(self.quality.properties).chain(self.bitrate)
    }
}
