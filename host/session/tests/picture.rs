//! The session in virtual time: what becomes of the picture, its size and its stream, and who is told.

mod desk;

use std::time::Duration;

use desk::{Desk, controller, viewer};
use selkies_session::{Action, ClientId, Event, Policy};

#[test]
fn key_frames_are_coalesced_and_never_lost() {
    let mut desk = Desk::with_owner();
    desk.pass(Duration::from_secs(1));
    let asked = |actions: &[Action]| actions.contains(&Action::RequestKeyframe);
    assert!(asked(&desk.say(1, "REQUEST_KEYFRAME")));
    for _ in 0..1000 {
        assert!(!asked(&desk.say(1, "REQUEST_KEYFRAME")));
    }
    desk.pass(Duration::from_millis(250));
    assert!(asked(&desk.handle(Event::Tick)));
    assert!(!asked(&desk.handle(Event::Tick)));
    // What a viewer lacks is the fan-out's to judge: its asking alone costs nobody a key frame.
    desk.open(2, viewer());
    let lost = |frame_id| [Action::FrameLost { client: ClientId(2), frame_id }];
    for _ in 0..100 {
        desk.pass(Duration::from_millis(100));
        assert_eq!(desk.say(2, "REQUEST_KEYFRAME"), lost(None));
        assert_eq!(desk.handle(Event::Tick), []);
    }
    assert_eq!(desk.say(2, "LOST_FRAME 77"), lost(Some(77)));
    assert_eq!(desk.say(2, "DECODE_PACE 12.5"), [Action::DecodePace { client: ClientId(2), fps: 12.5 }]);
    for wrong in ["LOST_FRAME", "LOST_FRAME -1", "LOST_FRAME 65536", "DECODE_PACE x", "DECODE_PACE nan"] {
        assert!(matches!(desk.say(2, wrong)[..], [Action::Refused { .. }]), "{wrong}");
    }
}

#[test]
fn resizes_are_limited() {
    let mut desk = Desk::with_owner();
    assert_eq!(desk.say(1, "r,1921x1081,primary"), [Action::ResizeDisplay { width: 1920, height: 1080 }]);
    desk.handle(Event::DisplayChanged { width: 1920, height: 1080 });
    assert!(desk.say(1, "r,1920x1080,primary").is_empty(), "it is that already");
    // The older dialect's verb obeys the same rules.
    assert_eq!(desk.say(1, "_arg_resize,true,801x601"), [Action::ResizeDisplay { width: 800, height: 600 }]);
    assert!(desk.say(1, "_arg_resize,false,640x480").is_empty());
    assert!(matches!(desk.say(1, "_arg_resize,true,99999x99999")[..], [Action::Refused { .. }]));
    // Back before the first change has happened.
    desk.say(1, "r,1000x700,primary");
    assert_eq!(desk.say(1, "r,1920x1080,primary"), [Action::ResizeDisplay { width: 1920, height: 1080 }]);
    assert!(desk.say(1, "r,800x600,display2").is_empty(), "not the display of this session");
    for size in ["0x0", "1x1", "65535x65535", "4294967295x4294967295", "16384x16384"] {
        assert!(matches!(desk.say(1, &format!("r,{size},primary"))[..], [Action::Refused { .. }]), "{size}");
    }
    let mut fixed = Desk::new(Policy { resize: false, ..Policy::default() });
    fixed.open(1, controller());
    fixed.say(1, r#"SETTINGS,{"displayId":"primary"}"#);
    for verb in ["r,800x600,primary", "_arg_resize,true,800x600"] {
        assert!(fixed.say(1, verb).is_empty(), "{verb}: the operator does not allow it");
    }
}

#[test]
fn a_failed_capture_is_told_and_recovers_with_a_fresh_stream() {
    let mut desk = Desk::with_owner();
    desk.handle(Event::CaptureFailed { reason: "display lost".into() });
    let status = r#"{"type":"pipeline_status","video":false,"reason":"display lost"}"#;
    assert_eq!(desk.sent_to(1), [status]);
    desk.open(2, viewer());
    assert!(desk.sent_to(2).contains(&status.to_owned()));
    let actions = desk.handle(Event::CaptureRecovered);
    assert_eq!(desk.sent_to(1), [r#"{"type":"pipeline_status","video":true}"#, "PIPELINE_RESETTING primary"]);
    assert!(actions.contains(&Action::StartVideo { client: ClientId(1), lead: true }));
    assert!(desk.handle(Event::CaptureRecovered).is_empty());
}

#[test]
fn a_replaced_encoder_is_told_without_a_new_stream() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    desk.sent_to(2);
    desk.sent_to(1);
    let actions =
        desk.handle(Event::EncoderReplaced { encoder: "jpeg".into(), reason: "killed by SIGSEGV".into() });
    let status = |reason| format!(r#"{{"type":"pipeline_status","video":true,"reason":"{reason}"}}"#);
    assert_eq!(desk.sent_to(1), [status("The encoder failed, jpeg goes on: killed by SIGSEGV")]);
    assert_eq!(desk.sent_to(2), [status("The encoder failed, jpeg goes on")], "viewers need not know how");
    assert!(actions.iter().all(|action| matches!(action, Action::SendText { .. })), "{actions:?}");
}

#[test]
fn a_new_display_size_restarts_the_streams() {
    let mut desk = Desk::with_owner();
    desk.handle(Event::DisplayChanged { width: 800, height: 600 });
    desk.sent_to(1);
    let actions = desk.handle(Event::DisplayChanged { width: 640, height: 480 });
    let texts = desk.sent_to(1);
    assert!(texts[0].contains("stream_resolution") && texts[1] == "PIPELINE_RESETTING primary");
    assert!(actions.contains(&Action::StartVideo { client: ClientId(1), lead: true }));
}

#[test]
fn figures_go_to_subscribers_and_never_to_viewers() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    desk.sent_to(2);
    desk.say(2, "_stats,1");
    let stats = || {
        Event::Stats(selkies_session::wire::StreamStats {
            display_id: "primary".into(),
            figures: Default::default(),
        })
    };
    assert!(desk.handle(stats()).is_empty());
    desk.say(1, "_stats,1");
    desk.handle(stats());
    assert_eq!(desk.sent_to(1), [r#"{"type":"stream_stats","displayId":"primary"}"#]);
    assert!(desk.sent_to(2).is_empty());
}

#[test]
fn a_manual_size_holds_whatever_room_the_page_has() {
    let mut desk = Desk::with_owner();
    let resized = |actions: Vec<Action>| {
        let sizes = actions.into_iter().filter_map(|action| match action {
            Action::ResizeDisplay { width, height } => Some((width, height)),
            _ => None,
        });
        sizes.collect::<Vec<_>>()
    };
    let manual = r#"SETTINGS,{"manual_resolution":true,"manual_width":1281,"manual_height":801,"initialClientWidth":900,"initialClientHeight":500}"#;
    assert_eq!(resized(desk.say(1, manual)), [(1280, 800)]);
    desk.handle(Event::DisplayChanged { width: 1280, height: 800 });
    for verb in ["r,640x480,primary", "_arg_resize,true,640x480"] {
        assert!(desk.say(1, verb).is_empty(), "{verb}: the size is fixed");
    }
    // Another value of the settings is no reason to leave the mode.
    assert_eq!(resized(desk.say(1, r#"SETTINGS,{"framerate":30}"#)), []);
    let absurd = desk.say(1, r#"SETTINGS,{"manual_width":20000}"#);
    assert!(absurd.iter().any(|action| matches!(action, Action::Refused { .. })), "{absurd:?}");
    let auto =
        r#"SETTINGS,{"is_manual_resolution_mode":false,"initialClientWidth":900,"initialClientHeight":500}"#;
    assert_eq!(resized(desk.say(1, auto)), [(900, 500)]);
    assert_eq!(resized(desk.say(1, "r,640x480,primary")), [(640, 480)]);
    // Without a size it is Selkies' own; a page that takes over does not inherit the mode.
    assert_eq!(resized(desk.say(1, r#"SETTINGS,{"manual_resolution":true}"#)), [(1024, 768)]);
    desk.open(2, controller());
    let takes_over = r#"SETTINGS,{"tabId":"tab","initialClientWidth":900,"initialClientHeight":500}"#;
    assert_eq!(resized(desk.say(2, takes_over)), [(900, 500)]);
}

#[test]
fn aligned_sizes_are_multiples_of_sixteen_where_the_operator_lets_pages_choose() {
    let aligned = r#"SETTINGS,{"force_aligned_resolution":true}"#;
    let mut desk = Desk::with_owner();
    assert_eq!(desk.say(1, "r,1366x768,primary"), [Action::ResizeDisplay { width: 1366, height: 768 }]);
    assert!(desk.say(1, aligned).contains(&Action::ResizeDisplay { width: 1360, height: 768 }));
    assert_eq!(desk.say(1, "r,801x601,primary"), [Action::ResizeDisplay { width: 800, height: 592 }]);
    let loose = r#"SETTINGS,{"force_aligned_resolution":false}"#;
    for (locked, expected) in [(false, (1366, 768)), (true, (1360, 768))] {
        let policy = Policy { aligned: true, aligned_locked: locked, ..Policy::default() };
        let mut desk = Desk::owned(policy);
        desk.say(1, loose);
        let (width, height) = expected;
        assert_eq!(desk.say(1, "r,1366x768,primary"), [Action::ResizeDisplay { width, height }]);
    }
}

#[test]
fn a_scale_is_a_factor_or_dots_per_inch() {
    let mut desk = Desk::with_owner();
    for (said, dpi) in [("s,1.5", 144.0), ("s,1", 96.0), ("s,192", 192.0)] {
        assert_eq!(desk.say(1, said), [Action::SetScale { client: ClientId(1), dpi }], "{said}");
    }
}

#[test]
fn the_pointer_is_in_the_picture_only_for_the_page_that_wants_it() {
    let mut desk = Desk::with_owner();
    assert_eq!(desk.say(1, "SET_NATIVE_CURSOR_RENDERING,1"), [Action::SetNativeCursor(true)]);
    assert!(desk.say(1, "p,1").is_empty(), "it is there already");
    desk.open(2, viewer());
    desk.say(2, "START_VIDEO");
    let denied = desk.say(2, "SET_NATIVE_CURSOR_RENDERING,0");
    assert!(matches!(denied[..], [Action::Refused { .. }]), "{denied:?}");
    desk.open(3, controller());
    assert!(desk.say(3, r#"SETTINGS,{"tabId":"tab"}"#).contains(&Action::SetNativeCursor(false)));
    desk.say(3, "p,1");
    assert!(desk.close(3).contains(&Action::SetNativeCursor(false)));
}
