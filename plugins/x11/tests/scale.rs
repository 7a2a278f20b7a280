//! What programs learn of the scale: GTK while it runs, xrdb as any program that starts.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Instant,
};

use common::{SOON, Server};
use selkies_plugin_sdk::OutputRequest;
use selkies_x11::{display::Outputs, xsettings::Ownership};
use x11rb::{
    COPY_FROM_PARENT, CURRENT_TIME, NONE,
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, Window, WindowClass},
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// Prints `gtk-xft-dpi` at the start and whenever it changes. GTK's headers are not needed for that, the library is.
const PROGRAM: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
typedef void *any;
static void (*get)(any, const char *, ...);
static void tell(any settings) {
    int dpi = 0, cursor = 0;
    get(settings, "gtk-xft-dpi", &dpi, "gtk-cursor-theme-size", &cursor, NULL);
    printf("%d %d\n", dpi, cursor);
    fflush(stdout);
}
int main(void) {
    any gtk = dlopen("libgtk-3.so.0", RTLD_NOW | RTLD_GLOBAL);
    if (!gtk) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    int (*init)(int *, char ***) = dlsym(gtk, "gtk_init_check");
    any (*settings)(void) = dlsym(gtk, "gtk_settings_get_default");
    unsigned long (*on)(any, const char *, any, any, any, int) = dlsym(gtk, "g_signal_connect_data");
    void (*loop)(void) = dlsym(gtk, "gtk_main");
    get = dlsym(gtk, "g_object_get");
    if (!init(NULL, NULL)) return 2;
    any defaults = settings();
    on(defaults, "notify::gtk-xft-dpi", tell, NULL, NULL, 0);
    on(defaults, "notify::gtk-cursor-theme-size", tell, NULL, NULL, 0);
    tell(defaults);
    loop();
    return 0;
}
"#;

/// A GTK program that ends with the test.
struct Gtk {
    process: Child,
    lines: Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Gtk {
    fn start(server: &Server) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, program) = (folder.path().join("scale.c"), folder.path().join("scale"));
        fs::write(&source, PROGRAM).expect("written");
        let built =
            Command::new("cc").arg(&source).arg("-o").arg(&program).arg("-ldl").status().expect("a compiler");
        assert!(built.success());
        let mut process = Command::new(&program)
            .env("DISPLAY", &server.display)
            .env("GDK_BACKEND", "x11")
            .env("NO_AT_BRIDGE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was built");
        let stdout = process.stdout.take().expect("a pipe");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, lines, _folder: folder }
    }

    /// Waits until the program says this.
    fn wait(&self, wanted: &str) {
        let limit = Instant::now() + SOON;
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != wanted) {
            let left = limit.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            said.push(line.unwrap_or_else(|_| panic!("no {wanted:?} after {said:?}; is GTK 3 installed?")));
        }
    }
}

impl Drop for Gtk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn scale(outputs: &mut Outputs, dpi: u32) {
    let now = outputs.list().unwrap().remove(0);
    let request = OutputRequest {
        name: String::new(),
        enabled: true,
        primary: false,
        x: 0,
        y: 0,
        width: now.width,
        height: now.height,
        refresh_mhz: 0,
        dpi,
    };
    outputs.apply(&[request]).unwrap();
}

fn resources(server: &Server) -> String {
    let output = Command::new("xrdb").arg("-query").env("DISPLAY", &server.display).output().expect("xrdb");
    String::from_utf8(output.stdout).expect("text")
}

/// Somebody who manages settings, or windows.
struct Other {
    x: RustConnection,
    root: Window,
    window: Window,
}

impl Other {
    fn new(server: &Server) -> Self {
        let x = server.connect();
        let (root, window) = (x.setup().roots[0].root, x.generate_id().unwrap());
        let (aux, class) = (CreateWindowAux::new(), WindowClass::INPUT_ONLY);
        x.create_window(0, window, root, 0, 0, 1, 1, 0, class, COPY_FROM_PARENT, &aux)
            .unwrap()
            .check()
            .unwrap();
        Self { x, root, window }
    }

    fn atom(&self, name: &str) -> u32 {
        self.x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn manager(&self) -> Window {
        self.x.get_selection_owner(self.atom("_XSETTINGS_S0")).unwrap().reply().unwrap().owner
    }

    fn wait_manager(&self, holds: impl Fn(Window) -> bool) -> Window {
        let limit = Instant::now() + SOON;
        loop {
            let manager = self.manager();
            if holds(manager) {
                return manager;
            }
            assert!(Instant::now() < limit, "the manager is {manager:#x}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn manage_settings(&self) {
        let selection = self.atom("_XSETTINGS_S0");
        self.x.set_selection_owner(self.window, selection, CURRENT_TIME).unwrap().check().unwrap();
    }

    /// As a window manager of this name does.
    fn manage_windows(&self, name: &str) {
        let (check, text) = (self.atom("_NET_SUPPORTING_WM_CHECK"), self.atom("_NET_WM_NAME"));
        self.x
            .change_property32(PropMode::REPLACE, self.root, check, AtomEnum::WINDOW, &[self.window])
            .unwrap();
        let utf8 = self.atom("UTF8_STRING");
        self.x
            .change_property8(PropMode::REPLACE, self.window, text, utf8, name.as_bytes())
            .unwrap()
            .check()
            .unwrap();
    }
}

#[test]
fn programs_that_run_and_programs_that_start_know_the_scale() {
    let server = Server::full_hd();
    let mut outputs = Outputs::open(server.name()).unwrap().with_ownership(Ownership::Always);
    scale(&mut outputs, 144);
    let other = Other::new(&server);
    let ours = other.wait_manager(|window| window != NONE);
    let gtk = Gtk::start(&server);
    gtk.wait(&format!("{} 48", 144 * 1024));
    scale(&mut outputs, 192);
    gtk.wait(&format!("{} 64", 192 * 1024));
    assert_eq!(other.manager(), ours, "its window stays");
    let text = resources(&server);
    assert!(text.contains("Xft.dpi:\t192\n") && text.contains("Xcursor.size:\t64\n"), "{text}");
    // A session that loads other resources while it starts.
    let mut load = Command::new("xrdb");
    load.args(["-load", "-nocpp", "/dev/stdin"]).env("DISPLAY", &server.display).stdin(Stdio::piped());
    let mut load = load.spawn().expect("xrdb");
    std::io::Write::write_all(&mut load.stdin.take().expect("a pipe"), b"XTerm*font: fixed\n").unwrap();
    assert!(load.wait().unwrap().success());
    let limit = Instant::now() + SOON;
    while !resources(&server).contains("Xft.dpi:\t192\n") {
        assert!(Instant::now() < limit, "{}", resources(&server));
    }
    assert!(resources(&server).contains("XTerm*font:\tfixed\n"));
    // Another manager is not fought, and when it has gone somebody has to do it.
    other.manage_settings();
    other.wait_manager(|window| window == other.window);
    scale(&mut outputs, 120);
    assert!(resources(&server).contains("Xft.dpi:\t120\n"));
    assert_eq!(other.manager(), other.window);
    other.x.destroy_window(other.window).unwrap().check().unwrap();
    other.wait_manager(|window| window != NONE && window != ours);
    gtk.wait(&format!("{} 40", 120 * 1024));
    drop(outputs);
    let watcher = Other::new(&server);
    watcher.wait_manager(|window| window == NONE);
}

#[test]
fn a_desktop_with_a_daemon_of_its_own_is_left_to_it() {
    let server = Server::full_hd();
    let mut outputs = Outputs::open(server.name()).unwrap();
    scale(&mut outputs, 144);
    let other = Other::new(&server);
    // Nobody manages windows yet: a desktop may be about to start.
    scale(&mut outputs, 120);
    other.manage_windows("Xfwm4");
    scale(&mut outputs, 168);
    scale(&mut outputs, 144);
    assert_eq!(other.manager(), NONE);
    other.manage_windows("Openbox");
    other.wait_manager(|window| window != NONE);
    drop(outputs);
    let mut never = Outputs::open(server.name()).unwrap().with_ownership(Ownership::Never);
    scale(&mut never, 192);
    assert!(resources(&server).contains("Xft.dpi:\t192\n"));
    other.wait_manager(|window| window == NONE);
}
