//! What becomes of a plugin that fails in its child: an error that says it, free buffers, and a new child.

use std::{sync::Arc, time::Duration};

use selkies_plugin_host::{
    Deadlines, Ending, FaultClass, FaultDetail, FaultOrigin, HostServices, Inventory, IsolationRules, Origin,
    Placement, PluginError, Policy, SharedBuffer, probe_encoder,
};

use crate::{
    stage::{
        GENEROUS, Outcome, Stage, buffer, children, eventually, faulty, frame, in_children, later, panicking,
    },
    support::lines::Lines,
};

/// At which frame the faults happen.
const FIFTH: &str = r#"{"after":5}"#;

/// Drives the plugin into its fault; answers the error, and checks that another instance works afterwards.
fn survive(name: &str, deadlines: Deadlines) -> Result<PluginError, crate::stage::Failure> {
    let folder = faulty(name)?;
    survive_at(name, &Stage::with(&folder, in_children(children(None, deadlines)?))?)
}

fn survive_at(name: &str, stage: &Stage) -> Result<PluginError, crate::stage::Failure> {
    let buffer = buffer();
    let mut encoding = stage.encoder(FIFTH)?;
    let mut bystander = stage.encoder(r#"{"after":1000}"#)?;
    assert!(!bystander.encode(&frame(&buffer, 1))?.is_empty());
    let error = encoding.until_failure(&buffer);
    assert_eq!(encoding.frame_id, 5, "{error}");
    assert!(!buffer.is_lent(), "{name}: the frame's memory is free");
    let again = encoding.encode(&frame(&buffer, 1)).unwrap_err();
    assert_eq!((again.code(), again.class), ("SI004", FaultClass::FatalInstance));
    if error.origin != FaultOrigin::Reported && error.origin != FaultOrigin::Contract {
        // All instances of the child are gone.
        let gone = bystander.encode(&frame(&buffer, 2)).unwrap_err();
        assert_eq!((gone.origin, &gone.text), (error.origin, &error.text));
        assert!(!error.bystander && gone.bystander, "one end is one fault");
    } else {
        assert!(!bystander.encode(&frame(&buffer, 2))?.is_empty(), "its process lives on");
    }
    drop((encoding, bystander));
    let mut next = stage.encoder(r#"{"after":1000}"#)?;
    assert!(!next.encode(&frame(&buffer, 1))?.is_empty());
    Ok(error)
}

#[track_caller]
fn assert_died(error: &PluginError, ending: Ending, words: &str) {
    let line = error.to_string();
    assert_eq!((error.code(), error.class), ("SI006", FaultClass::FatalInstance), "{line}");
    assert_eq!(error.ending, Some(ending), "{line}");
    assert!(line.contains(words), "{words:?} is not in: {line}");
    assert!(line.contains(" 1.2.3: ") && line.contains("the last call was encoder.submit"), "{line}");
}

#[test]
fn a_crash_is_told_with_its_signal() -> Outcome {
    let signal = |number| Ending::Signal { number };
    assert_died(&survive("segfault", GENEROUS)?, signal(11), "its process was killed by SIGSEGV (11)");
    assert_died(&survive("abort", GENEROUS)?, signal(6), "its process was killed by SIGABRT (6)");
    Ok(())
}

#[test]
fn an_exit_is_told_with_its_code() -> Outcome {
    assert_died(&survive("exit", GENEROUS)?, Ending::Exit(0), "its process ended with exit code 0");
    Ok(())
}

#[test]
fn a_panic_is_an_error_of_its_instance_wherever_it_runs() -> Outcome {
    let lines = Lines::everywhere();
    let folder = panicking()?;
    let child = in_children(children(None, GENEROUS)?);
    for (policy, place) in [(child, Placement::Process), (Policy::default(), Placement::InProcess)] {
        let stage = Stage::of(folder.path(), "faulty.panic", policy)?;
        assert_eq!(stage.plugin.placement(), place);
        let said = lines.count("panic at ");
        let error = survive_at("panic", &stage)?;
        assert_eq!((error.code(), error.function), ("SI001", "encoder.submit"), "{error}");
        assert_eq!((error.class, error.detail), (FaultClass::FatalInstance, FaultDetail::Panic), "{error}");
        assert!(error.text.contains("frame 5 is the one to panic at"), "{error}");
        assert_eq!((error.ending, error.bystander), (None, false), "{error}");
        // Where it panicked is in the log, of a process of its own as well.
        assert!(eventually(|| lines.count("panic at ") == said + 1), "{}", lines.text());
        assert_eq!(stage.misbehaviours(), 0);
    }
    Ok(())
}

#[test]
fn a_hang_ends_at_its_deadline() -> Outcome {
    let frame = Duration::from_millis(700);
    let error = survive("hang-encode", Deadlines { frame, ..GENEROUS })?;
    assert_eq!((error.code(), error.detail, error.ending), ("SI007", FaultDetail::Timeout, None), "{error}");
    assert!(error.text.contains("encoder.submit was not answered within"), "{error}");
    Ok(())
}

#[test]
fn a_hang_while_it_is_made_ends_at_its_deadline() -> Outcome {
    let folder = faulty("hang-create")?;
    let deadlines = Deadlines { start_up: Duration::from_secs(3), ..GENEROUS };
    let stage = Stage::with(&folder, in_children(children(None, deadlines)?))?;
    let offer = stage.offer("{}")?;
    let error = stage.encoder_for(r#"{"after":1}"#, &offer).err().ok_or("it does not hang")?;
    assert_eq!((error.code(), error.function), ("SI007", "encoder.create"), "{error}");
    Ok(())
}

#[test]
fn a_write_behind_its_slab_is_a_broken_contract() -> Outcome {
    let error = survive("overrun", GENEROUS)?;
    assert_eq!((error.code(), error.function), ("SI002", "memory.commit"), "{error}");
    assert!(error.text.contains("wrote 1 bytes past its slab"), "{error}");
    Ok(())
}

#[test]
fn kept_frames_are_free_when_the_encoder_is_gone() -> Outcome {
    let stage = Stage::child(&faulty("retains")?)?;
    let buffers: Vec<Arc<SharedBuffer>> = (0..4).map(|_| buffer()).collect();
    let mut encoding = stage.encoder(r#"{"after":1}"#)?;
    for (number, buffer) in (1..).zip(&buffers) {
        encoding.encode(&frame(buffer, number))?;
    }
    let lent: Vec<bool> = buffers.iter().map(|buffer| buffer.is_lent()).collect();
    assert_eq!(lent, [true, true, false, false]);
    drop(encoding);
    assert!(buffers.iter().all(|buffer| !buffer.is_lent()));
    Ok(())
}

#[test]
fn a_crash_of_the_encoders_own_thread_is_seen() -> Outcome {
    let stage = Stage::child(&later()?)?;
    let buffer = buffer();
    let mut encoding = stage.encoder(r#"{"device": "crash"}"#)?;
    let error = encoding.until_failure(&buffer);
    assert_eq!((error.code(), error.ending), ("SI006", Some(Ending::Signal { number: 6 })), "{error}");
    assert_eq!(encoding.frame_id, 3);
    drop(encoding);
    assert!(!buffer.is_lent());
    Ok(())
}

#[test]
fn a_frame_that_is_never_done_ends_the_child() -> Outcome {
    let deadlines = Deadlines { frame: Duration::from_millis(700), ..GENEROUS };
    let stage = Stage::with(&later()?, in_children(children(None, deadlines)?))?;
    let buffer = buffer();
    let mut encoding = stage.encoder(r#"{"device": "forget"}"#)?;
    let error = encoding.until_failure(&buffer);
    assert_eq!((error.code(), encoding.frame_id), ("SI007", 3), "{error}");
    Ok(())
}

#[test]
fn broken_contracts_are_counted_and_logged_in_the_host() -> Outcome {
    let lines = Lines::everywhere();
    let stage = Stage::child(&faulty("late-packet")?)?;
    let mut encoding = stage.encoder(r#"{"after":3}"#)?;
    let buffer = buffer();
    let outcome = (0..5).try_for_each(|number| encoding.encode(&frame(&buffer, number)).map(drop));
    drop(encoding);
    assert!(stage.misbehaviours() > 0);
    let seen = crate::stage::eventually(|| lines.count("plugin misbehaving: ") > 0);
    assert!(seen, "{outcome:?}: {}", lines.text());
    assert!(lines.text().contains("faulty.late-packet"), "{}", lines.text());
    Ok(())
}

#[test]
fn plugins_of_a_group_share_a_child() -> Outcome {
    let (first, second, third) = (faulty("none")?, faulty("abort")?, faulty("exit")?);
    let folders = [first.path().to_owned(), second.path().to_owned(), third.path().to_owned()];
    let isolation = IsolationRules {
        in_process: Vec::new(),
        groups: [("pair".to_owned(), vec!["faulty.none".to_owned(), "faulty.ab*".to_owned()])].into(),
        children: children(None, GENEROUS)?,
        ..IsolationRules::default()
    };
    let inventory = Inventory::scan(&folders, Policy { isolation, ..Policy::default() });
    let services = HostServices::default();
    let start = |id: &str| inventory.start(&services, id);
    let (none, abort, exit) = (start("faulty.none")?, start("faulty.abort")?, start("faulty.exit")?);
    assert_eq!(none.shares_process_with(), abort.shares_process_with());
    assert_eq!(exit.shares_process_with(), ["faulty.exit"]);
    let open = |plugin, config| -> Result<_, crate::stage::Failure> {
        let origin = Origin { services: &services, plugin, config_json: config };
        let offer = probe_encoder(&origin)?.remove(0);
        let sink = Arc::new(crate::stage::Sink::default());
        let settings =
            selkies_plugin_host::EncoderSettings::new(&offer, crate::stage::SIZE.0, crate::stage::SIZE.1);
        let instance =
            selkies_plugin_host::EncoderInstance::create(&origin, &offer, settings, Arc::clone(&sink) as _)?;
        Ok(crate::stage::Encoding { instance, sink, frame_id: 0 })
    };
    let (mut good, mut bad, mut other) = (open(&none, "{}")?, open(&abort, FIFTH)?, open(&exit, "{}")?);
    let buffer = buffer();
    good.encode(&frame(&buffer, 1))?;
    let error = bad.until_failure(&buffer);
    assert_eq!((error.code(), error.bystander), ("SI006", false));
    let error = good.encode(&frame(&buffer, 1)).unwrap_err();
    assert_eq!((error.code(), error.bystander), ("SI006", true), "it was in the same process");
    other.encode(&frame(&buffer, 1))?;
    open(&none, "{}")?.encode(&frame(&buffer, 1))?;
    Ok(())
}
