//! What signaling takes of anybody, in virtual time.

mod board;

use std::net::IpAddr;
use std::time::Duration;

use board::{ANSWER, Board, KEY, closes, hello, leaves, send};
use proptest::prelude::*;
use selkies_session::ClientId;
use selkies_session::signaling::{
    Hello, MAX_CANDIDATES, MAX_SOCKETS, MAX_WAITING, PeerMessage, SocketId, Step,
};
use serde_json::json;

#[test]
fn candidates_are_counted_anew_after_a_restart_only() {
    let mut board = Board::new();
    board.join(1, &json!({}));
    let candidate = r#"server-here {"ice":{"candidate":"c","sdpMLineIndex":0}}"#;
    let passed = |board: &mut Board, count: u32| -> usize {
        (0..count)
            .map(|_| {
                board.pass(Duration::from_millis(40));
                board.say(1, candidate).len()
            })
            .sum()
    };
    assert_eq!(passed(&mut board, MAX_CANDIDATES + 20), MAX_CANDIDATES as usize);
    board.say(1, r#"server-here {"restart":true}"#);
    assert_eq!(passed(&mut board, 10), 10);
}

#[test]
fn a_flood_ends_the_session() {
    let mut board = Board::new();
    board.join(1, &json!({ "resume_key": KEY }));
    let flood = (0..1000).map(|_| board.say(1, "server-here {}")).find(|steps| !steps.is_empty());
    let flood = flood.expect("it is stopped");
    assert_eq!((closes(&flood), leaves(&flood)), (vec![(1, 1008)], vec![1]));
}

#[test]
fn those_who_ask_for_nothing_are_let_go() {
    let mut board = Board::new();
    board.open(1);
    board.open(2);
    board.say(2, &hello(&json!({})));
    assert!(closes(&board.pass(Duration::from_secs(14))).is_empty());
    assert_eq!(closes(&board.pass(Duration::from_secs(1))), [(1, 1008), (2, 1008)]);
    assert_eq!(board.say(2, "SESSION server"), []);
}

#[test]
fn sockets_are_counted_and_a_session_that_ended_elsewhere_says_no_more() {
    let mut board = Board::new();
    for socket in 0..MAX_SOCKETS as u64 {
        assert!(board.open(socket).is_empty());
    }
    assert_eq!(closes(&board.open(9999)), [(9999, 1013)]);
    board.say(0, &hello(&json!({})));
    board.say(0, "SESSION server");
    board.signaling.ended(ClientId(0));
    assert_eq!(board.say(0, ANSWER), []);
    assert_eq!(board.closed(0, true), []);
    assert!(board.open(9999).is_empty());
}

#[test]
fn one_network_does_not_take_all_places() {
    let mut board = Board::new();
    let now = board.now;
    let ours: Option<IpAddr> = Some("192.0.2.1".parse().expect("an address"));
    let other: Option<IpAddr> = Some("192.0.2.2".parse().expect("an address"));
    for socket in 0..MAX_WAITING as u64 {
        assert!(board.signaling.open(now, SocketId(socket), ours).is_empty());
        board.say(socket, &hello(&json!({})));
    }
    assert_eq!(closes(&board.signaling.open(now, SocketId(1000), ours)), [(1000, 1013)]);
    assert!(board.signaling.open(now, SocketId(1001), other).is_empty());
    // Those with a session do not count.
    board.say(0, "SESSION server");
    assert!(board.signaling.open(now, SocketId(1002), ours).is_empty());
}

#[test]
fn sockets_for_sound_alone_give_way_to_newer_ones() {
    let mut board = Board::new();
    for socket in 0..64 {
        board.open(socket);
        assert_eq!(board.say(socket, "HELLO 3"), [send(socket, "HELLO")]);
    }
    board.open(64);
    assert_eq!(closes(&board.say(64, "HELLO 3")), [(0, 1013)]);
    board.open(65);
    assert_eq!(closes(&board.say(65, "HELLO 3")), [(1, 1013)]);
}

/// Any order of events, each socket's steps in themselves sound.
#[derive(Debug, Clone)]
enum Turn {
    Open,
    Say(usize, usize),
    Close(usize, bool),
    Pass(u64),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        Just(Turn::Open),
        (0..6_usize, 0..9_usize).prop_map(|(socket, line)| Turn::Say(socket, line)),
        (0..6_usize, any::<bool>()).prop_map(|(socket, cut)| Turn::Close(socket, cut)),
        (0..5000_u64).prop_map(Turn::Pass),
    ];
    proptest::collection::vec(turn, 0..80)
}

proptest! {
    #[test]
    fn in_any_order_each_client_joins_once_leaves_once_and_signals_between(turns in turns()) {
        let lines = [
            hello(&json!({ "resume_key": KEY })),
            hello(&json!({ "resume_key": KEY, "client_type": "viewer" })),
            hello(&json!({})),
            "HELLO 1".to_owned(),
            "SESSION server".to_owned(),
            "SESSION x".to_owned(),
            format!("server-here {ANSWER}"),
            r#"{"restart":true}"#.to_owned(),
            "garbage".to_owned(),
        ];
        let mut board = Board::new();
        let mut next = 0_u64;
        let mut open = Vec::new();
        let mut joined = std::collections::BTreeSet::new();
        for turn in turns {
            let steps = match turn {
                Turn::Open => {
                    next += 1;
                    open.push(next);
                    board.open(next)
                }
                Turn::Say(socket, line) => match open.get(socket) {
                    Some(&socket) => board.say(socket, &lines[line]),
                    None => continue,
                },
                Turn::Close(socket, cut) if socket < open.len() => {
                    let socket = open.remove(socket);
                    board.closed(socket, cut)
                }
                Turn::Close(..) => continue,
                Turn::Pass(ms) => board.pass(Duration::from_millis(ms)),
            };
            for step in steps {
                match step {
                    Step::Join { client, .. } => prop_assert!(joined.insert(client)),
                    Step::Leave { client, .. } => prop_assert!(joined.remove(&client)),
                    Step::Signal { client, .. } | Step::Resume { client, .. } => {
                        prop_assert!(joined.contains(&client));
                    }
                    Step::Close { socket, .. } => open.retain(|known| *known != socket.0),
                    Step::Send { socket, .. } => prop_assert!(open.contains(&socket.0)),
                }
            }
            prop_assert_eq!(board.signaling.sessions(), joined.len());
        }
        for socket in open {
            for step in board.closed(socket, false) {
                if let Step::Leave { client, .. } = step {
                    prop_assert!(joined.remove(&client));
                }
            }
        }
        for client in leaves(&board.pass(Duration::from_secs(60))) {
            prop_assert!(joined.remove(&ClientId(client)));
        }
        prop_assert!(joined.is_empty());
        prop_assert_eq!(board.signaling.next_wakeup(), None);
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,400}") {
        let _ = Hello::parse(&text);
        let _ = PeerMessage::parse(&text);
        let _ = selkies_session::wire::channel_text(&text);
        let mut board = Board::new();
        board.open(1);
        board.say(1, &text);
    }
}
