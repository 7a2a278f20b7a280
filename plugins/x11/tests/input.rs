//! Keyboard and pointer against a real Xvfb, seen by xev, an Xlib application.

mod common;

use common::{Listener, Server, anything_down, number};
use selkies_plugin_sdk::{Button, InputEvent};
use selkies_x11::{error::X11Error, input::Injector};
use xkeysym::key;

const SHIFT: u32 = 1;
const LOCK: u32 = 2;
const CONTROL: u32 = 4;

struct Desk {
    injector: Injector,
    listener: Listener,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        Self::with_layout(None)
    }

    fn with_layout(layout: Option<&str>) -> Self {
        let server = Server::full_hd();
        if let Some(layout) = layout {
            server.run("setxkbmap", &["-layout", layout]);
        }
        let listener = Listener::new(&server);
        let injector = Injector::open(server.name()).unwrap();
        let mut desk = Self { injector, listener, server };
        // Xlib reads its map at the first key and asks for news of it only after that, with the requests that it sends
        // before it waits for the second: a change of the map before that is lost to it, whoever makes it.
        for digit in [u32::from(b'0'), u32::from(b'1')] {
            desk.tap(digit);
            assert_eq!(desk.keysyms(1), [digit]);
            desk.listener.next(&["KeyRelease"]).expect("the release follows");
        }
        desk
    }

    fn key(&mut self, keysym: u32, pressed: bool) {
        self.injector.inject(&[InputEvent::Keysym { keysym, pressed }]).unwrap();
    }

    fn tap(&mut self, keysym: u32) {
        self.key(keysym, true);
        self.key(keysym, false);
    }

    fn keysyms(&self, count: usize) -> Vec<u32> {
        self.listener.keys(count).into_iter().map(|(keysym, _)| keysym).collect()
    }
}

fn same_character(seen: &[u32], wanted: &str) {
    let text: String =
        seen.iter().map(|keysym| xkeysym::Keysym::new(*keysym).key_char().unwrap_or('?')).collect();
    assert_eq!(text, wanted, "{seen:x?}");
}

#[test]
fn keysyms_arrive_as_they_were_sent_even_those_the_layout_lacks() {
    let mut desk = Desk::new();
    // As a browser sends them: Latin-1 as such, the rest as Unicode keysyms.
    for keysym in [0xe4, 0xdf, 0x0100_20ac, 0x0100_6f22, u32::from(b'A'), u32::from(b'a'), u32::from(b'!')] {
        desk.tap(keysym);
    }
    same_character(&desk.keysyms(7), "äß€漢Aa!");
}

#[test]
fn a_text_is_typed_with_more_characters_than_there_are_unused_keys() {
    let mut desk = Desk::new();
    let text = "Größe: 5 €, 漢字かな交じり文, Ελληνικά, עברית, кириллица \u{1F600}!";
    desk.injector.inject(&[InputEvent::Text(text)]).unwrap();
    same_character(&desk.keysyms(text.chars().count()), text);
    desk.injector.inject(&[InputEvent::Text("a\tb\n\u{1}c")]).unwrap();
    assert_eq!(desk.keysyms(5), [0x61, key::Tab, 0x62, key::Return, 0x63]);
}

#[test]
fn keys_that_the_layout_lacks_may_follow_each_other_at_once() {
    let mut desk = Desk::new();
    let text: String = ('\u{4e00}'..'\u{4e30}').collect();
    let keysym = |character| 0x0100_0000 + u32::from(character);
    let events: Vec<InputEvent<'_>> = text
        .chars()
        .flat_map(|character| {
            [true, false].map(|pressed| InputEvent::Keysym { keysym: keysym(character), pressed })
        })
        .collect();
    desk.injector.inject(&events).unwrap();
    same_character(&desk.keysyms(text.chars().count()), &text);
}

#[test]
fn shortcuts_keep_their_modifiers() {
    let mut desk = Desk::new();
    desk.key(key::Control_L, true);
    desk.tap(u32::from(b'a'));
    desk.tap(u32::from(b'c'));
    desk.key(key::Shift_L, true);
    desk.tap(u32::from(b'T'));
    desk.key(key::Shift_L, false);
    desk.key(key::Control_L, false);
    desk.tap(u32::from(b'a'));
    let expected = [(0x61, CONTROL), (0x63, CONTROL), (0x54, CONTROL | SHIFT), (0x61, 0)];
    assert_eq!(desk.listener.keys(4), expected);
}

#[test]
fn keys_that_are_no_characters_leave_the_modifiers_alone() {
    let mut desk = Desk::new();
    desk.key(key::Shift_L, true);
    desk.tap(key::Tab);
    desk.tap(key::Left);
    desk.key(key::Alt_L, true);
    desk.tap(key::F4);
    desk.key(key::Alt_L, false);
    desk.key(key::Shift_L, false);
    let seen = desk.listener.keys(3);
    assert_eq!(seen[0], (key::ISO_Left_Tab, SHIFT), "Shift and Tab, as the layout has it");
    assert_eq!(seen[1], (key::Left, SHIFT));
    assert_eq!(seen[2], (key::F4, SHIFT | 8));
}

#[test]
fn a_held_shift_is_lifted_for_a_character_without_it_and_comes_back() {
    let mut desk = Desk::new();
    desk.key(key::Shift_L, true);
    // On a German keyboard the slash is Shift and 7, here it is a key of its own.
    desk.tap(u32::from(b'/'));
    desk.tap(u32::from(b'X'));
    desk.key(key::Shift_L, false);
    desk.tap(u32::from(b'x'));
    assert_eq!(desk.listener.keys(3), [(0x2f, 0), (0x58, SHIFT), (0x78, 0)]);
}

#[test]
fn a_repeated_press_types_again_what_the_server_cannot_repeat() {
    let mut desk = Desk::new();
    desk.key(key::Shift_L, true);
    // Without Shift a key of its own: it is typed at once and the server has nothing to repeat.
    for _ in 0..3 {
        desk.key(u32::from(b'/'), true);
    }
    desk.key(u32::from(b'/'), false);
    desk.key(key::Shift_L, false);
    assert_eq!(desk.keysyms(3), [0x2f; 3]);
    // This one it repeats by itself; more presses are nothing.
    for _ in 0..3 {
        desk.key(u32::from(b'a'), true);
    }
    desk.key(u32::from(b'a'), false);
    desk.tap(u32::from(b'b'));
    assert_eq!(desk.keysyms(2), [0x61, 0x62]);
}

#[test]
fn caps_lock_does_not_change_what_is_typed() {
    let mut desk = Desk::new();
    desk.tap(key::Caps_Lock);
    let text = "Aa ÄäZz";
    desk.injector.inject(&[InputEvent::Text(text)]).unwrap();
    same_character(&desk.keysyms(7), text);
    desk.tap(u32::from(b'q'));
    desk.tap(u32::from(b'Q'));
    // The capital needs no Shift while Caps Lock is on: that is still on, as the user left it.
    assert_eq!(desk.listener.keys(2), [(0x71, 0), (0x51, LOCK)]);
}

#[test]
fn the_third_level_of_a_layout_is_used() {
    let mut desk = Desk::with_layout(Some("de"));
    let text = "@€ß{}ÄöyZ|~";
    desk.injector.inject(&[InputEvent::Text("@€ß{}ÄöyZ|")]).unwrap();
    let seen = desk.listener.keys(10);
    same_character(&seen.iter().map(|(keysym, _)| *keysym).collect::<Vec<_>>(), text.trim_end_matches('~'));
    let level3 = seen[0].1;
    assert!(
        level3 != 0 && level3 & (SHIFT | LOCK | CONTROL) == 0,
        "AltGr is held for @, not a scratch key: {level3:#x}"
    );
    assert_eq!(seen[1].1, level3);
    assert_eq!(seen[2].1, 0);
}

#[test]
fn the_second_group_of_a_layout_is_used() {
    let mut desk = Desk::with_layout(Some("us,ru"));
    desk.injector.inject(&[InputEvent::Text("aЯж b")]).unwrap();
    let seen = desk.listener.keys(5);
    same_character(&seen.iter().map(|(keysym, _)| *keysym).collect::<Vec<_>>(), "aЯж b");
    assert_eq!(seen[2].1 >> 13, 1, "group 2 shows in the state: {:#x}", seen[2].1);
    assert_eq!(seen[4].1 >> 13, 0, "and is gone again");
}

#[test]
fn a_layout_that_changes_is_noticed() {
    let mut desk = Desk::new();
    desk.tap(0xe4);
    same_character(&desk.keysyms(1), "ä");
    desk.server.run("setxkbmap", &["-layout", "fr"]);
    for character in "aqzwéÉ€漢".chars() {
        desk.injector.inject(&[InputEvent::Text(&character.to_string())]).unwrap();
    }
    same_character(&desk.keysyms(8), "aqzwéÉ€漢");
}

#[test]
fn a_release_is_of_the_key_that_was_pressed() {
    let mut desk = Desk::new();
    desk.key(u32::from(b'a'), true);
    let press = desk.listener.next(&["KeyPress"]).unwrap();
    desk.key(key::Shift_L, true);
    // The browser names the key by what it types now.
    desk.key(u32::from(b'A'), false);
    let release = loop {
        let event = desk.listener.next(&["KeyRelease"]).expect("the key is released");
        if number(&event, "keysym 0x", 16) == 0x41 {
            break event;
        }
    };
    assert_eq!(number(&press, "keycode ", 10), number(&release, "keycode ", 10));
    desk.key(key::Shift_L, false);

    desk.key(0x0100_6f22, true);
    let press = desk.listener.next(&["KeyPress"]).unwrap();
    desk.key(0x0100_6f22, false);
    while let Some(release) = desk.listener.next(&["KeyRelease"]) {
        if number(&release, "keycode ", 10) == number(&press, "keycode ", 10) {
            return;
        }
    }
    panic!("the scratch key stays down");
}

#[test]
fn release_all_and_the_end_of_the_instance_leave_nothing_down() {
    let mut desk = Desk::new();
    let hold = [
        InputEvent::Keysym { keysym: key::Control_L, pressed: true },
        InputEvent::Keysym { keysym: 0x0100_6f22, pressed: true },
        InputEvent::Keycode { code: 30, pressed: true },
        InputEvent::Button { button: Button::Left, pressed: true },
    ];
    desk.injector.inject(&hold).unwrap();
    assert!(anything_down(&desk.server));
    desk.injector.inject(&[InputEvent::ReleaseAll]).unwrap();
    assert!(!anything_down(&desk.server));
    desk.injector.inject(&hold).unwrap();
    assert!(anything_down(&desk.server));
    let Desk { injector, server, .. } = desk;
    drop(injector);
    assert!(!anything_down(&server));
}

#[test]
fn keys_by_place_and_unusable_events() {
    let mut desk = Desk::new();
    // KEY_A of linux/input-event-codes.h is 30.
    for pressed in [true, false] {
        desk.injector.inject(&[InputEvent::Keycode { code: 30, pressed }]).unwrap();
    }
    assert_eq!(desk.keysyms(1), [0x61]);
    let long = "x".repeat(5000);
    for wrong in [
        InputEvent::Keycode { code: 248, pressed: true },
        InputEvent::Keycode { code: 0, pressed: true },
        InputEvent::Keysym { keysym: 0, pressed: true },
        InputEvent::Keysym { keysym: u32::MAX, pressed: true },
        InputEvent::Text(&long),
    ] {
        // The event behind it is injected all the same.
        let tab = InputEvent::Keysym { keysym: key::Tab, pressed: true };
        let up = InputEvent::Keysym { keysym: key::Tab, pressed: false };
        let error = desk.injector.inject(&[wrong, tab, up]).unwrap_err();
        assert!(matches!(error, X11Error::InvalidArgument(_)), "{error}");
        assert_eq!(desk.keysyms(1), [key::Tab]);
    }
}

#[test]
fn the_pointer_moves_to_pixels_and_by_steps() {
    let mut desk = Desk::new();
    desk.injector.inject(&[InputEvent::PointerAbsolute { x: 321, y: 123 }]).unwrap();
    let position = |desk: &Desk| {
        use x11rb::{connection::Connection as _, protocol::xproto::ConnectionExt as _};
        let x = desk.server.connect();
        let reply = x.query_pointer(x.setup().roots[0].root).unwrap().reply().unwrap();
        (reply.root_x, reply.root_y)
    };
    assert_eq!(position(&desk), (321, 123));
    desk.injector.inject(&[InputEvent::PointerRelative { dx: -21, dy: 7 }]).unwrap();
    assert_eq!(position(&desk), (300, 130));
    desk.injector.inject(&[InputEvent::PointerAbsolute { x: i32::MAX, y: i32::MIN }]).unwrap();
    assert_eq!(position(&desk), (1919, 0));
}

#[test]
fn buttons_and_the_wheel_arrive_with_their_numbers() {
    let mut desk = Desk::new();
    let mut events = vec![InputEvent::PointerAbsolute { x: 100, y: 100 }];
    for button in [Button::Left, Button::Middle, Button::Right, Button::Back, Button::Forward] {
        events.push(InputEvent::Button { button, pressed: true });
        events.push(InputEvent::Button { button, pressed: true });
        events.push(InputEvent::Button { button, pressed: false });
    }
    for (dx, dy) in [(0, -120), (0, 60), (0, 60), (-120, 0), (240, 0), (0, 30)] {
        events.push(InputEvent::Scroll { dx, dy });
    }
    desk.injector.inject(&events).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let event = desk.listener.next(&["ButtonPress"]).unwrap_or_else(|| panic!("only {seen:?}"));
        assert!(event.contains("root:(100,100)"), "{event}");
        seen.push(number(&event, "button ", 10));
    }
    assert_eq!(seen, [1, 2, 3, 8, 9, 4, 5, 6, 7, 7]);
    assert_eq!(desk.listener.next(&["ButtonPress"]), None, "a quarter of a notch is none");
}

#[test]
fn a_dead_server_is_an_error() {
    let mut desk = Desk::new();
    desk.server.kill();
    let key = InputEvent::Keysym { keysym: 0x61, pressed: true };
    assert!(desk.injector.inject(&[key]).unwrap_err().is_lost());
    let moved = InputEvent::PointerAbsolute { x: 1, y: 1 };
    assert!(desk.injector.inject(&[moved]).unwrap_err().is_lost());
}
