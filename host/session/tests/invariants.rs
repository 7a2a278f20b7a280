//! Whatever clients do in whatever order: no panic, one owner, and nothing stays pressed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use selkies_session::wire::{Direction, RoleName, VERBS};
use selkies_session::{Action, Admission, Button, ClientId, Event, InputEvent, Policy, Session, Standing};

#[derive(Debug, Clone)]
enum Step {
    Open(u64, bool, bool, Option<u8>),
    Say(u64, String),
    Close(u64),
    Readmit(u64, Option<bool>),
    Pass(u64),
    Resize(u32, u32),
}

fn text() -> impl Strategy<Value = String> {
    let examples: Vec<&'static str> =
        VERBS.iter().filter(|s| s.direction == Direction::FromClient).map(|s| s.example).collect();
    prop_oneof![
        2 => proptest::sample::select(examples).prop_map(str::to_owned),
        2 => (0..4u32).prop_map(|k| format!("kd,{k}")),
        1 => (0..4u32).prop_map(|k| format!("ku,{k}")),
        2 => (0..256u32, 0..3u32).prop_map(|(mask, scroll)| format!("m,1,1,{mask},{scroll}")),
        2 => (0..3u32).prop_map(|t| format!(r#"SETTINGS,{{"tabId":"{t}"}}"#)),
        1 => Just("SETTINGS,{}".to_owned()),
        1 => Just("kr".to_owned()),
        1 => Just("kh,1,2".to_owned()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..5u64;
    prop_oneof![
        2 => (client.clone(), any::<bool>(), any::<bool>(), proptest::option::of(1..5u8))
            .prop_map(|(c, viewer, authority, slot)| Step::Open(c, viewer, authority, slot)),
        8 => (client.clone(), text()).prop_map(|(c, t)| Step::Say(c, t)),
        1 => client.clone().prop_map(Step::Close),
        1 => (client, proptest::option::of(any::<bool>())).prop_map(|(c, a)| Step::Readmit(c, a)),
        1 => (0..3000u64).prop_map(Step::Pass),
        1 => (0..4000u32, 0..4000u32).prop_map(|(w, h)| Step::Resize(w, h)),
    ]
}

/// What the input plugin would hold.
#[derive(Default)]
struct Hands {
    keys: BTreeSet<u32>,
    buttons: BTreeSet<Button>,
}

impl Hands {
    fn follow(&mut self, actions: &[Action]) {
        for action in actions {
            let Action::Inject(events) = action else { continue };
            for event in events {
                match event {
                    InputEvent::Key { keysym, down: true } => {
                        assert!(self.keys.insert(*keysym), "pressed twice")
                    }
                    InputEvent::Key { keysym, down: false } => {
                        assert!(self.keys.remove(keysym), "released twice")
                    }
                    InputEvent::Button { button, down: true } => assert!(self.buttons.insert(*button)),
                    InputEvent::Button { button, down: false } => assert!(self.buttons.remove(button)),
                    _ => {}
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_stays_pressed_and_one_client_owns(steps in proptest::collection::vec(step(), 1..120), last in any::<bool>()) {
        let mut now = Instant::now();
        let policy = Policy { command: true, finger_scroll: true, ..Policy::default() };
        let mut session = Session::new(policy, serde_json::Map::new());
        let mut hands = Hands::default();
        let mut closed = BTreeSet::new();
        // Ids are never reused: a client that comes back is another.
        let mut ids = [0u64; 5];
        for step in steps {
            let id = |c: u64, ids: &[u64; 5]| ClientId(ids[c as usize] * 5 + c);
            let actions = match step {
                Step::Open(c, viewer, authority, slot) => {
                    ids[c as usize] += 1;
                    let role = if viewer { RoleName::Viewer } else { RoleName::Controller };
                    let slots = slot.into_iter().collect();
                    let admission = Admission { role, slots, input_authority: authority, secure: viewer };
                    session.handle(now, Event::ClientOpened { client: id(c, &ids), admission })
                }
                Step::Say(c, text) => session.handle(now, Event::ClientText { client: id(c, &ids), text: &text }),
                Step::Close(c) => session.handle(now, Event::ClientClosed { client: id(c, &ids) }),
                Step::Readmit(c, authority) => {
                    let admission = authority.map(|input_authority| Admission {
                        role: RoleName::Viewer, slots: vec![], input_authority, secure: true,
                    });
                    session.handle(now, Event::AdmissionChanged { client: id(c, &ids), admission })
                }
                Step::Pass(ms) => {
                    now += Duration::from_millis(ms);
                    session.handle(now, Event::Tick)
                }
                Step::Resize(width, height) => session.handle(now, Event::DisplayChanged { width, height }),
            };
            hands.follow(&actions);
            for action in &actions {
                match action {
                    Action::Close { client, .. } => {
                        closed.insert(*client);
                        prop_assert_eq!(session.standing(*client), None);
                    }
                    // The text that precedes a close is the last a client gets.
                    Action::SendText { to, .. } => prop_assert!(to.iter().all(|c| !closed.contains(c))),
                    Action::ResizeDisplay { width, height } => prop_assert!(width % 2 == 0 && height % 2 == 0),
                    _ => {}
                }
            }
            if let Some(owner) = session.owner() {
                prop_assert_eq!(session.standing(owner), Some(Standing::Owner));
            }
        }
        hands.follow(&session.handle(now, Event::ShutDown { last }));
        prop_assert!(hands.keys.is_empty() && hands.buttons.is_empty(), "{:?} {:?}", hands.keys, hands.buttons);
        prop_assert_eq!(session.clients(), 0);
    }
}
