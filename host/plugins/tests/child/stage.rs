//! A plugin in a child, or in this process, and an encoder of it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use selkies_plugin_abi as abi;
use selkies_plugin_host::SlabPool;
use selkies_plugin_host::{
    ChildOptions, Damage, Deadlines, EncodedPacket, EncoderInstance, EncoderOffer, EncoderSettings,
    EncoderSink, FrameFinished, HostServices, Inventory, IsolationRules, Origin, Placement, Plugin,
    PluginError, Policy, SharedBuffer, SubmitOptions, VideoFrame, probe_encoder,
};

pub(crate) use crate::support::Outcome;
use crate::support::PluginFolder;

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Longer than anything takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is true.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let limit = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Runs a test again in a process with nothing else to do. True in that process.
pub(crate) fn alone(test: &str) -> Result<bool, Failure> {
    const MARK: &str = "TEST_CHILD_ALONE";
    if std::env::var_os(MARK).is_some() {
        return Ok(true);
    }
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
    Ok(false)
}

/// Size of the frames.
pub(crate) const SIZE: (u32, u32) = (320, 192);

/// Deadlines that nothing but a hang meets, however loaded the machine is.
pub(crate) const GENEROUS: Deadlines =
    Deadlines { start_up: PATIENCE, call: PATIENCE, first_frame: PATIENCE, frame: PATIENCE };

/// An example of this crate. Cargo builds examples before tests, into the folder beside the test's own.
pub(crate) fn example(name: &str) -> Result<PathBuf, Failure> {
    let test = std::env::current_exe()?;
    let profile = test.ancestors().nth(2).ok_or("no folder of the profile")?;
    Ok(profile.join("examples").join(name))
}

/// How children are started: `plugin_child`, or `rogue` with what it is to do.
pub(crate) fn children(rogue: Option<&str>, deadlines: Deadlines) -> Result<ChildOptions, Failure> {
    Ok(match rogue {
        None => ChildOptions { program: example("plugin_child")?, arguments: Vec::new(), deadlines },
        Some(act) => ChildOptions { program: example("rogue")?, arguments: vec![act.into()], deadlines },
    })
}

/// Children whose host finds `swapper` in between: it puts `new` in the place of `old` when a plugin is to be loaded.
pub(crate) fn swapped(new: &Path, old: &Path) -> Result<ChildOptions, Failure> {
    let arguments = vec![example("plugin_child")?.into(), new.into(), old.into()];
    Ok(ChildOptions { program: example("swapper")?, arguments, deadlines: GENEROUS })
}

/// Rules that send every plugin to a child.
pub(crate) fn in_children(children: ChildOptions) -> Policy {
    let isolation = IsolationRules { in_process: Vec::new(), children, ..IsolationRules::default() };
    Policy { isolation, ..Policy::default() }
}

/// The plugin of tests/faulty with this name, in a folder of its own.
pub(crate) fn faulty(name: &str) -> Result<PluginFolder, Failure> {
    let (sources, file) = (root().join("tests/faulty"), format!("{}.c", name.replace('-', "_")));
    let source = sources.join(&file);
    faulty_of(name, &if source.exists() { source } else { sources.join("timing").join(file) })
}

/// The encoder of tests/faulty/encoder.h that does this in `create`.
pub(crate) fn faulty_in_create(name: &str, statement: &str) -> Result<PluginFolder, Failure> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source.c");
    let encoder = root().join("tests/faulty/encoder.h");
    let text = format!(
        "#include <stdlib.h>\n#define AFTER 0\n#define IN_CREATE(encoder) {statement}\n#include {encoder:?}\n"
    );
    fs::write(&source, text)?;
    faulty_of(name, &source)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn faulty_of(name: &str, source: &Path) -> Result<PluginFolder, Failure> {
    let mut folder = PluginFolder::new(&format!("faulty.{name}"))?;
    folder.manifest["interfaces"] = serde_json::json!(["selkies.encoder/1"]);
    if let Some(manifest) = folder.manifest.as_object_mut() {
        manifest.remove("config_schema");
        manifest.remove("isolation");
    }
    folder.write_manifest()?;
    let text = serde_json::Value::String(folder.manifest.to_string());
    fs::write(folder.path().join("manifest.inc"), text.to_string())?;
    compile(&folder, source)?;
    Ok(folder)
}

/// The plugin of tests/faulty/panic, which cargo built for this test: its library lies beside the test.
pub(crate) fn panicking() -> Result<tempfile::TempDir, Failure> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faulty/panic/selkies-plugin.json");
    fs::copy(manifest, folder.path().join("selkies-plugin.json"))?;
    let name = "libselkies_faulty_panic.so";
    fs::copy(std::env::current_exe()?.with_file_name(name), folder.path().join(name))?;
    for entry in fs::read_dir(&folder)? {
        fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o644))?;
    }
    Ok(folder)
}

/// The plugin of tests/c/later.c.
pub(crate) fn later() -> Result<PluginFolder, Failure> {
    let mut folder = PluginFolder::new("test.later")?;
    folder.manifest["interfaces"] = serde_json::json!(["selkies.encoder/1"]);
    folder.write_manifest()?;
    let text = serde_json::Value::String(folder.manifest.to_string());
    fs::write(folder.path().join("manifest.h"), format!("#define MANIFEST {text}\n"))?;
    compile(&folder, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/later.c"))?;
    Ok(folder)
}

/// The plugin of tests/c/desktop.c.
pub(crate) fn desktop() -> Result<PluginFolder, Failure> {
    of_c("desktop", &["capture", "display", "cursor", "clipboard", "input", "gamepad", "rtc-config"])
}

/// The plugin of tests/c/sound.c.
pub(crate) fn sound() -> Result<PluginFolder, Failure> {
    of_c("sound", &["audio-capture", "audio-encoder", "audio-sink"])
}

/// The plugin of tests/c with this name and these tables.
fn of_c(name: &str, tables: &[&str]) -> Result<PluginFolder, Failure> {
    let mut folder = PluginFolder::new(&format!("test.{name}"))?;
    let interfaces: Vec<String> = tables.iter().map(|table| format!("selkies.{table}/1")).collect();
    folder.manifest["interfaces"] = interfaces.into();
    folder.manifest["kinds"] = tables.to_vec().into();
    folder.write_manifest()?;
    let text = serde_json::Value::String(folder.manifest.to_string());
    fs::write(folder.path().join("manifest.h"), format!("#define MANIFEST {text}\n"))?;
    compile(&folder, &Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/c/{name}.c")))?;
    Ok(folder)
}

/// The plugin whose binary was kept, built anew from its source (tests/abi/source).
pub(crate) fn kept() -> Result<PluginFolder, Failure> {
    let mut folder = PluginFolder::new("test.kept")?;
    folder.manifest["interfaces"] = ["selkies.capture/1", "selkies.encoder/1"].to_vec().into();
    folder.manifest["kinds"] = ["capture", "encoder"].to_vec().into();
    if let Some(manifest) = folder.manifest.as_object_mut() {
        manifest.remove("config_schema");
    }
    folder.write_manifest()?;
    let text = serde_json::Value::String(folder.manifest.to_string());
    fs::write(folder.path().join("manifest.h"), format!("#define MANIFEST {text}\n"))?;
    fs::write(folder.path().join("manifest.inc"), text.to_string())?;
    compile(&folder, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/abi/source/c/kept.c"))?;
    Ok(folder)
}

fn compile(folder: &PluginFolder, source: &Path) -> Outcome {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-api/include");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-O1", "-Wno-empty-body", "-fPIC", "-fvisibility=hidden", "-shared"]);
    gcc.arg("-I").arg(&include).arg("-I").arg(folder.path()).arg(source);
    gcc.arg("-I").arg(include.join("../../tests/faulty"));
    gcc.arg("-o").arg(folder.library()).args(["-pthread", "-lm"]);
    let output = gcc.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    fs::set_permissions(folder.library(), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// What arrived.
#[derive(Default)]
pub(crate) struct Sink {
    arrived: Mutex<(Vec<EncodedPacket>, Vec<FrameFinished>)>,
    changed: Condvar,
}

impl Sink {
    pub(crate) fn packets(&self) -> Vec<EncodedPacket> {
        std::mem::take(&mut self.arrived.lock().unwrap().0)
    }

    pub(crate) fn done(&self) -> Vec<FrameFinished> {
        std::mem::take(&mut self.arrived.lock().unwrap().1)
    }

    /// Waits for one that the threads of an encoder in this process finish.
    fn wait(&self, limit: Instant) {
        let arrived = self.arrived.lock().unwrap();
        let left = limit.saturating_duration_since(Instant::now());
        drop(self.changed.wait_timeout_while(arrived, left, |arrived| arrived.1.is_empty()).unwrap());
    }
}

impl EncoderSink for Sink {
    fn packet(&self, packet: EncodedPacket) {
        self.arrived.lock().unwrap().0.push(packet);
    }

    fn done(&self, done: FrameFinished) {
        self.arrived.lock().unwrap().1.push(done);
        self.changed.notify_all();
    }
}

/// A plugin and the host's side of it.
pub(crate) struct Stage {
    pub(crate) services: HostServices,
    pub(crate) plugin: Plugin,
    _inventory: Inventory,
}

impl Stage {
    /// The plugin where `policy` says.
    pub(crate) fn with(folder: &PluginFolder, policy: Policy) -> Result<Self, Failure> {
        Self::of(folder.path(), folder.manifest["id"].as_str().ok_or("no id")?, policy)
    }

    /// The plugin with this id of a folder.
    pub(crate) fn of(folder: &Path, id: &str, policy: Policy) -> Result<Self, Failure> {
        let services = HostServices::new(SlabPool::default());
        let inventory = Inventory::scan(&[folder.to_owned()], policy);
        let plugin = inventory.start(&services, id)?;
        Ok(Self { services, plugin, _inventory: inventory })
    }

    /// The plugin in a child with time for everything.
    pub(crate) fn child(folder: &PluginFolder) -> Result<Self, Failure> {
        let stage = Self::with(folder, in_children(children(None, GENEROUS)?))?;
        assert_eq!(stage.plugin.placement(), Placement::Process);
        Ok(stage)
    }

    /// The plugin in this process.
    pub(crate) fn here(folder: &PluginFolder) -> Result<Self, Failure> {
        Self::with(folder, Policy::default())
    }

    pub(crate) fn origin<'a>(&'a self, config: &'a str) -> Origin<'a> {
        Origin { services: &self.services, plugin: &self.plugin, config_json: config }
    }

    pub(crate) fn offer(&self, config: &str) -> Result<EncoderOffer, Failure> {
        Ok(probe_encoder(&self.origin(config))?.into_iter().next().ok_or("no offer")?)
    }

    pub(crate) fn encoder(&self, config: &str) -> Result<Encoding, Failure> {
        let offer = self.offer(config)?;
        Ok(self.encoder_for(config, &offer)?)
    }

    pub(crate) fn encoder_for(&self, config: &str, offer: &EncoderOffer) -> Result<Encoding, PluginError> {
        let sink = Arc::new(Sink::default());
        let settings = EncoderSettings::new(offer, SIZE.0, SIZE.1);
        let instance =
            EncoderInstance::create(&self.origin(config), offer, settings, Arc::clone(&sink) as _)?;
        Ok(Encoding { instance, sink, frame_id: 0 })
    }

    pub(crate) fn misbehaviours(&self) -> u64 {
        self.services.misbehaviours(self.plugin.id())
    }
}

/// An encoder with what it makes.
pub(crate) struct Encoding {
    pub(crate) instance: EncoderInstance,
    pub(crate) sink: Arc<Sink>,
    pub(crate) frame_id: u64,
}

impl Encoding {
    /// Encodes a frame and waits until it is done.
    pub(crate) fn encode(&mut self, frame: &VideoFrame) -> Result<Vec<EncodedPacket>, PluginError> {
        self.submit(frame)?;
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Some(done) = self.sink.done().pop() {
                assert_eq!(done.frame_id, self.frame_id);
                return done.outcome.map(|()| self.sink.packets());
            }
            if !self.instance.pump(limit)? {
                self.sink.wait(limit);
            }
        }
        panic!("the frame is not done");
    }

    pub(crate) fn submit(&mut self, frame: &VideoFrame) -> Result<(), PluginError> {
        self.frame_id += 1;
        let keyframe = self.frame_id == 1;
        self.instance.submit(frame, self.frame_id, &SubmitOptions { keyframe, ..Default::default() })
    }

    /// Encodes frames of this buffer until one fails.
    pub(crate) fn until_failure(&mut self, buffer: &Arc<SharedBuffer>) -> PluginError {
        for _ in 0..100 {
            if let Err(error) = self.encode(&frame(buffer, self.frame_id)) {
                return error;
            }
        }
        panic!("nothing failed");
    }
}

pub(crate) fn buffer() -> Arc<SharedBuffer> {
    SharedBuffer::new(SIZE.0, SIZE.1, abi::FOURCC_XRGB8888, 64).unwrap()
}

/// A frame in this buffer whose pixels depend on `number`.
pub(crate) fn frame(buffer: &Arc<SharedBuffer>, number: u64) -> VideoFrame {
    paint(buffer, number);
    let color = abi::Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 };
    VideoFrame::in_buffer(buffer.lend(), color, 1000 + number, Damage::Full)
}

/// Writes the buffer as a capture does: through its descriptor.
fn paint(buffer: &Arc<SharedBuffer>, number: u64) {
    let row = |y: u64| (0..u64::from(buffer.stride())).map(move |x| (x * 3 + y * 5 + number * 7) as u8);
    let bytes: Vec<u8> = (0..u64::from(buffer.height())).flat_map(row).collect();
    let mut at = 0;
    while at < bytes.len() {
        at += rustix::io::pwrite(buffer, &bytes[at..], at as u64).unwrap();
    }
}
