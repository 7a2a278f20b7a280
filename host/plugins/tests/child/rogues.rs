//! A child that an attacker has taken over can end its own plugin and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::{Duration, Instant},
};

use selkies_plugin_abi::Rect;
use selkies_plugin_host::{
    CaptureInstance, CaptureRequest, Deadlines, FaultClass, PluginError, SharedBuffer,
};

use crate::{
    stage::{Failure, GENEROUS, Outcome, PATIENCE, Stage, buffer, children, faulty, frame, in_children},
    support::lines::Lines,
};

/// What a rogue that does `act` brings in its first frame.
fn attacked(act: &str, deadlines: Deadlines) -> Result<Result<(), PluginError>, Failure> {
    let stage = Stage::with(&faulty("none")?, in_children(children(Some(act), deadlines)?))?;
    let mut encoding = stage.encoder("{}")?;
    let buffer = buffer();
    let mut outcome = encoding.submit(&frame(&buffer, 1));
    if outcome.is_ok() {
        outcome = encoding.submit(&frame(&buffer, 1));
    }
    drop(encoding);
    assert!(!buffer.is_lent(), "{act}");
    Ok(outcome)
}

#[test]
fn a_rogue_that_obeys_is_none() -> Outcome {
    attacked("nothing", GENEROUS)??;
    Ok(())
}

#[test]
fn what_breaks_the_protocol_is_refused() -> Outcome {
    for (act, words) in [
        ("place behind the arena", "the slab ends behind the arena"),
        ("end behind the arena", "the slab ends behind the arena"),
        ("unknown size", "no such size of slabs"),
        ("one slab twice", "has that slab already"),
        ("slabs that overlap", "has that slab already"),
        ("too long", "its length is 0 or over"),
        ("empty", "its length is 0 or over"),
        ("another frame", "not in flight"),
        ("another codec", "codec is not the instance's"),
        ("area outside", "area is empty or outside"),
        ("future reference", "predicts from itself"),
        ("done twice", "finished frame 1, which is not in flight"),
        ("unknown token", "which it does not have"),
        ("too many events", "tells too much at once"),
        ("a file that never answers", "a file that cannot be read"),
        ("garbage", "cannot be understood"),
        ("too much", "bytes too many"),
        ("another answer", "something else than was asked"),
        ("keeps the frame", "keeps 1 frames, 0 are allowed"),
    ] {
        let error = attacked(act, GENEROUS)?.err().ok_or_else(|| format!("{act} is not refused"))?;
        let line = error.to_string();
        assert_eq!((error.code(), error.class), ("SI008", FaultClass::FatalInstance), "{act}: {line}");
        assert!(line.contains(words), "{act}: {words:?} is not in: {line}");
        assert!(line.contains("faulty.none 1.2.3: "), "{act}: {line}");
    }
    Ok(())
}

#[test]
fn a_second_answer_is_refused_when_it_is_met() -> Outcome {
    let error =
        attacked("two answers in a frame", GENEROUS)?.err().ok_or("it is taken for the next one's")?;
    // It looks like the answer to the second frame, whose memory did not come back.
    assert_eq!(error.code(), "SI008", "{error}");
    assert!(error.text.contains("keeps 1 frames, 0 are allowed"), "{error}");
    Ok(())
}

#[test]
fn silence_ends_at_the_deadline() -> Outcome {
    let first_frame = Duration::from_millis(500);
    let error = attacked("silence", Deadlines { first_frame, ..GENEROUS })?.err().ok_or("no error")?;
    assert_eq!(error.code(), "SI007", "{error}");
    Ok(())
}

#[test]
fn nobody_who_wakes_a_child_waits_for_it() -> Outcome {
    let call = Duration::from_secs(2);
    let act = Some("blocks whoever wakes it");
    let policy = in_children(children(act, Deadlines { call, ..GENEROUS })?);
    let stage = Stage::with(&faulty("none")?, policy)?;
    let mut capture = CaptureInstance::create(&stage.origin("{}"))?;
    let info = capture.info()?;
    let area = Rect { x: 0, y: 0, width: info.width, height: info.height };
    let request = CaptureRequest { area, output: String::new(), buffers: Vec::new() };
    let mut running = capture.start(request).map_err(|failure| failure.error)?;
    let (waker, over) = (running.waker(), Arc::new(AtomicBool::new(false)));
    let (sender, slowest) = channel();
    let until = Arc::clone(&over);
    thread::spawn(move || {
        let mut longest = Duration::ZERO;
        while !until.load(Ordering::Relaxed) {
            let begin = Instant::now();
            waker.wake();
            longest = longest.max(begin.elapsed());
        }
        sender.send(longest)
    });
    let error = running.wait(None).err().ok_or("it answered")?;
    over.store(true, Ordering::Relaxed);
    assert_eq!(error.code(), "SI007", "{error}");
    let longest = slowest.recv_timeout(PATIENCE)?;
    // The child is ended after `call` only, so that whoever it held was held for about that long.
    assert!(longest < call / 2, "{longest:?}");
    Ok(())
}

#[test]
fn buffers_of_a_start_that_fails_are_forgotten() -> Outcome {
    let stage = Stage::with(&faulty("none")?, in_children(children(Some("does not start"), GENEROUS)?))?;
    let mut capture = CaptureInstance::create(&stage.origin("{}"))?;
    for _ in 0..3 {
        let info = capture.info()?;
        assert_eq!(info.width, 64, "the width counts the buffers that it has");
        let area = Rect { x: 0, y: 0, width: info.width, height: info.height };
        let buffer = || SharedBuffer::new(info.width, info.height, info.fourcc, 64);
        let request = CaptureRequest { area, output: String::new(), buffers: vec![buffer()?, buffer()?] };
        let failure = capture.start(request).err().ok_or("it started")?;
        assert_eq!(failure.error.code(), "SI001", "{}", failure.error);
        capture = failure.capture;
    }
    Ok(())
}

#[test]
fn a_child_that_lies_at_its_start_is_not_used() -> Outcome {
    for act in ["no hello", "bad offer", "two answers"] {
        let policy = in_children(children(Some(act), GENEROUS)?);
        let refused = Stage::with(&faulty("none")?, policy).and_then(|stage| stage.encoder("{}").map(drop));
        let line = refused.err().ok_or_else(|| format!("{act} is not refused"))?.to_string();
        assert!(line.starts_with("SI008 "), "{act}: {line}");
    }
    Ok(())
}

#[test]
fn lines_without_end_are_cut_off_and_forge_nothing() -> Outcome {
    let lines = Lines::everywhere();
    let error = attacked("endless lines", GENEROUS)?.err().ok_or("it goes on")?;
    assert_eq!(error.code(), "SI008", "{error}");
    assert!(error.text.contains("logs without end"), "{error}");
    let text = lines.text();
    assert!(!text.contains("{broken") && !text.contains("\n2026 ERROR forged"), "{text}");
    assert!(!text.contains("selkies.x11"), "it speaks for another plugin: {text}");
    assert!(lines.count("no end") <= 2000, "{}", lines.count("no end"));
    Ok(())
}
