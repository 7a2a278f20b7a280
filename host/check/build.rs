//! Compiles the few calls into libvpx, and finds the static libraries of the decoders, so that a release needs no other file.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the compiler finds a static library.
fn static_library(file: &str, package: &str) -> PathBuf {
    let compiler = cc::Build::new().get_compiler();
    let asked =
        Command::new(compiler.path()).args(compiler.args()).arg(format!("-print-file-name={file}")).output();
    let answer =
        asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    // Without the file, a compiler answers the bare name.
    match std::fs::canonicalize(&answer) {
        Ok(path) if Path::new(&answer).is_absolute() => path,
        _ => panic!("{file} is missing: apt-get install {package}"),
    }
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/decode/vpx.c");
    cc::Build::new().file("src/decode/vpx.c").std("c11").warnings(true).compile("selkies_check_vpx");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names it")).join("static");
    std::fs::create_dir_all(&folder).expect("cargo's folder is writable");
    // The linker takes what it finds first. OpenH264 asks for the C++ library without saying of which kind: in this folder
    // there is only the static one.
    for (file, package) in [("libvpx.a", "libvpx-dev"), ("libstdc++.a", "g++")] {
        let link = folder.join(file);
        let _ = std::fs::remove_file(&link);
        symlink(static_library(file, package), link).expect("cargo's folder takes links");
    }
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-lib=static=vpx");
}
