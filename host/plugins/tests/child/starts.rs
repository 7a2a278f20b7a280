//! Children that do not even start: what the host lacks or cannot do is no fault of the plugin.

use std::{fs, time::Duration};

use selkies_plugin_host::{
    ChildOptions, Deadlines, FaultClass, FaultDetail, HostServices, Inventory, PluginError, StartError,
};

use crate::stage::{Failure, GENEROUS, Outcome, faulty, in_children};

/// The error of a plugin whose child is this.
fn refusal(children: ChildOptions) -> Result<PluginError, Failure> {
    let folder = faulty("none")?;
    let inventory = Inventory::scan(&[folder.path().to_owned()], in_children(children));
    match inventory.start(&HostServices::default(), "faulty.none").err().ok_or("it was started")? {
        StartError::Failed(error) => Ok(error),
        refused => Err(refused.into()),
    }
}

#[track_caller]
fn assert_the_hosts_own(error: &PluginError, detail: FaultDetail, words: &str) {
    assert_eq!((error.code(), error.class, error.detail), ("SI005", FaultClass::Retry, detail), "{error}");
    assert!(error.bystander && !error.is_shortage(), "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in: {error}");
}

#[test]
fn a_program_of_the_host_that_cannot_be_run() -> Outcome {
    let folder = tempfile::tempdir()?;
    let unusable = folder.path().join("no-program");
    fs::write(&unusable, "it may not be run")?;
    for (program, detail) in
        [("/there/is/no/such/host".into(), FaultDetail::NotFound), (unusable, FaultDetail::Permission)]
    {
        let children = ChildOptions { program, arguments: Vec::new(), deadlines: GENEROUS };
        assert_the_hosts_own(&refusal(children)?, detail, "Put the host's program back");
    }
    Ok(())
}

#[test]
fn a_program_that_ends_or_says_nothing_before_a_plugin_is_in_it() -> Outcome {
    let shell = |script: &str, deadlines| ChildOptions {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        deadlines,
    };
    let error = refusal(shell("exit 3", GENEROUS))?;
    assert_the_hosts_own(&error, FaultDetail::Io, "its process ended with exit code 3");
    let hasty = Deadlines { start_up: Duration::from_millis(300), ..GENEROUS };
    let error = refusal(shell("sleep 60", hasty))?;
    assert_the_hosts_own(&error, FaultDetail::Timeout, "start was not answered within 300 ms");
    Ok(())
}
