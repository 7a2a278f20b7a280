//! A real X server for each test, and what draws on it and listens to it.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::fs::FileExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use selkies_x11::capture::Target;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        ConnectionExt as _, CreateGCAux, Gcontext, InputFocus, Rectangle, SubwindowMode, Window,
    },
    rust_connection::RustConnection,
};

/// A patient limit for things that must happen.
pub const SOON: Duration = Duration::from_secs(10);

/// An Xvfb that ends with the test.
pub struct Server {
    process: Child,
    pub display: String,
}

impl Server {
    pub fn start(screen: &str) -> Self {
        let mut process = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", screen])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb must be installed");
        let mut number = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb names its display");
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        Self { process, display: format!(":{}", number.trim()) }
    }

    pub fn full_hd() -> Self {
        Self::start("1920x1080x24")
    }

    pub fn name(&self) -> Option<&str> {
        Some(&self.display)
    }

    pub fn connect(&self) -> RustConnection {
        RustConnection::connect(Some(&self.display)).expect("the server takes clients").0
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    pub fn run(&self, program: &str, args: &[&str]) {
        let status = Command::new(program).args(args).env("DISPLAY", &self.display).status();
        assert!(status.expect(program).success(), "{program} {args:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Draws on the root window.
pub struct Painter {
    pub x: RustConnection,
    pub root: Window,
    gc: Gcontext,
}

impl Painter {
    pub fn new(server: &Server) -> Self {
        let x = server.connect();
        let root = x.setup().roots[0].root;
        let gc = x.generate_id().unwrap();
        let aux = CreateGCAux::new().subwindow_mode(SubwindowMode::INCLUDE_INFERIORS);
        x.create_gc(gc, root, &aux).unwrap().check().unwrap();
        Self { x, root, gc }
    }

    pub fn fill(&self, color: u32, x: i16, y: i16, width: u16, height: u16) {
        use x11rb::protocol::xproto::ChangeGCAux;
        self.x.change_gc(self.gc, &ChangeGCAux::new().foreground(color)).unwrap();
        let rect = Rectangle { x, y, width, height };
        self.x.poly_fill_rectangle(self.root, self.gc, &[rect]).unwrap().check().unwrap();
    }
}

/// A memfd and a way to look into it.
pub struct Picture {
    file: File,
    pub stride: usize,
    len: usize,
}

impl Picture {
    pub fn new(stride: usize, height: usize) -> Self {
        let fd = rustix::fs::memfd_create("picture", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let file = File::from(fd);
        file.set_len((stride * height) as u64).unwrap();
        Self { file, stride, len: stride * height }
    }

    pub fn target(&self) -> Target {
        Target { memory: self.file.try_clone().unwrap().into(), len: self.len, stride: self.stride }
    }

    /// The colour of a pixel as 0xRRGGBB.
    pub fn pixel(&self, x: usize, y: usize) -> u32 {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, (y * self.stride + x * 4) as u64).unwrap();
        u32::from_le_bytes(bytes) & 0x00ff_ffff
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    /// Overwrites everything, to see what a grab writes and what it leaves.
    pub fn spoil(&self) {
        self.file.write_all_at(&vec![0xa5; self.len], 0).unwrap();
    }
}

/// xev, an Xlib application of its own, tells what a desktop application would see.
pub struct Listener {
    process: Child,
    lines: Receiver<String>,
    pub window: Window,
}

impl Listener {
    /// Opens a window over the top left 800x600 of the screen, with the keyboard's focus.
    pub fn new(server: &Server) -> Self {
        let mut process = Command::new("stdbuf")
            .args(["-oL", "xev", "-geometry", "800x600+0+0", "-event", "keyboard", "-event", "mouse"])
            .env("DISPLAY", &server.display)
            .stdout(Stdio::piped())
            .spawn()
            .expect("xev must be installed");
        let stdout = process.stdout.take().expect("stdout is piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut listener = Self { process, lines, window: 0 };
        let x = server.connect();
        listener.window = listener.find(&x, server);
        x.set_input_focus(InputFocus::PARENT, listener.window, x11rb::CURRENT_TIME).unwrap().check().unwrap();
        listener
    }

    fn find(&self, x: &RustConnection, server: &Server) -> Window {
        let end = Instant::now() + SOON;
        let root = x.setup().roots[0].root;
        loop {
            for window in x.query_tree(root).unwrap().reply().unwrap().children {
                let attributes = x.get_window_attributes(window).unwrap().reply().unwrap();
                if attributes.map_state == x11rb::protocol::xproto::MapState::VIEWABLE {
                    return window;
                }
            }
            assert!(Instant::now() < end, "xev did not come up on {}", server.display);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The paragraph of the next event whose first word is in `kinds`, for example "KeyPress".
    pub fn next(&self, kinds: &[&str]) -> Option<String> {
        let mut paragraph = String::new();
        let end = Instant::now() + Duration::from_millis(1500);
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.is_empty() => paragraph.clear(),
                Ok(line) => {
                    paragraph.push_str(&line);
                    // The blank line comes before a paragraph, so its last line is what ends it.
                    let last =
                        if paragraph.starts_with("Key") { "XFilterEvent returns" } else { "same_screen" };
                    if line.contains(last) && kinds.iter().any(|kind| paragraph.starts_with(kind)) {
                        return Some(paragraph);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Keysym and state of the next `count` key presses, modifier keys themselves left out.
    pub fn keys(&self, count: usize) -> Vec<(u32, u32)> {
        let mut keys = Vec::new();
        while keys.len() < count {
            let event =
                self.next(&["KeyPress"]).unwrap_or_else(|| panic!("only {keys:x?} of {count} keys came"));
            let keysym = number(&event, "keysym 0x", 16);
            if !(0xffe1..=0xffee).contains(&keysym) && !(0xfe03..=0xfe13).contains(&keysym) {
                keys.push((keysym, number(&event, "state 0x", 16)));
            }
        }
        keys
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// True while a key or a button is down.
pub fn anything_down(server: &Server) -> bool {
    let x = server.connect();
    let root = x.setup().roots[0].root;
    let keys = x.query_keymap().unwrap().reply().unwrap().keys;
    let mask = u16::from(x.query_pointer(root).unwrap().reply().unwrap().mask);
    keys.iter().any(|byte| *byte != 0) || mask & 0x1f00 != 0
}

/// The number behind `label`.
pub fn number(text: &str, label: &str, radix: u32) -> u32 {
    let start = text.find(label).unwrap_or_else(|| panic!("no {label:?} in {text:?}")) + label.len();
    let digits: String = text[start..].chars().take_while(|digit| digit.is_digit(radix)).collect();
    u32::from_str_radix(&digits, radix).expect("digits")
}
