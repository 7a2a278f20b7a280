//! What the host asks for, as numbers for the places in property values.

use selkies_plugin_sdk::{EncoderParams, Error, Rate, Result, abi};

use crate::{Description, Tuning};

/// Threads when nobody says how many, at most.
const MAX_OWN_THREADS: usize = 4;
/// Most threads.
const MAX_THREADS: u32 = 16;
/// Rows for each thread: OpenH264 refuses slices of less than a few rows of macroblocks, and others gain nothing by them.
const THREAD_ROWS: u32 = 128;
/// Where the quality scale of encoders ends whose quantisers go up to 255: what the host is told is one of H.264's.
const SCALE: u64 = 51;
/// H.264's quantisers, and those of libvpx's and libaom's scale of 63 with about the same step for the same detail:
/// `quant_common.c` of either against table 8-15 of H.264. Between them lies a straight line.
const STEPS_63: [(u64, u64); 9] =
    [(0, 1), (18, 8), (25, 21), (28, 29), (33, 37), (40, 50), (45, 56), (51, 63), (u64::MAX, 63)];
/// Buffer of a constant bit rate when nobody says how long, milliseconds.
const VBV_MS: u32 = 100;

/// What bounds the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Constant quality.
    Quality(u32),
    /// Constant bit rate, kbit/s.
    Bitrate(u32),
}

/// A valid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fourcc: u32,
    /// Numerator, denominator.
    pub(crate) fps: (u32, u32),
    pub(crate) control: Control,
    /// Constant quality of what came to rest, where it is finer than `control` and can be set while the element runs.
    pub(crate) refine: Option<u32>,
    /// Length of the rate control's buffer, milliseconds.
    vbv_ms: u32,
    min_qp: Option<u32>,
    max_qp: Option<u32>,
    keyframe_interval: u32,
    threads: u32,
    pub(crate) ignore_damage: bool,
}

impl Request {
    /// # Errors
    /// [`Error::unsupported`] for what was not offered.
    pub(crate) fn new(what: &Description, tuning: &Tuning, params: &EncoderParams) -> Result<Self> {
        let fits = params.name == what.name
            && params.codec == what.codec
            && matches!(params.fourcc, abi::FOURCC_XRGB8888 | abi::FOURCC_ARGB8888)
            && matches!(params.memory, abi::MEMORY_CPU | abi::MEMORY_MEMFD)
            && params.chroma == abi::CHROMA_420
            && params.bit_depth == 8
            && params.width <= what.max_size.0
            && params.height <= what.max_size.1
            && params.coded_size() == (params.width, params.height);
        if !fits {
            return Err(Error::unsupported(format!(
                "{}: only 4:2:0 from 32-bit BGRX or BGRA in readable memory, 8 bits, unscaled, of at most {}x{}",
                what.name, what.max_size.0, what.max_size.1
            )));
        }
        let control = match params.rate {
            abi::RATE_QUALITY if (what.quality.best..=what.quality.worst).contains(&params.quality) => {
                Control::Quality(params.quality)
            }
            abi::RATE_CBR if params.bitrate_kbps > 0 => {
                Control::Bitrate(params.bitrate_kbps.min(what.max_kbps))
            }
            other => {
                return Err(Error::unsupported(format!(
                    "{}: rate control {other}, quality {}, {} kbit/s; quality {} to {} and a constant bit rate above 0 \
                     are possible",
                    what.name, params.quality, params.bitrate_kbps, what.quality.best, what.quality.worst
                )));
            }
        };
        let refine = params.refine_quality().map(|refine| refine.max(what.quality.best));
        let finer = |&refine: &u32| matches!(control, Control::Quality(quality) if refine < quality);
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_OWN_THREADS));
        let cores = u32::try_from(cores).unwrap_or(1);
        let threads = [params.threads, tuning.threads, cores].into_iter().find(|&threads| threads > 0);
        Ok(Self {
            width: params.width,
            height: params.height,
            fourcc: params.fourcc,
            fps: (params.fps_num.clamp(1, 1000), params.fps_den.clamp(1, 1001)),
            control,
            refine: refine.filter(|_| what.quality.live).filter(finer),
            vbv_ms: if params.vbv_ms == 0 { VBV_MS } else { params.vbv_ms },
            min_qp: params.min_qp(),
            max_qp: params.max_qp(),
            keyframe_interval: params.keyframe_interval,
            threads: threads.unwrap_or(1).min(MAX_THREADS).min((params.height / THREAD_ROWS).max(1)),
            ignore_damage: params.ignore_damage != 0,
        })
    }

    /// A request for one small picture, to see that the encoder works.
    pub(crate) fn trial(what: &Description, side: u32) -> Self {
        Self {
            width: side,
            height: side,
            fourcc: abi::FOURCC_XRGB8888,
            fps: (60, 1),
            control: Control::Quality(what.quality.best.midpoint(what.quality.worst)),
            refine: None,
            vbv_ms: VBV_MS,
            min_qp: None,
            max_qp: None,
            keyframe_interval: 0,
            threads: 1,
            ignore_damage: false,
        }
    }

    /// The same with a bit rate, kbit/s.
    #[cfg(feature = "testing")]
    pub(crate) fn with_bitrate(&self, kbps: u32) -> Self {
        Self { control: Control::Bitrate(kbps), ..self.clone() }
    }

    /// With a change of rate. A bit rate means nothing to constant quality, and the reverse.
    pub(crate) fn changed(&self, what: &Description, rate: Rate) -> Result<Self> {
        let control = match self.control {
            Control::Quality(now) => {
                let wanted = rate.quality.unwrap_or(now);
                if !(what.quality.best..=what.quality.worst).contains(&wanted) {
                    return Err(Error::unsupported(format!(
                        "{}: quality {wanted}; {} to {} are possible",
                        what.name, what.quality.best, what.quality.worst
                    )));
                }
                Control::Quality(wanted)
            }
            Control::Bitrate(now) => {
                let wanted = rate.bitrate_kbps.filter(|&kbps| kbps > 0).unwrap_or(now);
                Control::Bitrate(wanted.min(what.max_kbps))
            }
        };
        let fps = rate.fps.map_or(self.fps, |(num, den)| (num.clamp(1, 1000), den.clamp(1, 1001)));
        let vbv_ms = rate.vbv_ms.filter(|&ms| ms > 0).unwrap_or(self.vbv_ms);
        Ok(Self { control, fps, vbv_ms, ..self.clone() })
    }

    /// The same at the quality of what came to rest; `None` without one.
    pub(crate) fn refined(&self) -> Option<Self> {
        self.refine.map(|quality| Self { control: Control::Quality(quality), ..self.clone() })
    }

    /// True when a running element can go over to `other`.
    pub(crate) fn can_become(&self, other: &Self, what: &Description) -> bool {
        let live = match (self.control, other.control) {
            // Frames are counted for a bit rate only: there, a frame rate is part of the pipeline.
            (Control::Quality(now), Control::Quality(then)) => now == then || what.quality.live,
            (Control::Bitrate(now), Control::Bitrate(then)) => {
                self.fps == other.fps && (what.live_bitrate || (now == then && self.vbv_ms == other.vbv_ms))
            }
            _ => false,
        };
        let same = Self {
            control: other.control,
            fps: other.fps,
            refine: other.refine,
            vbv_ms: other.vbv_ms,
            ignore_damage: other.ignore_damage,
            ..self.clone()
        };
        live && same == *other
    }

    /// True when the same properties follow from both.
    pub(crate) fn same_rate(&self, other: &Self) -> bool {
        self.control == other.control && self.vbv_ms == other.vbv_ms
    }

    /// A property's value with its places filled; `None` when the request leaves one open that has no value of its own.
    pub(crate) fn fill(&self, template: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, behind) = after.split_once('}')?;
            let (name, own) = place.split_once('|').map_or((place, None), |(name, own)| (name, Some(own)));
            out.push_str(before);
            match self.number(name) {
                Some(number) => out.push_str(&number.to_string()),
                None => out.push_str(own?),
            }
            rest = behind;
        }
        out.push_str(rest);
        Some(out)
    }

    fn number(&self, place: &str) -> Option<u64> {
        if let Some(quantiser) = place.strip_suffix("_255") {
            return self.number(quantiser).map(|number| (number * 255 / SCALE).min(255));
        }
        if let Some(quantiser) = place.strip_suffix("_63") {
            return self.number(quantiser).map(on_63);
        }
        let kbps = match self.control {
            Control::Bitrate(kbps) => Some(u64::from(kbps)),
            Control::Quality(_) => None,
        };
        let positive = |number: u32| (number > 0).then_some(u64::from(number));
        match place {
            "quality" => match self.control {
                Control::Quality(quality) => Some(u64::from(quality)),
                Control::Bitrate(_) => None,
            },
            "kbps" | "max_kbps" => kbps,
            "bps" | "max_bps" => kbps.map(|kbps| kbps * 1000),
            "vbv_ms" => Some(u64::from(self.vbv_ms)),
            "vbv_kbit" => kbps.map(|kbps| (kbps * u64::from(self.vbv_ms) / 1000).max(1)),
            "min_qp" => self.min_qp.map(u64::from),
            "max_qp" => self.max_qp.map(u64::from),
            "keyframes" => positive(self.keyframe_interval),
            "threads" => positive(self.threads),
            "fps" => Some(u64::from(self.fps.0.div_ceil(self.fps.1))),
            _ => None,
        }
    }
}

/// The quantiser of a scale of 63 that is about as coarse as this one of H.264's 51.
fn on_63(quantiser: u64) -> u64 {
    let behind = STEPS_63.partition_point(|&(from, _)| from <= quantiser).clamp(1, STEPS_63.len() - 1);
    let ((from, at), (to, then)) = (STEPS_63[behind - 1], STEPS_63[behind]);
    at + (then - at) * (quantiser - from) / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(control: Control) -> Request {
        Request {
            width: 640,
            height: 480,
            fourcc: abi::FOURCC_XRGB8888,
            fps: (60, 1),
            control,
            refine: None,
            vbv_ms: 100,
            min_qp: Some(3),
            max_qp: None,
            keyframe_interval: 0,
            threads: 2,
            ignore_damage: false,
        }
    }

    #[test]
    fn places_are_filled_or_left_open() {
        let bits = request(Control::Bitrate(4000));
        for (template, wanted) in [
            ("realtime", Some("realtime")),
            ("{kbps}", Some("4000")),
            ("{bps}", Some("4000000")),
            ("{vbv_kbit}", Some("400")),
            ("keyint={keyframes|-1}:qpmin={min_qp}", Some("keyint=-1:qpmin=3")),
            ("{max_qp|63}", Some("63")),
            ("{max_qp}", None),
            ("{quality}", None),
            ("{nonsense}", None),
            ("{kbps", None),
        ] {
            assert_eq!(bits.fill(template).as_deref(), wanted, "{template}");
        }
        assert_eq!(request(Control::Quality(25)).fill("{quality}").as_deref(), Some("25"));
        assert_eq!(request(Control::Quality(25)).fill("{kbps}"), None);
    }

    #[test]
    fn a_quality_is_spread_over_a_scale_that_ends_at_255() {
        for (quality, wanted) in [(1, "5"), (18, "90"), (25, "125"), (51, "255"), (60, "255")] {
            let request = request(Control::Quality(quality));
            assert_eq!(request.fill("{quality_255}").as_deref(), Some(wanted), "{quality}");
        }
        let bits = request(Control::Bitrate(4000));
        assert_eq!(bits.fill("{min_qp_255}").as_deref(), Some("15"));
        assert_eq!((bits.fill("{max_qp_255}"), bits.fill("{quality_255}")), (None, None));
    }

    #[test]
    fn a_quality_is_put_on_a_scale_of_63_by_the_step() {
        for (quality, wanted) in
            [(0, 1), (5, 2), (18, 8), (25, 21), (26, 23), (40, 50), (50, 61), (51, 63), (63, 63)]
        {
            let request = request(Control::Quality(quality));
            let wanted = wanted.to_string();
            assert_eq!(request.fill("{quality_63}").as_deref(), Some(wanted.as_str()), "{quality}");
        }
        let all: Vec<u64> = (0..=51).map(on_63).collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1] || pair[0] + 1 >= pair[1]), "{all:?}");
        assert!(all.is_sorted(), "{all:?}");
    }

    #[test]
    fn quantisers_up_to_255_are_offered_as_up_to_51() {
        for quality in [crate::nvcodec::QUALITY_AV1, crate::va::OPEN_QUALITY] {
            assert_eq!((quality.best, quality.worst), (1, 51));
            let worst = request(Control::Quality(quality.worst));
            let quantisers = quality.properties.iter().filter(|property| property.name.contains("qp"));
            for property in quantisers.clone() {
                assert_eq!(worst.fill(property.values[0]).as_deref(), Some("255"), "{property:?}");
            }
            assert!(quantisers.count() > 0);
        }
    }
}
