//! What the node does, without a relay.

use super::*;

const OFFER: &str = r#"server-1 {"sdp":{"type":"offer","sdp":"v=0\r\n"}}"#;
const OFFERED: &str = r#"{"type":"offer","data":{"type":"offer","sdp":"v=0\r\n"}}"#;
const ICE: &str = r#"server-1 {"ice":{"candidate":"candidate:1","sdpMLineIndex":0}}"#;
const ICED: &str = r#"{"type":"ice-candidate","data":{"candidate":"candidate:1","sdpMLineIndex":0}}"#;
const ANSWER: &str = r#"{"type":"answer","data":{"sdp":"v=0\r\n","type":"answer"}}"#;

fn signals(messages: &[&str]) -> Vec<Step> {
    messages.iter().map(|message| Step::Signal((*message).to_owned())).collect()
}

fn say(line: &str) -> Vec<Step> {
    vec![Step::Say(line.to_owned())]
}

fn hear(node: &mut Node, message: &str, now: Instant) -> Vec<Step> {
    let raw: &RawValue = serde_json::from_str(message).expect("JSON");
    node.signal(&Signal::read(raw).expect("a signal"), now)
}

/// A node that has an offer and a candidate of the host.
fn offering(now: Instant) -> Node {
    let mut node = Node::new(NodeRole::Viewer);
    let steps = node.connected(now);
    assert!(
        matches!(&steps[..], [Step::Open, Step::Say(hello)] if hello.starts_with("HELLO client {\"client_type\":\"viewer\""))
    );
    assert_eq!(node.line("HELLO", now), say("SESSION server"));
    assert_eq!(node.line("SESSION_OK server-1", now), []);
    assert_eq!(node.line(OFFER, now), signals(&[OFFERED]));
    assert_eq!(node.line(ICE, now), signals(&[ICED]));
    node
}

#[test]
fn offers_answers_and_candidates_are_translated() {
    let now = Instant::now();
    let mut node = offering(now);
    assert_eq!(hear(&mut node, ANSWER, now), say(r#"server-1 {"sdp":{"type":"answer","sdp":"v=0\r\n"}}"#));
    let candidate = r#"{"type":"ice-candidate","data":{"candidate":"candidate:2","sdpMid":"video0","sdpMLineIndex":1,"x":1}}"#;
    let told = r#"server-1 {"ice":{"candidate":"candidate:2","sdpMLineIndex":1,"sdpMid":"video0"}}"#;
    assert_eq!(hear(&mut node, candidate, now), say(told));
    for nothing in [
        ANSWER,
        r#"{"type":"answer","data":{}}"#,
        r#"{"type":"ice-candidate","data":{"candidate":""}}"#,
        r#"{"type":"ice-candidate","data":{}}"#,
    ] {
        assert_eq!(hear(&mut node, nothing, now), [], "{nothing}");
    }
    let large = format!(r#"{{"type":"ice-candidate","data":{{"candidate":"{}"}}}}"#, "x".repeat(70_000));
    assert_eq!(hear(&mut node, &large, now), []);
    assert_eq!(node.line("server-1 {\"rtc_config\":{}}", now), []);
    assert_eq!(node.line("something", now), []);
}

#[test]
fn an_offer_is_repeated_until_it_is_answered() {
    let start = Instant::now();
    let mut node = offering(start);
    let mut now = start;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let due = node.due().expect("it is not answered");
        assert_eq!(node.tick(due - Duration::from_millis(1)), []);
        assert_eq!(node.tick(due), signals(&[OFFERED, ICED]));
        pauses.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    // A peer that asks need not wait, but it cannot make us talk for ever.
    assert_eq!(hear(&mut node, r#"{"type":"offer","data":{}}"#, now), []);
    now += LEAST;
    assert_eq!(hear(&mut node, r#"{"type":"offer","data":{}}"#, now), signals(&[OFFERED, ICED]));
    hear(&mut node, ANSWER, now);
    assert_eq!(node.due(), None);
    assert_eq!(node.tick(now + Duration::from_secs(3600)), []);
}

#[test]
fn a_peer_that_comes_again_gets_a_new_offer() {
    let now = Instant::now();
    let mut node = offering(now);
    hear(&mut node, ANSWER, now);
    assert_eq!(hear(&mut node, r#"{"type":"offer","data":{}}"#, now), say(r#"server-1 {"restart":true}"#));
    assert_eq!(hear(&mut node, ANSWER, now), [], "the answer to an offer that is gone");
    assert_eq!(node.line(OFFER, now), signals(&[OFFERED]));
    assert!(matches!(&hear(&mut node, ANSWER, now)[..], [Step::Say(_)]));
}

#[test]
fn a_peer_that_asks_too_soon_gets_the_offer_in_a_moment() {
    let start = Instant::now();
    let mut node = offering(start);
    // The next one would be a minute away.
    let mut now = start;
    for _ in 0..5 {
        now = node.due().expect("it is not answered");
        node.tick(now);
    }
    assert_eq!(hear(&mut node, r#"{"type":"offer","data":{}}"#, now), []);
    assert_eq!(node.due(), Some(now + LEAST));
    assert_eq!(node.tick(now + LEAST), signals(&[OFFERED, ICED]));
    assert_eq!(node.due(), Some(now + LEAST + REPEATS.0), "and then as at first");
}

#[test]
fn a_host_that_does_not_offer_is_asked_again() {
    let now = Instant::now();
    let mut node = offering(now);
    hear(&mut node, ANSWER, now);
    let restart = say(r#"server-1 {"restart":true}"#);
    assert_eq!(hear(&mut node, r#"{"type":"offer","data":{}}"#, now), restart);
    assert_eq!(hear(&mut node, r#"{"type":"offer","data":{}}"#, now), [], "it is on its way");
    let due = node.due().expect("a limit");
    assert_eq!(node.tick(due), restart);
    assert_eq!(node.line(OFFER, due), signals(&[OFFERED]));
    assert!(matches!(&hear(&mut node, ANSWER, due)[..], [Step::Say(_)]));
    assert_eq!(node.due(), None);
}

#[test]
fn a_connection_outlives_the_relay_and_an_offer_waits_for_it() {
    let now = Instant::now();
    let mut node = offering(now);
    node.disconnected();
    assert_eq!(node.due(), None);
    assert_eq!(node.line(ICE, now), []);
    assert_eq!(node.connected(now), signals(&[OFFERED, ICED, ICED]));
    hear(&mut node, ANSWER, now);
    node.disconnected();
    assert_eq!(node.connected(now), [], "the peer has what it needs");
}

#[test]
fn a_connection_that_failed_is_offered_anew_with_pauses() {
    let mut now = Instant::now();
    let mut node = offering(now);
    hear(&mut node, ANSWER, now);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(node.ended(now), [Step::Close]);
        assert_eq!(hear(&mut node, ANSWER, now), [], "nothing is asked before its time");
        let due = node.due().expect("another try");
        pauses.push((due - now).as_secs());
        now = due;
        assert!(matches!(&node.tick(now)[..], [Step::Open, Step::Say(_)]));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(node.ended(now), [Step::Close]);
    assert_eq!(node.ended(now), [], "only once");
}

#[test]
fn what_is_kept_is_bounded() {
    let now = Instant::now();
    let mut node = offering(now);
    for _ in 0..1000 {
        node.line(ICE, now);
    }
    let due = node.due().expect("it is not answered");
    assert_eq!(node.tick(due).len(), 201);
}

#[test]
fn a_controller_says_so() {
    let steps = Node::new(NodeRole::Controller).connected(Instant::now());
    assert!(
        matches!(&steps[1], Step::Say(hello) if hello.contains("\"controller\"") && hello.contains("\"client_strict_viewer\":false"))
    );
}
