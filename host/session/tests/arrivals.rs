//! Clients that come by signaling, in virtual time: how they join, what they may be sent, and who gives way.

mod desk;

use desk::{Desk, controller, viewer};
use selkies_session::{Action, Admission, Arrival, ClientId, Codec, Codecs, Event, Policy, Standing};

fn arrival(admission: Admission, tab: Option<&str>, codec: Codec) -> Arrival {
    Arrival { admission, tab: tab.map(str::to_owned), size: None, codec: Some(codec) }
}

fn arrive(desk: &mut Desk, client: u64, arrival: Arrival) -> Vec<Action> {
    desk.handle(Event::ClientSignaled { client: ClientId(client), arrival })
}

fn uses(desk: &mut Desk, encoder: &str, codec: Codec, striped: bool) -> Vec<Action> {
    let among = desk.among;
    desk.handle(Event::EncoderUsed { encoder: encoder.into(), codec: Some(codec), striped, among })
}

fn starts(actions: &[Action]) -> Vec<(u64, bool)> {
    let start = |action: &Action| match action {
        Action::StartVideo { client, lead } => Some((client.0, *lead)),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

fn stops(actions: &[Action], client: u64) -> bool {
    actions.contains(&Action::StopVideo { client: ClientId(client) })
}

const WHOLE_H264: Codecs = Codecs::NONE.with(Codec::H264).in_whole_frames();

#[test]
fn a_controller_owns_the_display_and_sees_it_without_a_word() {
    let mut desk = Desk::new(Policy::default());
    let come = Arrival { size: Some((1280, 720)), ..arrival(controller(), Some("a"), Codec::H264) };
    let actions = arrive(&mut desk, 1, come);
    assert!(actions.contains(&Action::ChooseAmong(WHOLE_H264)), "{actions:?}");
    assert!(actions.contains(&Action::ResizeDisplay { width: 1280, height: 720 }));
    assert_eq!(starts(&actions), [(1, true)]);
    assert_eq!(desk.standing(1), Some(Standing::Owner));
    assert_eq!(desk.sent_to(1)[0], "MODE webrtc");
    // Its SETTINGS come when its channel opens; of these the first name its size.
    let actions =
        desk.say(1, r#"SETTINGS,{"framerate":30,"initialClientWidth":800,"initialClientHeight":600}"#);
    assert!(
        matches!(&actions[..], [Action::ApplySettings { .. }, Action::ResizeDisplay { width: 800, .. }]),
        "{actions:?}"
    );
    let actions =
        desk.say(1, r#"SETTINGS,{"framerate":30,"initialClientWidth":640,"initialClientHeight":480}"#);
    assert!(matches!(&actions[..], [Action::ApplySettings { .. }]), "{actions:?}");
    // What its page says of decoders is not what signaling came to.
    assert!(!desk.say(1, "_codecs,jpeg,av1").iter().any(|action| matches!(action, Action::ChooseAmong(_))));
}

#[test]
fn a_second_page_takes_over_or_joins_beside_as_over_a_websocket() {
    for (tab, beside) in [(Some("b"), true), (Some("a"), false), (None, false)] {
        let mut desk = Desk::new(Policy::default());
        arrive(&mut desk, 1, arrival(controller(), Some("a"), Codec::H264));
        let actions = arrive(&mut desk, 2, arrival(controller(), tab, Codec::H264));
        let expected = if beside { Standing::CoController } else { Standing::Owner };
        assert_eq!(desk.standing(2), Some(expected), "{tab:?}");
        let closed =
            |action: &Action| matches!(action, Action::Close { client: ClientId(1), code: 1000, .. });
        assert_eq!(actions.iter().any(closed), !beside, "{tab:?}");
    }
    // Whatever the other came by.
    let mut desk = Desk::with_owner();
    arrive(&mut desk, 2, arrival(controller(), Some("tab"), Codec::Vp8));
    assert_eq!((desk.standing(1), desk.standing(2)), (None, Some(Standing::Owner)));
    assert_eq!(desk.among, Some(Codecs::NONE.with(Codec::Vp8).in_whole_frames()));
}

#[test]
fn the_owners_transport_decides_between_stripes_and_whole_frames() {
    let mut desk = Desk::with_owner();
    assert_eq!(desk.among, Some(Codecs::STOCK));
    uses(&mut desk, "h264enc-striped", Codec::H264, true);
    let actions = arrive(&mut desk, 2, arrival(viewer(), None, Codec::H264));
    assert!(starts(&actions).is_empty(), "stripes are not for it: {actions:?}");
    assert!(
        desk.sent_to(2).iter().any(|text| text.contains("pipeline_status") && text.contains("WebSockets"))
    );
    let actions = uses(&mut desk, "h264enc", Codec::H264, false);
    assert_eq!(starts(&actions), [(2, false)], "whole frames are");
    let actions = uses(&mut desk, "h264enc-striped", Codec::H264, true);
    assert!(stops(&actions, 2) && !stops(&actions, 1), "{actions:?}");
}

#[test]
fn what_signaling_comes_to_later_counts_from_then_on() {
    let mut desk = Desk::new(Policy::default());
    arrive(&mut desk, 1, arrival(controller(), Some("a"), Codec::H264));
    uses(&mut desk, "h264enc", Codec::H264, false);
    arrive(&mut desk, 2, arrival(viewer(), None, Codec::H264));
    let agreed = |client| Event::CodecAgreed { client: ClientId(client), codec: Codec::Vp8 };
    let actions = desk.handle(agreed(2));
    assert!(stops(&actions, 2), "{actions:?}");
    let actions = desk.handle(agreed(1));
    assert_eq!(actions, [Action::ChooseAmong(Codecs::NONE.with(Codec::Vp8).in_whole_frames())]);
    assert_eq!(starts(&uses(&mut desk, "vp8enc", Codec::Vp8, false)), [(2, false)]);
    assert!(desk.handle(agreed(9)).is_empty());
}

#[test]
fn after_a_restart_a_client_keeps_its_place_holds_nothing_and_is_greeted_again() {
    let mut desk = Desk::new(Policy::default());
    arrive(&mut desk, 1, arrival(controller(), Some("a"), Codec::H264));
    uses(&mut desk, "h264enc", Codec::H264, false);
    arrive(&mut desk, 2, arrival(controller(), Some("b"), Codec::H264));
    desk.say(1, "kd,97");
    desk.sent_to(1);
    desk.sent_to(2);
    let actions = desk.handle(Event::ClientRestarted { client: ClientId(1) });
    let released = |action: &Action| matches!(action, Action::Inject(events) if !events.is_empty());
    assert!(released(&actions[0]), "the key is let go first: {actions:?}");
    assert_eq!(starts(&actions), [(1, true)], "it has nothing of the picture");
    let told = desk.sent_to(1);
    assert_eq!(told[0], "MODE webrtc");
    assert!(told.iter().any(|text| text.contains("server_settings")), "{told:?}");
    assert_eq!(desk.sent_to(2), [""; 0]);
    assert_eq!(desk.standing(1), Some(Standing::Owner));
    // Who wants no picture gets none.
    desk.say(2, "STOP_VIDEO");
    assert!(starts(&desk.handle(Event::ClientRestarted { client: ClientId(2) })).is_empty());
    assert!(desk.handle(Event::ClientRestarted { client: ClientId(9) }).is_empty());
}

#[test]
fn a_client_without_a_codec_gets_no_packets() {
    let mut desk = Desk::new(Policy::default());
    arrive(&mut desk, 1, Arrival { codec: None, ..arrival(viewer(), None, Codec::H264) });
    let actions = uses(&mut desk, "h264enc", Codec::H264, false);
    assert!(stops(&actions, 1), "{actions:?}");
}

#[test]
fn keyframes_are_limited_whoever_asks() {
    let mut desk = Desk::new(Policy::default());
    arrive(&mut desk, 1, arrival(controller(), Some("a"), Codec::H264));
    arrive(&mut desk, 2, arrival(viewer(), None, Codec::H264));
    let wants = |client| Event::KeyframeWanted { client: ClientId(client) };
    assert_eq!(desk.handle(wants(1)), [Action::RequestKeyframe]);
    assert_eq!(desk.handle(wants(1)), []);
    assert_eq!(desk.handle(wants(2)), [Action::FrameLost { client: ClientId(2), frame_id: None }]);
    assert_eq!(desk.handle(wants(3)), []);
}

#[test]
fn all_pages_are_told_to_look_again_after_a_switch() {
    let mut desk = Desk::with_owner();
    arrive(&mut desk, 2, arrival(viewer(), None, Codec::H264));
    desk.sent_to(2);
    desk.handle(Event::ModeSwitched);
    for client in [1, 2] {
        assert_eq!(desk.sent_to(client), [r#"system,{"action":"reload"}"#], "{client}");
    }
}

#[test]
fn without_an_owner_the_first_viewer_decides_what_is_encoded() {
    let mut desk = Desk::new(Policy::default());
    uses(&mut desk, "jpeg", Codec::Jpeg, true);
    let chosen = |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::ChooseAmong(_)));
    let actions = arrive(&mut desk, 1, arrival(viewer(), None, Codec::H264));
    assert!(actions.contains(&Action::ChooseAmong(WHOLE_H264)), "{actions:?}");
    assert!(!chosen(&arrive(&mut desk, 2, arrival(viewer(), None, Codec::Vp8))), "the second one follows");
    let whole_vp9 = Codecs::NONE.with(Codec::Vp9).in_whole_frames();
    let actions = arrive(&mut desk, 3, arrival(controller(), Some("a"), Codec::Vp9));
    assert!(actions.contains(&Action::ChooseAmong(whole_vp9)), "an owner decides: {actions:?}");
    let actions = desk.handle(Event::ClientClosed { client: ClientId(3) });
    assert!(actions.contains(&Action::ChooseAmong(WHOLE_H264)), "{actions:?}");
}
