//! Sound on the wire, read by a decoder of its own that follows the format and not the code; and who hears and speaks.

mod desk;

use std::time::Duration;

use desk::{Desk, controller, token, viewer};
use selkies_session::sound::{MAX_PACKET, OpusPacket, SoundFraming};
use selkies_session::{Action, ClientId, Event, Policy, Refusal, VerbClass};

const MS: u64 = 1_000_000;
/// 20 ms in samples of 48 kHz.
const STEP: u32 = 960;

/// Packets with their times, where they have one.
type Packets = Vec<(Option<u32>, Vec<u8>)>;

/// What a page makes of one message: the packets, oldest first, and whether a sound ends.
fn read(message: &[u8]) -> (Packets, bool) {
    assert_eq!(message[0], 1);
    let (count, ends) = (usize::from(message[1] & 0x7f), message[1] & 0x80 != 0);
    if count == 0 {
        return (vec![(None, message[2..].to_vec())], ends);
    }
    let time = u32::from_be_bytes(message[2..6].try_into().expect("a time"));
    let mut headers = &message[6..];
    let mut lengths = Vec::new();
    for _ in 0..count {
        let field = u32::from_be_bytes(headers[..4].try_into().expect("a header"));
        assert_eq!(field >> 31, 1, "another header follows");
        lengths.push(((field >> 10) & 0x3fff, (field & 0x3ff) as usize));
        headers = &headers[4..];
    }
    assert_eq!(headers[0] & 0x80, 0, "the last header");
    let mut body = &headers[1..];
    let mut packets = Vec::new();
    for (offset, length) in lengths {
        packets.push((Some(time.wrapping_sub(offset)), body[..length].to_vec()));
        body = &body[length..];
    }
    packets.push((Some(time), body.to_vec()));
    (packets, ends)
}

/// The `n`th packet of 20 ms, whose bytes tell which one it is.
fn packet(n: u64) -> Vec<u8> {
    vec![n as u8; 40 + n as usize % 7]
}

fn at(n: u64, data: &[u8]) -> OpusPacket<'_> {
    OpusPacket { data, timestamp_ns: n * 20 * MS, silent: false }
}

#[test]
fn without_redundancy_a_message_is_two_bytes_and_the_packet() {
    let mut framing = SoundFraming::new(0);
    for n in 0..4 {
        let messages = framing.frame(at(n, &packet(n))).expect("sound");
        assert_eq!(messages.redundant, None);
        assert_eq!(messages.plain[..2], [1, 0]);
        assert_eq!(messages.plain[2..], packet(n));
    }
}

#[test]
fn what_gets_lost_is_in_the_messages_that_follow() {
    for distance in 1..=4_usize {
        let mut framing = SoundFraming::new(distance);
        let messages: Vec<_> = (0..40).map(|n| framing.frame(at(n, &packet(n))).expect("sound")).collect();
        // Every run of `distance` lost messages is whole again after the next one.
        let mut heard = vec![None; 40];
        for (n, message) in messages.iter().enumerate() {
            if n % (distance + 1) != distance && n != 0 {
                continue;
            }
            for (time, data) in read(message.redundant.as_ref().unwrap_or(&message.plain)).0 {
                heard[time.map_or(n, |time| (time / STEP) as usize)] = Some(data);
            }
        }
        let last = heard.iter().rposition(Option::is_some).expect("something was heard");
        assert!(last >= 35, "{last}");
        for (n, data) in heard[..=last].iter().enumerate() {
            assert_eq!(data.as_ref(), Some(&packet(n as u64)), "packet {n} at distance {distance}");
        }
    }
}

#[test]
fn what_a_header_cannot_say_is_not_repeated() {
    let mut framing = SoundFraming::new(2);
    let large = vec![9; 1024];
    assert_eq!(framing.frame(at(0, &large)).expect("sound").redundant, None);
    let next = framing.frame(at(1, &packet(1))).expect("sound");
    assert_eq!(next.redundant, None, "1024 bytes do not fit ten bits");
    // Only the small one is repeated.
    let (packets, _) = read(&framing.frame(at(2, &large)).expect("sound").redundant.expect("repeats one"));
    let times: Vec<_> = packets.iter().map(|(time, data)| (*time, data.len())).collect();
    assert_eq!(times, [(Some(STEP), 41), (Some(2 * STEP), 1024)]);
    // 16 384 samples are 341 ms.
    let late = framing.frame(at(30, &packet(3))).expect("sound");
    assert_eq!(late.redundant, None);
    assert_eq!(framing.frame(at(31, &[])), None);
    assert_eq!(framing.frame(at(31, &vec![0; MAX_PACKET + 1])), None);
}

#[test]
fn times_run_over_without_harm() {
    // 2^32 samples of 48 kHz, less one packet.
    let edge = (1_u64 << 32) * 1_000_000 / 48 + 1 - 20 * MS;
    let mut framing = SoundFraming::new(1);
    let mut frame = |ns, data: &[u8]| framing.frame(OpusPacket { data, timestamp_ns: ns, silent: false });
    frame(edge, &packet(1)).expect("sound");
    let (packets, _) = read(&frame(edge + 20 * MS, &packet(2)).expect("sound").redundant.expect("repeats"));
    let [(Some(older), _), (Some(newer), _)] = packets[..] else { panic!("{packets:?}") };
    assert_eq!(newer.wrapping_sub(older), STEP);
}

#[test]
fn silence_is_told_once_and_not_sent() {
    let mut framing = SoundFraming::new(2);
    let mut say = |n: u64, silent| {
        let data = packet(n);
        framing.frame(OpusPacket { data: &data, timestamp_ns: n * 20 * MS, silent })
    };
    assert!(!read(&say(0, false).expect("sound").plain).1);
    let ending = say(1, true).expect("the end of the sound");
    assert!(read(&ending.plain).1 && read(&ending.redundant.expect("repeats")).1);
    for n in 2..50 {
        assert_eq!(say(n, true), None, "silence is not sent");
    }
    let again = say(50, false).expect("sound again");
    assert!(!read(&again.plain).1);
    assert_eq!(again.redundant, None, "what was before the silence is not repeated");
}

fn heard(actions: &[Action]) -> Vec<(u64, bool)> {
    let each = |action: &Action| match action {
        Action::StartAudio { client, .. } => Some((client.0, true)),
        Action::StopAudio { client } => Some((client.0, false)),
        _ => None,
    };
    actions.iter().filter_map(each).collect()
}

#[test]
fn sound_goes_to_those_who_ask_and_to_nobody_else() {
    let mut desk = Desk::with_owner();
    assert_eq!(heard(&desk.say(1, "START_AUDIO")), [(1, true)]);
    assert_eq!(desk.sent_to(1), ["AUDIO_STARTED"]);
    desk.open(2, viewer());
    assert_eq!(heard(&desk.say(2, "START_VIDEO")), [(2, true)], "stock viewers never ask");
    desk.sent_to(1);
    // One who stops it does not stop it for the others, whoever it is.
    assert_eq!(heard(&desk.say(1, "STOP_AUDIO")), [(1, false)]);
    assert_eq!(desk.sent_to(1), ["AUDIO_STOPPED"]);
    assert!(!desk.sent_to(2).contains(&"AUDIO_STOPPED".to_owned()));
    assert_eq!(heard(&desk.close(2)), [(2, false)]);
}

#[test]
fn a_viewer_that_said_it_wants_no_sound_gets_none_with_its_picture() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    desk.say(2, "STOP_AUDIO");
    assert_eq!(heard(&desk.say(2, "START_VIDEO")), []);
    assert_eq!(heard(&desk.say(2, "START_AUDIO")), [(2, true)]);
}

#[test]
fn redundancy_is_for_pages_that_say_they_read_it() {
    let asked = |actions: Vec<Action>| {
        actions.iter().any(|action| matches!(action, Action::StartAudio { redundant: true, .. }))
    };
    let mut desk = Desk::with_owner();
    assert!(!asked(desk.say(1, "START_AUDIO")));
    desk.say(1, r#"SETTINGS,{"tabId":"tab","audioRedundancy":true}"#);
    assert!(asked(desk.say(1, "START_AUDIO")));
    // A page that hears already is given it from there on.
    assert!(!asked(desk.say(1, r#"SETTINGS,{"tabId":"tab","audioRedundancy":true}"#)), "nothing changed");
    let actions = desk.say(1, r#"SETTINGS,{"tabId":"tab","audioRedundancy":false}"#);
    assert!(actions.contains(&Action::StartAudio { client: ClientId(1), redundant: false }));
}

#[test]
fn why_there_is_no_sound_is_told_to_those_who_want_some() {
    let mut desk = Desk::with_owner();
    desk.open(2, viewer());
    desk.say(1, "START_AUDIO");
    desk.sent_to(1);
    desk.sent_to(2);
    let failed = || Event::SoundChanged { missing: Some("no audio server".into()) };
    desk.handle(failed());
    assert_eq!(desk.sent_to(1), [r#"{"type":"pipeline_status","audio":false,"reason":"no audio server"}"#]);
    assert_eq!(desk.sent_to(2), Vec::<String>::new());
    assert!(desk.handle(failed()).is_empty(), "once");
    desk.say(2, "START_AUDIO");
    assert_eq!(desk.sent_to(2).len(), 2, "who comes later is told, too");
    desk.handle(Event::SoundChanged { missing: None });
    assert_eq!(desk.sent_to(1), [r#"{"type":"pipeline_status","audio":true}"#]);
    assert_eq!(desk.sent_to(2), [r#"{"type":"pipeline_status","audio":true}"#]);
}

/// A message of 20 ms whose samples are all `value`.
fn speech(value: u8) -> Vec<u8> {
    let mut message = vec![2];
    message.resize(961, value);
    message
}

fn speak(desk: &mut Desk, client: u64, data: &[u8]) -> Vec<Action> {
    desk.handle(Event::ClientBinary { client: ClientId(client), data })
}

fn spoken(actions: &[Action]) -> bool {
    matches!(actions, [Action::Microphone { .. }])
}

#[test]
fn a_microphone_is_for_controllers_and_only_where_it_is_allowed() {
    let mut desk = Desk::owned(Policy { microphone: true, ..Policy::default() });
    let actions = speak(&mut desk, 1, &speech(3));
    assert_eq!(actions, [Action::Microphone { client: ClientId(1), pcm: vec![3; 960] }]);
    for (client, admission) in [(2, viewer()), (3, token(false, false)), (4, controller())] {
        desk.open(client, admission);
        desk.sent_to(client);
        assert!(!spoken(&speak(&mut desk, client, &speech(1))), "client {client}");
    }
    // Each is told once, and not with every message.
    assert_eq!(desk.sent_to(2), ["MICROPHONE_DISABLED"]);
    speak(&mut desk, 2, &speech(1));
    assert_eq!(desk.sent_to(2), Vec::<String>::new());

    let mut desk = Desk::with_owner();
    let refusal = Refusal::Disabled(VerbClass::Microphone);
    let actions = speak(&mut desk, 1, &speech(3));
    assert!(actions.contains(&Action::Refused { client: ClientId(1), refusal }), "{actions:?}");
    assert_eq!(desk.sent_to(1), ["MICROPHONE_DISABLED"]);
}

#[test]
fn a_microphone_whose_rights_another_token_holds_is_silent() {
    let mut desk = Desk::owned(Policy { microphone: true, ..Policy::default() });
    desk.open(2, token(true, false));
    desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    assert!(!spoken(&speak(&mut desk, 2, &speech(1))));
}

#[test]
fn a_collaborator_speaks_where_collaborators_are_allowed() {
    for collab in [true, false] {
        let mut desk = Desk::owned(Policy { microphone: true, collab, ..Policy::default() });
        desk.open(2, token(false, true));
        desk.sent_to(2);
        assert_eq!(spoken(&speak(&mut desk, 2, &speech(1))), collab);
        assert_eq!(desk.sent_to(2).is_empty(), collab);
    }
}

#[test]
fn what_is_on_its_way_when_a_right_goes_is_not_answered() {
    let mut desk = Desk::owned(Policy { microphone: true, ..Policy::default() });
    desk.open(2, token(false, true));
    assert!(spoken(&speak(&mut desk, 2, &speech(1))));
    desk.sent_to(2);
    let admit = |desk: &mut Desk, access| {
        let admission = Some(token(false, access));
        desk.handle(Event::AdmissionChanged { client: ClientId(2), admission });
    };
    admit(&mut desk, false);
    assert!(!spoken(&speak(&mut desk, 2, &speech(1))));
    assert_eq!(desk.sent_to(2), ["MK_ACCESS,0"], "that says it");
    admit(&mut desk, true);
    assert!(spoken(&speak(&mut desk, 2, &speech(1))));
    assert_eq!(desk.sent_to(2), ["MK_ACCESS,1"]);
}

#[test]
fn samples_that_are_none_are_refused() {
    let mut desk = Desk::owned(Policy { microphone: true, ..Policy::default() });
    for wrong in [vec![2], vec![2, 1], vec![2; 962], vec![2; 1 + 24_000 * 2 + 2]] {
        let actions = speak(&mut desk, 1, &wrong);
        assert!(
            matches!(actions[..], [Action::Refused { refusal: Refusal::Malformed(_), .. }]),
            "{}",
            wrong.len()
        );
    }
}

#[test]
fn nobody_speaks_faster_than_time_passes() {
    let mut desk = Desk::owned(Policy { microphone: true, ..Policy::default() });
    // A second may come at once, after a pause of the network; no more.
    let taken = (0..200).filter(|_| spoken(&speak(&mut desk, 1, &speech(1)))).count();
    assert_eq!(taken, 50);
    desk.pass(Duration::from_millis(200));
    let taken = (0..200).filter(|_| spoken(&speak(&mut desk, 1, &speech(1)))).count();
    assert!((10..=11).contains(&taken), "{taken}");
    // In real time everything is taken.
    desk.pass(Duration::from_secs(2));
    for _ in 0..500 {
        desk.pass(Duration::from_millis(20));
        assert!(spoken(&speak(&mut desk, 1, &speech(1))));
    }
}

#[test]
fn one_speaks_at_a_time() {
    let mut desk = Desk::owned(Policy { microphone: true, ..Policy::default() });
    desk.open(2, controller());
    desk.say(2, r#"SETTINGS,{"tabId":"other"}"#);
    assert!(spoken(&speak(&mut desk, 1, &speech(1))));
    assert!(speak(&mut desk, 2, &speech(2)).is_empty(), "two voices in one stream are noise");
    desk.pass(Duration::from_millis(1100));
    assert!(spoken(&speak(&mut desk, 2, &speech(2))), "after a pause of the first");
    assert!(speak(&mut desk, 1, &speech(1)).is_empty());
    desk.close(2);
    assert!(spoken(&speak(&mut desk, 1, &speech(1))));
}
