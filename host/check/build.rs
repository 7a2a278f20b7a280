//! Compiles the few calls into libvpx, and links its static library, so that a release needs no other file.

use std::{path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=src/decode/vp8.c");
    let compiler = cc::Build::new().get_compiler();
    let asked = Command::new(compiler.path()).args(compiler.args()).arg("-print-file-name=libvpx.a").output();
    let answer =
        asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    // Without the file, a compiler answers the bare name.
    let folder = Path::new(&answer).parent().filter(|folder| folder.is_absolute());
    let Some(folder) = folder else {
        panic!("libvpx.a is missing: apt-get install libvpx-dev");
    };
    cc::Build::new().file("src/decode/vp8.c").std("c11").warnings(true).compile("selkies_check_vp8");
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-lib=static=vpx");
}
