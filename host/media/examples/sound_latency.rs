//! How long a sample of sound is on its way from the sound server to a packet: p50, p95 and p99 over ten seconds.
//!
//! `cargo run --release -p selkies-media --example sound_latency -- dist/plugins [PACKET_MS]`, beside a PulseAudio that plays
//! something. The time of a packet's first sample is the server's word (with what the device and the server kept it for); a packet
//! cannot be younger than it is long, nor than its encoder's lookahead.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use selkies_config::SoundSettings;
use selkies_media::{
    Backend, FaultVerdict, Observer, PluginFault, Sound, SoundPacket, SoundParts, SoundSink, SoundState,
};
use selkies_plugin_host::{HostServices, Inventory, Policy, SlabPool, now_ns};
use selkies_session::{ClipboardContent, Codec, Codecs, CursorShape};

#[derive(Default)]
struct Ages(Mutex<Vec<u64>>);

impl SoundSink for Ages {
    fn packet(&self, packet: &SoundPacket) {
        let age = now_ns().saturating_sub(packet.timestamp_ns);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(age);
    }

    fn state(&self, state: &SoundState) {
        println!("{state:?}");
    }
}

impl Observer for Ages {
    fn cursor(&self, _: CursorShape) {}
    fn display(&self, _: u32, _: u32) {}
    fn video_failed(&self, _: &str) {}
    fn video_recovered(&self) {}
    fn rumble(&self, _: u8, _: u16, _: u16, _: u32) {}
    fn clipboard(&self, _: Option<ClipboardContent>) {}
    fn plugin_fault(&self, _: &PluginFault) -> FaultVerdict {
        FaultVerdict::Again
    }
    fn encoder_used(&self, _: &str, _: Option<Codec>, _: bool, _: Option<Codecs>) {}
    fn encoder_replaced(&self, _: &str, _: &str) {}
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "dist/plugins".into()));
    let packet_ms: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10.0);
    match measure(&[folder], packet_ms) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn measure(folders: &[PathBuf], packet_ms: f64) -> Result<(), String> {
    let inventory = Inventory::scan(folders, Policy::default());
    let services = HostServices::new(SlabPool::default());
    let backend = |id: &str| -> Result<Backend, String> {
        let plugin = inventory.start(&services, id).map_err(|error| error.to_string())?;
        Ok(Backend { plugin, config: "{}".into() })
    };
    let ages: Arc<Ages> = Arc::default();
    let duration_us = (packet_ms * 1000.0) as u32;
    let settings = SoundSettings { devices: vec![String::new()], channels: 2, duration_us, bitrate: 128_000 };
    let sound = Sound::start(SoundParts {
        capture: backend("selkies.pulse")?,
        encoder: backend("selkies.opus")?,
        services: services.clone(),
        settings,
        sink: ages.clone(),
        observer: ages.clone(),
    })
    .map_err(|error| error.to_string())?;
    sound.set_wanted(true);
    // What is measured is a stream that runs, not its start.
    thread::sleep(Duration::from_secs(1));
    ages.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    thread::sleep(Duration::from_secs(10));
    let mut ages = std::mem::take(&mut *ages.0.lock().unwrap_or_else(PoisonError::into_inner));
    ages.sort_unstable();
    let Some(last) = ages.len().checked_sub(1) else { return Err("there was no sound".into()) };
    let at = |share: f64| ages[(last as f64 * share) as usize] as f64 / 1e6;
    println!(
        "{} packets of {packet_ms} ms: p50 {:.2}, p95 {:.2}, p99 {:.2} ms from the first sample to the packet",
        ages.len(),
        at(0.5),
        at(0.95),
        at(0.99)
    );
    Ok(())
}
