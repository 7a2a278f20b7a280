//! The signaling protocol in virtual time.

mod board;

use std::time::Duration;

use board::{ANSWER, Board, KEY, closes, hello, leaves, send, signals};
use selkies_session::signaling::{Form, Hello, HelloError, SocketId, Step};
use selkies_session::wire::RoleName;
use selkies_session::{ClientId, Codec};
use serde_json::{Value, json};

#[test]
fn a_page_of_2_1_0_comes_to_its_session() {
    let mut board = Board::new();
    assert!(board.open(1).is_empty());
    assert_eq!(
        board.say(1, &hello(&json!({ "client_tab_id": "t", "page_size": [800, 600] }))),
        [send(1, "HELLO")]
    );
    let steps = board.say(1, "SESSION server");
    assert_eq!(steps[0], send(1, "SESSION_OK server-here"));
    let Step::Join { socket, client, hello, prefix } = &steps[1] else { panic!("{steps:?}") };
    assert_eq!((socket.0, client.0, prefix.as_str()), (1, 1, "server-here "));
    assert_eq!(
        (hello.tab.as_deref(), hello.page_size, hello.role),
        (Some("t"), Some((800, 600)), RoleName::Controller)
    );
    let steps = board.say(1, &format!("server-here {ANSWER}"));
    assert_eq!(signals(&steps), [serde_json::from_str::<Value>(ANSWER).expect("JSON")]);
    let ice = r#"server-here {"ice":{"candidate":"candidate:1 1 udp","sdpMid":"video0","sdpMLineIndex":0,"usernameFragment":"x","evil":[]}}"#;
    let expected =
        json!({ "ice": { "candidate": "candidate:1 1 udp", "sdpMid": "video0", "sdpMLineIndex": 0 } });
    assert_eq!(signals(&board.say(1, ice)), [expected]);
    assert_eq!(leaves(&board.closed(1, false)), [1]);
    assert_eq!((board.signaling.sessions(), board.signaling.next_wakeup()), (0, None));
}

#[test]
fn a_page_of_1_6_has_a_number_and_is_called() {
    let mut board = Board::new();
    board.open(1);
    // {"res":"1280x720","scale":1}
    let steps = board.say(1, "HELLO 1 eyJyZXMiOiIxMjgweDcyMCIsInNjYWxlIjoxfQ==");
    assert_eq!(steps[0], send(1, "HELLO"));
    let Step::Join { hello, prefix, .. } = &steps[1] else { panic!("{steps:?}") };
    assert_eq!((hello.form, hello.page_size, prefix.as_str()), (Form::Numbered, Some((1280, 720)), ""));
    assert_eq!(signals(&board.say(1, ANSWER)).len(), 1, "no name before it");
    assert_eq!(board.say(1, "SESSION 0"), [send(1, "SESSION_OK")]);
    board.open(2);
    assert_eq!(board.say(2, "HELLO 3"), [send(2, "HELLO")], "sound comes with the picture");
    assert!(board.say(2, ANSWER).is_empty());
    assert!(leaves(&board.closed(2, false)).is_empty());
}

#[test]
fn first_lines_that_are_no_hello_are_refused() {
    let big = format!("HELLO client {}", " ".repeat(16 * 1024));
    for (line, code) in [
        (big.as_str(), 1009),
        ("", 1002),
        ("HELLO", 1002),
        ("HELLO client", 1002),
        ("HELLO client {", 1002),
        ("HELLO client []", 1002),
        (r#"HELLO client {"client_type":"god"}"#, 1002),
        (r#"HELLO client {"client_type":"viewer","client_slot":true}"#, 1002),
        (r#"HELLO client {"client_type":"viewer","client_slot":"x"}"#, 1002),
        (r#"HELLO client {"client_type":"viewer","display_id":"no good"}"#, 1002),
        (r#"HELLO client {"client_type":"viewer","client_slot":5}"#, 4000),
        (r#"HELLO client {"client_type":"viewer","display_id":"display2"}"#, 4000),
        (r#"HELLO server {"server_token":"secret"}"#, 4001),
        ("HELLO server", 4001),
        ("HELLO 7", 1002),
        ("SESSION server", 1002),
        (ANSWER, 1002),
    ] {
        let mut board = Board::new();
        board.open(1);
        assert_eq!(closes(&board.say(1, line)), [(1, code)], "{line:.60}");
        assert!(board.say(1, &hello(&json!({}))).is_empty(), "{line:.60}: it is over");
        assert_eq!(board.signaling.next_wakeup(), None);
    }
}

#[test]
fn a_hello_is_read_as_far_as_it_is_known() {
    let read = |more: &Value| Hello::parse(&hello(more)).expect("a hello");
    let ours = read(
        &json!({ "selkies_host": 1, "rtc_codecs": ["vp9", "h266", "vp8", "vp9"], "page_size": "640x480" }),
    );
    assert!(ours.own_page);
    assert_eq!(ours.codecs.as_deref(), Some(&[Codec::Vp9, Codec::Vp8][..]));
    assert_eq!(ours.page_size, Some((640, 480)));
    let stock =
        read(&json!({ "client_slot": 1, "page_size": [0, 5], "resume_key": "short", "client_token": null }));
    assert!(
        !stock.own_page && stock.codecs.is_none() && stock.page_size.is_none() && stock.resume_key.is_none()
    );
    assert_eq!(stock.slot, None, "1 is the controller's own");
    let player = read(&json!({ "client_type": "viewer", "client_slot": 2 }));
    assert_eq!((player.admission().role, player.admission().slots), (RoleName::Viewer, vec![2]));
    assert_eq!(read(&json!({ "client_tab_id": "x".repeat(99) })).tab.map(|tab| tab.len()), Some(64));
    assert_eq!(Hello::parse("HELLO server"), Err(HelloError::Server));
}

#[test]
fn nothing_is_passed_on_but_answers_candidates_and_restarts() {
    let mut board = Board::new();
    board.join(1, &json!({}));
    let long = format!(r#"server-here {{"sdp":{{"type":"answer","sdp":"{}"}}}}"#, "x".repeat(64 * 1024));
    let control = "server-here {\"ice\":{\"candidate\":\"a\\u0000b\",\"sdpMLineIndex\":0}}";
    for dropped in [
        "server-here",
        "server-here {",
        "server-here []",
        "other-peer {\"restart\":true}",
        r#"server-here {"sdp":{"type":"offer","sdp":"v=0"}}"#,
        r#"server-here {"sdp":{"type":"answer","sdp":5}}"#,
        r#"server-here {"sdp":"v=0"}"#,
        r#"server-here {"ice":{"candidate":"x"}}"#,
        r#"server-here {"ice":{"candidate":"x","sdpMLineIndex":99}}"#,
        r#"server-here {"ice":{"candidate":"x","sdpMid":"a b"}}"#,
        r#"server-here {"restart":1}"#,
        r#"server-here {"other":1}"#,
        "SESSION server",
        "ROOM x",
        control,
        &long,
    ] {
        let before = board.signaling.dropped();
        assert_eq!(board.say(1, dropped), [], "{dropped:.80}");
        assert_eq!(board.signaling.dropped(), before + 1, "{dropped:.80}");
    }
    for nothing in [r#"server-here {"ice":null}"#, r#"server-here {"ice":{"candidate":""}}"#] {
        assert_eq!(board.say(1, nothing), [], "{nothing}");
    }
    assert_eq!(signals(&board.say(1, r#"{"restart":true,"x":1}"#)), [json!({ "restart": true })]);
    assert_eq!(board.say(1, r#"{"restart":true}"#), [], "one is under way");
    board.pass(Duration::from_secs(1));
    assert_eq!(signals(&board.say(1, r#"{"restart":true}"#)).len(), 1);
}

#[test]
fn a_cut_page_finds_its_session_within_three_seconds() {
    for (time, back) in [(2900, true), (3000, false)] {
        let mut board = Board::new();
        board.join(1, &json!({ "resume_key": KEY }));
        assert_eq!(board.closed(1, true), []);
        let over = board.pass(Duration::from_millis(time));
        assert_eq!(leaves(&over), if back { vec![] } else { vec![1] });
        board.open(2);
        let steps = board.say(2, &hello(&json!({ "resume_key": KEY })));
        if back {
            let resume = Step::Resume { socket: SocketId(2), client: ClientId(1) };
            assert_eq!(steps, [send(2, "RESUMED server-here"), resume]);
            let Step::Signal { client, .. } = &board.say(2, ANSWER)[0] else { panic!("not passed on") };
            assert_eq!(client.0, 1, "it is who it was");
            assert!(leaves(&board.pass(Duration::from_secs(60))).is_empty());
            assert_eq!(leaves(&board.closed(2, false)), [1]);
        } else {
            assert_eq!(steps, [send(2, "HELLO")]);
        }
    }
}

#[test]
fn only_the_same_page_resumes() {
    let other_key = KEY.replace('a', "b");
    for (hello_again, code) in [
        (hello(&json!({ "resume_key": other_key })), "HELLO"),
        (hello(&json!({ "resume_key": KEY, "client_type": "viewer" })), "HELLO"),
        (hello(&json!({ "resume_key": KEY, "client_slot": 2 })), "HELLO"),
        (hello(&json!({})), "HELLO"),
        (hello(&json!({ "resume_key": KEY })), "RESUMED server-here"),
    ] {
        let mut board = Board::new();
        board.join(1, &json!({ "resume_key": KEY }));
        board.closed(1, true);
        board.open(2);
        assert_eq!(board.say(2, &hello_again)[0], send(2, code), "{hello_again}");
    }
    let mut board = Board::new();
    board.join(1, &json!({}));
    assert_eq!(leaves(&board.closed(1, true)), [1], "without a key nothing is held");
}

#[test]
fn a_page_that_comes_back_before_its_cut_is_known_takes_its_session_along() {
    let mut board = Board::new();
    board.join(1, &json!({ "resume_key": KEY }));
    board.open(2);
    let steps = board.say(2, &hello(&json!({ "resume_key": KEY })));
    assert_eq!((closes(&steps), leaves(&steps)), (vec![(1, 1000)], vec![]));
    assert_eq!(board.closed(1, false), [], "the old socket has no say");
    assert_eq!(signals(&board.say(2, ANSWER)).len(), 1);
}

#[test]
fn calls_to_others_are_refused_and_the_right_one_may_follow() {
    let mut board = Board::new();
    board.open(1);
    board.say(1, &hello(&json!({})));
    assert_eq!(board.say(1, "SESSION client-1"), [send(1, "ERROR peer server not found")]);
    assert_eq!(board.say(1, "ROOM a"), [send(1, "ERROR rooms are not served here")]);
    assert_eq!(board.say(1, "SESSION server-here").len(), 2);
}
