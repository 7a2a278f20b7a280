//! What the client reports, judged before GStreamer takes it apart (RFC 3550, 6.1; RFC 4585, 6.1 and 6.2.1;
//! draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).
//!
//! GStreamer makes an object of each packet that a transport-wide report speaks of, and one of each number that a NACK asks
//! for. A datagram of 24 bytes can name 65 535 of them, and its parser trusts the lengths. And it keeps a source of each SSRC
//! that reports, for minutes.

/// Most packets that one report may speak of; browsers report ten to twenty times a second.
pub(crate) const MAX_REPORT: u16 = 4096;
/// Most entries of one NACK; each stands for 17 packets.
const MAX_NACK: usize = 256;
/// So far back may a report begin.
const MAX_BACK: u16 = 16_384;

/// SSRCs that one client may report with; browsers have one, or one for each media line.
const MAX_SENDERS: usize = 32;

/// Types of packets: a source's description, its end, and transport-layer feedback, with the formats of that.
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const FEEDBACK: u8 = 205;
const NACK: u8 = 1;
const TRANSPORT_WIDE: u8 = 15;

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Who reported.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    known: Vec<u32>,
}

impl Senders {
    fn admit(&mut self, ssrc: u32) -> Option<()> {
        if !self.known.contains(&ssrc) {
            if self.known.len() == MAX_SENDERS {
                return None;
            }
            self.known.push(ssrc);
        }
        Some(())
    }
}

/// The work that a datagram makes; `newest` is the transport-wide number that left last. `None` when it is not to be looked at:
/// it is not well-formed, or says what cannot be.
pub(crate) fn judge(datagram: &[u8], newest: Option<u16>, senders: &mut Senders) -> Option<u32> {
    let (mut rest, mut work) = (datagram, 0_u32);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (first, kind) = (*rest.first()?, *rest.get(1)?);
        let len = 4 * (usize::from(be16(rest, 2)?) + 1);
        if first >> 6 != 2 || len > rest.len() {
            return None;
        }
        let (packet, further) = rest.split_at(len);
        rest = further;
        work += 1;
        match (kind, first & 0x1f) {
            // Who leaves, leaves by signaling.
            (BYE, _) => return None,
            (DESCRIPTION, 0) => continue,
            // A client is no mixer, which describes others.
            (DESCRIPTION, 2..) => return None,
            _ => {}
        }
        senders.admit(packet.get(4..8)?.try_into().ok().map(u32::from_be_bytes)?)?;
        if kind == FEEDBACK {
            let entries = packet.get(12..)?;
            match first & 0x1f {
                NACK if entries.len() / 4 > MAX_NACK => return None,
                NACK => work += u32::try_from(entries.len()).ok()?,
                TRANSPORT_WIDE => work += u32::from(report(entries, newest?)? / 8),
                _ => {}
            }
        }
    }
    Some(work)
}

/// How many packets a transport-wide report speaks of.
fn report(bytes: &[u8], newest: u16) -> Option<u16> {
    let (base, count) = (be16(bytes, 0)?, be16(bytes, 2)?);
    let back = newest.wrapping_sub(base);
    if count == 0 || count > MAX_REPORT || back > MAX_BACK || back + 1 < count {
        return None;
    }
    let (mut at, mut told, mut deltas) = (8, 0_usize, 0_usize);
    while told < usize::from(count) {
        let chunk = be16(bytes, at)?;
        at += 2;
        let left = usize::from(count) - told;
        let (symbols, bits) = match chunk >> 14 {
            0b00 | 0b01 => {
                let run = usize::from(chunk & 0x1fff).min(left);
                deltas += run * delta((chunk >> 13) & 0b11)?;
                told += run;
                // A run of nothing would be no end.
                if run == 0 {
                    return None;
                }
                continue;
            }
            0b10 => (14, 1),
            _ => (7, 2),
        };
        for i in 0..left.min(symbols) {
            let shift = (symbols - 1 - i) * bits;
            deltas += delta((chunk >> shift) & ((1 << bits) - 1))?;
        }
        told += left.min(symbols);
    }
    (at + deltas <= bytes.len()).then_some(count)
}

/// Bytes of the time that follows a symbol.
fn delta(symbol: u16) -> Option<usize> {
    match symbol {
        0 => Some(0),
        1 => Some(1),
        2 => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{judge as judge_with, *};

    fn judge(datagram: &[u8], newest: Option<u16>) -> Option<u32> {
        judge_with(datagram, newest, &mut Senders::default())
    }

    const NEWEST: Option<u16> = Some(500);

    fn packet(format: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let words = u16::try_from((body.len() + 8) / 4).expect("it is short");
        let mut packet = vec![0x80 | format, kind];
        packet.extend(words.to_be_bytes());
        packet.extend([0; 8]);
        packet.extend(body);
        packet
    }

    /// A report on 10 packets from 490 on: one run, then a vector.
    fn sound_report() -> Vec<u8> {
        let mut body = vec![];
        for word in [490_u16, 10] {
            body.extend(word.to_be_bytes());
        }
        body.extend([0, 0, 1, 7]);
        // 3 of one byte; then two of two bytes, one lost, one of one byte, and three lost.
        body.extend(0x2003_u16.to_be_bytes());
        body.extend((0xc000_u16 | 0b10_10_00_01_00_00_00).to_be_bytes());
        body.extend([4; 3]);
        body.extend([0, 9, 0, 9]);
        body.push(4);
        while body.len() % 4 != 0 {
            body.push(0);
        }
        body
    }

    #[test]
    fn what_browsers_send_is_looked_at() {
        let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(judge(&receiver_report, None), Some(1));
        let picture_loss = packet(1, 206, &[]);
        assert_eq!(judge(&[&receiver_report[..], &picture_loss].concat(), None), Some(2));
        assert_eq!(judge(&packet(15, 205, &sound_report()), NEWEST), Some(2));
        assert_eq!(judge(&packet(1, 205, &[0, 1, 0xff, 0xff, 0, 30, 0, 0]), None), Some(9));
    }

    #[test]
    fn reports_that_do_not_add_up_are_not() {
        let sound = packet(15, 205, &sound_report());
        let with = |at: usize, value: u16| {
            let mut bytes = sound.clone();
            bytes[12 + at..14 + at].copy_from_slice(&value.to_be_bytes());
            bytes
        };
        for (what, bytes) in [
            ("it speaks of what did not leave", with(0, 495)),
            ("it is too old", with(0, 500_u16.wrapping_sub(20_000))),
            ("it speaks of nothing", with(2, 0)),
            ("it speaks of too many", with(2, 65_535)),
            ("there are too few chunks", with(2, 11)),
            ("a run of nothing", with(8, 0x2000)),
            ("a symbol that is none", with(8, 0x6003)),
            ("there are too few times", with(10, 0xc000 | 0b10_10_10_10_10_10_10)),
        ] {
            assert_eq!(judge(&bytes, NEWEST), None, "{what}");
        }
        assert_eq!(judge(&sound, None), None, "nothing left yet");
        assert!(judge(&with(0, 491), NEWEST).is_some());
    }

    #[test]
    fn what_is_cut_off_or_no_rtcp_is_not() {
        let sound = packet(15, 205, &sound_report());
        for len in 0..sound.len() {
            assert_eq!(judge(&sound[..len], NEWEST), None, "{len}");
        }
        assert_eq!(judge(&[0; 40], NEWEST), None);
        assert_eq!(judge(&packet(1, 205, &vec![0; 4 * (MAX_NACK + 1)]), None), None);
        assert_eq!(judge(&[0x80, 205, 0, 1, 0, 0, 0, 0], NEWEST), None);
    }

    #[test]
    fn nobody_reports_with_names_without_end_or_for_others() {
        let mut senders = Senders::default();
        let report = |ssrc: u32| [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat();
        let taken = (0..1000).filter(|ssrc| judge_with(&report(*ssrc), None, &mut senders).is_some()).count();
        assert_eq!(taken, MAX_SENDERS);
        assert!(judge_with(&report(7), None, &mut senders).is_some());
        assert_eq!(judge(&[0x81, 203, 0, 1, 0, 0, 0, 1], None), None, "an end");
        let description = |count: u8| [&[0x80 | count, 202, 0, 2][..], &[0, 0, 0, 1, 0, 0, 0, 0]].concat();
        assert!(judge(&description(1), None).is_some() && judge(&description(2), None).is_none());
    }

    #[test]
    fn noise_ends_no_one() {
        let (mut seed, sound) = (7_u64, packet(15, 205, &sound_report()));
        for _ in 0..200_000 {
            let mut bytes = sound.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % bytes.len();
                bytes[at] = (seed >> 24) as u8;
            }
            assert!(judge(&bytes, NEWEST).is_none_or(|work| work < 10_000));
        }
    }
}
