//! What a child cannot do.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
    time::Instant,
};

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use selkies_plugin_host::child::{Ending, Limits, Processes, Profile};

use crate::stage::{Outcome, PATIENCE, Puppet, eventually};

const SIGSYS: Ending = Ending::Signal { number: 31 };

fn assert_refused(answer: &str) {
    assert!(answer.starts_with("error ") && answer.contains("ermi"), "{answer:?} is no refusal");
}

#[test]
fn memory_and_files_are_limited() -> Outcome {
    let limits = Limits { memory_bytes: 256 << 20, open_files: 32, ..Limits::default() };
    let puppet = Puppet::with(Profile::default(), limits)?;
    assert_eq!(puppet.ask("allocate 10000000")?, "10000000 bytes");
    let refused = puppet.ask("allocate 1000000000")?;
    assert!(refused.starts_with("error memory allocation failed"), "{refused}");
    assert_eq!(puppet.ask("open 20")?, "20 files");
    assert!(puppet.ask("open 40")?.contains("Too many open files"));
    let status = fs::read_to_string(format!("/proc/{}/limits", puppet.child.id()))?;
    assert!(status.lines().any(|line| line.starts_with("Max core file size        0 ")), "{status}");
    Ok(())
}

#[test]
fn a_codec_that_starts_a_process_is_killed() -> Outcome {
    let puppet = Puppet::new()?;
    assert_eq!(puppet.ask("thread")?, "a thread", "threads are its own business");
    puppet.tell("run /bin/true")?;
    assert_eq!(puppet.child.wait(PATIENCE), Some(SIGSYS));

    for call in [libc::SYS_execve, libc::SYS_ptrace, libc::SYS_process_vm_readv] {
        let puppet = Puppet::new()?;
        puppet.tell(&format!("call {call}"))?;
        assert_eq!(puppet.child.wait(PATIENCE), Some(SIGSYS), "call {call}");
    }
    Ok(())
}

#[test]
fn who_talks_to_services_is_refused_a_process() -> Outcome {
    let puppet =
        Puppet::with(Profile { processes: Processes::Refused, ..Profile::default() }, Limits::default())?;
    assert_refused(&puppet.ask("run /bin/true")?);
    assert_eq!(puppet.ask("thread")?, "a thread");
    assert_refused(&puppet.ask(&format!("call {}", libc::SYS_ptrace))?);
    Ok(())
}

#[test]
fn a_wide_profile_starts_programs() -> Outcome {
    let wide = Profile { processes: Processes::Allowed, ..Profile::default() };
    let puppet = Puppet::with(wide, Limits::wide())?;
    assert_eq!(puppet.ask("run /bin/true")?, "exit status: 0");
    assert_refused(&puppet.ask(&format!("call {}", libc::SYS_ptrace))?);
    // All flags at once, a new user namespace among them; where that is allowed the combination is an invalid argument.
    assert_refused(&puppet.ask(&format!("call {}", libc::SYS_clone))?);
    Ok(())
}

#[test]
fn the_network_is_closed_unless_asked_for() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let puppet = Puppet::new()?;
    assert_refused(&puppet.ask(&format!("tcp {address}"))?);

    let profile = Profile { network: true, processes: Processes::Refused, ..Profile::default() };
    let puppet = Puppet::with(profile, Limits::default())?;
    assert_eq!(puppet.ask(&format!("tcp {address}"))?, address);
    assert_refused(&puppet.ask("datagram")?);
    Ok(())
}

#[test]
fn a_service_in_a_file_is_reached_by_those_who_ask_for_services() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("service");
    let _listener = UnixListener::bind(&path)?;
    let connect = format!("unix {}", path.display());
    let profile = Profile {
        files: BTreeSet::from([folder.path().to_owned()]),
        processes: Processes::Refused,
        services: true,
        ..Profile::default()
    };
    let puppet = Puppet::with(profile, Limits::default())?;
    let answer = puppet.ask(&connect)?;
    assert!(answer.contains("service"), "{answer}");
    assert!(puppet.ask("datagram")?.starts_with("(unnamed)"));
    assert!(puppet.ask("pair")?.starts_with("(unnamed)"));

    let puppet = Puppet::new()?;
    for ask in [connect.as_str(), "datagram", "pair"] {
        let refused = puppet.ask(ask)?;
        assert!(refused.contains("Permission denied (os error 13)"), "{ask}: {refused}");
    }
    for call in [libc::SYS_connect, libc::SYS_bind] {
        assert_refused(&puppet.ask(&format!("call {call}"))?);
    }
    Ok(())
}

#[test]
fn the_kernels_back_rooms_are_closed() -> Outcome {
    let wide = Profile { processes: Processes::Allowed, network: true, ..Profile::default() };
    for profile in [Profile::default(), wide] {
        let puppet = Puppet::with(profile, Limits::default())?;
        for call in
            [libc::SYS_bpf, libc::SYS_mount, libc::SYS_keyctl, libc::SYS_io_uring_setup, libc::SYS_setns]
        {
            assert_refused(&puppet.ask(&format!("call {call}"))?);
        }
        assert_eq!(puppet.ask("thread")?, "a thread");
    }
    Ok(())
}

#[test]
fn other_processes_are_out_of_reach() -> Outcome {
    let puppet = Puppet::new()?;
    assert_refused(&puppet.ask(&format!("signal {}", std::process::id()))?);
    assert_refused(&puppet.ask("signal 0")?);
    assert_eq!(puppet.ask(&format!("signal {}", puppet.child.id()))?, "allowed");
    Ok(())
}

#[test]
fn what_a_codec_may_read_it_cannot_open_for_writing() -> Outcome {
    // As the host makes its frame buffers.
    let memory = memfd_create("test", MemfdFlags::CLOEXEC)?;
    fchmod(&memory, Mode::RUSR)?;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let readable = fs::File::open(path)?;
    let ask = |profile| -> Result<String, Box<dyn std::error::Error>> {
        let puppet = Puppet::with(profile, Limits::default())?;
        puppet.child.channel().send(b"reopen", &[readable.as_fd()])?;
        let mut answer = Vec::new();
        puppet.child.channel().receive(&mut answer, Some(Instant::now() + PATIENCE))?;
        Ok(String::from_utf8(answer)?)
    };
    assert_refused(&ask(Profile::default())?);
    // The file is of the same user, whom only the narrowest profile keeps from it.
    assert_eq!(ask(Profile { processes: Processes::Refused, ..Profile::default() })?, "opened");
    Ok(())
}

/// True when the kernel restricts files at all; then the child must not have complained either.
fn has_landlock() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V3))
        .and_then(Ruleset::create)
        .is_ok()
}

#[test]
fn files_are_closed_unless_asked_for() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (asked, other) = (folder.path().join("asked"), folder.path().join("other"));
    for path in [&asked, &other] {
        fs::create_dir(path)?;
        fs::write(path.join("file"), "content")?;
    }
    let profile = Profile { files: BTreeSet::from([asked.clone()]), ..Profile::default() };
    let puppet = Puppet::with(profile, Limits::default())?;
    let file = |verb: &str, path: &Path| puppet.ask(&format!("{verb} {}", path.display()));
    assert!(file("read", Path::new("/etc/passwd"))?.ends_with(" bytes"));
    assert_eq!(file("read", &asked.join("file"))?, "7 bytes");
    assert!(file("write", Path::new("/dev/null"))?.ends_with("written"));
    if !has_landlock() {
        assert!(eventually(|| puppet.lines().iter().any(|line| line.contains("Landlock"))), "it is said");
        return Ok(());
    }
    assert_refused(&file("read", &other.join("file"))?);
    assert_refused(&file("write", &asked.join("file"))?);
    assert_refused(&file("write", &folder.path().join("new"))?);
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    assert_refused(&file("write", &home.join("selkies-test-file"))?);
    assert_refused(&file("write", Path::new("/etc/selkies-test-file"))?);
    assert_refused(&file("write", Path::new("/dev/shm/selkies-test-file"))?);
    // The host's secrets, although /proc can be read.
    let host = PathBuf::from(format!("/proc/{}/environ", std::process::id()));
    assert_refused(&file("read", &host)?);
    Ok(())
}

#[test]
fn devices_are_closed_unless_asked_for() -> Outcome {
    if !has_landlock() {
        return files_are_closed_unless_asked_for();
    }
    assert_refused(&Puppet::new()?.ask("write /dev/ptmx")?);
    let profile = Profile { devices: BTreeSet::from(["/dev/ptm*".to_owned()]), ..Profile::default() };
    assert_eq!(Puppet::with(profile, Limits::default())?.ask("write /dev/ptmx")?, "written");
    Ok(())
}
