//! Which source of ICE servers is asked when, and whose answer serves.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use selkies_session::rtc::{ANSWER_LIMIT, LONGEST_PAUSE, RtcAnswer, RtcChain};

/// The first pause after a failure, and the least one between two questions.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LEAST_PAUSE: Duration = SECOND;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn answer(host: &str, lifetime: u64) -> RtcAnswer {
    let text = format!(r#"{{"lifetimeDuration":"{lifetime}s","iceServers":[{{"urls":"stun:{host}"}}]}}"#);
    RtcAnswer::parse(&text, false).expect("an answer")
}

fn asked(chain: &mut RtcChain, now: Instant) -> Vec<usize> {
    std::iter::from_fn(|| chain.next(now)).collect()
}

fn serves(chain: &RtcChain, now: Instant) -> Option<usize> {
    chain.serving(now).map(|(which, _)| which)
}

#[test]
fn the_next_is_asked_only_when_the_one_before_has_nothing() {
    let now = Instant::now();
    let mut chain = RtcChain::new(3, now);
    assert_eq!(asked(&mut chain, now), [0]);
    assert_eq!(chain.publish(now), None);
    chain.failed(0, now);
    assert_eq!(asked(&mut chain, now), [1]);
    chain.answered(1, answer("b", 600), now);
    assert_eq!(asked(&mut chain, now), [] as [usize; 0]);
    assert_eq!(serves(&chain, now), Some(1));
    // The first is asked again after a pause, and takes over.
    assert_eq!(chain.wakeup(now), Some(now + FIRST_PAUSE));
    assert_eq!(asked(&mut chain, now + FIRST_PAUSE), [0]);
    chain.answered(0, answer("a", 600), now + FIRST_PAUSE);
    assert_eq!(serves(&chain, now + FIRST_PAUSE), Some(0));
    // It is renewed at half of its life; the one behind it is left alone.
    assert_eq!(chain.wakeup(now + FIRST_PAUSE), Some(now + FIRST_PAUSE + 5 * MINUTE));
    assert_eq!(asked(&mut chain, now + FIRST_PAUSE + 5 * MINUTE), [0]);
}

#[test]
fn the_last_good_answer_is_kept_until_it_is_too_old() {
    let now = Instant::now();
    let mut chain = RtcChain::new(2, now);
    chain.next(now);
    chain.answered(0, answer("a", 100), now);
    let later = now + 50 * SECOND;
    assert_eq!(asked(&mut chain, later), [0]);
    chain.failed(0, later);
    assert_eq!(asked(&mut chain, later), [] as [usize; 0], "the old answer is as good as before");
    assert_eq!(serves(&chain, later), Some(0));
    let expired = now + 100 * SECOND;
    assert_eq!(asked(&mut chain, expired), [0, 1], "it is tried again, and so is the next");
    assert_eq!(serves(&chain, expired), Some(0), "better than nothing");
    chain.answered(1, answer("b", 100), expired);
    assert_eq!(serves(&chain, expired), Some(1));
    chain.answered(0, answer("a", 100), expired + SECOND);
    assert_eq!(serves(&chain, expired + SECOND), Some(0));
}

#[test]
fn a_source_that_does_not_answer_holds_the_others_up_for_a_moment_only() {
    let now = Instant::now();
    let mut chain = RtcChain::new(2, now);
    assert_eq!(asked(&mut chain, now), [0]);
    assert_eq!(chain.wakeup(now), Some(now + ANSWER_LIMIT));
    assert_eq!(asked(&mut chain, now + ANSWER_LIMIT - SECOND), [] as [usize; 0]);
    assert_eq!(asked(&mut chain, now + ANSWER_LIMIT), [1]);
    chain.answered(1, answer("b", 600), now + ANSWER_LIMIT);
    assert_eq!(chain.wakeup(now + ANSWER_LIMIT), Some(now + ANSWER_LIMIT + 300 * SECOND));
    chain.answered(0, answer("a", 600), now + 20 * SECOND);
    assert_eq!(serves(&chain, now + 20 * SECOND), Some(0));
}

#[test]
fn what_a_source_does_for_others_is_not_counted_against_it() {
    let now = Instant::now();
    let mut chain = RtcChain::new(2, now);
    chain.began(0, now);
    assert!(!chain.is_asked(0), "nobody asked");
    assert_eq!(asked(&mut chain, now), [0]);
    assert!(chain.is_asked(0) && !chain.is_asked(1));
    let began = now + 10 * SECOND;
    chain.began(0, began);
    assert_eq!(asked(&mut chain, now + ANSWER_LIMIT), [] as [usize; 0]);
    assert_eq!(asked(&mut chain, began + ANSWER_LIMIT), [1]);
}

#[test]
fn changes_are_followed_but_not_without_end() {
    let now = Instant::now();
    let mut chain = RtcChain::new(1, now);
    chain.next(now);
    chain.changed(0, now);
    chain.answered(0, answer("a", 86_400), now);
    assert_eq!(chain.wakeup(now), Some(now + LEAST_PAUSE), "it changed while it was asked");
    assert_eq!(asked(&mut chain, now + LEAST_PAUSE), [0]);
    chain.answered(0, answer("a", 86_400), now + LEAST_PAUSE);
    chain.changed(0, now + LEAST_PAUSE);
    assert_eq!(asked(&mut chain, now + LEAST_PAUSE), [] as [usize; 0]);
    assert_eq!(asked(&mut chain, now + 2 * LEAST_PAUSE), [0]);
}

/// An answer whose credentials end at this time by the wall clock.
fn ending(at: u64, lifetime: u64) -> RtcAnswer {
    let text = format!(
        r#"{{"lifetimeDuration":"{lifetime}s","iceServers":[{{"urls":"turn:a","username":"{at}:u","credential":"c"}}]}}"#
    );
    RtcAnswer::parse(&text, false).expect("an answer")
}

fn wall(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn credentials_end_by_the_wall_clock() {
    const DAY: u64 = 1_800_000_000;
    let now = Instant::now();
    let mut chain = RtcChain::new(2, now);
    assert!(!chain.tell_wall(wall(DAY), now));
    chain.next(now);
    chain.answered(0, ending(DAY + 100, 86_400), now);
    assert_eq!(chain.wakeup(now), Some(now + 50 * SECOND), "the username tells more than the lifetime");
    // What is past its end serves only where nobody has better, and asks for no storm.
    let mut chain = RtcChain::new(2, now);
    chain.tell_wall(wall(DAY), now);
    assert_eq!(asked(&mut chain, now), [0]);
    chain.answered(0, ending(DAY - 1, 86_400), now);
    assert_eq!(serves(&chain, now), Some(0));
    assert_eq!(asked(&mut chain, now), [1]);
    chain.answered(1, answer("b", 600), now);
    assert_eq!(serves(&chain, now), Some(1));
    assert_eq!(chain.wakeup(now), Some(now + FIRST_PAUSE));
}

#[test]
fn what_is_kept_grows_older_while_the_machine_sleeps() {
    const DAY: u64 = 1_800_000_000;
    let now = Instant::now();
    let mut chain = RtcChain::new(1, now);
    chain.tell_wall(wall(DAY), now);
    chain.next(now);
    chain.answered(0, answer("a", 600), now);
    assert!(chain.publish(now).is_some());
    // Time that passes for both clocks, and a clock that is set back, are no leap.
    assert!(!chain.tell_wall(wall(DAY + 60), now + MINUTE));
    assert!(!chain.tell_wall(wall(DAY), now + MINUTE));
    assert_eq!(asked(&mut chain, now + MINUTE), [] as [usize; 0]);
    assert_eq!(chain.wakeup(now + MINUTE), Some(now + 5 * MINUTE));
    // Asleep for an hour: all is over at once, and those who are connected get what comes.
    assert!(chain.tell_wall(wall(DAY + 3600), now + MINUTE));
    assert_eq!(asked(&mut chain, now + MINUTE), [0]);
    assert_eq!(serves(&chain, now + MINUTE), Some(0), "better than nothing");
    assert_eq!(chain.publish(now + MINUTE), None);
    chain.answered(0, answer("a", 600), now + MINUTE);
    assert!(chain.publish(now + MINUTE).is_some(), "the same servers, but new credentials");
    // From a clock that was never set to the right one.
    let mut chain = RtcChain::new(1, now);
    chain.tell_wall(wall(60), now);
    chain.next(now);
    chain.answered(0, answer("a", 86_400), now);
    assert!(chain.tell_wall(wall(DAY), now + SECOND));
    assert_eq!(asked(&mut chain, now + SECOND), [0]);
}

#[test]
fn a_source_that_was_lost_is_asked_again_with_pauses() {
    let mut now = Instant::now();
    let mut chain = RtcChain::new(1, now);
    assert_eq!(asked(&mut chain, now), [0]);
    chain.answered(0, answer("a", 86_400), now);
    for pause in [5, 10, 20, 40, 60, 60] {
        chain.lost(0, now);
        assert_eq!(serves(&chain, now), Some(0), "what it said stands");
        assert_eq!(chain.wakeup(now), Some(now + pause * SECOND));
        now += pause * SECOND;
        assert_eq!(asked(&mut chain, now), [0]);
        chain.answered(0, answer("a", 86_400), now);
    }
    // One that lived for a while begins from the first pause.
    now += 3 * LONGEST_PAUSE;
    chain.lost(0, now);
    assert_eq!(chain.wakeup(now), Some(now + FIRST_PAUSE));
}

#[test]
fn failures_are_spaced() {
    let mut now = Instant::now();
    let mut chain = RtcChain::new(1, now);
    for pause in [5, 10, 20, 40, 60, 60] {
        assert_eq!(asked(&mut chain, now), [0]);
        chain.failed(0, now);
        assert_eq!(chain.wakeup(now), Some(now + pause * SECOND));
        now += pause * SECOND;
    }
    // A lifetime of next to nothing asks for no storm.
    assert_eq!(asked(&mut chain, now), [0]);
    chain.answered(0, answer("a", 1), now);
    assert_eq!(chain.wakeup(now), Some(now + LEAST_PAUSE));
}

#[test]
fn connected_clients_hear_of_what_matters_to_them() {
    let now = Instant::now();
    let mut chain = RtcChain::new(2, now);
    chain.next(now);
    chain.failed(0, now);
    chain.next(now);
    chain.answered(1, answer("b", 600), now);
    assert!(chain.publish(now).is_some());
    assert_eq!(chain.publish(now), None);
    // Fresh credentials every minute, but told only past half of the life.
    for minute in 1..=4 {
        chain.answered(1, answer("b", 600), now + minute * MINUTE);
        assert_eq!(chain.publish(now + minute * MINUTE), None);
    }
    chain.answered(1, answer("b", 600), now + 5 * MINUTE);
    assert!(chain.publish(now + 5 * MINUTE).is_some());
    // Another server, and another source, at once.
    chain.answered(1, answer("c", 600), now + 6 * MINUTE);
    assert!(chain.publish(now + 6 * MINUTE).is_some());
    chain.answered(0, answer("c", 600), now + 6 * MINUTE);
    assert!(chain.publish(now + 6 * MINUTE).is_some());
}
