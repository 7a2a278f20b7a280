//! Messages, descriptors, environment and lines.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::fd::{AsFd, AsRawFd},
    process::{Command, Stdio},
    time::Instant,
};

use selkies_plugin_host::child::BY_HAND;

use crate::stage::{Outcome, PATIENCE, Puppet, alone, eventually, program};

#[test]
fn a_message_goes_there_and_back_with_its_descriptors() -> Outcome {
    let puppet = Puppet::new()?;
    let mut file = tempfile::tempfile()?;
    file.write_all(b"shared")?;
    let message = [b"echo ".as_slice(), &[7; 60_000]].concat();
    puppet.child.channel().send(&message, &[file.as_fd(), file.as_fd()])?;
    let mut answer = Vec::new();
    let fds = puppet.child.channel().receive(&mut answer, Some(Instant::now() + PATIENCE))?;
    assert_eq!(answer, message);
    assert_eq!(fds.len(), 2);
    for fd in fds {
        let mut same = File::from(fd);
        same.rewind()?;
        let mut text = String::new();
        same.read_to_string(&mut text)?;
        assert_eq!(text, "shared");
    }
    Ok(())
}

#[test]
fn a_child_has_no_descriptor_but_its_own() -> Outcome {
    // As C libraries do it: not closed on exec.
    let leak = File::open("/dev/zero")?;
    let leaked = rustix::io::fcntl_dupfd_cloexec(&leak, 40)?;
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty())?;
    assert!(leaked.as_raw_fd() >= 40);
    let found = Puppet::new()?.ask("descriptors")?;
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 5, "{found}");
    assert_eq!(lines[0], "0 /dev/null");
    assert!(lines[1].starts_with("1 pipe:") && lines[2].starts_with("2 pipe:"), "{found}");
    assert!(lines[3].starts_with("3 socket:"), "{found}");
    assert_eq!(lines[4], "4 ", "the listing itself, closed meanwhile");
    Ok(())
}

#[test]
fn a_child_has_a_name_and_little_of_the_environment() -> Outcome {
    if !alone("passing::a_child_has_a_name_and_little_of_the_environment")? {
        return Ok(());
    }
    let puppet = Puppet::new()?;
    let found = puppet.ask("environment")?;
    assert!(found.contains("PATH="), "{found}");
    assert!(!found.contains("hidden") && !found.contains("SELKIES_"), "{found}");
    let status = puppet.ask("status")?;
    assert!(status.starts_with("Name:\tplugin:puppet\n"), "{status}");
    let shown = std::fs::read(format!("/proc/{}/cmdline", puppet.child.id()))?;
    assert!(shown.ends_with(b"\0unused\0test.puppet\0"), "{}", String::from_utf8_lossy(&shown));
    assert_eq!(puppet.ask("oom")?.trim(), "500");
    Ok(())
}

#[test]
fn what_it_prints_arrives_in_lines() -> Outcome {
    let puppet = Puppet::new()?;
    puppet.ask("print 3")?;
    puppet.ask("complain it's \x1b[31mred\nand cut")?;
    assert!(eventually(|| puppet.lines().len() >= 4), "{:?}", puppet.lines());
    assert_eq!(puppet.lines(), ["line 0", "line 1", "line 2", "it's \\u{1b}[31mred"]);
    let lines = puppet.lines.clone();
    drop(puppet);
    let last = || lines.lock().is_ok_and(|lines| lines.last().is_some_and(|line| line == "and cut"));
    assert!(eventually(last));
    Ok(())
}

#[test]
fn a_flood_of_lines_is_limited() -> Outcome {
    let puppet = Puppet::new()?;
    let begin = Instant::now();
    puppet.ask("print 200000")?;
    let lines = puppet.lines.clone();
    drop(puppet);
    let ended = || lines.lock().is_ok_and(|lines| lines.last().is_some_and(|line| line.ends_with("dropped")));
    assert!(eventually(ended));
    let most = (begin.elapsed().as_secs() as usize + 2) * 102;
    let found = lines.lock().map_err(|_| "poisoned")?;
    assert!(found.len() <= most, "{} lines, {:?}", found.len(), begin.elapsed());
    assert_eq!(found[0], "line 0");
    Ok(())
}

#[test]
fn whoever_starts_it_by_hand_is_told() -> Outcome {
    let output = Command::new(program()?).stdin(Stdio::null()).output()?;
    assert_eq!(output.status.code(), Some(BY_HAND.into()));
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("cannot be started by hand") && said.lines().count() == 1, "{said}");
    Ok(())
}
