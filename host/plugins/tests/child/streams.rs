//! What an encoder in a child makes.

use selkies_plugin_host::{
    Damage, EncodedPacket, EncoderSettings, FaultClass, FaultDetail, FaultOrigin, Placement,
};

use crate::stage::{Outcome, SIZE, Stage, buffer, faulty, frame, later};

fn payloads(packets: &[EncodedPacket]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| packet.data.payload().to_vec()).collect()
}

#[test]
fn the_same_frames_become_the_same_bytes() -> Outcome {
    let folder = faulty("none")?;
    let (child, here) = (Stage::child(&folder)?, Stage::here(&folder)?);
    assert_eq!(here.plugin.placement(), Placement::InProcess);
    assert_eq!(child.offer("{}")?, here.offer("{}")?);
    assert!(child.plugin.offers("selkies.encoder/1") && !child.plugin.offers("selkies.capture/1"));
    let (mut there, mut inside) = (child.encoder("{}")?, here.encoder("{}")?);
    let buffer = buffer();
    for number in 0..40 {
        let mut frame = frame(&buffer, number);
        if number % 3 == 1 {
            let rect = selkies_plugin_abi::Rect { x: 0, y: 64, width: 16, height: 16 };
            frame = frame.with_damage(Damage::Rects(vec![rect]));
        }
        let (theirs, ours) = (there.encode(&frame)?, inside.encode(&frame)?);
        assert!(!theirs.is_empty());
        assert_eq!(payloads(&theirs), payloads(&ours), "frame {number}");
        let infos = |packets: &[EncodedPacket]| packets.iter().map(|packet| packet.info).collect::<Vec<_>>();
        assert_eq!(infos(&theirs), infos(&ours), "frame {number}");
        // The header goes in front of the payload where the child wrote it.
        let message = theirs[0].data.with_header(b"header");
        assert_eq!(message[6..].as_ptr(), theirs[0].data.payload().as_ptr());
        drop(frame);
        assert!(!buffer.is_lent());
    }
    let better = EncoderSettings { quality: 90, ..there.instance.settings().clone() };
    there.instance.configure(better.clone())?;
    inside.instance.configure(better)?;
    let frame = frame(&buffer, 99);
    assert_eq!(payloads(&there.encode(&frame)?), payloads(&inside.encode(&frame)?));
    there.instance.drain()?;
    assert_eq!(child.misbehaviours(), 0);
    Ok(())
}

#[test]
fn slabs_are_used_again_when_the_host_is_done_with_them() -> Outcome {
    let folder = faulty("none")?;
    let stage = Stage::child(&folder)?;
    let mut encoding = stage.encoder("{}")?;
    let buffer = buffer();
    let mut kept = Vec::new();
    let mut places = std::collections::BTreeSet::new();
    for number in 0..200 {
        let packets = encoding.encode(&frame(&buffer, number))?;
        places.extend(packets.iter().map(|packet| packet.data.payload().as_ptr().addr()));
        if number < 5 {
            kept.push((packets[0].clone(), packets[0].data.payload().to_vec()));
        }
    }
    assert!(places.len() < 60, "{} places", places.len());
    // What the host still has was not written again.
    for (packet, bytes) in kept {
        assert_eq!(packet.data.payload(), bytes);
    }
    Ok(())
}

#[test]
fn packets_outlive_their_child() -> Outcome {
    let folder = faulty("none")?;
    let stage = Stage::child(&folder)?;
    let mut encoding = stage.encoder("{}")?;
    let packets = encoding.encode(&frame(&buffer(), 1))?;
    let bytes = payloads(&packets);
    drop(encoding);
    drop(stage);
    assert_eq!(payloads(&packets), bytes);
    assert_eq!(packets[0].data.with_header(b"h")[1..], bytes[0]);
    Ok(())
}

#[test]
fn frames_are_answered_later_and_kept_meanwhile() -> Outcome {
    let folder = later()?;
    let (child, here) = (Stage::child(&folder)?, Stage::here(&folder)?);
    let (mut there, mut inside) = (child.encoder("{}")?, here.encoder("{}")?);
    let buffers = [buffer(), buffer()];
    for number in 0..50 {
        let frame = frame(&buffers[number as usize % 2], number);
        assert_eq!(payloads(&there.encode(&frame)?), payloads(&inside.encode(&frame)?));
        drop(frame);
        // Given back after `done`, and heard with the next report.
        there.instance.drain()?;
        inside.instance.drain()?;
    }
    assert!(buffers.iter().all(|buffer| !buffer.is_lent()));

    drop(there);
    assert!(buffers.iter().all(|buffer| !buffer.is_lent()));
    assert_eq!((child.misbehaviours(), here.misbehaviours()), (0, 0));
    Ok(())
}

#[test]
fn the_time_of_the_conversion_comes_with_its_frame() -> Outcome {
    let folder = later()?;
    for stage in [Stage::child(&folder)?, Stage::here(&folder)?] {
        let mut encoding = stage.encoder(r#"{"device": "converts"}"#)?;
        let buffer = buffer();
        let mut told = Vec::new();
        for number in 1..=5 {
            let frame = frame(&buffer, number);
            encoding.submit(&frame)?;
            encoding.instance.drain()?;
            told.extend(encoding.sink.done().iter().map(|done| (done.frame_id, done.convert_ns)));
        }
        // What is too much to believe is cut, also when a child says it.
        let times = [Some(2_500_000), None, Some(10_000_000_000), Some(0), None];
        assert_eq!(told, (1..).zip(times).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn no_more_frames_are_in_flight_than_offered() -> Outcome {
    let folder = later()?;
    for stage in [Stage::child(&folder)?, Stage::here(&folder)?] {
        let mut encoding = stage.encoder(r#"{"device": "patient"}"#)?;
        let buffers = [buffer(), buffer()];
        let frames = [frame(&buffers[0], 1), frame(&buffers[1], 2)];
        for frame in &frames {
            encoding.submit(frame)?;
        }
        let error = encoding.submit(&frames[0]).err().ok_or("a third one is taken")?;
        assert_eq!((error.origin, error.detail), (FaultOrigin::Caller, FaultDetail::WrongState), "{error}");
        assert_eq!(encoding.instance.in_flight(), 2);
        encoding.instance.drain()?;
        assert_eq!(encoding.instance.in_flight(), 0);
        let ids: Vec<u64> = encoding.sink.done().iter().map(|done| done.frame_id).collect();
        assert_eq!(ids, [1, 2]);
        drop((frames, encoding));
        assert!(buffers.iter().all(|buffer| !buffer.is_lent()));
        assert_eq!(stage.misbehaviours(), 0);
    }
    Ok(())
}

#[test]
fn an_exhausted_arena_is_a_passing_error() -> Outcome {
    let stage = Stage::child(&later()?)?;
    let mut encoding = stage.encoder(r#"{"device": "greedy"}"#)?;
    let buffer = buffer();
    let error = encoding.encode(&frame(&buffer, 1)).unwrap_err();
    assert_eq!((error.class, error.origin), (FaultClass::Retry, FaultOrigin::Reported), "{error}");
    assert_eq!(encoding.encode(&frame(&buffer, 2))?.len(), 1);
    Ok(())
}

#[test]
fn errors_of_the_host_and_of_the_plugin_are_the_same_as_in_process() -> Outcome {
    let folder = faulty("none")?;
    for stage in [Stage::child(&folder)?, Stage::here(&folder)?] {
        let error = stage.encoder(r#"{"nonsense": 1}"#).err().ok_or("a wrong configuration works")?;
        assert!(error.to_string().starts_with("SI001 faulty.none encoder."), "{error}");
        let mut encoding = stage.encoder("{}")?;
        let small = selkies_plugin_host::SharedBuffer::new(16, 16, selkies_plugin_abi::FOURCC_XRGB8888, 64)?;
        let error = encoding.encode(&frame(&small, 1)).unwrap_err();
        assert_eq!((error.class, error.origin), (FaultClass::Reconfigure, FaultOrigin::Caller));
        assert_eq!(SIZE.0, encoding.instance.settings().width);
        assert!(!encoding.encode(&frame(&buffer(), 1))?.is_empty());
    }
    Ok(())
}
