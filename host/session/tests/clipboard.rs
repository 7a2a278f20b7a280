//! The clipboard: who is told what, what is taken from whom, and what is refused.

mod desk;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use desk::{Desk, controller, token, viewer};
use selkies_session::wire::WireError;
use selkies_session::{
    Action, ClientId, ClipboardContent, Event, MAX_CLIPBOARD_CONTENT, Policy, Refusal, VerbClass, Watch,
};

fn content(mime: &str, bytes: &[u8]) -> ClipboardContent {
    ClipboardContent { mime: mime.into(), bytes: bytes.into(), secret: false }
}

fn text(text: &str) -> ClipboardContent {
    content("text/plain", text.as_bytes())
}

fn copied(desk: &mut Desk, content: ClipboardContent) -> Vec<Action> {
    desk.handle(Event::ClipboardChanged(Some(content)))
}

fn sent(to: &[u64], content: ClipboardContent, reply: Option<&'static str>) -> Action {
    Action::SendClipboard { to: to.iter().map(|&id| ClientId(id)).collect(), content, reply }
}

/// With a second page beside the owner, and a viewer.
fn shared() -> Desk {
    let mut desk = Desk::with_owner();
    desk.open(2, controller());
    desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    desk.open(3, viewer());
    desk.say(3, "START_VIDEO");
    desk
}

fn malformed(actions: &[Action]) -> bool {
    matches!(actions, [Action::Refused { refusal: Refusal::Malformed(_), .. }])
}

#[test]
fn what_the_desktop_copied_goes_to_controllers_and_to_no_viewer() {
    let mut desk = shared();
    assert_eq!(copied(&mut desk, text("hi")), [sent(&[1, 2], text("hi"), None)]);
    // A clipboard manager takes it over.
    assert_eq!(copied(&mut desk, text("hi")), []);
    assert!(desk.say(3, "cr").is_empty(), "a viewer's question is not answered");
    assert!(matches!(
        desk.say(3, "REQUEST_CLIPBOARD")[..],
        [Action::Refused { refusal: Refusal::Denied { .. }, .. }]
    ));
    assert_eq!(desk.say(2, "cr"), [sent(&[2], text("hi"), Some("cr"))]);
    let asked = sent(&[1], text("hi"), Some("REQUEST_CLIPBOARD"));
    assert_eq!(desk.say(1, "REQUEST_CLIPBOARD"), [asked]);
    // What is not known is not answered with what was there before.
    assert_eq!(desk.handle(Event::ClipboardChanged(None)), []);
    assert_eq!(desk.say(1, "cr"), []);
    assert_eq!(copied(&mut desk, text("hi")), [sent(&[1, 2], text("hi"), None)]);
}

#[test]
fn what_a_page_copied_goes_to_the_desktop_and_to_other_pages() {
    let mut desk = shared();
    let hi = text("hi");
    assert_eq!(desk.say(1, "cw,aGk="), [Action::OfferClipboard(hi.clone()), sent(&[2], hi.clone(), None)]);
    assert_eq!(desk.say(1, "cw,aGk"), [], "the same, without padding");
    assert_eq!(copied(&mut desk, hi.clone()), [], "its echo");
    assert_eq!(desk.say(2, "cw,"), [], "nothing is not copied");
    assert_eq!(copied(&mut desk, text("theirs")), [sent(&[1, 2], text("theirs"), None)]);
    assert_eq!(desk.say(2, "cw,aGk="), [Action::OfferClipboard(hi.clone()), sent(&[1], hi, None)]);
    for bad in ["cw,a", "cw,/////w==", "cb,application/x-thing,aGk=", "cwd,1,aGk=", "cwe"] {
        assert!(malformed(&desk.say(1, bad)), "{bad}");
    }
}

#[test]
fn large_contents_come_in_parts_of_both_generations() {
    for (id, image) in [(",t1", false), (",t1", true), ("", false), ("", true)] {
        let mut desk = Desk::with_owner();
        let bytes: Vec<u8> = (0..100_000_u32).map(|at| b'a' + (at % 26) as u8).collect();
        let (verb, mime) = if image { ("cb", "image/png") } else { ("cw", "text/plain") };
        let kind = if image { ",image/png" } else { "" };
        assert_eq!(desk.say(1, &format!("{verb}s{id}{kind},{}", bytes.len())), []);
        for part in bytes.chunks(30_000) {
            assert_eq!(desk.say(1, &format!("{verb}d{id},{}", STANDARD.encode(part))), []);
        }
        let end = desk.say(1, &format!("{verb}e{id}"));
        assert_eq!(end, [Action::OfferClipboard(content(mime, &bytes))], "{verb} {id}");
        assert!(malformed(&desk.say(1, &format!("{verb}e{id}"))), "it ended already");
    }
}

#[test]
fn parts_keep_to_what_was_declared() {
    let mut desk = shared();
    let too_much = MAX_CLIPBOARD_CONTENT + 1;
    assert!(malformed(&desk.say(1, &format!("cws,1,{too_much}"))));
    desk.say(1, "cws,1,2");
    assert!(malformed(&desk.say(1, "cwd,2,aGk=")), "another transfer");
    desk.say(1, "cws,1,2");
    assert!(malformed(&desk.say(1, "cwd,1,aGlp")), "more than declared");
    assert!(malformed(&desk.say(1, "cwd,1,aGk=")), "it was given up");
    desk.say(1, "cws,1,3");
    desk.say(1, "cwd,1,aGk=");
    assert!(malformed(&desk.say(1, "cwe,1")), "less than declared");
    // Another beginning ends the one before; each page has its own.
    desk.say(1, "cws,1,3");
    desk.say(2, "cws,1,2");
    desk.say(1, "cws,2,2");
    desk.say(1, "cwd,2,aGk=");
    desk.say(2, "cwd,1,aG8=");
    assert_eq!(desk.say(1, "cwe,2")[0], Action::OfferClipboard(text("hi")));
    assert_eq!(desk.say(2, "cwe,1")[0], Action::OfferClipboard(text("ho")));
}

#[test]
fn pages_that_declare_much_or_stop_in_the_middle_keep_nobody_from_copying() {
    let mut desk = shared();
    desk.open(4, controller());
    desk.say(4, r#"SETTINGS,{"tabId":"third"}"#);
    let most = format!("cws,1,{MAX_CLIPBOARD_CONTENT}");
    let part = format!("cwd,1,{}", STANDARD.encode(vec![b'x'; 512 * 1024]));
    let parts = MAX_CLIPBOARD_CONTENT / (512 * 1024);
    for client in [1, 2, 4] {
        assert_eq!(desk.say(client, &most), [], "what is only declared takes no place");
    }
    for _ in 1..parts {
        assert_eq!((desk.say(1, &part), desk.say(2, &part)), (vec![], vec![]));
    }
    assert_eq!((desk.say(2, &part), desk.say(4, &part)), (vec![], vec![]));
    assert!(malformed(&desk.say(4, &part)), "all pages together are limited");
    // One sends on, one does not.
    desk.pass(Duration::from_secs(29));
    assert_eq!((desk.say(1, &part), desk.say(4, &most)), (vec![], vec![]));
    desk.pass(Duration::from_secs(1));
    desk.handle(Event::Tick);
    assert_eq!(desk.say(4, &part), [], "the place is free again");
    assert!(malformed(&desk.say(2, "cwe,1")), "it was given up");
    assert!(matches!(desk.say(1, "cwe,1")[0], Action::OfferClipboard(_)));
    // A page that goes takes its own with it, and nothing keeps the clock.
    desk.close(4);
    assert_eq!(desk.wakeup(), None);
}

#[test]
fn lines_end_as_the_desktop_has_them() {
    let mut desk = Desk::with_owner();
    let lines = STANDARD.encode("a\r\nb\rc\n");
    assert_eq!(desk.say(1, &format!("cw,{lines}")), [Action::OfferClipboard(text("a\nb\rc\n"))]);
    assert_eq!(copied(&mut desk, text("a\nb\rc\n")), [], "its echo");
    let bytes = format!("cb,image/png,{}", STANDARD.encode("a\r\n"));
    assert_eq!(desk.say(1, &bytes), [Action::OfferClipboard(content("image/png", b"a\r\n"))]);
}

#[test]
fn a_secret_is_told_as_one_and_known_when_it_comes_back() {
    let mut desk = shared();
    let secret = ClipboardContent { secret: true, ..text("hunter2") };
    assert_eq!(copied(&mut desk, secret.clone()), [sent(&[1, 2], secret.clone(), None)]);
    assert_eq!(desk.say(2, "cr"), [sent(&[2], secret.clone(), Some("cr"))]);
    let back = format!("cw,{}", STANDARD.encode("hunter2"));
    assert_eq!(desk.say(1, &back), [], "whoever has it keeps it, and can take it back");
    assert_eq!(format!("{secret:?}"), "a secret as text/plain");
}

#[test]
fn the_operator_decides_about_directions_and_kinds() {
    let gates =
        |inward, outward| Policy { clipboard_in: inward, clipboard_out: outward, ..Policy::default() };
    let mut inward = Desk::owned(gates(true, false));
    assert_eq!(copied(&mut inward, text("hi")), []);
    let disabled = |client| Action::Refused {
        client: ClientId(client),
        refusal: Refusal::Disabled(VerbClass::Clipboard),
    };
    assert!(matches!(inward.say(1, "cr")[..], [Action::Refused { refusal: Refusal::Disabled(_), .. }]));
    assert_eq!(inward.say(1, "cw,aG8="), [Action::OfferClipboard(text("ho"))]);
    let mut outward = Desk::owned(gates(false, true));
    assert_eq!(outward.say(1, "cw,aGk="), [disabled(1)]);
    assert_eq!(copied(&mut outward, text("hi")), [sent(&[1], text("hi"), None)]);

    let picture = content("image/png", &[0, 0, 0]);
    let mut desk = Desk::owned(Policy { clipboard_binary: false, ..Policy::default() });
    assert_eq!(desk.say(1, "cb,image/png,AAAA"), [disabled(1)]);
    assert_eq!(copied(&mut desk, picture.clone()), []);
    assert_eq!(desk.say(1, "_ebc,true"), [Action::WatchClipboard(Watch::Everything)]);
    assert_eq!(copied(&mut desk, picture.clone()), [sent(&[1], picture.clone(), None)]);
    let off = desk.say(1, r#"SETTINGS,{"tabId":"tab","enable_binary_clipboard":false}"#);
    assert!(off.contains(&Action::WatchClipboard(Watch::Text)), "{off:?}");
    assert_eq!(desk.say(1, "cb,image/png,AAAA"), [disabled(1)]);
    let locked = Policy { clipboard_binary: false, clipboard_binary_locked: true, ..Policy::default() };
    let mut desk = Desk::owned(locked);
    assert_eq!(desk.say(1, "_ebc,true"), []);
    assert_eq!(desk.say(1, "cb,image/png,AAAA"), [disabled(1)]);
}

#[test]
fn the_desktop_is_followed_while_somebody_may_be_told() {
    let mut desk = Desk::new(Policy::default());
    let watches = |actions: &[Action]| -> Vec<Watch> {
        let watch = |action: &Action| match action {
            Action::WatchClipboard(watch) => Some(*watch),
            _ => None,
        };
        actions.iter().filter_map(watch).collect()
    };
    assert_eq!(watches(&desk.open(3, viewer())), []);
    assert_eq!(watches(&desk.open(1, controller())), [], "it has no display yet");
    assert_eq!(watches(&desk.say(1, r#"SETTINGS,{"tabId":"tab"}"#)), [Watch::Everything]);
    assert_eq!(watches(&desk.say(1, r#"SETTINGS,{"tabId":"tab"}"#)), []);
    assert_eq!(watches(&desk.close(1)), [Watch::Off]);
}

#[test]
fn who_loses_the_right_gets_nothing_more() {
    let mut desk = Desk::new(Policy { collab: true, ..Policy::default() });
    desk.open(1, token(true, true));
    desk.say(1, r#"SETTINGS,{"tabId":"tab"}"#);
    desk.open(2, token(false, true));
    assert_eq!(copied(&mut desk, text("hi")), [sent(&[1, 2], text("hi"), None)]);
    desk.say(2, "cws,1,2");
    let changed = Event::AdmissionChanged { client: ClientId(2), admission: Some(token(false, false)) };
    assert!(desk.handle(changed).contains(&Action::StopClipboard { client: ClientId(2) }));
    assert_eq!(copied(&mut desk, text("ho")), [sent(&[1], text("ho"), None)]);
    // An outranked controller neither reads nor writes.
    let outranked = Event::AdmissionChanged { client: ClientId(1), admission: Some(token(true, false)) };
    let actions = desk.handle(outranked);
    assert!(actions.contains(&Action::WatchClipboard(Watch::Off)), "{actions:?}");
    assert_eq!(copied(&mut desk, text("secret")), []);
    assert_eq!((desk.say(1, "cr"), desk.say(1, "cw,aGk=")), (vec![], vec![]));
    // What was begun before does not go on when the right comes back.
    desk.handle(Event::AdmissionChanged { client: ClientId(2), admission: Some(token(false, true)) });
    let late = desk.say(2, "cwd,1,aGk=");
    let unknown = WireError::BadField { verb: "cwd", field: "transfer id" };
    assert_eq!(late, [Action::Refused { client: ClientId(2), refusal: Refusal::Malformed(unknown) }]);
}

#[test]
fn text_is_best_and_only_what_pages_use_is_read() {
    let formats = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let all = formats(&["image/bmp", "text/html", "image/png", "text/plain"]);
    assert_eq!(ClipboardContent::best(&all, true), Some("text/plain"));
    assert_eq!(ClipboardContent::best(&all[..3], true), Some("image/png"));
    assert_eq!(ClipboardContent::best(&all[..3], false), None);
    assert_eq!(ClipboardContent::best(&formats(&["text/html"]), true), None);
    assert!(!format!("{:?}", text("secret")).contains("secret"));
}
