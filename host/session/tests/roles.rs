//! The role matrix, whole.

use selkies_session::roles::{MATRIX, Verdict, verdict};
use selkies_session::wire::{ClientMessage, Direction, VERBS};
use selkies_session::{Admission, Standing, VerbClass};

const STANDINGS: [Standing; 5] =
    [Standing::Owner, Standing::CoController, Standing::Candidate, Standing::Collaborator, Standing::Viewer];

#[test]
fn every_verb_has_a_class_and_every_class_one_row() {
    for spec in VERBS.iter().filter(|s| s.direction == Direction::FromClient) {
        let class = VerbClass::of(&ClientMessage::parse(spec.example).unwrap());
        let class = class.unwrap_or_else(|| panic!("{} has no class", spec.verb));
        assert_eq!(MATRIX.iter().filter(|(c, _)| *c == class).count(), 1, "{}", spec.verb);
    }
    assert_eq!(VerbClass::of(&ClientMessage::parse("nonsense").unwrap()), None);
}

#[test]
fn the_owner_may_everything_and_the_others_only_this() {
    for (class, _) in MATRIX {
        assert_eq!(verdict(Standing::Owner, *class), Verdict::Allow, "{class:?}");
    }
    let allowed = |standing| -> Vec<VerbClass> {
        MATRIX.iter().map(|(c, _)| *c).filter(|c| verdict(standing, *c) == Verdict::Allow).collect()
    };
    use VerbClass as C;
    assert_eq!(allowed(Standing::Viewer), [C::Settings, C::OwnStream, C::OwnAudio, C::Gamepad]);
    assert_eq!(allowed(Standing::Candidate), [C::Settings, C::OwnStream, C::OwnAudio, C::ClipboardRead]);
    let collaborator = allowed(Standing::Collaborator);
    assert!(collaborator.contains(&C::Input) && collaborator.contains(&C::Clipboard));
    for standing in STANDINGS.into_iter().filter(|s| !matches!(s, Standing::Owner | Standing::CoController)) {
        assert_eq!(verdict(standing, C::Command), Verdict::Deny, "{standing:?}");
        assert_eq!(verdict(standing, C::Upload), Verdict::Deny, "{standing:?}");
        assert_ne!(verdict(standing, C::Shape), Verdict::Allow, "{standing:?}");
    }
    // What a page sends by itself is never reported as an attack.
    for noise in [C::InputNoise, C::ClipboardRead] {
        assert!(STANDINGS.into_iter().all(|s| verdict(s, noise) != Verdict::Deny));
    }
}

#[test]
fn queries_make_viewers_and_players() {
    let of = |role, slot| {
        let a = Admission::from_query(role, slot);
        (a.role == selkies_session::wire::RoleName::Viewer, a.slots, a.input_authority)
    };
    assert_eq!(of(Some("viewer"), None), (true, vec![], false));
    assert_eq!(of(Some("viewer"), Some("4")), (true, vec![4], false));
    assert_eq!(of(None, None), (false, vec![], true));
    for odd in ["1", "5", "-1", "256", "x", ""] {
        assert_eq!(of(Some("viewer"), Some(odd)), (true, vec![], false), "{odd}");
    }
}

#[test]
fn pads_belong_to_slots() {
    let pads = |slots: &[u8], secure, viewer: bool| -> Vec<u8> {
        let admission = Admission {
            slots: slots.to_vec(),
            secure,
            ..Admission::from_query(viewer.then_some("viewer"), None)
        };
        (0..4).filter(|&slot| admission.may_drive_pad(slot)).collect()
    };
    assert_eq!(pads(&[], false, false), [0, 1, 2, 3]);
    assert!(pads(&[], false, true).is_empty() && pads(&[], true, false).is_empty());
    assert_eq!(pads(&[1, 3], true, true), [0, 2]);
    assert!(pads(&[0], true, true).is_empty());
}
