//! A host whose descriptors are used up. The only test of its program: the limit is the process's.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

use rustix::{
    net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket},
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use selkies_gamepad::{InterposerPads, wire::CONFIG_BYTES};
use selkies_plugin_sdk::test_host::{TestGamepad, TestHost};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all threads of this process have used of the processors.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.expect("since its start"), nanos.expect("below a second"))
}

#[test]
fn programs_wait_without_cost_until_there_are_descriptors() {
    let (host, folder) = (TestHost::new(), tempfile::tempdir().expect("a folder"));
    let config = format!(r#"{{"js_socket_path": {:?}}}"#, folder.path());
    let _pads = TestGamepad::of::<InterposerPads>(&host, &config).expect("the folder is free");
    let program = socket(AddressFamily::UNIX, SocketType::STREAM, None).expect("a socket");

    let usual = getrlimit(Resource::Nofile);
    let next = File::open("/dev/null").expect("there is place yet");
    let lowest = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&next)).expect("a number");
    drop(next);
    setrlimit(Resource::Nofile, Rlimit { current: Some(lowest), maximum: usual.maximum }).expect("lowered");
    File::open("/dev/null").expect_err("there is no place");
    let at = SocketAddrUnix::new(folder.path().join("selkies_js0.sock")).expect("an address");
    connect(&program, &at).expect("it waits");
    let before = used();
    thread::sleep(Duration::from_secs(2));
    let spent = used() - before;
    assert!(spent < Duration::from_millis(500), "{spent:?} were spent on waiting");

    setrlimit(Resource::Nofile, usual).expect("as before");
    let mut program = UnixStream::from(program);
    program.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    program.read_exact(&mut [0; CONFIG_BYTES]).expect("it is greeted");
    program.write_all(&[8]).expect("it is heard");
    program.read_exact(&mut [0; 8]).expect("the first event");
}
