//! A plugin that aborts on panic does not compile: its panic would end the host.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

const REFUSAL: &str = "error: selkies plugins must be built with panic = \"unwind\": set it in [profile.release] (and [profile.dev])";

const PLUGIN: &str = r#"
use selkies_plugin_sdk::{Host, Input, InputEvent, InputKinds, Result};

struct Deaf;

#[derive(serde::Deserialize)]
struct Config {}

impl Input for Deaf {
    type Config = Config;

    fn create(_: Host, _: Config) -> Result<Self> {
        Ok(Self)
    }

    fn kinds(&self) -> InputKinds {
        InputKinds::of(&[])
    }

    fn inject(&mut self, _: &[InputEvent<'_>]) -> Result<()> {
        Ok(())
    }
}

selkies_plugin_sdk::export_plugin! {
    manifest: "selkies-plugin.json",
    input: Deaf,
}
"#;

fn manifest(panic: &str) -> String {
    let sdk = env!("CARGO_MANIFEST_DIR");
    format!(
        r#"[package]
name = "tiny-plugin"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]
path = "lib.rs"

[dependencies]
selkies-plugin-sdk = {{ path = "{sdk}", default-features = false }}
serde = {{ version = "1", features = ["derive"] }}

[profile.dev]
panic = "{panic}"

[workspace]
"#
    )
}

/// Checks the tiny plugin with this value of `panic`.
fn check(folder: &Path, panic: &str) -> Output {
    let crate_folder = folder.join("crate");
    std::fs::create_dir_all(&crate_folder).expect("a folder");
    std::fs::write(crate_folder.join("Cargo.toml"), manifest(panic)).expect("written");
    std::fs::write(crate_folder.join("lib.rs"), PLUGIN).expect("written");
    std::fs::write(crate_folder.join("selkies-plugin.json"), "{}").expect("written");
    // The versions that this workspace has fetched already, so that the build needs no network.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    std::fs::copy(lock, crate_folder.join("Cargo.lock")).expect("copied");
    Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--color", "never"])
        .current_dir(&crate_folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs")
}

#[test]
fn only_a_plugin_that_unwinds_compiles() {
    // Not a fresh folder: what was built for it before is kept.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tiny-plugin");
    let unwinds = check(&folder, "unwind");
    assert!(unwinds.status.success(), "{}", String::from_utf8_lossy(&unwinds.stderr));
    let aborts = check(&folder, "abort");
    let said = String::from_utf8_lossy(&aborts.stderr);
    assert!(!aborts.status.success() && said.contains(REFUSAL), "{said}");
}
