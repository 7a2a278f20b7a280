//! The child of `tests/children.rs`: it enters as a plugin's process does and then does what it is told, also the worst.
//!
//! A message is a word and an argument, `exit 3`; what cannot be done is answered with `error` and the reason. Started
//! with the argument `host` it is a host itself, of one child.
#![allow(unsafe_code)] // it crashes on purpose

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::{
            fs::PermissionsExt,
            net::{UnixDatagram, UnixStream},
        },
    },
    process::{Command, ExitCode},
    thread,
};

use selkies_plugin_host::child::{Adopted, Channel, ChannelError, Child, Launch, Limits, Profile, adopt};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("host") {
        return match host() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    let adopted = match adopt() {
        Ok(adopted) => adopted,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(error.exit_code());
        }
    };
    for line in adopted.restrict() {
        eprintln!("{line}");
    }
    match obey(&adopted) {
        Ok(()) | Err(ChannelError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a child, says its number, and waits for the end of its own input.
fn host() -> Result<(), Failure> {
    let child = Child::spawn(Launch {
        program: env::current_exe()?,
        arguments: Vec::new(),
        label: "test.puppet".into(),
        profile: Profile::default(),
        limits: Limits::default(),
        lines: Box::new(|line| eprintln!("{line}")),
    })?;
    child.channel().send(b"echo", &[])?;
    child.channel().receive(&mut Vec::new(), None)?;
    println!("{}", child.id());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn obey(adopted: &Adopted) -> Result<(), ChannelError> {
    let channel: &Channel = &adopted.channel;
    let mut message = Vec::new();
    loop {
        let fds = channel.receive(&mut message, None)?;
        let text = String::from_utf8_lossy(&message).into_owned();
        let (word, argument) = text.split_once(' ').unwrap_or((&text, ""));
        if word == "reopen" {
            let fd = fds.first().ok_or(ChannelError::Closed)?;
            let answer = reopen(fd.as_raw_fd()).unwrap_or_else(|failure| format!("error {failure}"));
            channel.send(answer.as_bytes(), &[])?;
            continue;
        }
        if word == "echo" {
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            channel.send(&message, &fds)?;
            continue;
        }
        let answer = act(word, argument).unwrap_or_else(|failure| format!("error {failure}"));
        channel.send(answer.as_bytes(), &[])?;
    }
}

/// Opens what it has for writing, whatever it takes.
fn reopen(fd: RawFd) -> Result<String, Failure> {
    let path = format!("/proc/self/fd/{fd}");
    if let Err(refusal) = fs::OpenOptions::new().write(true).open(&path) {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))
            .map_err(|error| format!("{refusal}, and its mode: {error}"))?;
        fs::OpenOptions::new().write(true).open(&path)?;
    }
    Ok("opened".into())
}

fn act(word: &str, argument: &str) -> Result<String, Failure> {
    Ok(match word {
        "crash" => {
            // SAFETY: none; the point is that it is not.
            unsafe { std::ptr::null_mut::<u8>().write_volatile(0) };
            String::new()
        }
        "abort" => std::process::abort(),
        "exit" => std::process::exit(argument.parse()?),
        "hang" => loop {
            thread::park();
        },
        "descriptors" => {
            let mut numbers: Vec<i32> = fs::read_dir("/proc/self/fd")?
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .collect();
            numbers.sort_unstable();
            let shown = numbers.iter().map(|fd| {
                let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
                format!("{fd} {}", target.display())
            });
            shown.collect::<Vec<_>>().join("\n")
        }
        "environment" => env::vars().map(|(name, value)| format!("{name}={value}\n")).collect(),
        "status" => fs::read_to_string("/proc/self/status")?,
        "oom" => fs::read_to_string("/proc/self/oom_score_adj")?,
        "print" => {
            let count = argument.parse()?;
            let mut output = std::io::stdout().lock();
            for number in 0_u64..count {
                writeln!(output, "line {number}")?;
            }
            output.flush()?;
            "printed".into()
        }
        "complain" => {
            eprint!("{argument}");
            "printed".into()
        }
        "allocate" => {
            let mut memory: Vec<u8> = Vec::new();
            memory.try_reserve_exact(argument.parse()?)?;
            memory.resize(memory.capacity(), 1);
            format!("{} bytes", std::hint::black_box(memory).len())
        }
        "open" => {
            let count: usize = argument.parse()?;
            let files = (0..count).map(|_| fs::File::open("/dev/null")).collect::<Result<Vec<_>, _>>()?;
            format!("{} files", files.len())
        }
        "run" => format!("{}", Command::new(argument).status()?),
        "thread" => thread::spawn(|| "a thread".to_owned()).join().map_err(|_| "the thread panicked")?,
        "read" => format!("{} bytes", fs::read(argument)?.len()),
        "write" => {
            fs::write(argument, "x")?;
            "written".into()
        }
        "tcp" => format!("{}", TcpStream::connect(argument)?.peer_addr()?),
        "unix" => format!("{:?}", UnixStream::connect(argument)?.peer_addr()?),
        "pair" => format!("{:?}", UnixDatagram::pair()?.0.local_addr()?),
        "datagram" => format!("{:?}", UnixDatagram::unbound()?.local_addr()?),
        "signal" => {
            let pid: i32 = argument.parse()?;
            // SAFETY: signal 0 only asks.
            if unsafe { libc::kill(pid, 0) } != 0 {
                return Err(std::io::Error::last_os_error().into());
            }
            "allowed".into()
        }
        "call" => {
            let number: i64 = argument.parse()?;
            // SAFETY: the calls that tests name fail with these arguments even where they are allowed.
            let answer = unsafe { libc::syscall(number, -1_i64, 0_i64, 0_i64, 0_i64, 0_i64, 0_i64) };
            if answer < 0 {
                return Err(std::io::Error::last_os_error().into());
            }
            format!("{answer}")
        }
        _ => return Err(format!("{word} is not known").into()),
    })
}
