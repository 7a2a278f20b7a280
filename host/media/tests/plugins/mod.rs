//! The real plugins: built once by cargo, laid out as an operator does, found and loaded as the host does.
#![allow(dead_code)] // each test file uses a part

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use selkies_media::{Backend, EncoderBackend};
use selkies_plugin_host::{HostServices, Inventory, IsolationRules, Plugin, Policy, SlabPool};
use serde_json::Value;
use tempfile::TempDir;

/// Folder under `plugins/` and name of the library.
const PLUGINS: [(&str, &str); 12] = [
    ("test-pattern", "libselkies_test_pattern.so"),
    ("striped-jpeg", "libselkies_striped_jpeg.so"),
    ("websocket", "libselkies_websocket.so"),
    ("x11", "libselkies_x11.so"),
    ("x264", "libselkies_x264.so"),
    ("gamepad", "libselkies_gamepad.so"),
    ("static-rtc", "libselkies_static_rtc.so"),
    ("turn-hmac", "libselkies_turn_hmac.so"),
    ("stun-list", "libselkies_stun_list.so"),
    ("coturn-rest", "libselkies_coturn_rest.so"),
    ("opus", "libselkies_opus.so"),
    ("pulse", "libselkies_pulse.so"),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// Builds the plugins with the profile of this test, once, and answers where their libraries lie.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // TARGET/PROFILE/deps/test-name
        let test = std::env::current_exe().expect("the path of this test");
        let profile = test.ancestors().nth(2).expect("the folder of the profile").to_owned();
        let target = profile.parent().expect("the target folder");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg("build").arg("--quiet").arg("--target-dir").arg(target).current_dir(workspace());
        if profile.file_name().is_some_and(|name| name == "release") {
            cargo.arg("--release");
        }
        for (name, _) in PLUGINS {
            cargo.args(["-p", &format!("selkies-plugin-{name}")]);
        }
        cargo.args(["-p", "selkies-loopback"]);
        assert!(cargo.status().expect("cargo runs").success(), "the plugins do not build");
        profile
    })
}

/// The plugins in a folder of their own, and the host's side of them.
pub(crate) struct Plugins {
    inventory: Inventory,
    pub(crate) services: HostServices,
    folder: TempDir,
}

impl Plugins {
    /// Copies and judges them.
    pub(crate) fn prepare() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, library) in PLUGINS {
            let home = folder.path().join(name);
            fs::create_dir(&home).expect("a folder");
            copy(&built().join(library), &home.join(library));
            let manifest = workspace().join("plugins").join(name).join("selkies-plugin.json");
            copy(&manifest, &home.join("selkies-plugin.json"));
            fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("changed");
        }
        let inventory = Inventory::scan(&[folder.path().to_owned()], Policy::default());
        assert_eq!(inventory.usable().count(), PLUGINS.len(), "{}", inventory.listing().to_text());
        Self { inventory, services: HostServices::new(SlabPool::default()), folder }
    }

    /// A plugin with a configuration.
    pub(crate) fn backend(&self, id: &str, config: &Value) -> Backend {
        let plugin = self.inventory.start(&self.services, id).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plugin.left_out().count(), 0, "{id}: a table is not used");
        Backend { plugin, config: config.to_string() }
    }

    /// What the JPEG plugin offers.
    pub(crate) fn encoders(&self) -> Vec<EncoderBackend> {
        let backend = self.backend("selkies.striped-jpeg", &serde_json::json!({}));
        EncoderBackend::probe(&self.services, &backend).expect("JPEG works everywhere")
    }

    /// What the H.264 plugin offers.
    pub(crate) fn h264(&self) -> Vec<EncoderBackend> {
        let backend = self.backend("selkies.x264", &serde_json::json!({ "threads": 1 }));
        EncoderBackend::probe(&self.services, &backend).expect("libx264 works everywhere")
    }

    /// The transport that signals and has no network.
    pub(crate) fn loopback(&self) -> Backend {
        const LIBRARY: &str = "libselkies_loopback.so";
        let (source, home) = (workspace().join("tests/loopback"), self.folder.path().join("loopback"));
        fs::create_dir(&home).expect("a folder");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("changed");
        copy(&built().join(LIBRARY), &home.join(LIBRARY));
        copy(&source.join("selkies-plugin.json"), &home.join("selkies-plugin.json"));
        // Transports run in the host's process or not at all.
        let isolation = IsolationRules { in_process: vec!["test.*".to_owned()], ..IsolationRules::default() };
        let inventory = Inventory::scan(&[home], Policy { isolation, ..Policy::default() });
        let plugin =
            inventory.start(&self.services, "test.loopback").unwrap_or_else(|error| panic!("{error}"));
        Backend { plugin, config: "{}".to_owned() }
    }

    /// What an encoder with a fault (tests/faulty) offers; the fault shows at the frame `after`.
    pub(crate) fn faulty(&self, name: &str, after: u32) -> Vec<EncoderBackend> {
        let backend = Backend { plugin: self.faulty_plugin(name), config: format!(r#"{{"after":{after}}}"#) };
        EncoderBackend::probe(&self.services, &backend).expect("it offers JPEG")
    }

    /// An encoder with a fault, from a library of its own: what it counts in this process begins anew.
    pub(crate) fn faulty_plugin(&self, name: &str) -> Plugin {
        static TURN: AtomicU32 = AtomicU32::new(0);
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let (from, home) = (faulty().join(name), self.folder.path().join(format!("{name}-{turn}")));
        fs::create_dir(&home).expect("a folder");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("changed");
        for file in fs::read_dir(&from).expect("it was built") {
            let file = file.expect("readable");
            copy(&file.path(), &home.join(file.file_name()));
        }
        let inventory = Inventory::scan(&[home], Policy::default());
        let plugin = inventory.start(&self.services, &format!("faulty.{name}"));
        plugin.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The encoders of tests/faulty that these tests use, built once.
fn faulty() -> &'static Path {
    static FAULTY: OnceLock<TempDir> = OnceLock::new();
    let folder = FAULTY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let names = [
            "empty-packet",
            "hang-create",
            "hang-destroy",
            "keeps-all",
            "keeps-last",
            "never-done",
            "panic",
            "slow-start",
            "wrong-frame-id",
        ];
        let script = workspace().join("tests/faulty/build.sh");
        let built = Command::new(script).arg(folder.path()).args(names).status().expect("a shell runs");
        assert!(built.success(), "the encoders with a fault do not build");
        folder
    });
    folder.path()
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::set_permissions(to, fs::Permissions::from_mode(0o644)).expect("changed");
}
