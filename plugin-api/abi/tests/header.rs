//! The committed C header is what cbindgen makes of this crate today, and compilers accept it.

use std::{path::PathBuf, process::Command};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn committed() -> PathBuf {
    here().join("../include/selkies_plugin.h")
}

/// Types keep cbindgen's prefix (`SelkiesFrame`), constants get `SELKIES_`; rustdoc links become plain words.
fn c_names(text: &str) -> String {
    let mut out = text
        .replace("#define SelkiesSELKIES_", "#define SELKIES_")
        .replace("#define Selkies", "#define SELKIES_");
    while let Some(start) = out.find("[`") {
        let Some(end) = out[start..].find("`]").map(|at| start + at) else { break };
        let name = out[start + 2..end].to_owned();
        let mut rest = end + 2;
        if out[rest..].starts_with("(crate::") {
            rest += out[rest..].find(')').map_or(0, |at| at + 1);
        }
        out.replace_range(start..rest, &name);
    }
    out
}

/// cbindgen has no string constants: the ids become macros here.
fn id_macros() -> String {
    let source = std::fs::read_to_string(here().join("src/ids.rs")).expect("ids.rs");
    let mut macros = String::from("// Ids of the published tables.\n");
    for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, value) = line.split_once(": &str = ").expect("ids.rs holds texts only");
        macros.push_str(&format!("#define SELKIES_ID_{name} {}\n", value.trim_end_matches(';')));
    }
    macros
}

#[test]
fn committed_header_is_current() {
    let config = cbindgen::Config::from_file(here().join("cbindgen.toml")).expect("cbindgen.toml parses");
    let mut text = Vec::new();
    cbindgen::Builder::new()
        .with_crate(here())
        .with_config(config)
        .generate()
        .expect("cbindgen accepts the crate")
        .write(&mut text);
    let text = c_names(&String::from_utf8(text).expect("a header is text"))
        .replace("#include <stdint.h>\n", &format!("#include <stdint.h>\n\n{}", id_macros()));
    if std::env::var_os("SELKIES_BLESS").is_some() {
        std::fs::write(committed(), &text).expect("header is writable");
    }
    let kept = std::fs::read_to_string(committed()).expect("the header is committed");
    assert!(
        kept == text,
        "plugin-api/include/selkies_plugin.h is stale: run SELKIES_BLESS=1 cargo test -p selkies-plugin-abi --test header"
    );
}

/// What every plugin has, in words that both languages know.
const ENTRY: &str = "static const void *query(SelkiesStr id) { (void)id; return NULL; }
SELKIES_PLUGIN_ENTRY = {
  SELKIES_PLUGIN_MAGIC, SELKIES_ABI_EPOCH, sizeof(SelkiesPluginEntry), {NULL, 0}, query
};";

/// The lock in C: what `tests/layout.lock` says of Rust's structs and constants holds for the header's, too.
fn lock_in_c() -> String {
    let mut checks = String::from(CHECK);
    for line in include_str!("layout.lock").lines().filter(|line| !line.starts_with('#')) {
        let (what, rest) = line.split_once(": ").expect("a line of the lock");
        let number = |name: &str| -> usize {
            let text = rest.split_once(name).expect("a number").1;
            text.split(',').next().and_then(|text| text.trim().parse().ok()).expect("a number")
        };
        checks.push_str(&match (what.split_once('.'), rest.split_once(" = ")) {
            // The header's test compares ids and texts.
            _ if what.starts_with("id ") || rest.starts_with('&') => continue,
            (Some((of, field)), None) => format!(
                "CHECK(offsetof(Selkies{of}, {field}) == {});\nCHECK(sizeof(((Selkies{of} *)0)->{field}) == {});\n",
                number("offset"),
                number("size")
            ),
            (None, None) => format!(
                "CHECK(sizeof(Selkies{what}) == {});\nCHECK(ALIGN(Selkies{what}) == {});\n",
                number("size"),
                number("align")
            ),
            (_, Some((_, value))) => format!("CHECK(SELKIES_{what} == {value});\n"),
        });
    }
    checks
}

const CHECK: &str = "
#ifdef __cplusplus
#define CHECK(x) static_assert(x, #x)
#define ALIGN(type) alignof(type)
#else
#define CHECK(x) _Static_assert(x, #x)
#define ALIGN(type) _Alignof(type)
#endif
";

fn compiles(compiler: &str, language: &str, standard: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = dir.path().join(if language == "c" { "use.c" } else { "use.cpp" });
    std::fs::write(&source, format!("#include \"selkies_plugin.h\"\n{}\n{ENTRY}\n", lock_in_c()))
        .expect("source is written");
    let out = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "-x", language])
        .arg("-I")
        .arg(here().join("../include"))
        .arg(&source)
        .arg("-o")
        .arg(dir.path().join("use.o"))
        .output()
        .unwrap_or_else(|error| panic!("{compiler} must be installed: {error}"));
    assert!(out.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn the_whole_lock_is_checked() {
    let checks = lock_in_c();
    let structs = checks.matches("CHECK(ALIGN(").count();
    let fields = checks.matches("CHECK(offsetof(").count();
    assert!(structs > 40 && fields > 300, "{structs} structs and {fields} fields");
    assert!(checks.contains("CHECK(SELKIES_CLASS_DEVICE_LOST == 5);"), "{checks}");
}

#[test]
fn gcc_c11() {
    compiles("gcc", "c", "-std=c11");
}

#[test]
fn gcc_cpp17() {
    compiles("g++", "c++", "-std=c++17");
}

#[test]
fn clang_c11() {
    compiles("clang", "c", "-std=c11");
}

#[test]
fn clang_cpp17() {
    compiles("clang++", "c++", "-std=c++17");
}
