//! The rules that hold for every encoder of this family.

use std::time::Duration;

use gstreamer::prelude::*;
use selkies_plugin_sdk::{
    Rate, abi, schemars,
    test_host::{CommittedPacket, Failure, Metric, TestEncoder, TestHost, TestPicture, compare_manifest},
};

use super::{Decoder, Scene, documented::knows};
use crate::{
    Description, Family, GstEncoder, Library, Property, Tuning, properties::takes, request::Request,
};

/// How long a frame may take on a machine that is busy.
const PATIENT: Duration = Duration::from_secs(20);
/// The least luma and chroma PSNR of a picture in the middle of the scale, in dB: right pictures, and none with other
/// colours or edges.
const LEAST: (f64, f64) = (28.0, 28.0);

/// An encoder and what came out of it.
#[derive(Debug)]
pub struct Stream {
    host: TestHost,
    encoder: TestEncoder,
}

fn params(what: &Description, width: u32, height: u32) -> abi::EncoderParams {
    let quality = what.quality.best.midpoint(what.quality.worst);
    abi::EncoderParams { quality, ..TestEncoder::params(what.codec, width, height) }
}

impl Stream {
    /// # Errors
    /// When there is no encoder.
    pub fn new<F: Family>(config: &str, params: &abi::EncoderParams) -> Result<Self, Failure> {
        let host = TestHost::new();
        let mut encoder = TestEncoder::of::<GstEncoder<F>>(&host, config, F::DESCRIPTION.name, params)?;
        encoder.allow_retained(1);
        Ok(Self { host, encoder })
    }

    /// The packets of a picture.
    ///
    /// # Panics
    /// When it fails or takes too long.
    pub fn submit(&mut self, picture: &TestPicture) -> Vec<CommittedPacket> {
        let id = self.encoder.submit(picture).expect("the picture is taken");
        let done = self.host.wait_done(id, PATIENT).expect("it is done in time");
        done.outcome.expect("it is encoded");
        self.host.take_packets()
    }

    fn rest(mut self) {
        self.encoder.drain().expect("it drains");
        assert_eq!((self.host.slabs_out(), self.host.retained()), (0, 0));
        let Self { host, encoder } = self;
        drop(encoder);
        assert_eq!(host.misuse(), Vec::<String>::new());
    }
}

/// Tries an encoder that is on this machine.
///
/// # Panics
/// When a rule is broken.
pub fn encodes<F: Family>(decoder: Decoder) {
    let what = F::DESCRIPTION;
    let host = TestHost::new();
    let offers = TestEncoder::probe::<GstEncoder<F>>(&host, "{}").expect("it works here");
    assert_eq!(offers.iter().map(|offer| offer.name.as_str()).collect::<Vec<_>>(), [what.name]);
    pictures::<F>(decoder, (320, 200));
    pictures::<F>(decoder, (319, 201));
    rests::<F>();
    refines::<F>(decoder);
    rates::<F>();
    refuses::<F>();
}

/// Every picture becomes one packet at once, which decodes to it; keyframes come first and when asked for.
fn pictures<F: Family>(decoder: Decoder, (width, height): (u32, u32)) {
    let what = F::DESCRIPTION;
    let mut stream = Stream::new::<F>("{}", &params(what, width, height)).expect("an encoder");
    let scenes: Vec<Scene> =
        (0..8).map(|step| Scene { width, height, at: (20 + step * 11, 30 + step * 5), noise: 0 }).collect();
    let mut packets: Vec<CommittedPacket> = Vec::new();
    for (index, scene) in scenes.iter().enumerate() {
        let flags = if index == 5 { abi::SUBMIT_KEYFRAME } else { 0 };
        let made = stream.submit(&TestPicture { flags, ..scene.picture() });
        assert_eq!(made.len(), 1, "picture {index}");
        let info = made[0].info;
        assert_eq!(info.flags & abi::PACKET_KEY != 0, index == 0 || index == 5, "picture {index}");
        assert_eq!((info.codec, info.area), (what.codec, abi::Rect { x: 0, y: 0, width, height }));
        packets.extend(made);
    }
    let conversions = stream.host.metrics();
    let of_colours =
        |metric: &Metric| matches!(metric, Metric::Observation(name, _) if name == "convert_seconds");
    assert_eq!(
        (conversions.len(), conversions.iter().all(of_colours)),
        (scenes.len(), true),
        "{conversions:?}"
    );
    stream.rest();
    let bytes: Vec<Vec<u8>> = packets.into_iter().map(|packet| packet.payload).collect();
    // The whole stream, and what a newcomer sees of it.
    for first in [0, 5] {
        let decoded = decoder.decode(&bytes[first..]);
        assert_eq!(decoded.len(), bytes.len() - first);
        for (scene, decoded) in scenes[first..].iter().zip(&decoded) {
            assert!(
                decoded.width.abs_diff(width) <= 1 && decoded.height.abs_diff(height) <= 1,
                "{decoded:?}"
            );
            let (luma, chroma) = scene.likeness(decoded, what.colorimetry == "bt601");
            assert!(
                luma > LEAST.0 && chroma > LEAST.1,
                "luma {luma:.1} dB, chroma {chroma:.1} dB, from {first}"
            );
        }
    }
}

/// What did not change makes no packet, unless it is asked for.
fn rests<F: Family>() {
    let scene = Scene { width: 160, height: 128, at: (20, 20), noise: 0 };
    let mut stream = Stream::new::<F>("{}", &params(F::DESCRIPTION, 160, 128)).expect("an encoder");
    let still = TestPicture { damage: Some(Vec::new()), ..scene.picture() };
    assert_eq!(stream.submit(&still).len(), 1, "the first");
    assert_eq!(stream.submit(&still).len(), 0);
    assert_eq!(stream.submit(&TestPicture { flags: abi::SUBMIT_KEYFRAME, ..still.clone() }).len(), 1);
    assert_eq!(stream.submit(&scene.picture()).len(), 1);
    stream.rest();
}

/// What rests is shown finer, once, where a quality takes effect while the element runs; and coarse again when it moves.
fn refines<F: Family>(decoder: Decoder) {
    let what = F::DESCRIPTION;
    let (width, height) = (320, 192);
    let scene = |x| Scene { width, height, at: (x, 40), noise: 40 };
    let coarse = what.quality.best + (what.quality.worst - what.quality.best) * 3 / 4;
    let params = abi::EncoderParams {
        quality: coarse,
        refine_quality: what.quality.best + 8,
        ..params(what, width, height)
    };
    let mut stream = Stream::new::<F>("{}", &params).expect("an encoder");
    let mut packets = stream.submit(&scene(20).picture());
    packets.extend(stream.submit(&scene(30).picture()));
    let still = TestPicture { damage: Some(Vec::new()), flags: abi::SUBMIT_REFINE, ..scene(30).picture() };
    let finer = stream.submit(&still);
    assert_eq!(finer.len(), usize::from(what.quality.live));
    if !what.quality.live {
        return stream.rest();
    }
    assert_eq!(finer[0].info.flags & (abi::PACKET_REFINEMENT | abi::PACKET_KEY), abi::PACKET_REFINEMENT);
    packets.extend(finer);
    assert_eq!(stream.submit(&still).len(), 0, "once is enough");
    packets.extend(stream.submit(&scene(40).picture()));
    stream.rest();
    let bytes: Vec<Vec<u8>> = packets.into_iter().map(|packet| packet.payload).collect();
    let decoded = decoder.decode(&bytes);
    let likeness = |at: usize, x| scene(x).likeness(&decoded[at], what.colorimetry == "bt601").0;
    let (moving, resting) = (likeness(1, 30), likeness(2, 30));
    assert!(resting > moving + 2.0, "{moving:.1} dB in motion, {resting:.1} dB at rest");
    assert!(
        bytes[3].len() < bytes[2].len(),
        "{} bytes in motion, {} at rest",
        bytes[3].len(),
        bytes[2].len()
    );
}

/// Bytes of some frames that all differ.
fn weight(stream: &mut Stream, frames: u32) -> usize {
    let scene =
        |step: u32| Scene { width: 320, height: 240, at: (step * 37 % 250, step * 23 % 190), noise: 120 };
    let submit =
        |step| stream.submit(&scene(step).picture()).iter().map(|packet| packet.payload.len()).sum::<usize>();
    (0..frames).map(submit).sum()
}

/// A quality and a bit rate change the bytes, while it runs where the description says so.
fn rates<F: Family>() {
    let what = F::DESCRIPTION;
    let (best, worst) = (what.quality.best, what.quality.worst);
    let at = |share: u32| best + (worst - best) * share / 100;
    let fine = abi::EncoderParams { quality: at(20), ..params(what, 320, 240) };
    let mut stream = Stream::new::<F>("{}", &fine).expect("an encoder");
    let many = weight(&mut stream, 20);
    let coarse = Rate { quality: Some(at(80)), ..Rate::default() };
    match stream.encoder.set_rate::<GstEncoder<F>>(coarse) {
        Ok(()) => assert!(what.quality.live),
        Err(error) => {
            assert_eq!(error.class(), abi::CLASS_RECONFIGURE, "{error}");
            assert!(!what.quality.live, "{error}");
            stream.rest();
            let coarse = abi::EncoderParams { quality: at(80), ..fine };
            stream = Stream::new::<F>("{}", &coarse).expect("an encoder");
        }
    }
    let few = weight(&mut stream, 20);
    assert!(few * 2 < many, "{few} bytes at {}, {many} at {}", at(80), at(20));
    stream.rest();

    let wide = abi::EncoderParams { rate: abi::RATE_CBR, bitrate_kbps: 6000, ..params(what, 320, 240) };
    let mut stream = Stream::new::<F>("{}", &wide).expect("an encoder");
    let many = weight(&mut stream, 60);
    let narrow = Rate { bitrate_kbps: Some(300), ..Rate::default() };
    match stream.encoder.set_rate::<GstEncoder<F>>(narrow) {
        Ok(()) => assert!(what.live_bitrate),
        Err(error) => {
            assert_eq!(error.class(), abi::CLASS_RECONFIGURE, "{error}");
            assert!(!what.live_bitrate, "{error}");
            stream.rest();
            let narrow = abi::EncoderParams { bitrate_kbps: 300, ..wide };
            stream = Stream::new::<F>("{}", &narrow).expect("an encoder");
        }
    }
    let few = weight(&mut stream, 60);
    assert!(few * 2 < many, "{few} bytes at 300 kbit/s, {many} at 6000");
    // A second of 60 frames at 6000 kbit/s.
    assert!(many < 1_500_000, "{many} bytes at 6000 kbit/s");
    stream.rest();
}

/// A picture that an operator's `config` makes the element drop is answered with an error, so that what changed in it is
/// not lost.
///
/// # Panics
/// When it is not, or none is dropped.
pub fn drops<F: Family>(config: &str) {
    let narrow =
        abi::EncoderParams { rate: abi::RATE_CBR, bitrate_kbps: 10, ..params(F::DESCRIPTION, 320, 240) };
    let mut stream = Stream::new::<F>(config, &narrow).expect("an encoder");
    let mut dropped = 0;
    for step in 0..60 {
        let scene = Scene { width: 320, height: 240, at: (step * 3, step * 2), noise: 120 };
        let id = stream.encoder.submit(&scene.picture()).expect("the picture is taken");
        let outcome = stream.host.wait_done(id, PATIENT).expect("it is done in time").outcome;
        let packets = stream.host.take_packets();
        match outcome {
            Ok(_) => assert_eq!(packets.len(), 1, "picture {step}"),
            Err(error) => {
                assert_eq!((error.class(), packets.len()), (abi::CLASS_RETRY, 0), "{error}");
                dropped += 1;
            }
        }
    }
    assert!(dropped > 0, "nothing was dropped");
    stream.rest();
}

/// What was not offered is refused, and an operator's mistake is named.
fn refuses<F: Family>() {
    let what = F::DESCRIPTION;
    let fits = params(what, 320, 240);
    for wrong in [
        abi::EncoderParams { chroma: abi::CHROMA_444, ..fits },
        abi::EncoderParams { bit_depth: 10, ..fits },
        abi::EncoderParams { quality: what.quality.worst + 1, ..fits },
        abi::EncoderParams { rate: abi::RATE_CBR, bitrate_kbps: 0, ..fits },
        abi::EncoderParams { width: what.max_size.0 + 2, ..fits },
    ] {
        let error = Stream::new::<F>("{}", &wrong).expect_err("it is refused");
        assert_eq!(
            (error.class(), error.detail()),
            (abi::CLASS_RECONFIGURE, abi::DETAIL_UNSUPPORTED),
            "{error}"
        );
    }
    let error =
        Stream::new::<F>(r#"{"properties": {"no-such-property": "1"}}"#, &fits).expect_err("it is refused");
    assert_eq!(error.detail(), abi::DETAIL_CONFIG);
    assert!(error.text.contains("no-such-property"), "{error}");
    let mut stream = Stream::new::<F>("{}", &fits).expect("an encoder");
    let error = stream.encoder.submit(&TestPicture::bgrx(64, 64)).expect_err("another size");
    assert_eq!(error.class(), abi::CLASS_RECONFIGURE, "{error}");
    assert_eq!(stream.submit(&Scene { width: 320, height: 240, at: (0, 0), noise: 0 }.picture()).len(), 1);
    stream.rest();
}

/// Tries an encoder whose element or device may not be here: it works, or says what is missing and what brings it.
///
/// # Panics
/// When it does neither.
pub fn absent<F: Family>(decoder: Decoder) {
    let host = TestHost::new();
    let offers = TestEncoder::probe::<GstEncoder<F>>(&host, "{}").expect("a missing device is no failure");
    if !offers.is_empty() {
        return encodes::<F>(decoder);
    }
    let (what, said) = (F::DESCRIPTION, host.failures());
    let [reason] = &said[..] else { panic!("{said:?}") };
    assert_eq!(reason.class(), abi::CLASS_DEVICE_LOST, "{reason}");
    assert!(reason.text.contains(what.elements[0]) && reason.text.contains(what.source), "{reason}");
}

/// The element on this machine has every property that its description sets and that its version should have, and takes
/// the values. For one that is not here, its source must know the names.
///
/// # Panics
/// When it has not.
pub fn properties<F: Family>() {
    let what = F::DESCRIPTION;
    let library = Library::start().expect("GStreamer");
    let Ok(factory) = library.encoder(what, &Tuning::default()) else {
        // Nobody can ask it: its source must know them, under this name or the one that stands for it.
        for property in what.properties() {
            let known = [property.name, property.instead].map(|name| knows(what.elements[0], name));
            assert!(known.contains(&Some(true)), "{}: the source has no {}", what.elements[0], property.name);
        }
        return;
    };
    let element = factory.create().build().expect("an element");
    let quality = Request::trial(what, 256);
    let bits = quality.with_bitrate(2000);
    let expected = |property: &&Property| {
        property.since <= library.version()
            && !property.conditional
            && (property.instead.is_empty() || element.find_property(property.instead).is_none())
    };
    for property in what.properties().filter(expected) {
        assert!(
            element.find_property(property.name).is_some(),
            "{} has no {}",
            factory.name(),
            property.name
        );
        let texts = property.values.iter().filter_map(|text| quality.fill(text).or_else(|| bits.fill(text)));
        let taken: Vec<String> = texts.filter(|text| takes(&element, property.name, text)).collect();
        let open =
            property.values.iter().all(|text| quality.fill(text).or_else(|| bits.fill(text)).is_none());
        assert!(open || !taken.is_empty(), "{} takes none of {property:?}", factory.name());
    }
}

/// The manifest in `folder` says what the code says. `SELKIES_BLESS=1` rewrites its schema.
///
/// # Panics
/// When it does not.
pub fn manifest<C: schemars::JsonSchema>(folder: &str, version: &str) {
    assert_eq!(compare_manifest::<C>(folder, version), Ok(()));
}
