//! Whether the packets of a frame are what was asked for.

use selkies_plugin_abi as abi;

use super::{Damage, Encoder, Shown};
use crate::{
    decode::{Decoded, psnr, shared},
    host::{Flight, PacketRecord},
    journal,
    picture::Picture,
    rules::encoder::{
        ENC_022, ENC_023, ENC_024, ENC_025, ENC_031, ENC_032, ENC_035, ENC_036, ENC_037, ENC_039,
    },
};

/// The least PSNR at the middle of the quality scale, in decibels.
const LEAST_PSNR: f64 = 24.0;

/// The rectangle of a whole frame.
fn whole(flight: &Flight) -> abi::Rect {
    abi::Rect { x: 0, y: 0, width: flight.width, height: flight.height }
}

/// Whether packets cover each pixel of an area.
fn covers(packets: &[PacketRecord], area: abi::Rect) -> bool {
    // Areas are few: cut the rows at their edges, and look for the columns within each band.
    let mut edges: Vec<u32> = vec![area.y, area.y + area.height];
    edges.extend(packets.iter().flat_map(|packet| [packet.area.y, packet.area.y + packet.area.height]));
    edges.retain(|edge| (area.y..=area.y + area.height).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    edges.windows(2).all(|band| {
        let mut spans: Vec<(u32, u32)> = packets
            .iter()
            .map(|packet| packet.area)
            .filter(|rect| rect.y <= band[0] && rect.y + rect.height >= band[1])
            .map(|rect| (rect.x, rect.x + rect.width))
            .collect();
        spans.sort_unstable();
        let mut reached = area.x;
        for (start, end) in spans {
            if start > reached {
                break;
            }
            reached = reached.max(end);
        }
        reached >= area.x + area.width
    })
}

/// Judges a frame that is done. `first` says that it is the first of its instance.
pub(crate) fn verify(encoder: &mut Encoder, shown: &Shown, flight: &Flight, picture: &Picture, first: bool) {
    let before = encoder.seen.replace(picture.clone());
    let id = shown.frame_id;
    if let Some((status, _)) = flight.done
        && status < 0
    {
        let (class, detail) = (abi::class_of(status), abi::detail_of(status));
        journal::fail(&ENC_037, format!("frame {id} was reported with class {class} detail {detail}"));
        return;
    }
    let base: Vec<PacketRecord> = flight.packets.iter().filter(|packet| packet.layer == 0).cloned().collect();
    let keyed = shown.flags & abi::SUBMIT_KEYFRAME != 0;
    let keys = base.iter().filter(|packet| packet.flags & abi::PACKET_KEY != 0).count();
    let complete = covers(&base, whole(flight));
    for (rule, asked) in [(&ENC_022, first), (&ENC_023, keyed && !first)] {
        if asked && !complete {
            journal::fail(rule, format!("frame {id}: {} packets that do not cover the frame", base.len()));
        } else if asked && keys < base.len() {
            journal::fail(rule, format!("frame {id}: {keys} of {} packets have PACKET_KEY", base.len()));
        }
    }
    if encoder.params.raw.ignore_damage != 0 {
        if !complete {
            journal::fail(
                &ENC_036,
                format!("frame {id}: {} packets that do not cover the frame", base.len()),
            );
        }
    } else if !first && !keyed {
        changes(encoder, shown, &base, before.as_ref(), picture);
    }
    if !encoder.offer.has(abi::ENCODER_STRIPES)
        && (base.len() > 1 || base.first().is_some_and(|packet| packet.area != whole(flight)))
    {
        journal::fail(&ENC_035, format!("frame {id} made {} packets, or one of a part", base.len()));
    }
    // Frames that nobody looked at are part of the stream, too: those that push held ones out.
    let before: Vec<(u64, PacketRecord)> = {
        let state = encoder.context.state();
        let flights = state.frames.flights.range(encoder.decoded + 1..id.max(encoder.decoded + 1));
        flights
            .flat_map(|(&id, flight)| flight.packets.iter().map(move |packet| (id, packet.clone())))
            .collect()
    };
    for (id, packet) in &before {
        content(encoder, *id, packet, None, false);
    }
    for packet in &flight.packets {
        content(encoder, id, packet, Some(picture), first);
    }
    encoder.decoded = id;
}

fn changes(
    encoder: &Encoder,
    shown: &Shown,
    base: &[PacketRecord],
    before: Option<&Picture>,
    picture: &Picture,
) {
    let id = shown.frame_id;
    let inside = |x: u32, y: u32| {
        base.iter().any(|packet| {
            let area = packet.area;
            (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y)
        })
    };
    // What did not really change may be left out, whatever the damage says.
    if let Some(before) =
        before.filter(|before| (before.width, before.height) == (picture.width, picture.height))
        && let Some((x, y)) = before.differences(picture).find(|&(x, y)| !inside(x, y))
    {
        let count = base.len();
        journal::fail(
            &ENC_024,
            format!("frame {id}: the pixel at {x},{y} changed, none of {count} packets covers it"),
        );
    }
    let rest = shown.damage == Damage::Rects(Vec::new()) && shown.flags & abi::SUBMIT_REFINE == 0;
    if rest && encoder.offer.has(abi::ENCODER_DAMAGE) && !base.is_empty() {
        let count = base.len();
        journal::fail(&ENC_025, format!("frame {id}: nothing changed, and it made {count} packets"));
    }
}

/// Judges the bytes of a packet; `picture` is what they are to resemble.
fn content(encoder: &mut Encoder, id: u64, packet: &PacketRecord, picture: Option<&Picture>, first: bool) {
    let raw = encoder.params.raw;
    let abi::Rect { x, y, width, height } = packet.area;
    let place = format!("frame {id}, {width}x{height} at {x},{y}");
    let pictures = match encoder.streams.decode(raw.codec, packet) {
        Decoded::Pictures(pictures) => pictures,
        Decoded::Wrong(why) => return journal::fail(&ENC_031, format!("{place}: {why}")),
        // That the first frame has to be a keyframe is a rule of its own.
        Decoded::Astray(_) if first => return,
        Decoded::Astray(why) => return journal::fail(&ENC_039, format!("{place}: {why}")),
        Decoded::Lost => return,
        Decoded::Plausible(why) => {
            for rule in [&ENC_031, &ENC_032, &ENC_039] {
                journal::warn(rule, format!("not decoded: {why}"));
            }
            return;
        }
    };
    if (raw.out_width, raw.out_height) != (0, 0) {
        return;
    }
    // With one colour sample for two by two pixels, H.264 has even sizes only; it crops in such steps (7.4.2.1.1).
    let step = if raw.codec == abi::CODEC_H264 { 2 } else { 1 };
    let sizes = [(width, height), (width.next_multiple_of(step), height.next_multiple_of(step))];
    if let Some(found) = pictures.iter().find(|found| !sizes.contains(&(found.width, found.height))) {
        return journal::fail(&ENC_031, format!("{place}: the picture is {}x{}", found.width, found.height));
    }
    // Other qualities have other losses.
    let comparable = raw.rate != abi::RATE_QUALITY || raw.quality == encoder.offer.middle();
    if let Some(picture) = picture.filter(|_| comparable) {
        let best = |wanted: &Picture, area| {
            pictures.iter().map(|found| psnr(wanted, area, found)).fold(0.0, f64::max)
        };
        let mut ratio = best(picture, packet.area);
        // Where colours change from pixel to pixel, 4:2:0 itself loses more than that.
        if ratio < LEAST_PSNR && raw.chroma == abi::CHROMA_420 {
            let area = abi::Rect { x: 0, y: 0, width, height };
            ratio = ratio.max(best(&shared(picture, packet.area), area));
        }
        if ratio < LEAST_PSNR {
            journal::fail(&ENC_032, format!("{place}: {ratio:.1} dB"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(areas: &[(u32, u32, u32, u32)]) -> Vec<PacketRecord> {
        let packet = |&(x, y, width, height): &(u32, u32, u32, u32)| PacketRecord {
            flags: 0,
            layer: 0,
            area: abi::Rect { x, y, width, height },
            payload: Vec::new(),
        };
        areas.iter().map(packet).collect()
    }

    #[test]
    fn areas_cover_or_leave_gaps() {
        let area = abi::Rect { x: 0, y: 0, width: 10, height: 10 };
        for (areas, wanted) in [
            (&[(0, 0, 10, 10)][..], true),
            (&[(0, 0, 10, 5), (0, 5, 10, 5)], true),
            (&[(0, 0, 10, 5), (0, 6, 10, 4)], false),
            (&[(0, 0, 5, 10), (5, 0, 5, 10)], true),
            (&[(0, 0, 5, 10), (6, 0, 4, 10)], false),
            (&[(0, 0, 10, 9)], false),
            (&[], false),
            (&[(0, 0, 20, 20)], true),
        ] {
            assert_eq!(covers(&packets(areas), area), wanted, "{areas:?}");
        }
        let inner = abi::Rect { x: 2, y: 2, width: 3, height: 3 };
        assert!(covers(&packets(&[(0, 0, 10, 4), (0, 4, 6, 2)]), inner));
        assert!(!covers(&packets(&[(3, 0, 10, 10)]), inner));
    }
}
