//! How children end, and that nothing is left of them.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use selkies_plugin_host::child::{ChannelError, Child, Ending, Launch, Limits, Profile};

use crate::stage::{Outcome, PATIENCE, Puppet, alone, eventually, program};

/// Tells the child to end itself; the ending as the host sees it, and how long that took.
fn end(message: &str) -> Result<(Ending, Duration), Box<dyn Error>> {
    let puppet = Puppet::new()?;
    puppet.ask("echo")?;
    assert_eq!(puppet.child.ended(), None);
    let begin = Instant::now();
    puppet.tell(message)?;
    let silence = puppet.child.channel().receive(&mut Vec::new(), Some(begin + PATIENCE));
    assert!(matches!(silence, Err(ChannelError::Closed)), "{silence:?}");
    let ending = puppet.child.wait(PATIENCE).ok_or("still runs")?;
    assert_eq!(puppet.child.ended(), Some(ending), "it is remembered");
    Ok((ending, begin.elapsed()))
}

#[test]
fn every_ending_is_told_apart() -> Outcome {
    assert_eq!(end("crash")?.0.to_string(), "killed by SIGSEGV (11)");
    assert_eq!(end("abort")?.0, Ending::Signal { number: 6 });
    assert_eq!(end("exit 0")?.0, Ending::Exit(0));
    assert_eq!(end("exit 3")?.0, Ending::Exit(3));
    Ok(())
}

#[test]
fn a_hang_is_noticed_at_the_deadline_and_ended() -> Outcome {
    let puppet = Puppet::new()?;
    puppet.tell("hang")?;
    let deadline = Instant::now() + Duration::from_millis(50);
    let silence = puppet.child.channel().receive(&mut Vec::new(), Some(deadline));
    assert!(matches!(silence, Err(ChannelError::Timeout)), "{silence:?}");
    assert_eq!(puppet.child.wait(Duration::from_millis(1)), None);
    puppet.child.kill();
    assert_eq!(puppet.child.wait(PATIENCE), Some(Ending::Signal { number: 9 }));
    puppet.child.kill();
    Ok(())
}

#[test]
fn a_child_dies_with_its_host() -> Outcome {
    let mut host =
        Command::new(program()?).arg("host").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(host.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let child = Pid::from_raw(line.trim().parse()?).ok_or("not a number")?;
    let pidfd = pidfd_open(child, PidfdFlags::empty())?;
    host.kill()?;
    host.wait()?;
    let limit = Timespec { tv_sec: 5, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit))?, 1, "it lives on");
    Ok(())
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() -> Outcome {
    let puppet = std::thread::spawn(|| Puppet::new().map_err(|error| error.to_string()))
        .join()
        .map_err(|_| "the thread panicked")??;
    assert_eq!(puppet.ask("echo still here")?, "echo still here");
    Ok(())
}

#[test]
fn a_program_that_is_missing_is_named() -> Outcome {
    let launch = Launch {
        program: "/no/such/program".into(),
        arguments: Vec::new(),
        label: "test.puppet".into(),
        profile: Profile::default(),
        limits: Limits::default(),
        lines: Box::new(|_| {}),
    };
    let error = Child::spawn(launch).err().ok_or("started")?.to_string();
    assert!(error.starts_with("cannot start /no/such/program: No such file"), "{error}");
    Ok(())
}

/// Children of this process that are dead and not reaped, or alive, and named like a puppet's.
fn children() -> usize {
    let own = std::process::id().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    processes
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter(|stat| {
            // pid (name) state parent ...
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(own.as_str())
        })
        .count()
}

#[test]
fn a_thousand_children_leave_nothing() -> Outcome {
    // Other tests of this process have children, too.
    if !alone("ends::a_thousand_children_leave_nothing")? {
        return Ok(());
    }
    let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
    // The threads begin with the first child, and with them what wakes the one that reads.
    let descriptors = count("/proc/self/fd") + 1;
    drop(Puppet::new()?);
    assert!(eventually(|| count("/proc/self/task") == 4), "main, test, children, lines");
    assert!(eventually(|| count("/proc/self/fd") == descriptors), "after the first");
    for round in 0..1000 {
        let puppet = Puppet::new()?;
        if round % 4 == 0 {
            puppet.ask("echo")?; // the others are killed while they start
        }
        if round % 100 == 0 {
            puppet.tell("crash")?;
            puppet.child.wait(PATIENCE).ok_or("lives on")?;
        }
    }
    assert!(eventually(|| children() == 0), "{} zombies", children());
    assert!(eventually(|| count("/proc/self/fd") == descriptors), "descriptors");
    assert_eq!(count("/proc/self/task"), 4);
    Ok(())
}
