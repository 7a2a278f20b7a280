//! The plugins whose binaries are kept, and what each of them must do wherever it runs. See tests/abi/README.md.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use selkies_plugin_abi::{self as abi, Rect};
use selkies_plugin_host::{
    CaptureInstance, CaptureRequest, CaptureSignal, Damage, EncoderInstance, EncoderSettings, FaultClass,
    HostServices, MetricValue, Origin, Plugin, RateChange, SharedBuffer, SubmitOptions, VideoFrame,
    probe_encoder,
};

use super::sink::Sink;

type Failure = Box<dyn std::error::Error>;

/// The size of the pictures of every kept capture.
const SIZE: (u32, u32) = (32, 16);

/// The kept plugins, or those of `SELKIES_KEPT_PLUGINS` (scripts/asan.sh builds some with a sanitizer).
pub(crate) fn folders() -> Vec<PathBuf> {
    let folder = std::env::var_os("SELKIES_KEPT_PLUGINS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/abi/kept"));
    let here = format!("-{}-", std::env::consts::ARCH);
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of kept plugins")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(&here))
        .collect();
    folders.sort();
    for kind in ["c", "rust"] {
        let some = folders.iter().any(|path| path.to_string_lossy().ends_with(kind));
        assert!(some, "no kept plugin of kind {kind}");
    }
    folders
}

/// A copy, whose permissions do not depend on how this project was copied here.
pub(crate) fn copy(from: &Path) -> Result<tempfile::TempDir, Failure> {
    let to = tempfile::tempdir()?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let copy = to.path().join(path.file_name().ok_or("a file has a name")?);
        fs::copy(&path, &copy)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o644))?;
    }
    Ok(to)
}

/// What a plugin made: the pixels of its pictures, and its packets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pictures: Vec<Vec<u8>>,
    packets: Vec<Vec<u8>>,
}

/// Drives everything that a kept plugin offers, and checks what it does and that nothing is left of it.
pub(crate) fn drive(services: &HostServices, plugin: &Plugin) -> Result<Made, Failure> {
    let frames = drive_capture(services, plugin)?;
    let packets = drive_encoder(services, plugin, &frames)?;
    let picture = |frame: &VideoFrame| {
        let mut bytes = Vec::new();
        frame.visit_rows(|row| bytes.extend_from_slice(row)).map(|()| bytes)
    };
    let pictures = frames.iter().map(picture).collect::<Option<_>>().ok_or("pictures are not mapped")?;
    drop(frames);
    assert_eq!(plugin.left_out().count(), 0);
    assert_eq!(services.misbehaviours(plugin.id()), 0);
    assert_eq!(services.pool().used_bytes(), 0, "every slab went back");
    let metrics = services.metrics();
    let of = |wanted: &str| {
        let all = metrics.iter().flat_map(|plugin| &plugin.metrics);
        all.filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("frames"), [MetricValue::Counter(3)]);
    assert_eq!(of("quality"), [MetricValue::Gauge(33.0)]);
    Ok(Made { pictures, packets })
}

/// A size past the plugin's own limit, of which the host does not know, is refused in its own words.
pub(crate) fn drive_refusal(services: &HostServices, plugin: &Plugin) -> Result<String, Failure> {
    let origin = Origin { services, plugin, config_json: "{}" };
    let mut offer = probe_encoder(&origin)?.remove(0);
    offer.max_width = 8192;
    let settings = EncoderSettings::new(&offer, 5000, 16);
    let refused = EncoderInstance::create(&origin, &offer, settings, Arc::new(Sink::default()));
    let error = refused.expect_err("too wide");
    assert_eq!((error.class, error.text.is_empty()), (FaultClass::Reconfigure, false), "{error}");
    Ok(error.text)
}

/// What a packet must say: the frame's number, the sum of its bytes, the quality.
fn payload(frame_id: u64, value: u8, quality: u64) -> Vec<u8> {
    let sum = u64::from(SIZE.0) * u64::from(SIZE.1) * 4 * u64::from(value);
    [frame_id, sum, quality].iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Two pictures, waits that end, and a second instance with another configuration.
fn drive_capture(services: &HostServices, plugin: &Plugin) -> Result<Vec<VideoFrame>, Failure> {
    let origin = Origin { services, plugin, config_json: r#"{"first": 200}"# };
    let mut capture = CaptureInstance::create(&origin)?;
    let info = capture.info()?;
    assert_eq!((info.width, info.height, info.fourcc), (SIZE.0, SIZE.1, abi::FOURCC_XRGB8888));
    let area = Rect { x: 0, y: 0, width: SIZE.0, height: SIZE.1 };
    let buffer = || SharedBuffer::new(SIZE.0, SIZE.1, info.fourcc, 64);
    let request = CaptureRequest { area, output: String::new(), buffers: vec![buffer()?, buffer()?] };
    let mut running = capture.start(request).map_err(|failure| failure.error)?;
    assert_eq!(running.wait(None)?, CaptureSignal::Damage);
    let first = running.grab(0, &[])?;
    assert_eq!(first.damage(), &Damage::Full);
    assert_eq!(running.wait(Some(Duration::ZERO))?, CaptureSignal::Nothing);
    let waker = running.waker();
    let waking = std::thread::spawn(move || waker.wake());
    assert_eq!(running.wait(None)?, CaptureSignal::Nothing, "woken");
    waking.join().map_err(|_| "the waker's thread panicked")?;
    let second = running.grab(1, &[area])?;
    assert!(first.timestamp_ns() > 0 && second.timestamp_ns() >= first.timestamp_ns());

    let mut other = CaptureInstance::create(&Origin { config_json: "{}", ..origin })?;
    assert_eq!(other.info()?.width, SIZE.0);
    let outside = Rect { x: 1, ..area };
    let request = CaptureRequest { area: outside, output: String::new(), buffers: vec![buffer()?] };
    assert!(other.start(request).is_err(), "outside of the source");
    running.stop().map_err(|failure| failure.error)?;
    Ok(vec![first, second])
}

/// A packet for each frame, with each way to change the quality.
fn drive_encoder(
    services: &HostServices,
    plugin: &Plugin,
    frames: &[VideoFrame],
) -> Result<Vec<Vec<u8>>, Failure> {
    let origin = Origin { services, plugin, config_json: "{}" };
    let offers = probe_encoder(&origin)?;
    assert_eq!((offers.len(), offers[0].name.as_str(), offers[0].codec), (1, "kept", abi::CODEC_NULL));
    let sink = Arc::new(Sink::default());
    let settings = EncoderSettings { quality: 11, ..EncoderSettings::new(&offers[0], SIZE.0, SIZE.1) };
    let made = EncoderInstance::create(&origin, &offers[0], settings.clone(), Arc::clone(&sink) as _);
    let mut made = made?;
    made.submit(&frames[0], 1, &SubmitOptions { keyframe: true, ..Default::default() })?;
    made.configure(EncoderSettings { quality: 22, ..settings })?;
    made.submit(&frames[1], 2, &SubmitOptions::default())?;
    assert!(made.set_rate(RateChange { quality: Some(33), ..Default::default() })?);
    made.submit(&frames[1], 3, &SubmitOptions { deadline_ns: Some(u64::MAX), ..Default::default() })?;
    made.drain()?;
    drop(made);
    let packets = sink.packets.lock().unwrap();
    let payloads: Vec<Vec<u8>> = packets.iter().map(|packet| packet.data.payload().to_vec()).collect();
    assert_eq!(payloads, [payload(1, 200, 11), payload(2, 201, 22), payload(3, 201, 33)]);
    assert!(packets.iter().all(|packet| packet.info.is_key() && packet.info.area.width == SIZE.0));
    assert_eq!(packets[0].info.timestamp_ns, frames[0].timestamp_ns());
    let done = sink.done.lock().unwrap();
    assert_eq!(
        done.iter().map(|done| (done.frame_id, done.outcome.is_ok())).collect::<Vec<_>>(),
        [(1, true), (2, true), (3, true)]
    );
    Ok(payloads)
}
