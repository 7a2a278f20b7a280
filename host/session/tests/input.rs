//! What becomes of keys, buttons and pads.

mod desk;

use std::time::Duration;

use desk::{Desk, controller};
use selkies_session::{Action, Button, ClientId, Event, InputEvent};

#[test]
fn held_keys_and_buttons_are_released_with_their_client() {
    let mut desk = Desk::with_owner();
    desk.open(2, controller());
    desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    desk.say(1, "kd,65505");
    assert!(desk.say(2, "kd,65505").is_empty(), "already down");
    desk.say(1, "kd,97");
    desk.say(1, "m,10,10,1,0");
    let actions = desk.close(1);
    let released = vec![
        InputEvent::Key { keysym: 97, down: false },
        InputEvent::Button { button: Button::Left, down: false },
    ];
    assert_eq!(actions[0], Action::Inject(released), "the shared key stays down");
    assert_eq!(
        desk.say(2, "ku,65505"),
        [Action::Inject(vec![InputEvent::Key { keysym: 65505, down: false }])]
    );
    assert!(desk.close(2).contains(&Action::ReleaseAllInput));
}

#[test]
fn a_press_of_what_the_page_holds_is_a_repeat() {
    let mut desk = Desk::with_owner();
    desk.open(2, controller());
    desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    desk.say(1, "kd,64");
    assert_eq!(desk.say(1, "kd,64"), [Action::Inject(vec![InputEvent::KeyRepeat { keysym: 64 }])]);
    assert!(desk.say(2, "kd,64").is_empty(), "another page's press of it is none");
    desk.say(2, "ku,64");
    assert_eq!(desk.say(1, "ku,64"), [Action::Inject(vec![InputEvent::Key { keysym: 64, down: false }])]);
}

#[test]
fn keys_without_heartbeats_are_released_after_two_seconds() {
    let mut desk = Desk::with_owner();
    desk.say(1, "kd,97");
    desk.say(1, "kd,98");
    desk.pass(Duration::from_secs(60));
    assert!(desk.handle(Event::Tick).is_empty(), "a page that never sends heartbeats keeps its keys");
    desk.say(1, "kh,97,98");
    for _ in 0..15 {
        desk.pass(Duration::from_millis(100));
        desk.say(1, "kh,97");
    }
    desk.pass(Duration::from_millis(499));
    assert!(desk.handle(Event::Tick).is_empty());
    let due = desk.session.next_wakeup().unwrap();
    assert_eq!(due - desk.now, Duration::from_millis(1));
    desk.now = due;
    assert_eq!(desk.handle(Event::Tick), [Action::Inject(vec![InputEvent::Key { keysym: 98, down: false }])]);
    assert_eq!(
        desk.say(1, "kr")[..1],
        [Action::Inject(vec![InputEvent::Key { keysym: 97, down: false }, InputEvent::ResetKeyboard])]
    );
    assert_eq!(desk.session.next_wakeup(), None);
}

#[test]
fn a_pad_without_heartbeats_comes_to_rest() {
    let mut desk = Desk::with_owner();
    desk.say(1, "js,c,0,UGFk,4,17");
    desk.say(1, "js,a,0,1,1");
    desk.pass(Duration::from_secs(9));
    assert!(desk.handle(Event::Tick).is_empty(), "only pads that send heartbeats are swept");
    desk.say(1, "js,h,0");
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.handle(Event::Tick), [Action::Inject(vec![InputEvent::GamepadNeutral { slot: 0 }])]);
    assert!(desk.handle(Event::Tick).is_empty());
}

#[test]
fn the_pointer_mask_becomes_buttons_and_wheel() {
    let mut desk = Desk::with_owner();
    desk.handle(Event::DisplayChanged { width: 100, height: 50 });
    let to = |x, y| InputEvent::PointerTo { x, y };
    let button = |button, down| InputEvent::Button { button, down };
    assert_eq!(
        desk.input(1, "m,500,-3,5,0"),
        [to(99, 0), button(Button::Left, true), button(Button::Right, true)]
    );
    assert_eq!(desk.input(1, "m,1,1,4,0"), [to(1, 1), button(Button::Left, false)]);
    assert_eq!(desk.input(1, "m,1,1,12,3"), [to(1, 1), InputEvent::Wheel { dx: 0, dy: 3 }]);
    assert_eq!(desk.input(1, "m,1,1,4,0"), [to(1, 1)], "the wheel has no release");
    assert_eq!(desk.input(1, "m2,0,0,8,0"), [button(Button::Right, false), button(Button::Back, true)]);
    assert_eq!(
        desk.input(1, "m2,2,-2,0,0"),
        [InputEvent::PointerBy { dx: 2, dy: -2 }, button(Button::Back, false)]
    );
    // Numbered messages out of order: a late position is dropped, a late movement counts without its buttons.
    desk.input(1, "m,5,5,0,0,10");
    assert!(desk.say(1, "m,4,4,1,0,9").is_empty());
    assert_eq!(desk.input(1, "m2,1,1,1,0,8"), [InputEvent::PointerBy { dx: 1, dy: 1 }]);
}

#[test]
fn a_rumble_goes_to_the_player_of_the_pad() {
    let mut desk = Desk::with_owner();
    let rumble = |slot, strong| Event::Rumble { slot, strong, weak: 13_107, duration_ms: 250 };
    assert!(desk.handle(rumble(0, 65_535)).is_empty(), "nobody plays");
    desk.say(1, "js,c,0,UGFk,4,17");
    let text = r#"system,{"action":"rumble,0,1.000,0.200,250"}"#.to_owned();
    assert_eq!(desk.handle(rumble(0, 65_535)), [Action::SendText { to: vec![ClientId(1)], text }]);
    assert!(desk.handle(rumble(1, 0)).is_empty(), "another slot");
    desk.say(1, "js,d,0");
    assert!(desk.handle(rumble(0, 0)).is_empty());
}
