//! Answers for single users: whose are kept, who waits for one, and when a source may be asked for the next one.
//!
//! Sans-IO: time is an argument. Whoever names users, by a header of a request, decides how many there are; so a source is asked
//! for one of them at a time, and only so often, and one that says the same to everybody is not asked at all.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_session::rtc::{ANSWER_LIMIT, RtcAnswer};
use tokio::sync::oneshot;

/// Users whose answers are kept, and users who may wait.
const MAX_USERS: usize = 64;
/// How long a user's answer is given again.
const USER_MEMORY: Duration = Duration::from_secs(60);
/// Time for which one question stands: in the long run there is one in so much time.
const PAUSE: Duration = Duration::from_secs(1);
/// How much of that may be spent in advance: 16 questions come one behind the other.
const ADVANCE: Duration = Duration::from_secs(15);

/// Where somebody waits for an answer; `None` is for the host's own.
pub(super) type Reply = oneshot::Sender<Option<Arc<str>>>;

/// A user's own answer.
struct Kept {
    json: Arc<str>,
    from: usize,
    until: Instant,
}

/// The question that is open.
struct Asked {
    user: String,
    which: usize,
    at: Instant,
    /// The source changed since, so that its answer may be of before.
    changed: bool,
}

/// See the module.
pub(super) struct Users {
    kept: HashMap<String, Kept>,
    waiting: HashMap<String, Vec<Reply>>,
    /// Those of them who are not asked for yet.
    queue: VecDeque<String>,
    asked: Option<Asked>,
    /// Sources that say the same to everybody.
    deaf: HashSet<usize>,
    /// Up to when the questions so far have spent time.
    spent: Instant,
}

impl Users {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            kept: HashMap::new(),
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            asked: None,
            deaf: HashSet::new(),
            spent: now,
        }
    }

    /// Somebody wants the answer of the source that serves for a user.
    pub(super) fn want(&mut self, user: String, reply: Reply, serving: usize, now: Instant) {
        let kept = self.kept.get(&user).filter(|kept| kept.from == serving && kept.until > now);
        // Whoever gave up waiting does not hear it.
        if let Some(kept) = kept {
            let _ = reply.send(Some(kept.json.clone()));
        } else if self.deaf.contains(&serving) {
            let _ = reply.send(None);
        } else if let Some(replies) = self.waiting.get_mut(&user) {
            // Those who gave up do not add up.
            replies.retain(|reply| !reply.is_closed());
            replies.push(reply);
        } else if self.waiting.len() < MAX_USERS {
            self.waiting.insert(user.clone(), vec![reply]);
            self.queue.push_back(user);
        } else {
            let _ = reply.send(None);
        }
    }

    /// For whom the source that serves is to be asked now.
    pub(super) fn next(&mut self, serving: usize, now: Instant) -> Option<String> {
        if let Some(asked) = self.asked.take_if(|asked| is_overdue(asked, now)) {
            self.tell(&asked.user, None);
        }
        while self.asked.is_none() {
            let user = self.queue.front()?;
            let is_wanted =
                self.waiting.get(user).is_some_and(|replies| replies.iter().any(|reply| !reply.is_closed()));
            if is_wanted && !self.deaf.contains(&serving) {
                if self.spent > now + ADVANCE {
                    return None;
                }
                self.spent = self.spent.max(now) + PAUSE;
                let user = self.queue.pop_front()?;
                self.asked = Some(Asked { user: user.clone(), which: serving, at: now, changed: false });
                return Some(user);
            }
            let user = self.queue.pop_front()?;
            self.tell(&user, None);
        }
        None
    }

    /// When [`Users::next`] may have something to say without anything else happening.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.asked {
            Some(_) if self.queue.is_empty() => None,
            Some(asked) => asked.at.checked_add(ANSWER_LIMIT),
            None if self.queue.is_empty() => None,
            // Without an advance this is in the past: at once.
            None => self.spent.checked_sub(ADVANCE).or(Some(self.spent)),
        }
    }

    /// A source answered for a user. `own` is what it says for the host.
    pub(super) fn answered(
        &mut self,
        which: usize,
        user: String,
        answer: Option<&RtcAnswer>,
        own: Option<&RtcAnswer>,
        now: Instant,
    ) {
        let asked = self.asked.take_if(|asked| asked.user == user && asked.which == which);
        // An answer that comes too late is as good as another one, if nothing changed since; who asked is not known any more.
        let is_current = asked.is_some_and(|asked| !asked.changed);
        if let Some(answer) = answer.filter(|_| is_current) {
            if own.is_some_and(|own| own.serves_alike(answer)) {
                self.deaf.insert(which);
            }
            let memory = answer.lifetime().map_or(USER_MEMORY, |lifetime| USER_MEMORY.min(lifetime / 2));
            self.kept.retain(|_, kept| kept.until > now);
            if self.kept.len() < MAX_USERS {
                let kept = Kept { json: answer.json().clone(), from: which, until: now + memory };
                self.kept.insert(user.clone(), kept);
            }
        }
        // Nobody who is still in the queue gets the answer to an older question.
        if !self.queue.contains(&user) {
            self.tell(&user, answer.map(RtcAnswer::json));
        }
    }

    /// What a source said so far is not true any more.
    pub(super) fn forget(&mut self, which: usize) {
        self.kept.retain(|_, kept| kept.from != which);
        self.deaf.remove(&which);
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.which == which) {
            asked.changed = true;
        }
    }

    /// What every source said so far is not true any more.
    pub(super) fn forget_all(&mut self) {
        self.kept.clear();
        if let Some(asked) = &mut self.asked {
            asked.changed = true;
        }
    }

    fn tell(&mut self, user: &str, json: Option<&Arc<str>>) {
        for reply in self.waiting.remove(user).unwrap_or_default() {
            let _ = reply.send(json.cloned());
        }
    }
}

fn is_overdue(asked: &Asked, now: Instant) -> bool {
    now.saturating_duration_since(asked.at) >= ANSWER_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = oneshot::Receiver<Option<Arc<str>>>;

    fn of(user: &str) -> RtcAnswer {
        let text = format!(
            r#"{{"lifetimeDuration":"600s","iceServers":[{{"urls":"turn:a","username":"{user}","credential":"c"}}]}}"#
        );
        RtcAnswer::parse(&text, false).expect("an answer")
    }

    fn wants(users: &mut Users, user: &str, now: Instant) -> Answer {
        let (reply, answer) = oneshot::channel();
        users.want(user.to_owned(), reply, 0, now);
        answer
    }

    /// What came, if anything did: whether it is the user's own.
    fn came(answer: &mut Answer) -> Option<bool> {
        answer.try_recv().ok().map(|json| json.is_some())
    }

    fn answers(users: &mut Users, user: &str, now: Instant) {
        users.answered(0, user.to_owned(), Some(&of(user)), Some(&of("house")), now);
    }

    #[test]
    fn one_is_asked_for_at_a_time_and_all_who_want_it_get_it() {
        let now = Instant::now();
        let mut users = Users::new(now);
        let (mut first, mut second) = (wants(&mut users, "ada", now), wants(&mut users, "ada", now));
        let mut other = wants(&mut users, "bob", now);
        assert_eq!(users.next(0, now).as_deref(), Some("ada"));
        assert_eq!(users.next(0, now), None, "one is open");
        answers(&mut users, "ada", now);
        assert_eq!((came(&mut first), came(&mut second), came(&mut other)), (Some(true), Some(true), None));
        assert_eq!(users.next(0, now).as_deref(), Some("bob"));
        users.answered(0, "bob".into(), None, Some(&of("house")), now);
        assert_eq!(came(&mut other), Some(false));
        assert_eq!(came(&mut wants(&mut users, "ada", now)), Some(true), "of a moment ago");
        let mut later = wants(&mut users, "ada", now + USER_MEMORY);
        assert_eq!((came(&mut later), users.next(0, now + USER_MEMORY).as_deref()), (None, Some("ada")));
    }

    #[test]
    fn questions_are_rare_in_the_long_run() {
        let start = Instant::now();
        let mut users = Users::new(start);
        let mut count = 0;
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            // More users than could be asked for; each comes once.
            let _wanted: Vec<Answer> =
                (0..10).map(|n| wants(&mut users, &format!("{second}-{n}"), now)).collect();
            while let Some(user) = users.next(0, now) {
                count += 1;
                answers(&mut users, &user, now);
            }
        }
        assert!((60..=80).contains(&count), "{count}");
        let mut users = Users::new(start);
        let wanted: Vec<Answer> = (0..64).map(|n| wants(&mut users, &n.to_string(), start)).collect();
        assert_eq!(came(&mut wants(&mut users, "one more", start)), Some(false));
        while let Some(user) = users.next(0, start) {
            answers(&mut users, &user, start);
        }
        let due = users.due().expect("others wait");
        assert!(due > start && due <= start + 2 * PAUSE);
        assert!(users.next(0, due).is_some());
        drop(wanted);
    }

    #[test]
    fn who_gave_up_is_not_asked_for() {
        let now = Instant::now();
        let mut users = Users::new(now);
        drop(wants(&mut users, "gone", now));
        let _here = wants(&mut users, "here", now);
        assert_eq!(users.next(0, now).as_deref(), Some("here"));
        assert_eq!(users.next(0, now), None);
    }

    #[test]
    fn a_source_that_says_the_same_to_everybody_is_not_asked_for_each() {
        let now = Instant::now();
        let mut users = Users::new(now);
        let mut first = wants(&mut users, "ada", now);
        let mut second = wants(&mut users, "bob", now);
        assert_eq!(users.next(0, now).as_deref(), Some("ada"));
        users.answered(0, "ada".into(), Some(&of("all")), Some(&of("all")), now);
        assert_eq!(came(&mut first), Some(true));
        assert_eq!(users.next(0, now), None);
        assert_eq!(came(&mut second), Some(false), "the host's own is as good");
        assert_eq!(came(&mut wants(&mut users, "eve", now)), Some(false));
        users.forget(0);
        let _again = wants(&mut users, "eve", now);
        assert_eq!(users.next(0, now).as_deref(), Some("eve"), "it may be another one now");
    }

    #[test]
    fn a_change_makes_what_was_said_worthless() {
        let now = Instant::now();
        let mut users = Users::new(now);
        let _first = wants(&mut users, "ada", now);
        users.next(0, now);
        answers(&mut users, "ada", now);
        users.forget(1);
        assert_eq!(came(&mut wants(&mut users, "ada", now)), Some(true), "another source changed");
        users.forget(0);
        let mut second = wants(&mut users, "ada", now);
        assert_eq!(users.next(0, now).as_deref(), Some("ada"));
        // What is asked while it changes is given, but not kept.
        users.forget(0);
        answers(&mut users, "ada", now);
        assert_eq!(came(&mut second), Some(true));
        assert_eq!(came(&mut wants(&mut users, "ada", now)), None);
    }

    #[test]
    fn a_source_that_hangs_does_not_keep_the_others_from_their_turn() {
        let now = Instant::now();
        let mut users = Users::new(now);
        let mut first = wants(&mut users, "ada", now);
        let _second = wants(&mut users, "bob", now);
        users.next(0, now);
        assert_eq!(users.due(), Some(now + ANSWER_LIMIT));
        assert_eq!(users.next(1, now + ANSWER_LIMIT).as_deref(), Some("bob"));
        assert_eq!(came(&mut first), Some(false));
    }
}
