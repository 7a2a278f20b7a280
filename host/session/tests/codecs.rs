//! The session in virtual time: which codecs the pages decode, and what follows from that.

mod desk;

use desk::{Desk, controller, viewer};
use selkies_session::{Action, ClientId, Codec, Codecs, Event, Policy, Session};
use serde_json::{Value, json};

fn codecs(names: &[Codec]) -> Codecs {
    names.iter().copied().collect()
}

fn uses(desk: &mut Desk, encoder: &str, codec: Codec) -> Vec<Action> {
    let among = desk.among;
    desk.handle(Event::EncoderUsed { encoder: encoder.into(), codec: Some(codec), striped: false, among })
}

/// What is done about pictures.
fn deeds(actions: Vec<Action>) -> Vec<Action> {
    let is_deed = |action: &Action| {
        !matches!(action, Action::SendText { .. } | Action::ApplySettings { .. } | Action::WatchClipboard(_))
    };
    actions.into_iter().filter(is_deed).collect()
}

fn start(client: u64, lead: bool) -> Action {
    Action::StartVideo { client: ClientId(client), lead }
}

const STOP_2: Action = Action::StopVideo { client: ClientId(2) };

#[test]
fn the_owners_page_says_what_may_be_encoded_before_its_stream_starts() {
    let mut desk = Desk::new(Policy::default());
    desk.open(1, controller());
    assert!(deeds(desk.say(1, "_codecs,jpeg,vp9,h266,")).is_empty(), "it owns nothing yet");
    let actions = deeds(desk.say(1, r#"SETTINGS,{"tabId":"a"}"#));
    assert_eq!(actions, [Action::ChooseAmong(codecs(&[Codec::Jpeg, Codec::Vp9])), start(1, true)]);
    assert!(deeds(desk.say(1, "_codecs,vp9,jpeg")).is_empty(), "it is known");
    let refused = Action::ChooseAmong(codecs(&[Codec::Jpeg]));
    assert_eq!(deeds(desk.say(1, "_codecs,jpeg")), [refused], "a decoder failed");
    assert!(matches!(desk.say(1, "_codecs,h266")[..], [Action::Refused { .. }]));
    assert!(matches!(desk.say(1, "_codecs")[..], [Action::Refused { .. }]));
}

#[test]
fn a_page_that_says_nothing_is_one_of_2_1_0() {
    for (settings, expected) in [
        ("{}", Codecs::STOCK),
        (r#"{"encoder":"h264enc-striped"}"#, Codecs::STOCK),
        (r#"{"encoder":"vp9enc"}"#, Codecs::STOCK.with(Codec::Vp9)),
        (r#"{"encoder":"jpeg","encoderFallback":true}"#, codecs(&[Codec::Jpeg])),
        (r#"{"encoder":"h264enc","encoderFallback":true}"#, Codecs::STOCK),
    ] {
        let mut desk = Desk::new(Policy::default());
        desk.open(1, controller());
        let actions = deeds(desk.say(1, &format!("SETTINGS,{settings}")));
        assert_eq!(actions[0], Action::ChooseAmong(expected), "{settings}");
        assert!(deeds(desk.say(1, r#"SETTINGS,{"framerate":30}"#)).is_empty(), "{settings}");
    }
}

#[test]
fn the_encoder_in_use_is_told_to_pages_that_know_the_word() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    desk.say(1, "_codecs,jpeg,h264");
    for client in [1, 2] {
        desk.sent_to(client);
    }
    uses(&mut desk, "h264enc", Codec::H264);
    uses(&mut desk, "h264enc", Codec::H264);
    assert_eq!(desk.sent_to(1), [r#"system,{"action":"encoder,h264enc"}"#]);
    assert!(desk.sent_to(2).is_empty());
    desk.say(2, "_codecs,jpeg,h264");
    assert_eq!(desk.sent_to(2), [r#"system,{"action":"encoder,h264enc"}"#]);
}

#[test]
fn a_viewer_that_cannot_decode_is_told_and_gets_no_packets_until_it_can() {
    let mut desk = Desk::with_owner();
    uses(&mut desk, "h264enc", Codec::H264);
    desk.open(2, viewer());
    desk.say(2, "_codecs,jpeg");
    desk.sent_to(2);
    assert!(!deeds(desk.say(2, "START_VIDEO")).contains(&start(2, false)));
    let reason = "The session streams h264 (h264enc), and this page decodes jpeg only. Open it over HTTPS or in another browser";
    let told = format!(r#"{{"type":"pipeline_status","video":false,"reason":"{reason}"}}"#);
    assert!(desk.sent_to(2).contains(&told));
    assert_eq!(deeds(uses(&mut desk, "jpeg", Codec::Jpeg)), [start(2, false)]);
    let texts = desk.sent_to(2);
    let [encoder, reset, status] = &texts[..] else { panic!("{texts:?}") };
    assert_eq!(
        (encoder.as_str(), reset.as_str()),
        (r#"system,{"action":"encoder,jpeg"}"#, "PIPELINE_RESETTING primary")
    );
    assert_eq!(status, r#"{"type":"pipeline_status","video":true}"#);
    // And back: the others go on, and a new size starts only their streams anew.
    assert_eq!(deeds(uses(&mut desk, "h264enc", Codec::H264)), [STOP_2]);
    assert!(desk.sent_to(2).contains(&told));
    desk.handle(Event::DisplayChanged { width: 800, height: 600 });
    let actions = deeds(desk.handle(Event::DisplayChanged { width: 640, height: 480 }));
    assert_eq!(actions, [start(1, true)]);
    // A failure that is over is not the end of its trouble.
    desk.handle(Event::CaptureFailed { reason: "gone".into() });
    desk.handle(Event::CaptureRecovered);
    assert_eq!(desk.sent_to(2).last(), Some(&told));
    assert_eq!(deeds(desk.say(2, "_codecs,jpeg,h264")), [start(2, false)]);
}

#[test]
fn another_encoder_leaves_those_who_see_nothing_their_reason() {
    let mut desk = Desk::with_owner();
    uses(&mut desk, "h264enc", Codec::H264);
    desk.open(2, viewer());
    desk.say(2, "_codecs,jpeg");
    desk.say(2, "START_VIDEO");
    for client in [1, 2] {
        desk.sent_to(client);
    }
    desk.handle(Event::EncoderReplaced { encoder: "openh264enc".into(), reason: "gone".into() });
    assert!(desk.sent_to(1).iter().any(|text| text.contains("openh264enc goes on")));
    assert!(desk.sent_to(2).is_empty());
    uses(&mut desk, "openh264enc", Codec::H264);
    let told = desk.sent_to(2);
    let [_, status] = &told[..] else { panic!("{told:?}") };
    assert!(status.contains(r#""video":false"#) && status.contains("h264 (openh264enc)"), "{status}");
    uses(&mut desk, "openh264enc", Codec::H264);
    assert!(desk.sent_to(2).is_empty());
}

#[test]
fn the_owner_is_not_judged_before_the_encoder_is_chosen() {
    let mut desk = Desk::with_owner();
    uses(&mut desk, "h264enc", Codec::H264);
    desk.sent_to(1);
    desk.say(1, "_codecs,jpeg");
    assert!(!desk.sent_to(1).iter().any(|text| text.contains("pipeline_status")));
    assert_eq!(deeds(desk.say(1, "START_VIDEO")), [start(1, true)]);
    assert!(deeds(uses(&mut desk, "jpeg", Codec::Jpeg)).is_empty());
    desk.sent_to(1);
    desk.say(1, "_codecs,av1");
    // There is no encoder for it: the others keep their picture.
    assert_eq!(deeds(uses(&mut desk, "jpeg", Codec::Jpeg)), [Action::StopVideo { client: ClientId(1) }]);
    assert!(desk.sent_to(1).iter().any(|text| text.contains("there is no encoder for that: jpeg is in use")));
}

#[test]
fn the_owner_is_judged_by_the_answer_to_what_it_said_last() {
    let mut desk = Desk::with_owner();
    desk.say(1, "_codecs,jpeg");
    let answer = |desk: &mut Desk, names: &[Codec]| {
        let (encoder, codec) = ("h264enc".to_owned(), Some(Codec::H264));
        deeds(desk.handle(Event::EncoderUsed { encoder, codec, striped: false, among: Some(codecs(names)) }))
    };
    // One of a run that began before it said so.
    assert!(answer(&mut desk, &[Codec::Jpeg, Codec::H264]).is_empty());
    // There and back again: the answer to the last may be all that comes.
    desk.say(1, "_codecs,jpeg,av1");
    assert!(answer(&mut desk, &[Codec::Jpeg]).is_empty());
    desk.say(1, "_codecs,jpeg");
    assert_eq!(answer(&mut desk, &[Codec::Jpeg]), [Action::StopVideo { client: ClientId(1) }]);
}

#[test]
fn an_heir_brings_its_own_codecs() {
    let mut desk = Desk::with_owner();
    uses(&mut desk, "h264enc", Codec::H264);
    desk.open(2, controller());
    desk.say(2, "_codecs,jpeg");
    desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    let actions = deeds(desk.close(1));
    assert!(actions.contains(&Action::ChooseAmong(codecs(&[Codec::Jpeg]))), "{actions:?}");
    assert_eq!(deeds(uses(&mut desk, "jpeg", Codec::Jpeg)), [start(2, true)]);
}

/// A session whose settings name this encoder, with client 1 as owner.
fn configured(encoder: &str) -> Desk {
    let settings =
        json!({ "encoder": { "value": encoder, "allowed": ["jpeg", "h264enc", "h264enc-striped"] } });
    let mut desk = Desk::new(Policy::default());
    desk.session = Session::new(Policy::default(), settings.as_object().unwrap().clone());
    desk.open(1, controller());
    desk.say(1, r#"SETTINGS,{"tabId":"a"}"#);
    desk.sent_to(1);
    desk
}

fn follow(encoder: &str) -> Value {
    json!({ "type": "display_settings", "settings": { "encoder": encoder } })
}

fn watch(encoder: &str) -> Value {
    let settings = json!({ "encoder": { "value": encoder, "allowed": [encoder] } });
    json!({ "type": "server_settings", "settings": settings })
}

/// The one text among these that sets a page's encoder.
fn steered(texts: Vec<String>) -> Option<Value> {
    let bodies = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let mut found =
        bodies.filter(|body| body["type"].as_str().is_some_and(|kind| kind.contains("_settings")));
    let first = found.next();
    assert_eq!(found.next(), None);
    first
}

#[test]
fn pages_of_2_1_0_are_set_to_the_encoder_in_use() {
    let mut desk = configured("h264enc");
    desk.open(2, viewer());
    desk.say(2, "START_VIDEO");
    desk.sent_to(2);
    desk.open(3, viewer());
    desk.say(3, "_codecs,jpeg,h264");
    desk.say(3, "START_VIDEO");
    desk.sent_to(3);
    uses(&mut desk, "h264enc", Codec::H264);
    assert_eq!(steered(desk.sent_to(1)), None, "it is that by itself");
    assert_eq!(steered(desk.sent_to(2)), Some(watch("h264enc")), "its user may have picked another");
    uses(&mut desk, "jpeg", Codec::Jpeg);
    assert_eq!(steered(desk.sent_to(1)), Some(follow("jpeg")));
    assert_eq!(steered(desk.sent_to(2)), Some(watch("jpeg")));
    uses(&mut desk, "jpeg", Codec::Jpeg);
    assert_eq!((desk.sent_to(1), desk.sent_to(2)), (vec![], vec![]));
    // Later ones, too.
    desk.open(4, viewer());
    desk.sent_to(4);
    desk.say(4, "START_VIDEO");
    assert_eq!(steered(desk.sent_to(4)), Some(watch("jpeg")));
    desk.open(5, controller());
    desk.sent_to(5);
    desk.say(5, r#"SETTINGS,{"tabId":"b","encoder":"h264enc-striped"}"#);
    assert_eq!(steered(desk.sent_to(5)), Some(follow("jpeg")));
    for (name, shown) in [("h264enc-striped", "h264enc-striped"), ("nvh264enc", "h264enc")] {
        uses(&mut desk, name, Codec::H264);
        for client in [1, 5] {
            assert_eq!(steered(desk.sent_to(client)), Some(follow(shown)), "{name}");
        }
        assert_eq!(steered(desk.sent_to(2)), Some(watch(shown)), "{name}");
    }
    assert_eq!(steered(desk.sent_to(3)), None, "it goes by the packets");
}

#[test]
fn an_encoder_that_a_page_was_set_to_is_nobodys_wish() {
    let mut desk = configured("h264enc");
    uses(&mut desk, "jpeg", Codec::Jpeg);
    desk.sent_to(1);
    let mut wishes = |text: &str| {
        let actions = desk.say(1, &format!("SETTINGS,{text}"));
        let applied = actions.into_iter().find_map(|action| match action {
            Action::ApplySettings { json, .. } => Some(json),
            _ => None,
        });
        (applied.unwrap(), steered(desk.sent_to(1)))
    };
    let echo = r#"{"encoder":"jpeg","framerate":30}"#;
    assert_eq!(wishes(echo), (r#"{"framerate":30}"#.to_owned(), None));
    let picked = r#"{"encoder":"jpeg","picked":["encoder"]}"#;
    assert_eq!(wishes(picked), (picked.to_owned(), None));
    // What it wishes for may not come: until it does, the page draws what there is.
    let other = r#"{"encoder":"h264enc"}"#;
    assert_eq!(wishes(other), (other.to_owned(), Some(follow("jpeg"))));
    // A page that decodes no H.264 is not set to it.
    let fallback = r#"{"encoder":"jpeg","encoderFallback":true}"#;
    wishes(fallback);
    uses(&mut desk, "h264enc", Codec::H264);
    assert_eq!(steered(desk.sent_to(1)), None);
}
