//! Lines in a real shell.

use std::{
    fs,
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use selkies_commands::{CommandError, Commands, Exit, Limits, MAX_LINE, Occasion, Options, Report};

/// A patient limit for what must happen.
const SOON: Duration = Duration::from_secs(20);

type Answer = Receiver<Result<Report, CommandError>>;

fn run(commands: &Commands, client: u64, line: &str) -> Answer {
    let (told, heard) = channel();
    let sent = commands.run(client, line, move |answer| told.send(answer).expect("somebody hears"));
    sent.expect("it is run");
    heard
}

fn report(answer: &Answer) -> Report {
    answer.recv_timeout(SOON).expect("in time").expect("it was started")
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < give_up, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process of that number runs.
fn lives(pid: &str) -> bool {
    fs::read_to_string(Path::new("/proc").join(pid).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_for_file(path: &Path) -> String {
    until("the file is written", || fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n')));
    fs::read_to_string(path).expect("there").trim().to_owned()
}

#[test]
fn output_and_status_come_back() {
    let commands = Commands::new(Options::default());
    let both = report(&run(&commands, 1, "echo out; echo err >&2; exit 7"));
    assert_eq!(both, Report { exit: Exit::Code(7), output: "out\nerr\n".into(), cut: false });
    assert_eq!(report(&run(&commands, 1, "kill -9 $$")).exit, Exit::Signal(9));
    assert_eq!(report(&run(&commands, 1, "no-such-program-7f3a")).exit, Exit::Code(127));
    assert_eq!(report(&run(&commands, 1, "printf 'a\\377b'")).output, "a\u{fffd}b");
    until("nothing is left", || commands.running() == 0);
}

#[test]
fn a_line_is_the_shells() {
    let commands = Commands::new(Options::default());
    let line = "for n in 1 2; do echo \"$n;$(echo x)\"; done\necho 'a, b'";
    assert_eq!(report(&run(&commands, 1, line)).output, "1;x\n2;x\na, b\n");
    assert_eq!(report(&run(&commands, 1, "cat; echo end")).output, "end\n", "nobody types");
}

#[test]
fn lines_have_the_desktops_environment_and_no_secret() {
    let place = tempfile::tempdir().expect("a folder");
    let options = Options {
        folder: place.path().to_owned(),
        set: vec![("DISPLAY".into(), ":7".into())],
        // Cargo sets this one for tests.
        unset: vec!["CARGO_MANIFEST_DIR".into()],
        ..Options::default()
    };
    let commands = Commands::new(options);
    let told = report(&run(
        &commands,
        1,
        "pwd -P; echo $DISPLAY; echo \"${CARGO_MANIFEST_DIR-none}\"; echo ${PATH:+path}",
    ));
    let here = place.path().canonicalize().expect("there");
    assert_eq!(told.output, format!("{}\n:7\nnone\npath\n", here.display()));
    let elsewhere = Commands::new(Options { folder: "/nowhere/at/all".into(), ..Options::default() });
    assert_eq!(report(&run(&elsewhere, 1, "pwd")).output, "/\n");
}

#[test]
fn what_is_no_line_is_not_run() {
    let commands = Commands::new(Options::default());
    let refused = |line: &str| commands.run(1, line, |_| panic!("not run")).expect_err("refused");
    for line in ["", "  \n", "a\0b"] {
        assert!(matches!(refused(line), CommandError::Malformed), "{line:?}");
    }
    assert!(matches!(refused(&"x".repeat(MAX_LINE + 1)), CommandError::TooLong { .. }));
}

#[test]
fn only_so_many_run_at_once() {
    let limits = Limits { running: 2, ..Limits::default() };
    let commands = Commands::new(Options { limits, ..Options::default() });
    let first = [run(&commands, 1, "exec sleep 600"), run(&commands, 2, "exec sleep 600")];
    let third = commands.run(1, "true", |_| {});
    assert!(matches!(third, Err(CommandError::TooMany { limit: 2 })), "{third:?}");
    commands.end(Duration::ZERO);
    assert_eq!(commands.running(), 0);
    assert_eq!(first.each_ref().map(|answer| report(answer).exit), [Exit::Ended; 2]);
    assert!(matches!(commands.run(1, "true", |_| {}), Err(CommandError::Ending)));
}

#[test]
fn a_flood_is_cut_and_the_line_runs_on() {
    let limits = Limits { output: 1000, ..Limits::default() };
    let commands = Commands::new(Options { limits, ..Options::default() });
    let told = report(&run(&commands, 1, "head -c 30000000 /dev/zero | tr '\\0' x; exit 5"));
    assert_eq!((told.exit, told.output.len(), told.cut), (Exit::Code(5), 1000, true));
}

#[test]
fn a_line_that_takes_too_long_ends_with_its_group() {
    let place = tempfile::tempdir().expect("a folder");
    let limits = Limits { time: Some(Duration::from_millis(300)), ..Limits::default() };
    let commands = Commands::new(Options { folder: place.path().to_owned(), limits, ..Options::default() });
    // Neither it nor its child heeds the polite signal.
    let answer = run(&commands, 1, "trap '' TERM; sleep 600 & echo $! > child; wait; sleep 600");
    let child = wait_for_file(&place.path().join("child"));
    assert_eq!(report(&answer).exit, Exit::TimedOut);
    until("the child has ended", || !lives(&child));
    until("nothing is left", || commands.running() == 0);
}

#[test]
fn lines_end_with_their_client_where_they_are_to() {
    let place = tempfile::tempdir().expect("a folder");
    let options =
        |end_with_client| Options { folder: place.path().to_owned(), end_with_client, ..Options::default() };
    let stays = Commands::new(options(false));
    let goes = Commands::new(options(true));
    let kept = run(&stays, 1, "echo $$ > kept; exec sleep 600");
    let ended = run(&goes, 1, "echo $$ > ended; sleep 600 & echo $! > child; wait");
    let others = run(&goes, 2, "echo $$ > others; exec sleep 600");
    let [kept_pid, child, others_pid] =
        ["kept", "child", "others"].map(|name| wait_for_file(&place.path().join(name)));
    stays.client_left(1);
    goes.client_left(1);
    assert_eq!(report(&ended).exit, Exit::Ended);
    until("the child has ended", || !lives(&child));
    assert!(lives(&others_pid) && lives(&kept_pid));
    stays.end(Duration::ZERO);
    goes.end(Duration::ZERO);
    assert_eq!((report(&kept).exit, report(&others).exit), (Exit::Ended, Exit::Ended));
    until("they have ended", || !lives(&kept_pid) && !lives(&others_pid));
}

#[test]
fn what_stays_in_the_background_may_print_on() {
    let place = tempfile::tempdir().expect("a folder");
    let commands = Commands::new(Options { folder: place.path().to_owned(), ..Options::default() });
    let line = "(while [ ! -e go ]; do sleep 0.02; done; echo still here && echo $$ > printed; exec sleep 600) & exit 0";
    let told = report(&run(&commands, 1, line));
    assert_eq!((told.exit, told.output.as_str()), (Exit::Code(0), ""));
    assert_eq!(commands.running(), 1, "its group lives");
    fs::write(place.path().join("go"), "").expect("written");
    wait_for_file(&place.path().join("printed"));
    commands.end(Duration::ZERO);
    assert_eq!(commands.running(), 0);
}

#[test]
fn what_prints_elsewhere_or_leaves_its_group_is_within_the_limits() {
    let place = tempfile::tempdir().expect("a folder");
    let limits = Limits { running: 1, ..Limits::default() };
    let options =
        Options { folder: place.path().to_owned(), limits, end_with_client: true, ..Options::default() };
    let commands = Commands::new(options);
    for (name, before) in [("silent", ""), ("apart", "setsid ")] {
        let line = format!("{before}sh -c 'echo $$ > {name}; exec sleep 600' >/dev/null 2>&1 & exit 4");
        assert_eq!(report(&run(&commands, 1, &line)).exit, Exit::Code(4));
        let left = wait_for_file(&place.path().join(name));
        let another = commands.run(2, "true", |_| {});
        assert!(matches!(another, Err(CommandError::TooMany { .. })), "{name} runs: {another:?}");
        commands.client_left(1);
        until("it has ended with its client", || !lives(&left));
        until("its place is free", || commands.running() == 0);
    }
    // Whoever ends by itself gives its place back.
    let line = "setsid sh -c 'while [ ! -e go ]; do sleep 0.02; done' >/dev/null 2>&1 & exit 0";
    assert_eq!(report(&run(&commands, 1, line)).exit, Exit::Code(0));
    assert_eq!(commands.running(), 1);
    fs::write(place.path().join("go"), "").expect("written");
    until("nothing is left", || commands.running() == 0);
}

#[test]
fn the_time_of_a_line_is_that_of_what_it_leaves_behind() {
    let place = tempfile::tempdir().expect("a folder");
    let limits = Limits { time: Some(Duration::from_secs(1)), ..Limits::default() };
    let commands = Commands::new(Options { folder: place.path().to_owned(), limits, ..Options::default() });
    // Neither heeds the polite signal, and what it forks is not in the group either.
    let stubborn = "trap \"\" TERM; sleep 600 & echo $! > child; echo $$ > parent; wait";
    let answer = run(&commands, 1, &format!("setsid sh -c '{stubborn}' >/dev/null 2>&1 & exit 0"));
    assert_eq!(report(&answer).exit, Exit::Code(0));
    let left = ["parent", "child"].map(|name| wait_for_file(&place.path().join(name)));
    for pid in left {
        until("it has ended", || !lives(&pid));
    }
    until("nothing is left", || commands.running() == 0);
}

#[test]
fn hooks_run_one_after_another_and_what_was_undone_is_left_out() {
    let place = tempfile::tempdir().expect("a folder");
    let commands = Commands::new(Options { folder: place.path().to_owned(), ..Options::default() });
    let (told, heard) = channel();
    let hook = |occasion, line: &str| {
        let told = told.clone();
        let run = commands.hook(occasion, line, Vec::new(), SOON, move |answer| {
            told.send(answer).expect("heard");
        });
        run.expect("run");
    };
    hook(Occasion::FirstCame, "while [ ! -e go ]; do sleep 0.02; done; echo 0 >> log");
    until("the first one runs", || commands.running() == 1);
    for round in 0..50 {
        hook(Occasion::LastLeft, &format!("echo went {round} >> log"));
        hook(Occasion::FirstCame, &format!("echo came {round} >> log"));
    }
    hook(Occasion::LastLeft, "sleep 0.1; echo went at last >> log");
    assert!(commands.running() <= 1, "one at a time");
    fs::write(place.path().join("go"), "").expect("written");
    for _ in 0..2 {
        heard.recv_timeout(SOON).expect("in time").expect("run");
    }
    until("nothing is left", || commands.running() == 0);
    assert_eq!(fs::read_to_string(place.path().join("log")).expect("there"), "0\nwent at last\n");
    // While nothing runs, each has its turn.
    hook(Occasion::FirstCame, "sleep 0.2; echo came >> log");
    hook(Occasion::LastLeft, "echo went >> log");
    for _ in 0..2 {
        heard.recv_timeout(SOON).expect("in time").expect("run");
    }
    let log = fs::read_to_string(place.path().join("log")).expect("there");
    assert_eq!(log, "0\nwent at last\ncame\nwent\n");
}

#[test]
fn at_the_end_the_last_hook_does_not_wait_for_one_before() {
    let place = tempfile::tempdir().expect("a folder");
    let commands = Commands::new(Options { folder: place.path().to_owned(), ..Options::default() });
    let (told, heard) = channel();
    let both =
        [(Occasion::FirstCame, "echo > began; exec sleep 600"), (Occasion::LastLeft, "echo went > last")];
    for (occasion, line) in both {
        let told = told.clone();
        let run = commands.hook(occasion, line, Vec::new(), SOON * 2, move |answer| {
            told.send(answer).expect("heard");
        });
        run.expect("run");
        wait_for_file(&place.path().join("began"));
    }
    let asked = Instant::now();
    commands.end(SOON);
    assert!(asked.elapsed() < SOON, "it did not wait");
    assert_eq!(report(&heard).exit, Exit::Ended);
    assert_eq!(report(&heard).exit, Exit::Code(0));
    assert_eq!(fs::read_to_string(place.path().join("last")).expect("there"), "went\n");
    let late = commands.hook(Occasion::FirstCame, "true", Vec::new(), SOON, |_| {});
    assert!(matches!(late, Err(CommandError::Ending)), "{late:?}");
}

#[test]
fn hooks_of_the_operator_have_variables_and_a_time() {
    let limits = Limits { running: 0, ..Limits::default() };
    let commands = Commands::new(Options { limits, ..Options::default() });
    let hook = |line: &str, limit| {
        let (told, heard) = channel();
        let set = vec![("SELKIES_ROLE".to_owned(), "viewer".to_owned())];
        let run = commands
            .hook(Occasion::FirstCame, line, set, limit, move |answer| told.send(answer).expect("heard"));
        run.expect("run");
        heard
    };
    assert_eq!(report(&hook("echo $SELKIES_ROLE", SOON)).output, "viewer\n");
    assert_eq!(report(&hook("exec sleep 600", Duration::from_millis(50))).exit, Exit::TimedOut);
    // The host's end leaves them a moment.
    let last = hook("sleep 0.2; echo done", SOON);
    commands.end(SOON);
    assert_eq!(report(&last).output, "done\n");
}
