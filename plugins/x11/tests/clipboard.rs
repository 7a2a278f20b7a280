//! The clipboard against a real Xvfb, with xclip, xsel and bare X clients as the applications.

mod common;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use common::{SOON, Server};
use selkies_plugin_sdk::{ClipboardChange, ClipboardItem, ClipboardOffer, Selection};
use selkies_x11::{
    clipboard::Clipboard,
    connection::Waker,
    error::{Result, X11Error},
};
use x11rb::{
    CURRENT_TIME,
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
            SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// Most bytes that the tests read.
const LIMIT: usize = 16 << 20;

fn soon() -> Instant {
    Instant::now() + 6 * SOON
}

/// For CLIPBOARD, and no secret.
fn offer<'a>(items: &'a [ClipboardItem<'a>]) -> ClipboardOffer<'a> {
    ClipboardOffer { selection: Selection::Clipboard, items, secret: false }
}

/// Has an application copy: it stays in the background until another one copies.
fn copy(server: &Server, program: &str, args: &[&str], content: &[u8]) {
    let mut process = Command::new(program)
        .args(args)
        .env("DISPLAY", &server.display)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect(program);
    process.stdin.take().expect("it is piped").write_all(content).expect("it reads");
    assert!(process.wait().expect("it ends").success(), "{program} {args:?}");
}

/// What an application pastes.
fn paste(server: &Server, program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).env("DISPLAY", &server.display).output().expect(program);
    output.stdout
}

fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes);
    for line in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&format!("{line} grün, 5 €, 日本\n"));
    }
    text
}

fn image(bytes: usize) -> Vec<u8> {
    let mut seed = 7u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    b"\x89PNG\r\n\x1a\n".iter().copied().chain(std::iter::repeat_with(&mut next)).take(bytes).collect()
}

/// The next change, which is one of CLIPBOARD and has a content.
fn copied(board: &mut Clipboard) -> ClipboardChange {
    let change = board.wait(Some(SOON)).unwrap().expect("another content");
    assert_eq!((change.selection, change.filled), (Selection::Clipboard, true));
    change
}

fn read(board: &mut Clipboard, change: ClipboardChange, mime: &str, limit: usize) -> Result<Option<Vec<u8>>> {
    board.read(change.selection, change.serial, mime, limit, soon())
}

/// Waits on its own thread, as a host does, and so answers applications.
struct Waiting {
    waker: Waker,
    changes: Receiver<ClipboardChange>,
    thread: JoinHandle<Clipboard>,
}

impl Waiting {
    fn new(mut board: Clipboard) -> Self {
        let (waker, (send, changes)) = (board.waker(), channel());
        let thread = std::thread::spawn(move || {
            while let Some(change) = board.wait(None).expect("the server runs") {
                let _ = send.send(change);
            }
            board
        });
        Self { waker, changes, thread }
    }

    fn end(self) -> Clipboard {
        self.waker.wake();
        self.thread.join().expect("it does not panic")
    }
}

#[test]
fn what_applications_copy_is_read_whole() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    assert_eq!(board.wait(Some(Duration::from_millis(50))).unwrap(), None, "nothing was copied yet");
    let long = text(10_000_000);
    let picture = image(5_000_000);
    let clip = ["-selection", "clipboard"];
    let cases: [(&str, &[&str], &[u8], &str); 5] = [
        ("xclip", &clip, b"short", "text/plain"),
        ("xclip", &clip, long.as_bytes(), "text/plain"),
        ("xclip", &["-selection", "clipboard", "-t", "image/png"], &picture, "image/png"),
        ("xclip", &["-selection", "clipboard", "-t", "text/uri-list"], b"file:///a\r\n", "text/uri-list"),
        ("xsel", &["-ib"], "grün €".as_bytes(), "text/plain"),
    ];
    let mut last = 0;
    for (program, args, content, mime) in cases {
        copy(&server, program, args, content);
        let change = copied(&mut board);
        assert!(change.serial > last, "{change:?}");
        last = change.serial;
        let formats = board.formats(change.selection, change.serial, soon()).unwrap().expect("not woken");
        assert_eq!(formats.mimes.first().map(String::as_str), Some(mime), "{program} {args:?}: {formats:?}");
        let got = read(&mut board, change, mime, LIMIT).unwrap().expect("not woken");
        assert!(got == content, "{program} {args:?}: {} of {} bytes, or others", got.len(), content.len());
    }
    let error = board.read(Selection::Clipboard, last - 1, "text/plain", LIMIT, soon()).unwrap_err();
    assert!(matches!(error, X11Error::NotFound(_)), "{error}");
}

#[test]
fn applications_paste_what_is_offered() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let (long, picture) = (text(10_000_000), image(5_000_000));
    let items = [
        ClipboardItem { mime: "text/plain", data: long.as_bytes() },
        ClipboardItem { mime: "image/png", data: &picture },
    ];
    board.offer(&offer(&items)).unwrap();
    let marked = [ClipboardItem { mime: "text/plain", data: "grün".as_bytes() }];
    board.offer(&ClipboardOffer { selection: Selection::Primary, ..offer(&marked) }).unwrap();
    let waiting = Waiting::new(board);
    let clip = ["-o", "-selection", "clipboard"];
    let with = |target| [&clip[..], &["-t", target]].concat();
    assert!(paste(&server, "xclip", &clip) == long.as_bytes(), "another text");
    assert!(paste(&server, "xclip", &with("text/plain;charset=utf-8")) == long.as_bytes(), "another text");
    assert!(paste(&server, "xsel", &["-ob"]) == long.as_bytes(), "another text for xsel");
    assert!(paste(&server, "xclip", &with("image/png")) == picture, "another picture");
    assert_eq!(paste(&server, "xclip", &["-o", "-selection", "primary"]), "grün".as_bytes());
    let latin1 = paste(&server, "xclip", &["-o", "-selection", "primary", "-t", "STRING"]);
    assert_eq!(latin1, b"gr\xfcn");
    assert_eq!(paste(&server, "xclip", &with("image/bmp")), b"", "a format that was not offered");
    let targets = String::from_utf8(paste(&server, "xclip", &with("TARGETS"))).unwrap();
    for target in ["TARGETS", "TIMESTAMP", "MULTIPLE", "UTF8_STRING", "image/png"] {
        assert!(targets.lines().any(|line| line == target), "{target} is not among {targets}");
    }
    // What is offered is no news; what another application copies is.
    assert!(waiting.changes.try_recv().is_err());
    copy(&server, "xclip", &["-selection", "clipboard"], b"theirs");
    let change = waiting.changes.recv_timeout(SOON).expect("another content");
    assert_eq!((change.selection, change.filled), (Selection::Clipboard, true));
    let mut board = waiting.end();
    assert_eq!(read(&mut board, change, "text/plain", LIMIT).unwrap().as_deref(), Some(&b"theirs"[..]));
    board.offer(&ClipboardOffer { selection: Selection::Primary, ..offer(&[]) }).unwrap();
    assert_eq!(paste(&server, "xsel", &["-op"]), b"", "nothing is offered any more");
    assert_eq!(board.wait(Some(Duration::from_millis(50))).unwrap(), None);
}

#[test]
fn a_content_over_the_limit_is_refused() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    for bytes in [5_000, 6_000_000] {
        copy(&server, "xclip", &["-selection", "clipboard"], &vec![b'x'; bytes]);
        let change = copied(&mut board);
        let error = read(&mut board, change, "text/plain", 4096).unwrap_err();
        assert!(matches!(error, X11Error::TooLarge { limit: 4096 }), "{error}");
        let whole = read(&mut board, change, "text/plain", LIMIT).unwrap();
        assert_eq!(whole.map(|text| text.len()), Some(bytes), "the next try gets it");
    }
}

/// A bare X client.
struct Client {
    x: RustConnection,
    window: Window,
}

impl Client {
    fn new(server: &Server) -> Self {
        let x = server.connect();
        let window = x.generate_id().unwrap();
        let (root, mask) =
            (x.setup().roots[0].root, CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE));
        x.create_window(0, window, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &mask).unwrap();
        Self { x, window }
    }

    fn atom(&self, name: &str) -> Atom {
        self.x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn own(&self) {
        self.x.set_selection_owner(self.window, self.atom("CLIPBOARD"), CURRENT_TIME).unwrap();
        self.x.sync().unwrap();
    }

    fn ask(&self, target: &str, property: &str) {
        let (selection, target) = (self.atom("CLIPBOARD"), self.atom(target));
        let property = self.atom(property);
        self.x.convert_selection(self.window, selection, target, property, CURRENT_TIME).unwrap();
        self.x.flush().unwrap();
    }

    fn answer(&self) -> SelectionNotifyEvent {
        loop {
            if let Event::SelectionNotify(answer) = self.x.wait_for_event().unwrap() {
                return answer;
            }
        }
    }

    /// Answers requests with what there is for a target, in units of so many bits, and refuses the others.
    fn serve(&self, requests: usize, content: impl Fn(Atom) -> Option<(AtomEnum, u8, Vec<u8>)>) {
        let mut answered = 0;
        while answered < requests {
            let Event::SelectionRequest(request) = self.x.wait_for_event().unwrap() else { continue };
            let SelectionRequestEvent { time, requestor, selection, target, mut property, .. } = request;
            match content(target) {
                Some((kind, bits, data)) => {
                    let units = (data.len() * 8 / usize::from(bits)) as u32;
                    let mode = PropMode::REPLACE;
                    self.x.change_property(mode, requestor, property, kind, bits, units, &data).unwrap();
                }
                None => property = x11rb::NONE,
            }
            let event = SelectionNotifyEvent {
                response_type: SELECTION_NOTIFY_EVENT,
                sequence: 0,
                time,
                requestor,
                selection,
                target,
                property,
            };
            self.x.send_event(false, requestor, EventMask::NO_EVENT, event).unwrap();
            self.x.flush().unwrap();
            answered += 1;
        }
    }
}

#[test]
fn an_owner_of_the_oldest_kind_is_read_as_latin_1() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let owner = Client::new(&server);
    owner.own();
    let change = copied(&mut board);
    let latin1 = (AtomEnum::STRING, 8, b"gr\xfcn".to_vec());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            owner.serve(2, |target| (target == Atom::from(AtomEnum::STRING)).then(|| latin1.clone()))
        });
        let formats = board.formats(change.selection, change.serial, soon()).unwrap().expect("not woken");
        assert_eq!((&formats.mimes[..], formats.secret), (&["text/plain".to_owned()][..], false));
        let got = read(&mut board, change, "text/plain", 64).unwrap();
        assert_eq!(got.as_deref(), Some("grün".as_bytes()));
    });
}

#[test]
fn passwords_are_known_as_such_and_offered_as_such() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let owner = Client::new(&server);
    let (targets, hint) = (owner.atom("TARGETS"), owner.atom("x-kde-passwordManagerHint"));
    let list: Vec<u8> =
        [owner.atom("UTF8_STRING"), hint].iter().flat_map(|atom| atom.to_ne_bytes()).collect();
    // The last says so with more bytes than are looked at.
    for (says, secret) in [(&b"secret"[..], true), (&b"public"[..], false), (&[b's'; 5000][..], false)] {
        owner.own();
        let change = copied(&mut board);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                owner.serve(2, |target| match target {
                    _ if target == targets => Some((AtomEnum::ATOM, 32, list.clone())),
                    _ if target == hint => Some((AtomEnum::STRING, 8, says.to_vec())),
                    _ => None,
                });
            });
            let formats = board.formats(change.selection, change.serial, soon()).unwrap().expect("not woken");
            assert_eq!((&formats.mimes[..], formats.secret), (&["text/plain".to_owned()][..], secret));
        });
    }
    let items = [ClipboardItem { mime: "text/plain", data: b"hunter2" }];
    let clip = ["-o", "-selection", "clipboard", "-t", "x-kde-passwordManagerHint"];
    for (secret, said) in [(true, &b"secret"[..]), (false, &b""[..])] {
        board.offer(&ClipboardOffer { secret, ..offer(&items) }).unwrap();
        let waiting = Waiting::new(board);
        assert_eq!(paste(&server, "xclip", &clip), said);
        board = waiting.end();
    }
}

#[test]
fn an_owner_that_never_answers_is_given_up() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let owner = Client::new(&server);
    owner.own();
    let change = copied(&mut board);
    let until = Instant::now() + Duration::from_millis(200);
    let error = board.formats(change.selection, change.serial, until).unwrap_err();
    assert!(matches!(error, X11Error::Silent), "{error}");
    let error = read(&mut board, change, "text/plain", LIMIT).unwrap_err();
    assert!(matches!(error, X11Error::Silent), "{error}");
    // Whoever has something better to do need not wait for it.
    board.waker().wake();
    assert_eq!(read(&mut board, change, "text/plain", LIMIT).unwrap(), None);
    // An owner that ends leaves nothing; that is told, and ends what waits for it.
    drop(owner);
    let gone = board.wait(Some(SOON)).unwrap().expect("nothing is there any more");
    assert!(!gone.filled && gone.serial > change.serial, "{gone:?}");
}

#[test]
fn one_who_takes_no_parts_keeps_nobody_waiting() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let long = text(1_000_000);
    let items = [ClipboardItem { mime: "text/plain", data: long.as_bytes() }];
    board.offer(&offer(&items)).unwrap();
    let waiting = Waiting::new(board);
    let lazy = Client::new(&server);
    lazy.ask("UTF8_STRING", "LAZY");
    let incr = lazy.atom("INCR");
    let answer = lazy.answer();
    let got = lazy.x.get_property(false, lazy.window, answer.property, AtomEnum::ANY, 0, 64).unwrap();
    let got = got.reply().unwrap();
    assert_eq!(got.type_, incr, "it goes in parts");
    assert_eq!(got.value32().and_then(|mut size| size.next()), Some(long.len() as u32));
    assert!(paste(&server, "xclip", &["-o", "-selection", "clipboard"]) == long.as_bytes(), "another text");
    // Its window goes with it.
    drop(lazy);
    assert!(paste(&server, "xsel", &["-ob"]) == long.as_bytes(), "another text");
    drop(waiting.end());
    assert_eq!(paste(&server, "xsel", &["-ob"]), b"", "what was offered ended with its owner");
}

#[test]
fn several_conversions_go_in_one_request() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let items = [ClipboardItem { mime: "text/plain", data: b"both" }];
    board.offer(&offer(&items)).unwrap();
    let waiting = Waiting::new(board);
    let client = Client::new(&server);
    let (first, second) = (client.atom("FIRST"), client.atom("SECOND"));
    let pairs = [
        client.atom("UTF8_STRING"),
        first,
        client.atom("image/png"),
        second,
        client.atom("TIMESTAMP"),
        second,
    ];
    let (place, kind) = (client.atom("PAIRS"), client.atom("ATOM_PAIR"));
    client.x.change_property32(PropMode::REPLACE, client.window, place, kind, &pairs).unwrap();
    client.ask("MULTIPLE", "PAIRS");
    assert_eq!(client.answer().property, place);
    let got = |property| {
        let asked = client.x.get_property(false, client.window, property, AtomEnum::ANY, 0, 64);
        asked.unwrap().reply().unwrap()
    };
    let marked: Vec<u32> = got(place).value32().unwrap().collect();
    assert_eq!(marked[..2], pairs[..2]);
    assert_eq!(marked[2..], [pairs[2], x11rb::NONE, pairs[4], second], "what is not there is marked");
    assert_eq!(got(first).value, b"both");
    assert_eq!(got(second).value32().map(Iterator::count), Some(1), "a time");
    drop(waiting.end());
}

#[test]
fn nobody_makes_it_paste_into_its_own_window() {
    let server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    let long = text(1_000_000);
    board.offer(&offer(&[ClipboardItem { mime: "text/plain", data: long.as_bytes() }])).unwrap();
    let waiting = Waiting::new(board);
    let client = Client::new(&server);
    let (clipboard, property) = (client.atom("CLIPBOARD"), client.atom("MINE"));
    let window = client.x.get_selection_owner(clipboard).unwrap().reply().unwrap().owner;
    for target in ["UTF8_STRING", "TARGETS", "image/png"] {
        let target = client.atom(target);
        client.x.convert_selection(window, clipboard, target, property, CURRENT_TIME).unwrap();
    }
    // Requests are answered in order.
    client.ask("TIMESTAMP", "TIME");
    client.answer();
    let got = client.x.get_property(false, window, property, AtomEnum::ANY, 0, 64).unwrap();
    assert_eq!(got.reply().unwrap().type_, x11rb::NONE, "nothing was written there");
    drop(waiting.end());
}

#[test]
fn a_dead_server_is_an_error() {
    let mut server = Server::full_hd();
    let mut board = Clipboard::open(server.name()).unwrap();
    server.kill();
    assert!(board.wait(Some(SOON)).unwrap_err().is_lost());
}
