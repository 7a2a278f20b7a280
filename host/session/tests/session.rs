//! The session in virtual time: greeting, roles, takeover, held limits.

mod desk;

use std::time::Duration;

use desk::{Desk, controller, token, viewer};
use selkies_session::{
    Action, Admission, ClientId, ClipboardContent, Codecs, Event, InputEvent, Policy, Refusal, Standing,
    VerbClass,
};

#[test]
fn the_greeting_keeps_the_order_of_2_1_0() {
    let mut desk = Desk::new(Policy::default());
    desk.cursor();
    desk.open(1, token(false, true));
    let texts = desk.sent_to(1);
    let starts: Vec<&str> = texts.iter().map(|t| t.split([',', ' ']).next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "AUTH_SUCCESS",
            "MODE",
            "MK_ACCESS",
            "DISPLAY_CONFIG_UPDATE",
            "cursor",
            r#"{"type":"server_settings""#
        ]
    );
    desk.open(2, controller());
    let texts = desk.sent_to(2);
    assert_eq!(texts[0], "MODE websockets");
    assert!(texts[1].starts_with("DISPLAY_CONFIG_UPDATE,"));
    assert_eq!(texts.len(), 4);
}

#[test]
fn a_controllers_settings_start_the_stream() {
    let mut desk = Desk::new(Policy::default());
    desk.open(1, controller());
    assert_eq!(desk.standing(1), Some(Standing::Candidate));
    let json = r#"{"displayId":"primary","initialClientWidth":1281,"initialClientHeight":721}"#;
    let actions = desk.say(1, &format!("SETTINGS,{json}"));
    assert_eq!(desk.standing(1), Some(Standing::Owner));
    let client = ClientId(1);
    assert_eq!(actions[0], Action::ChooseAmong(Codecs::STOCK));
    assert_eq!(actions[1], Action::ApplySettings { client, json: json.into() });
    assert_eq!(actions[2], Action::ResizeDisplay { width: 1280, height: 720 });
    assert!(actions.contains(&Action::StartVideo { client, lead: true }));
    assert!(desk.say(1, "START_AUDIO").contains(&Action::StartAudio { client, redundant: false }));
}

#[test]
fn a_late_viewer_gets_cursor_settings_and_size() {
    let mut desk = Desk::with_owner();
    desk.cursor();
    desk.handle(Event::DisplayChanged { width: 800, height: 600 });
    desk.pass(Duration::from_secs(1));
    desk.open(2, viewer());
    assert_eq!(
        desk.sent_to(2).iter().filter(|t| t.starts_with("cursor,") || t.contains("server_settings")).count(),
        2
    );
    let actions = desk.say(2, "START_VIDEO");
    let texts = desk.sent_to(2);
    assert!(
        texts[0].contains(r#""stream_resolution","width":800,"height":600,"displayId":"primary""#),
        "{texts:?}"
    );
    assert_eq!(texts[1..], ["PIPELINE_RESETTING primary", "VIDEO_STARTED"]);
    assert!(actions.contains(&Action::StartVideo { client: ClientId(2), lead: false }));
    // What it lacks is in the fan-out: nobody else's picture is encoded anew.
    assert!(!actions.contains(&Action::RequestKeyframe));
    assert!(!actions.iter().any(|a| matches!(a, Action::SendText { to, .. } if to.contains(&ClientId(1)))));
}

#[test]
fn the_second_page_of_the_same_tab_takes_over() {
    let mut desk = Desk::with_owner();
    desk.say(1, "kd,97");
    desk.open(2, controller());
    let actions = desk.say(2, r#"SETTINGS,{"tabId":"tab"}"#);
    assert_eq!(desk.sent_to(1), ["KILL a new primary client connected connection killed"]);
    assert!(actions.contains(&Action::Close {
        client: ClientId(1),
        code: 1000,
        reason: "Superseded by new client"
    }));
    assert!(actions.contains(&Action::Inject(vec![InputEvent::Key { keysym: 97, down: false }])));
    assert_eq!((desk.standing(1), desk.standing(2)), (None, Some(Standing::Owner)));
    assert!(desk.say(1, "kd,98").is_empty(), "the old page is heard no more");
}

#[test]
fn a_page_without_tab_or_without_sharing_takes_over() {
    for (policy, settings) in [
        (Policy::default(), "SETTINGS,{}"),
        (Policy { sharing: false, ..Policy::default() }, r#"SETTINGS,{"tabId":"other"}"#),
    ] {
        let mut desk = Desk::owned(policy);
        desk.open(2, controller());
        desk.say(2, settings);
        assert_eq!((desk.standing(1), desk.standing(2)), (None, Some(Standing::Owner)));
    }
}

#[test]
fn another_tab_joins_beside_and_inherits() {
    let mut desk = Desk::with_owner();
    desk.open(2, controller());
    assert!(desk.say(2, "kd,97").is_empty(), "before its SETTINGS it drives nothing");
    let actions = desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    assert!(actions.contains(&Action::StartVideo { client: ClientId(2), lead: false }));
    assert_eq!((desk.standing(1), desk.standing(2)), (Some(Standing::Owner), Some(Standing::CoController)));
    assert_eq!(desk.say(2, "kd,97"), [Action::Inject(vec![InputEvent::Key { keysym: 97, down: true }])]);
    assert!(desk.say(2, "r,640x480,primary").is_empty(), "the owner sizes the display");
    desk.sent_to(2);
    let actions = desk.close(1);
    assert!(actions.contains(&Action::SetLead { client: ClientId(2) }));
    assert_eq!(desk.sent_to(2), ["DISPLAY_OWNER primary"]);
    assert_eq!(desk.standing(2), Some(Standing::Owner));
    assert!(!actions.contains(&Action::ReleaseAllInput), "the heir still holds its key");
}

#[test]
fn second_screens_are_refused() {
    let mut desk = Desk::with_owner();
    desk.open(2, controller());
    desk.sent_to(2);
    let actions = desk.say(2, r#"SETTINGS,{"displayId":"display2"}"#);
    assert_eq!(desk.sent_to(2), ["KILL Second screens are disabled on this server."]);
    assert!(actions.contains(&Action::Close {
        client: ClientId(2),
        code: 1008,
        reason: "Second screens disabled"
    }));
    assert_eq!(desk.standing(1), Some(Standing::Owner));
}

#[test]
fn a_viewer_drives_nothing() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    for text in [
        "kd,97",
        "ku,97",
        "kh,97",
        "m,1,1,1,0",
        "m2,1,1,0,0",
        "co,end,x",
        "sf,1,1",
        "cmd,id",
        "r,640x480,primary",
        "s,96",
        "vb,1",
        "_rc,cbr",
        "cw,aGk=",
        "cws,1,1",
        "cwd,1,aGk=",
        "cwe,1",
        "cb,image/png,AAAA",
        "REQUEST_CLIPBOARD",
        "FILE_UPLOAD_START:a:1",
        "js,b,0,1,1",
        "p,1",
    ] {
        let actions = desk.say(2, text);
        assert!(
            matches!(actions[..], [Action::Refused { refusal: Refusal::Denied { .. }, .. }]),
            "{text}: {actions:?}"
        );
    }
    for silent in ["kr", "cr", "_pointer_echo,1"] {
        assert!(desk.say(2, silent).is_empty(), "{silent}");
    }
    for opcode in [1u8, 2] {
        let actions = desk.handle(Event::ClientBinary { client: ClientId(2), data: &[opcode, 0] });
        assert!(
            matches!(actions[..], [Action::Refused { refusal: Refusal::Denied { .. }, .. }, ..]),
            "{opcode}"
        );
    }
    let ack = Action::FrameAcked { client: ClientId(2), frame_id: 5, held_ms: None };
    assert_eq!(desk.say(2, "CLIENT_FRAME_ACK 5"), [ack]);
    assert_eq!(desk.session.counters().denied, 23);
}

#[test]
fn players_drive_their_own_pad_only() {
    let mut desk = Desk::with_owner();
    desk.open(2, Admission::from_query(Some("viewer"), Some("3")));
    assert!(matches!(desk.say(2, "js,b,2,0,1")[..], [Action::Inject(_)]));
    assert!(matches!(desk.say(2, "js,b,0,0,1")[..], [Action::Refused { .. }]));
    assert!(matches!(desk.say(2, "kd,97")[..], [Action::Refused { .. }]));
    assert!(matches!(desk.say(1, "js,b,0,0,1")[..], [Action::Inject(_)]), "a legacy controller drives any");
    assert!(
        desk.close(2)
            .iter()
            .any(|a| matches!(a, Action::Inject(e) if matches!(e[..], [InputEvent::Gamepad(_)])))
    );
}

#[test]
fn disabled_links_are_refused_on_the_socket() {
    let mut desk = Desk::new(Policy { shared: false, players: [false, true, true], ..Policy::default() });
    let actions = desk.open(1, viewer());
    assert_eq!(desk.sent_to(1), ["KILL Strict shared clients are not enabled."]);
    assert!(matches!(actions[1], Action::Close { code: 1008, .. }));
    assert_eq!(desk.open(2, Admission::from_query(Some("viewer"), Some("2"))).len(), 2);
    assert_eq!(desk.sent_to(2), ["KILL Player slot 2 is not enabled."]);
    desk.open(3, Admission::from_query(Some("viewer"), Some("3")));
    assert_eq!((desk.standing(1), desk.standing(3)), (None, Some(Standing::Viewer)));
}

#[test]
fn tokens_decide_about_input_and_change_live() {
    let mut desk = Desk::with_owner();
    desk.open(2, token(false, true));
    assert_eq!(desk.standing(2), Some(Standing::Collaborator));
    desk.open(3, token(true, false));
    desk.say(3, r#"SETTINGS,{"tabId":"third"}"#);
    assert!(desk.say(3, "kd,97").is_empty(), "outranked by the token that holds the input");
    assert!(matches!(desk.say(2, "kd,97")[..], [Action::Inject(_)]));
    desk.sent_to(2);
    // The right is taken away: what it held is released at once, and its page told.
    let client = ClientId(2);
    let actions = desk.handle(Event::AdmissionChanged { client, admission: Some(token(false, false)) });
    assert_eq!(desk.sent_to(2), ["MK_ACCESS,0"]);
    assert!(actions.contains(&Action::Inject(vec![InputEvent::Key { keysym: 97, down: false }])));
    assert!(matches!(desk.say(2, "kd,97")[..], [Action::Refused { .. }]));
    let slots = Admission { slots: vec![2], ..token(false, false) };
    desk.handle(Event::AdmissionChanged { client, admission: Some(slots) });
    assert_eq!(desk.sent_to(2), [r#"ROLE_UPDATE,{"role":"viewer","slot":2}"#]);
    let actions = desk.handle(Event::AdmissionChanged { client, admission: None });
    assert!(actions.contains(&Action::Close { client, code: 4002, reason: "Token revoked" }));
    assert!(desk.say(2, "START_VIDEO").is_empty(), "after the revocation nothing is executed");
}

#[test]
fn collaboration_needs_the_operators_leave() {
    let mut desk = Desk::owned(Policy { collab: false, ..Policy::default() });
    desk.open(2, token(false, true));
    assert!(desk.sent_to(2).contains(&"MK_ACCESS,0".to_owned()));
    assert!(matches!(desk.say(2, "kd,97")[..], [Action::Refused { .. }]));
}

#[test]
fn operator_policy_gates_commands_audio_microphone_and_clipboard() {
    let off = Policy {
        audio: false,
        clipboard_in: false,
        clipboard_out: false,
        gamepad: false,
        upload: false,
        ..Policy::default()
    };
    let mut desk = Desk::owned(off);
    for text in ["cmd,id", "cw,aGk=", "cr", "REQUEST_CLIPBOARD", "js,b,0,0,1", "FILE_UPLOAD_START:a:1"] {
        let actions = desk.say(1, text);
        assert!(matches!(actions[..], [Action::Refused { refusal: Refusal::Disabled(_), .. }]), "{text}");
    }
    assert!(!desk.say(1, "START_AUDIO").iter().any(|a| matches!(a, Action::StartAudio { .. })));
    assert_eq!(desk.sent_to(1), ["AUDIO_DISABLED"]);
    let microphone = Event::ClientBinary { client: ClientId(1), data: &[2, 0, 0] };
    let refusal = Refusal::Disabled(VerbClass::Microphone);
    assert!(desk.handle(microphone.clone()).contains(&Action::Refused { client: ClientId(1), refusal }));
    assert_eq!(desk.sent_to(1), ["MICROPHONE_DISABLED"]);

    let mut desk = Desk::owned(Policy { command: true, microphone: true, ..Policy::default() });
    assert_eq!(
        desk.say(1, "cmd,id; ls"),
        [Action::RunCommand { client: ClientId(1), line: "id; ls".into() }]
    );
    assert_eq!(desk.handle(microphone), [Action::Microphone { client: ClientId(1), pcm: vec![0, 0] }]);
    let content = ClipboardContent { mime: "text/plain".into(), bytes: b"hi"[..].into(), secret: false };
    assert_eq!(desk.say(1, "cw,aGk="), [Action::OfferClipboard(content)]);
}

#[test]
fn shutting_down_tells_everybody_and_releases_everything() {
    for (last, code) in [(true, 1001), (false, 1012)] {
        let mut desk = Desk::with_owner();
        desk.open(2, viewer());
        desk.sent_to(2);
        desk.say(1, "kd,97");
        let actions = desk.handle(Event::ShutDown { last });
        assert_eq!(desk.sent_to(2).len(), usize::from(last), "a page that should come back is not killed");
        assert!(actions.contains(&Action::Inject(vec![InputEvent::Key { keysym: 97, down: false }])));
        assert!(actions.contains(&Action::ReleaseAllInput));
        let closed =
            actions.iter().filter(|a| matches!(a, Action::Close { code: c, .. } if *c == code)).count();
        assert_eq!(closed, 2);
        assert!(desk.say(1, "kd,98").is_empty() && desk.open(3, controller()).is_empty());
    }
}

#[test]
fn nonsense_is_counted_and_harmless() {
    let mut desk = Desk::with_owner();
    assert!(
        matches!(&desk.say(1, "what,ever")[..], [Action::Refused { refusal: Refusal::Unknown(v), .. }] if v == "what")
    );
    assert!(matches!(desk.say(1, "m,x,y,0,0")[..], [Action::Refused { refusal: Refusal::Malformed(_), .. }]));
    assert!(matches!(
        desk.say(1, "SETTINGS,[]")[..],
        [Action::Refused { refusal: Refusal::Malformed(_), .. }]
    ));
    let deep = format!("SETTINGS,{}", "[".repeat(100_000));
    assert!(matches!(desk.say(1, &deep)[..], [Action::Refused { .. }]));
    for data in [&[][..], &[9], &[0xff; 2_000_000]] {
        desk.handle(Event::ClientBinary { client: ClientId(1), data });
    }
    let counters = desk.session.counters();
    assert_eq!((counters.unknown, counters.malformed, counters.messages), (2, 4, 8));
    // Only this host's own page asks that, and its packets need not be sent twice.
    let first = desk.say(1, "_ping,12.5");
    assert_eq!(first[0], Action::KeepsPackets { client: ClientId(1) });
    assert_eq!(first.len(), 2);
    assert_eq!(desk.say(1, "_ping,12.5").len(), 1);
    assert_eq!(desk.sent_to(1), ["pong,12.5", "pong,12.5"]);
}

#[test]
fn times_per_stage_are_heard_four_times_a_second_at_most() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    let heard = |actions: &[Action], of: u64| match actions {
        [] => 0,
        [Action::Staged { client, reports }] if *client == ClientId(of) => reports.len(),
        other => panic!("{other:?}"),
    };
    let mut reports = 0;
    for _ in 0..1000 {
        desk.pass(Duration::from_millis(10));
        reports += heard(&desk.say(1, "_stages,1:2:3,2:3:4"), 1);
    }
    assert_eq!(reports, 2 * 40, "in ten seconds");
    // Each client for itself, viewers as well.
    assert_eq!(heard(&desk.say(2, "_stages,1:2:3"), 2), 1);
    assert_eq!(heard(&desk.say(2, "_stages,1:2:3"), 2), 0);
}

#[test]
fn too_many_clients_and_repeated_ids_are_turned_away() {
    let mut desk = Desk::new(Policy { max_clients: 2, ..Policy::default() });
    desk.open(1, controller());
    assert!(desk.open(1, viewer()).is_empty());
    desk.open(2, viewer());
    let actions = desk.open(3, viewer());
    assert_eq!(actions, [Action::Close { client: ClientId(3), code: 1013, reason: "Too many clients" }]);
}
