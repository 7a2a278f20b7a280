//! Compiles the C side against the x264.h that is installed, and links the libx264.so that belongs to it: Debian's static
//! library is not position-independent. Where that file is missing at run time, the host refuses the plugin and names it.

fn main() {
    println!("cargo::rerun-if-changed=csrc");
    match pkg_config::Config::new().atleast_version("0.161").probe("x264") {
        Ok(library) => cc::Build::new()
            .file("csrc/coder.c")
            .includes(&library.include_paths)
            .warnings(true)
            .warnings_into_errors(true)
            .compile("selkies_x264_coder"),
        Err(error) => println!("cargo::error=libx264 is missing (Debian package: libx264-dev): {error}"),
    }
}
