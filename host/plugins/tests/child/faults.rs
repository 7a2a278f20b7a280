//! What becomes of a plugin that fails in its child: an error that says it, free buffers, and a new child.

use std::{fs, sync::Arc, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use selkies_plugin_host::{
    CursorInstance, Deadlines, DisplayInstance, EncoderInstance, EncoderSettings, Ending, FaultClass,
    FaultDetail, FaultNote, FaultOrigin, HostServices, Inventory, IsolationRules, Ledger, Moment, Origin,
    Placement, Plugin, PluginError, Policy, SharedBuffer, SlabPool, StartError, Verdict, probe_encoder,
};

use crate::{
    stage::{
        Encoding, Failure, GENEROUS, Outcome, SIZE, Sink, Stage, alone, buffer, children, desktop,
        eventually, faulty, frame, in_children, later, panicking,
    },
    support::lines::Lines,
};

const SHORT: FaultDetail = FaultDetail::OutOfResources;

/// At which frame the faults happen.
const FIFTH: &str = r#"{"after":5}"#;

/// Drives the plugin into its fault; answers the error, and checks that another instance works afterwards.
fn survive(name: &str, deadlines: Deadlines) -> Result<PluginError, Failure> {
    let folder = faulty(name)?;
    survive_at(name, &Stage::with(&folder, in_children(children(None, deadlines)?))?)
}

fn survive_at(name: &str, stage: &Stage) -> Result<PluginError, Failure> {
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
fn what_the_host_lacks_is_no_fault_of_a_plugin() -> Outcome {
    // Other tests of this process need descriptors.
    if !alone("faults::what_the_host_lacks_is_no_fault_of_a_plugin")? {
        return Ok(());
    }
    let stage = Stage::child(&faulty("none")?)?;
    let offer = stage.offer("{}")?;
    let (known, new) = (buffer(), buffer());
    let mut encoding = stage.encoder_for("{}", &offer)?;
    assert!(!encoding.encode(&frame(&known, 1))?.is_empty());
    let other = faulty("abort")?;

    let limit = getrlimit(Resource::Nofile);
    // All that are free below the limit are in use.
    let fillers = {
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit })?;
        std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect::<Vec<_>>()
    };
    let short = |error: PluginError| {
        assert_eq!((error.code(), error.class, error.detail), ("SI005", FaultClass::Retry, SHORT), "{error}");
        assert!(error.bystander, "{error}");
        assert!(error.to_string().contains("raise the limits of the host"), "{error}");
    };
    short(stage.encoder_for("{}", &offer).err().ok_or("it was made")?);
    short(encoding.encode(&frame(&new, 2)).err().ok_or("it was passed on")?);
    assert!(!new.is_lent());
    // What needs no descriptor goes on, in the same child.
    assert!(!encoding.encode(&frame(&known, 3))?.is_empty());
    // Nor does a child that cannot be started tell of its plugin. One descriptor is for the manifest.
    let policy = in_children(children(None, GENEROUS)?);
    let services = HostServices::new(SlabPool::default());
    let mut fillers = fillers;
    fillers.truncate(fillers.len() - 2);
    let inventory = Inventory::scan(&[other.path().to_owned()], policy);
    match inventory.start(&services, "faulty.abort").err().ok_or("it was started")? {
        StartError::Failed(error) => short(error),
        refused => return Err(refused.into()),
    }

    drop(fillers);
    setrlimit(Resource::Nofile, limit)?;
    let mut again = stage.encoder_for("{}", &offer)?;
    assert!(!again.encode(&frame(&new, 1))?.is_empty());
    assert!(!encoding.encode(&frame(&new, 4))?.is_empty(), "it lives on");
    inventory.start(&services, "faulty.abort")?;
    Ok(())
}

/// An encoder of one of several plugins.
fn open(services: &HostServices, plugin: &Plugin, config: &str) -> Result<Encoding, Failure> {
    let origin = Origin { services, plugin, config_json: config };
    let offer = probe_encoder(&origin)?.remove(0);
    let sink = Arc::new(Sink::default());
    let settings = EncoderSettings::new(&offer, SIZE.0, SIZE.1);
    let instance = EncoderInstance::create(&origin, &offer, settings, Arc::clone(&sink) as _)?;
    Ok(Encoding { instance, sink, frame_id: 0 })
}

#[test]
fn a_hang_while_it_is_destroyed_is_noted() -> Outcome {
    let deadlines = Deadlines { call: Duration::from_secs(1), ..GENEROUS };
    let stage = Stage::with(&faulty("hang-destroy")?, in_children(children(None, deadlines)?))?;
    let (mut first, mut second) = (stage.encoder("{}")?, stage.encoder("{}")?);
    let buffer = buffer();
    first.encode(&frame(&buffer, 1))?;
    second.encode(&frame(&buffer, 1))?;
    assert_eq!(stage.misbehaviours(), 0);
    drop(first);
    assert_eq!(stage.misbehaviours(), 1);
    let error = second.encode(&frame(&buffer, 2)).unwrap_err();
    // The error of the first reached nobody.
    assert_eq!((error.code(), error.bystander), ("SI007", false), "{error}");
    Ok(())
}

#[test]
fn a_message_that_the_host_has_no_descriptor_for_costs_an_instance_alone() -> Outcome {
    // Other tests of this process need descriptors.
    const NAME: &str = "faults::a_message_that_the_host_has_no_descriptor_for_costs_an_instance_alone";
    if !alone(NAME)? {
        return Ok(());
    }
    let stage = Stage::child(&desktop()?)?;
    let mut display = DisplayInstance::create(&stage.origin("{}"))?;
    let mut cursor = CursorInstance::create(&stage.origin("{}"))?;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit })?;
    let fillers = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect::<Vec<_>>();
    // Its first shape comes in a file.
    let error = cursor.wait(None).expect_err("it came");
    assert_eq!(
        (error.code(), error.class, error.detail),
        ("SI005", FaultClass::FatalInstance, SHORT),
        "{error}"
    );
    assert!(error.bystander && error.is_shortage(), "{error}");
    assert_eq!(display.outputs()?.len(), 1);
    drop(cursor);
    drop(fillers);
    setrlimit(Resource::Nofile, limit)?;
    let mut cursor = CursorInstance::create(&stage.origin("{}"))?;
    assert!(cursor.wait(None)?.is_some());
    assert_eq!(display.outputs()?.len(), 1, "the same child");
    Ok(())
}

#[test]
fn a_hang_is_the_fault_of_whoever_hangs() -> Outcome {
    let (busy, hanging) = (faulty("none")?, faulty("hang-encode")?);
    let frame_time = Duration::from_secs(2);
    let isolation = IsolationRules {
        in_process: Vec::new(),
        groups: [("pair".to_owned(), vec!["faulty.*".to_owned()])].into(),
        children: children(None, Deadlines { frame: frame_time, ..GENEROUS })?,
        ..IsolationRules::default()
    };
    let folders = [busy.path().to_owned(), hanging.path().to_owned()];
    let inventory = Inventory::scan(&folders, Policy { isolation, ..Policy::default() });
    let services = HostServices::default();
    let (busy, hanging) =
        (inventory.start(&services, "faulty.none")?, inventory.start(&services, "faulty.hang-encode")?);
    let (mut busy, mut hanging) = (open(&services, &busy, "{}")?, open(&services, &hanging, FIFTH)?);
    let (theirs, buffer) = (buffer(), buffer());
    let (error, gone) = std::thread::scope(|scope| {
        let hangs = scope.spawn(|| hanging.until_failure(&theirs));
        // It is called without pause, so that its calls are the newest.
        let gone = loop {
            if let Err(error) = busy.encode(&frame(&buffer, 1)) {
                break error;
            }
        };
        (hangs.join(), gone)
    });
    let error = error.map_err(|_| "the other thread panicked")?;
    assert_eq!((error.code(), error.bystander), ("SI007", false), "{error}");
    assert_eq!((gone.code(), gone.bystander), ("SI007", true), "{gone}");
    Ok(())
}

#[test]
fn a_plugin_that_joins_its_group_later_has_a_child_too() -> Outcome {
    let (first, late) = (faulty("none")?, faulty("abort")?);
    let isolation = IsolationRules {
        in_process: Vec::new(),
        groups: [("pair".to_owned(), vec!["faulty.*".to_owned()])].into(),
        children: children(None, GENEROUS)?,
        ..IsolationRules::default()
    };
    let ledger = Ledger::in_memory();
    let folders = [first.path().to_owned(), late.path().to_owned()];
    let policy = Policy { isolation, ..Policy::default() };
    let inventory = Inventory::scan_with(&folders, policy, ledger.clone());
    let library = inventory.library_identity("faulty.abort").ok_or("no library")?;
    let crash = || FaultNote {
        code: "SI006".into(),
        class: "fatal-instance".into(),
        text: "it crashed".into(),
        version: "1.2.3".into(),
        ending: None,
        last_call: None,
    };
    let verdicts = std::iter::repeat_with(|| {
        ledger.fault("faulty.abort", &library, crash(), Moment { monotonic: Duration::ZERO, unix_ms: 0 })
    });
    assert!(verdicts.take(10).any(|verdict| verdict == Verdict::Quarantined));
    let services = HostServices::default();
    let first = inventory.start(&services, "faulty.none")?;
    assert_eq!(first.shares_process_with(), ["faulty.none"]);

    assert!(ledger.clear("faulty.abort"));
    let late = inventory.start(&services, "faulty.abort")?;
    assert!(late.shares_process_with().contains(&"faulty.abort".to_owned()));
    open(&services, &late, r#"{"after":1000}"#)?.encode(&frame(&buffer(), 1))?;
    open(&services, &first, "{}")?.encode(&frame(&buffer(), 1))?;
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
    let open = |plugin, config| open(&services, plugin, config);
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
