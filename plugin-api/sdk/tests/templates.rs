//! The templates do what their README says: they build, load and work through their tables.
#![allow(unsafe_code)] // loads libraries

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use selkies_plugin_sdk::{
    Damage, Waited, abi,
    test_host::{Failure, TestCapture, TestHost},
};

fn plugin_api() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the SDK lies in plugin-api")
}

fn run(command: &mut Command) {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, told) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}\n{said}\n{told}");
}

/// The capture table of a library, which stays loaded.
fn capture_table(library: &Path, manifest: &Path) -> &'static abi::CaptureV1 {
    // SAFETY: a library that this test built.
    let loaded = unsafe { libloading::Library::new(library) }.expect("the library loads");
    let loaded = Box::leak(Box::new(loaded));
    // SAFETY: the ABI's entry symbol.
    let entry = unsafe { loaded.get::<*const abi::PluginEntry>(abi::ENTRY_SYMBOL) }.expect("the entry");
    // SAFETY: as above, and never unloaded.
    let entry: &'static abi::PluginEntry = unsafe { &**entry };
    assert_eq!((entry.magic, entry.abi_epoch), (abi::PLUGIN_MAGIC, abi::ABI_EPOCH));
    assert_eq!(entry.struct_size as usize, size_of::<abi::PluginEntry>());
    // SAFETY: the manifest is static text.
    let text = unsafe { std::slice::from_raw_parts(entry.manifest_json.ptr, entry.manifest_json.len) };
    assert_eq!(text, std::fs::read(manifest).expect("the manifest"), "the library carries the manifest");
    let query = entry.query.expect("query");
    // SAFETY: ids are borrowed to the call.
    let (unknown, table) =
        unsafe { (query(abi::Str::new("selkies.capture/2")), query(abi::Str::new(abi::ids::CAPTURE_V1))) };
    assert!(unknown.is_null(), "unknown ids give NULL");
    // SAFETY: the id names the type; tables are static.
    let table = unsafe { table.cast::<abi::CaptureV1>().as_ref() }.expect("a capture plugin");
    assert_eq!(table.struct_size as usize, size_of::<abi::CaptureV1>());
    table
}

/// What both templates promise: a colour that changes, waits that end, wrong order refused.
fn drive(table: &'static abi::CaptureV1, config: &str) -> Result<(), Failure> {
    let host = TestHost::new();
    // SAFETY: the table of a template, which keeps the promises that are tested here.
    let mut capture = unsafe { TestCapture::from_table(table, &host, config) }?;
    let order = |failure: Failure| failure.detail();
    assert_eq!(capture.grab(0, &[]).map_err(order), Err(abi::DETAIL_WRONG_STATE));
    assert_eq!(capture.wait(None).map_err(order), Err(abi::DETAIL_WRONG_STATE));
    assert_eq!(capture.stop().map_err(order), Err(abi::DETAIL_WRONG_STATE));
    let info = capture.info()?;
    let outside = abi::Rect { x: 1, y: 0, width: info.width, height: info.height };
    assert_eq!(capture.start_area(outside, 1).map_err(order), Err(abi::DETAIL_UNSUPPORTED));
    capture.start(2)?;
    assert_eq!(capture.start(1).map_err(order), Err(abi::DETAIL_WRONG_STATE));
    assert_eq!(capture.wait(None)?, Waited::Damage, "the first wait reports damage at once");
    assert_eq!(capture.grab(0, &[])?.damage, Damage::Full);
    assert_eq!(capture.wait(Some(Duration::ZERO))?, Waited::Nothing);
    let waker = capture.waker();
    let waking = std::thread::spawn(move || waker.wake());
    assert_eq!(capture.wait(Some(Duration::from_secs(60)))?, Waited::Nothing, "woken");
    waking.join().expect("the waker's thread ends");
    assert_eq!(capture.wait(Some(Duration::from_secs(60)))?, Waited::Damage, "the next colour");
    assert_eq!(capture.grab(1, &[])?.damage, Damage::Full);
    assert_eq!(capture.grab(2, &[]).map_err(order), Err(abi::DETAIL_INVALID_ARGUMENT));
    let (first, stride) = capture.pixels(0);
    let (second, _) = capture.pixels(1);
    assert!(first.len() == stride * info.height as usize && first != second);
    assert!(first.chunks_exact(4).all(|pixel| pixel == &first[..4]), "one colour everywhere");
    capture.stop()?;
    capture.start(1)?;
    drop(capture);
    assert_eq!(host.misuse(), Vec::<String>::new());
    assert!(host.failures().iter().all(|failure| !failure.text.is_empty()), "every failure has a reason");
    Ok(())
}

fn c_template(compiler: &str) -> Result<(), Failure> {
    let out = tempfile::tempdir().expect("a temporary directory");
    let template = plugin_api().join("templates/c");
    run(Command::new("cmake")
        .arg("-S")
        .arg(template)
        .arg("-B")
        .arg(out.path())
        .arg(format!("-DCMAKE_C_COMPILER={compiler}")));
    run(Command::new("cmake").arg("--build").arg(out.path()));
    let place = out.path().join("plugin");
    let library = place.join("libexample_c_capture.so");
    let names = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().expect("nm");
    let names = String::from_utf8(names.stdout).expect("names");
    assert_eq!(names.lines().count(), 1, "only the entry is exported: {names}");
    assert!(names.contains(abi::ENTRY_SYMBOL), "{names}");
    drive(capture_table(&library, &place.join("selkies-plugin.json")), "{}")
}

#[test]
fn the_c_template_works_with_gcc() -> Result<(), Failure> {
    c_template("gcc")
}

#[test]
fn the_c_template_works_with_clang() -> Result<(), Failure> {
    c_template("clang")
}

/// Copies the template as a vendor would and fills its placeholders.
fn copied_rust_template(to: &Path) {
    let from = plugin_api().join("templates/rust");
    let placeholders = [
        ("{{project-name}}", "example-rust-capture"),
        ("{{crate_name}}", "example_rust_capture"),
        ("{{plugin_id}}", "example.rust-capture"),
        ("{{vendor}}", "example"),
        ("{{sdk}}", env!("CARGO_MANIFEST_DIR")),
    ];
    let fill = |path: &Path| {
        let text = std::fs::read_to_string(from.join(path)).expect("a file of the template");
        let text = placeholders.iter().fold(text, |text, (name, value)| text.replace(name, value));
        assert!(!text.contains("{{"), "a placeholder of {} is not known", path.display());
        std::fs::write(to.join(path), text).expect("written");
    };
    for folder in ["src", "tests"] {
        std::fs::create_dir_all(to.join(folder)).expect("a folder");
        for file in std::fs::read_dir(from.join(folder)).expect("a folder of the template") {
            fill(&Path::new(folder).join(file.expect("an entry").file_name()));
        }
    }
    fill(Path::new("selkies-plugin.json"));
    fill(Path::new("Cargo.toml"));
    // What cargo-generate asks for beside the two names that it knows by itself.
    let asked = std::fs::read_to_string(from.join("cargo-generate.toml")).expect("cargo-generate.toml");
    for (name, _) in &placeholders[2..] {
        let name = name.trim_matches(['{', '}']);
        assert!(asked.contains(&format!("[placeholders.{name}]")), "cargo-generate does not ask for {name}");
    }
    assert_eq!(asked.matches("[placeholders.").count(), placeholders.len() - 2);
    copy_lock(to);
}

/// The versions that this workspace has fetched already, so that a build needs no network.
fn copy_lock(to: &Path) {
    let lock = plugin_api().parent().expect("the root").join("Cargo.lock");
    std::fs::copy(lock, to.join("Cargo.lock")).expect("copied");
}

/// Runs cargo in a crate outside of the workspace. Not a fresh target folder: what was built in it before is kept.
fn cargo(verb: &str, crate_folder: &Path) {
    let mut command = Command::new(env!("CARGO"));
    command.args([verb, "--offline", "--quiet"]).current_dir(crate_folder);
    command.env("CARGO_TARGET_DIR", outside().join("target")).env_remove("RUSTFLAGS");
    run(&mut command);
}

fn outside() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rust-template")
}

/// An empty folder for a crate.
fn empty(name: &str) -> PathBuf {
    let folder = outside().join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn the_rust_template_builds_and_passes_its_tests() -> Result<(), Failure> {
    let crate_folder = empty("crate");
    copied_rust_template(&crate_folder);
    cargo("test", &crate_folder);
    cargo("build", &crate_folder);
    let library = outside().join("target/debug/libexample_rust_capture.so");
    let table = capture_table(&library, &crate_folder.join("selkies-plugin.json"));
    drive(table, r#"{"width": 64, "height": 32, "period_ms": 500}"#)
}

/// The plugin that a release keeps (tests/abi) is only built at a release; until then this finds out.
#[test]
fn the_source_of_the_kept_plugin_compiles() {
    let from = plugin_api().parent().expect("the root").join("tests/abi/source/rust");
    let crate_folder = empty("kept");
    std::fs::create_dir_all(crate_folder.join("src")).expect("a folder");
    for file in ["selkies-plugin.json", "src/lib.rs", "src/source.rs", "src/encoder.rs"] {
        std::fs::copy(from.join(file), crate_folder.join(file)).expect("copied");
    }
    let manifest = std::fs::read_to_string(from.join("Cargo.toml")).expect("Cargo.toml");
    assert_eq!(manifest.matches("\"../../../../plugin-api/sdk\"").count(), 1);
    let manifest = manifest.replace("../../../../plugin-api/sdk", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(crate_folder.join("Cargo.toml"), manifest).expect("written");
    copy_lock(&crate_folder);
    cargo("check", &crate_folder);
}
