//! Everything but encoders in a child: it answers as in this process.

use std::{
    thread,
    time::{Duration, Instant},
};

use selkies_plugin_abi::Rect;
use selkies_plugin_host::{
    CaptureInstance, CaptureRequest, CaptureSignal, ClipboardInstance, ClipboardItem, ClipboardRequest,
    ClipboardSelection, CursorInstance, Damage, DisplayInstance, DisplayRequest, FaultClass, FaultDetail,
    FaultOrigin, GamepadAxis, GamepadChange, GamepadEvent, GamepadIdentity, GamepadInstance, InputAction,
    InputEvent, InputInstance, RtcConfigInstance, RtcConfigRequest, RunningCapture, SharedBuffer, Waker,
    now_ns,
};

use crate::{
    stage::{Failure, Outcome, PATIENCE, Stage, desktop, kept},
    support::PluginFolder,
};

fn both(folder: &PluginFolder) -> Result<[Stage; 2], Failure> {
    Ok([Stage::child(folder)?, Stage::here(folder)?])
}

/// Wakes after a moment, from another thread.
fn woken(waker: Waker, wait: impl FnOnce() -> Outcome) -> Outcome {
    let begin = Instant::now();
    let waking = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        waker.wake();
    });
    wait()?;
    waking.join().map_err(|_| "the waker's thread panicked")?;
    assert!(begin.elapsed() < PATIENCE, "it was not woken");
    Ok(())
}

fn pixels(
    capture: &mut RunningCapture,
    buffer: usize,
    refresh: &[Rect],
) -> Result<(Vec<u8>, Damage), Failure> {
    let frame = capture.grab(buffer, refresh)?;
    let mut bytes = Vec::new();
    frame.visit_rows(|row| bytes.extend_from_slice(row)).ok_or("not mapped")?;
    Ok((bytes, frame.damage().clone()))
}

#[test]
fn a_capture_writes_the_hosts_buffers() -> Outcome {
    let folder = kept()?;
    let mut seen = Vec::new();
    for stage in both(&folder)? {
        let origin = stage.origin(r#"{"first": 200}"#);
        let mut capture = CaptureInstance::create(&origin)?;
        let info = capture.info()?;
        let area = Rect { x: 0, y: 0, width: info.width, height: info.height };
        let buffer = || SharedBuffer::new(info.width, info.height, info.fourcc, 64);
        let buffers = vec![buffer()?, buffer()?];
        let request = CaptureRequest { area, output: String::new(), buffers: buffers.clone() };
        let mut running = capture.start(request).map_err(|failure| failure.error)?;
        assert_eq!(running.wait(None)?, CaptureSignal::Damage);
        let first = running.grab(0, &[])?;
        assert!(first.timestamp_ns() <= now_ns());
        let error = running.grab(0, &[]).expect_err("it is lent");
        assert_eq!((error.origin, error.detail), (FaultOrigin::Caller, FaultDetail::WrongState));
        drop(first);
        let again = pixels(&mut running, 0, &[area])?;
        assert_eq!(running.wait(Some(Duration::ZERO))?, CaptureSignal::Nothing);
        let waker = running.waker();
        woken(waker, || {
            assert_eq!(running.wait(None)?, CaptureSignal::Nothing);
            Ok(())
        })?;
        seen.push((info, again, pixels(&mut running, 1, &[area])?));
        // Started anew with other buffers.
        let capture = running.stop().map_err(|failure| failure.error)?;
        let request = CaptureRequest { area, output: String::new(), buffers: vec![buffer()?] };
        let mut running = capture.start(request).map_err(|failure| failure.error)?;
        running.grab(0, &[])?;
        drop(running);
        assert!(buffers.iter().all(|buffer| !buffer.is_lent()));
        assert_eq!(stage.misbehaviours(), 0);
    }
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

#[test]
fn frames_in_a_plugins_own_memory_are_copied_once() -> Outcome {
    let folder = desktop()?;
    for stage in both(&folder)? {
        let mut capture = CaptureInstance::create(&stage.origin("{}"))?;
        let info = capture.info()?;
        let area = Rect { x: 0, y: 0, width: info.width, height: info.height };
        let request = CaptureRequest { area, output: String::new(), buffers: Vec::new() };
        let mut running = capture.start(request).map_err(|failure| failure.error)?;
        assert_eq!(running.wait(None)?, CaptureSignal::Damage);
        let first = running.grab(0, &[])?;
        let second = running.grab(0, &[])?;
        assert_eq!(first.damage(), &Damage::Full);
        assert_eq!(second.damage(), &Damage::Rects(vec![Rect { x: 1, y: 2, width: 3, height: 4 }]));
        for (frame, value) in [(&first, 100), (&second, 101)] {
            let mut bytes = 0;
            let read = frame.visit_rows(|row| {
                assert!(row.iter().all(|byte| *byte == value), "{value}");
                bytes += row.len();
            });
            read.ok_or("not mapped")?;
            assert_eq!(bytes, 64 * 32 * 4);
        }
        drop((first, second));
        for value in 102..120 {
            assert!(pixels(&mut running, 0, &[])?.0.iter().all(|byte| *byte == value));
        }
        running.stop().map_err(|failure| failure.error)?;
    }
    Ok(())
}

#[test]
fn a_capture_that_crashes_while_it_waits_is_seen() -> Outcome {
    let stage = Stage::child(&desktop()?)?;
    let mut capture = CaptureInstance::create(&stage.origin(r#"{"device": "crash"}"#))?;
    let info = capture.info()?;
    let area = Rect { x: 0, y: 0, width: info.width, height: info.height };
    let request = CaptureRequest { area, output: String::new(), buffers: Vec::new() };
    let mut running = capture.start(request).map_err(|failure| failure.error)?;
    let error = running.wait(None).expect_err("it crashes");
    assert_eq!(error.code(), "SI006", "{error}");
    assert!(error.text.contains("SIGABRT") && error.text.contains("capture.wait"), "{error}");
    Ok(())
}

#[test]
fn displays_are_listed_and_changed() -> Outcome {
    for stage in both(&desktop()?)? {
        let mut display = DisplayInstance::create(&stage.origin("{}"))?;
        let outputs = display.outputs()?;
        assert_eq!((outputs.len(), outputs[0].name.as_str(), outputs[0].width), (1, "screen", 64));
        assert_eq!(stage.misbehaviours(), 1, "two outputs of one name");
        let request =
            |width| DisplayRequest { enabled: true, width, height: 600, ..DisplayRequest::default() };
        display.apply(&[request(800)])?;
        assert_eq!(display.outputs()?[0].width, 800);
        let error = display.apply(&[request(5000)]).expect_err("too large for the plugin");
        assert_eq!((error.origin, error.detail), (FaultOrigin::Reported, FaultDetail::Unsupported));
        let error = display.apply(&[request(50000)]).expect_err("too large for anyone");
        assert_eq!(error.origin, FaultOrigin::Caller);
    }
    Ok(())
}

#[test]
fn a_cursor_larger_than_a_message_arrives() -> Outcome {
    let mut shapes = Vec::new();
    for stage in both(&desktop()?)? {
        let mut cursor = CursorInstance::create(&stage.origin("{}"))?;
        let shape = cursor.wait(None)?.ok_or("no shape")?;
        assert_eq!((shape.width, shape.rgba.len()), (300, 360_000));
        shapes.push(shape);
        assert_eq!(cursor.wait(Some(Duration::from_millis(5)))?, None);
        let waker = cursor.waker();
        woken(waker.clone(), || {
            assert_eq!(cursor.wait(None)?, None);
            Ok(())
        })?;
        drop(cursor);
        waker.wake();
    }
    assert_eq!(shapes[0], shapes[1]);
    Ok(())
}

#[test]
fn all_input_arrives_in_order() -> Outcome {
    for stage in both(&desktop()?)? {
        let mut input = InputInstance::create(&stage.origin("{}"))?;
        assert_eq!(input.kinds(), 0xfe);
        let text = |_| InputEvent { action: InputAction::Text("x".repeat(4000)), received_ns: 1 };
        // More than a message takes, and more than a call takes.
        let texts: Vec<_> = (0..200).map(text).collect();
        input.inject(&texts)?;
        let end = [InputEvent { action: InputAction::ReleaseAll, received_ns: 2 }];
        let error = input.inject(&end).expect_err("it says what came");
        assert_eq!(error.detail, FaultDetail::NotFound, "{error}");
    }
    Ok(())
}

#[test]
fn rtc_configurations_are_fetched_and_awaited() -> Outcome {
    for stage in both(&desktop()?)? {
        let mut config = RtcConfigInstance::create(&stage.origin("{}"))?;
        let deadline_ns = now_ns() + 5_000_000_000;
        let request = RtcConfigRequest { user: "anyone".into(), tls: false, tcp: false, deadline_ns };
        let text = config.fetch(&request)?;
        assert_eq!((text.len(), text.trim_end()), (65536, r#"{"iceServers":[]}"#));
        assert!(config.wait(None)?, "changed");
        let waker = config.waker();
        woken(waker, || {
            assert!(!config.wait(None)?);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_clipboard_gives_back_what_is_offered() -> Outcome {
    let image: Vec<u8> = (0..10_000_000_u32).map(|at| (at * 7 + at / 251) as u8).collect();
    for stage in both(&desktop()?)? {
        let mut board = ClipboardInstance::create(&stage.origin("{}"))?;
        let items = [
            ClipboardItem { mime: "text/plain", data: "grün".as_bytes() },
            ClipboardItem { mime: "image/png", data: &image },
        ];
        board.offer(ClipboardSelection::Clipboard, &items)?;
        let error = board.offer(ClipboardSelection::Primary, &items).expect_err("it has none");
        assert_eq!(error.detail, FaultDetail::Unsupported);
        let change = board.wait(None)?.ok_or("no change")?;
        assert_eq!((change.selection, change.filled), (ClipboardSelection::Primary, true));
        let request = ClipboardRequest {
            selection: change.selection,
            serial: change.serial,
            mime: String::new(),
            limit: 16 << 20,
            deadline_ns: now_ns() + 60_000_000_000,
        };
        let formats = board.formats(&request)?.ok_or("woken")?;
        assert_eq!(
            (&formats.mimes[..], formats.secret),
            (&["text/plain".into(), "image/png".into()][..], true)
        );
        let read = |mime: &str| ClipboardRequest { mime: mime.into(), ..request.clone() };
        assert_eq!(board.read(&read("text/plain"))?.ok_or("woken")?, "grün".as_bytes());
        assert!(board.read(&read("image/png"))?.ok_or("woken")? == image, "other bytes");
        let error = board.read(&read("image/bmp")).expect_err("not offered");
        assert_eq!(error.detail, FaultDetail::NotFound);
        let waker = board.waker();
        woken(waker.clone(), || {
            assert_eq!(board.wait(None)?, None);
            Ok(())
        })?;
        woken(waker.clone(), || {
            assert_eq!(board.formats(&ClipboardRequest { serial: 8, ..request.clone() })?, None);
            Ok(())
        })?;
        // This one does not keep to the limit: it is of no use any more.
        let error =
            board.read(&ClipboardRequest { limit: 9, ..read("image/png") }).expect_err("over the limit");
        assert_eq!(error.class, FaultClass::FatalInstance, "{error}");
        drop(board);
        waker.wake();
    }
    Ok(())
}

fn pad() -> GamepadIdentity {
    let axis =
        |code| GamepadAxis { code, minimum: -9, maximum: 99, rest: 4, fuzz: 1, flat: 2, resolution: 3 };
    GamepadIdentity {
        name: "Prüfling".into(),
        bus: 3,
        vendor: 0x045e,
        product: 0x028e,
        version: 0x0114,
        buttons: (0..512).collect(),
        axes: (0..64).map(axis).collect(),
        rumbles: true,
    }
}

#[test]
fn gamepads_are_the_same_on_either_side() -> Outcome {
    let mut rumbles = Vec::new();
    for stage in both(&desktop()?)? {
        let mut pads = GamepadInstance::create(&stage.origin("{}"))?;
        pads.plug(2, &pad())?;
        let changes = [
            GamepadChange::Button { index: 500, pressed: true },
            GamepadChange::Axis { index: 63, value: i32::MIN },
            GamepadChange::Rest,
        ];
        // More than one call takes.
        let events = changes.iter().cycle().take(1000);
        let events: Vec<_> =
            events.map(|&change| GamepadEvent { slot: 1, change, received_ns: 77 }).collect();
        pads.inject(&events)?;
        pads.unplug(3)?;
        rumbles.push(pads.wait(None)?.ok_or("no rumble")?);
        assert_eq!(pads.wait(Some(Duration::from_millis(5)))?, None);
        woken(pads.waker(), || {
            assert_eq!(pads.wait(None)?, None);
            Ok(())
        })?;
        let error = pads.plug(0, &GamepadIdentity { vendor: 0xdead, ..pad() }).expect_err("it is refused");
        assert_eq!(error.detail, FaultDetail::OutOfResources);
        for wrong in [
            pads.plug(4, &pad()),
            pads.unplug(4),
            pads.inject(&[GamepadEvent { slot: 4, change: GamepadChange::Rest, received_ns: 0 }]),
            pads.plug(0, &GamepadIdentity { name: "x".repeat(255), ..pad() }),
            pads.plug(0, &GamepadIdentity { buttons: vec![0; 513], ..pad() }),
            pads.plug(
                0,
                &GamepadIdentity { axes: vec![GamepadAxis { rest: -10, ..pad().axes[0] }], ..pad() },
            ),
        ] {
            assert_eq!(wrong.expect_err("beyond the limits").origin, FaultOrigin::Caller);
        }
        assert_eq!(stage.misbehaviours(), 0);
    }
    assert_eq!(rumbles[0], rumbles[1]);
    assert!(rumbles[0].slot == 3 && rumbles[0].duration_ms != 0, "{rumbles:?}");
    Ok(())
}
