//! Starts and kills child processes and counts what is left:
//! `cargo run --release -p selkies-plugin-host --example kill_cycles -- 10000`.
//!
//! Every child enters as a plugin's does and is confined as a codec's; every second one is killed before it said
//! anything. Prints one line: milliseconds from start to first answer and from kill to reaped, microseconds of a round
//! trip of 200 bytes (each median and 99th percentile), and descriptors, threads and child processes before and after.
//! Exits with 1 when something is left.

use std::{
    env, fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use selkies_plugin_host::child::{ChannelError, Child, Launch, Limits, Profile, adopt};

type Failure = Box<dyn std::error::Error>;

const ROUND_TRIPS: usize = 20_000;
const DEADLINE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let outcome = match env::args().nth(1).as_deref() {
        Some("child") => echo(),
        count => count.unwrap_or("1000").parse().map_err(Failure::from).and_then(cycles),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// The child: sends every message back.
fn echo() -> Result<bool, Failure> {
    let adopted = adopt()?;
    for line in adopted.restrict() {
        eprintln!("{line}");
    }
    let mut message = Vec::new();
    loop {
        match adopted.channel.receive(&mut message, None) {
            Ok(_) => adopted.channel.send(&message, &[])?,
            Err(ChannelError::Closed) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

fn start() -> Result<Child, Failure> {
    let profile = Profile::default();
    Ok(Child::spawn(Launch {
        program: env::current_exe()?,
        arguments: vec!["child".into()],
        label: "test.cycle".into(),
        limits: Limits::of(&profile),
        profile,
        lines: Box::new(|line| eprintln!("child: {line}")),
    })?)
}

fn round_trip(child: &Child, answer: &mut Vec<u8>) -> Result<(), Failure> {
    child.channel().send(&[7; 200], &[])?;
    child.channel().receive(answer, Some(Instant::now() + DEADLINE))?;
    Ok(())
}

/// Descriptors, threads and children of this process.
fn census() -> [usize; 3] {
    let count = |folder: &str| fs::read_dir(folder).map_or(0, Iterator::count);
    let own = std::process::id().to_string();
    let parent_is_us = |stat: String| {
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(own.as_str())
    };
    let children = fs::read_dir("/proc").map_or(0, |entries| {
        entries
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
            .filter(|stat| parent_is_us(stat.clone()))
            .count()
    });
    [count("/proc/self/fd"), count("/proc/self/task"), children]
}

fn cycles(count: usize) -> Result<bool, Failure> {
    let mut answer = Vec::new();
    let child = start()?;
    round_trip(&child, &mut answer)?;
    let mut trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let begin = Instant::now();
        round_trip(&child, &mut answer)?;
        trips.push(begin.elapsed());
    }
    drop(child);
    let before = settled(None);

    let (mut starts, mut kills) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    for round in 0..count {
        let started = Instant::now();
        let child = start()?;
        if round % 2 == 0 {
            round_trip(&child, &mut answer)?;
            starts.push(started.elapsed());
        }
        let killed = Instant::now();
        child.kill();
        child.wait(DEADLINE).ok_or("a killed child lives on")?;
        kills.push(killed.elapsed());
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = settled(Some(before));
    println!(
        "{count} cycles in {seconds:.1} s; start to answer {} ms; kill to reaped {} ms; round trip {} us; \
         descriptors {} -> {}, threads {} -> {}, children {} -> {}",
        spread(starts, 1e3),
        spread(kills, 1e3),
        spread(trips, 1e6),
        before[0],
        after[0],
        before[1],
        after[1],
        before[2],
        after[2],
    );
    Ok(before == after)
}

/// The census once it is `wanted`, or has not changed for a while: a dead child's pipe is closed by another thread.
fn settled(wanted: Option<[usize; 3]>) -> [usize; 3] {
    let deadline = Instant::now() + if wanted.is_some() { DEADLINE } else { Duration::from_millis(500) };
    let mut found = census();
    while Some(found) != wanted && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
        found = census();
    }
    found
}

/// Median and 99th percentile.
fn spread(mut times: Vec<Duration>, scale: f64) -> String {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get((times.len() * share / 100).min(times.len().saturating_sub(1)))
            .map_or(0.0, Duration::as_secs_f64)
    };
    format!("{:.2}/{:.2}", at(50) * scale, at(99) * scale)
}
