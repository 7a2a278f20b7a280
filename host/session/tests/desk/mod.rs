//! A session at a test bench: virtual time, and what was sent to whom.

#![allow(dead_code)] // each test binary uses a part

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use selkies_session::wire::RoleName;
use selkies_session::{
    Action, Admission, ClientId, Codecs, CursorShape, Event, InputEvent, Policy, Session, Standing,
};

pub(crate) struct Desk {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    sent: BTreeMap<u64, Vec<String>>,
    /// What was last to be chosen among.
    pub(crate) among: Option<Codecs>,
}

pub(crate) fn controller() -> Admission {
    Admission::from_query(None, None)
}

pub(crate) fn viewer() -> Admission {
    Admission::from_query(Some("viewer"), None)
}

/// A client with a token.
pub(crate) fn token(controller: bool, input_authority: bool) -> Admission {
    let role = if controller { RoleName::Controller } else { RoleName::Viewer };
    Admission { role, slots: vec![], input_authority, secure: true }
}

impl Desk {
    pub(crate) fn new(policy: Policy) -> Self {
        let session = Session::new(policy, serde_json::Map::new());
        Self { session, now: Instant::now(), sent: BTreeMap::new(), among: None }
    }

    /// With client 1 as owner, its tab `tab`, and nothing unread.
    pub(crate) fn owned(policy: Policy) -> Self {
        let mut desk = Self::new(policy);
        desk.open(1, controller());
        desk.say(1, r#"SETTINGS,{"tabId":"tab"}"#);
        desk.sent_to(1);
        desk
    }

    pub(crate) fn with_owner() -> Self {
        Self::owned(Policy::default())
    }

    pub(crate) fn handle(&mut self, event: Event<'_>) -> Vec<Action> {
        let actions = self.session.handle(self.now, event);
        for action in &actions {
            if let Action::ChooseAmong(codecs) = action {
                self.among = Some(*codecs);
            }
            if let Action::SendText { to, text } = action {
                assert!(!to.is_empty());
                to.iter().for_each(|client| self.sent.entry(client.0).or_default().push(text.clone()));
            }
        }
        actions
    }

    pub(crate) fn open(&mut self, client: u64, admission: Admission) -> Vec<Action> {
        self.handle(Event::ClientOpened { client: ClientId(client), admission })
    }

    pub(crate) fn say(&mut self, client: u64, text: &str) -> Vec<Action> {
        self.handle(Event::ClientText { client: ClientId(client), text })
    }

    /// The input one message led to.
    pub(crate) fn input(&mut self, client: u64, text: &str) -> Vec<InputEvent> {
        match self.say(client, text).as_slice() {
            [Action::Inject(events)] => events.clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    pub(crate) fn close(&mut self, client: u64) -> Vec<Action> {
        self.handle(Event::ClientClosed { client: ClientId(client) })
    }

    pub(crate) fn cursor(&mut self) {
        self.handle(Event::CursorChanged(CursorShape {
            png: vec![1, 2, 3],
            width: 8,
            height: 8,
            hot_x: 1,
            hot_y: 1,
            handle: 4,
        }));
    }

    /// How long until it wants to be woken.
    pub(crate) fn wakeup(&self) -> Option<Duration> {
        self.session.next_wakeup().map(|at| at.saturating_duration_since(self.now))
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What was sent to a client since the last call.
    pub(crate) fn sent_to(&mut self, client: u64) -> Vec<String> {
        self.sent.remove(&client).unwrap_or_default()
    }

    pub(crate) fn standing(&self, client: u64) -> Option<Standing> {
        self.session.standing(ClientId(client))
    }
}
