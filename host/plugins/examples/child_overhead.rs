//! What a child costs per frame: `cargo run --release -p selkies-plugin-host --example child_overhead`.
//!
//! The same encoder, which does nothing (tests/c/null.c, compiled with gcc), gets 1080p frames in this process and in a
//! child, which is this program again. Prints microseconds per frame, from `submit` to its return with packet and `done`:
//! median, 99th percentile, and how much the child adds in parts of a frame at 60 Hz. Exits with 1 when it adds more than
//! 50 us in the median or 200 us at the 99th percentile.

use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, ExitCode},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use selkies_plugin_abi as abi;
use selkies_plugin_host::{
    CHILD_ARGUMENT, Damage, EncodedPacket, EncoderInstance, EncoderSettings, EncoderSink, FrameFinished,
    HostServices, Inventory, IsolationRules, Origin, Policy, SharedBuffer, SubmitOptions, VideoFrame,
    probe_encoder,
};

const FRAMES: usize = 20_000;
const WARM_UP: usize = 500;
/// Microseconds that a child may add: median and 99th percentile.
const LIMITS: (f64, f64) = (50.0, 200.0);
/// Microseconds of a frame at 60 Hz.
const FRAME: f64 = 1e6 / 60.0;

const MANIFEST: &str = r#"{"id":"bench.null","name":"Null","version":"1.0.0","vendor":"Benches","license":"MIT","library":"plugin.so","interfaces":["selkies.encoder/1"],"kinds":["encoder"]}"#;

#[derive(Default)]
struct Sink {
    packets: Mutex<Vec<EncodedPacket>>,
    done: Mutex<u64>,
}

impl EncoderSink for Sink {
    fn packet(&self, packet: EncodedPacket) {
        if let Ok(mut packets) = self.packets.lock() {
            packets.push(packet);
        }
    }

    fn done(&self, done: FrameFinished) {
        if let Ok(mut newest) = self.done.lock() {
            *newest = done.frame_id;
        }
    }
}

fn compile(folder: &Path) -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    fs::write(folder.join("selkies-plugin.json"), MANIFEST)?;
    fs::write(folder.join("manifest.h"), format!("#define MANIFEST {MANIFEST:?}\n"))?;
    let status = Command::new("gcc")
        .args(["-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-shared", "-o"])
        .arg(folder.join("plugin.so"))
        .arg(here.join("tests/c/null.c"))
        .arg("-I")
        .arg(here.join("../../plugin-api/include"))
        .arg("-I")
        .arg(folder)
        .status()?;
    if status.success() { Ok(()) } else { Err("gcc failed".into()) }
}

/// Microseconds of each frame, sorted.
fn measure(folder: &Path, in_process: bool) -> Result<Vec<f64>, Box<dyn Error>> {
    let patterns = if in_process { vec!["*".to_owned()] } else { Vec::new() };
    let isolation = IsolationRules { in_process: patterns, ..IsolationRules::default() };
    let inventory = Inventory::scan(&[folder.to_owned()], Policy { isolation, ..Policy::default() });
    let services = HostServices::default();
    let plugin = inventory.start(&services, "bench.null")?;
    let origin = Origin { services: &services, plugin: &plugin, config_json: "{}" };
    let offer = probe_encoder(&origin)?.pop().ok_or("no offer")?;
    let sink = Arc::new(Sink::default());
    let settings = EncoderSettings::new(&offer, 1920, 1080);
    let color = settings.color;
    let mut encoder = EncoderInstance::create(&origin, &offer, settings, Arc::clone(&sink) as _)?;
    let buffer = SharedBuffer::new(1920, 1080, abi::FOURCC_XRGB8888, 64)?;
    let damage = Damage::Rects(vec![abi::Rect { x: 8, y: 8, width: 640, height: 480 }]);
    let mut times = Vec::with_capacity(FRAMES);
    for number in 0..WARM_UP + FRAMES {
        let frame = VideoFrame::in_buffer(buffer.lend(), color, 1, damage.clone());
        let id = number as u64 + 1;
        let begin = Instant::now();
        encoder.submit(&frame, id, &SubmitOptions::default())?;
        let took = begin.elapsed();
        let packets = sink.packets.lock().map_err(|_| "poisoned")?.split_off(0);
        if packets.len() != 1 || sink.done.lock().is_ok_and(|done| *done != id) {
            return Err("a frame was not encoded".into());
        }
        if number >= WARM_UP {
            times.push(took.as_secs_f64() * 1e6);
        }
        // As in a stream, where host and child sleep between frames; a shorter pause keeps the measurement short.
        if number % 4 == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::args_os().nth(1).is_some_and(|first| first == CHILD_ARGUMENT) {
        return Ok(selkies_plugin_host::child::run());
    }
    let folder = tempfile::tempdir()?;
    compile(folder.path())?;
    let (here, child) = (measure(folder.path(), true)?, measure(folder.path(), false)?);
    let at = |times: &[f64], part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!("{:<12} {:>9} {:>9} {:>9}", "frame", "p50 us", "p99 us", "p99.9 us");
    for (name, times) in [("in process", &here), ("in a child", &child)] {
        println!("{name:<12} {:>9.2} {:>9.2} {:>9.2}", at(times, 0.5), at(times, 0.99), at(times, 0.999));
    }
    let added = |part| at(&child, part) - at(&here, part);
    let (median, tail) = (added(0.5), added(0.99));
    println!("child adds   {median:>9.2} {tail:>9.2} {:>9.2}", added(0.999));
    println!(
        "of a frame at 60 Hz: {:.2} % in the median, {:.2} % at p99",
        median / FRAME * 100.0,
        tail / FRAME * 100.0
    );
    println!(
        "child / in process: {:.1} in the median, {:.1} at p99",
        at(&child, 0.5) / at(&here, 0.5),
        at(&child, 0.99) / at(&here, 0.99)
    );
    if median > LIMITS.0 || tail > LIMITS.1 {
        println!("a child adds more than {} us in the median or {} us at p99", LIMITS.0, LIMITS.1);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
