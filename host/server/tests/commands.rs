//! Command lines of clients, and those of the operator when clients come and go.

mod house;

use std::{fs, path::Path, time::Duration};

use house::{House, SMALL, SOON, page::Page};
use selkies_commands::Options;
use selkies_server::CommandOptions;
use serde_json::Value;

async fn furnished(change: impl FnOnce(&mut CommandOptions), command: bool) -> (House, tempfile::TempDir) {
    let (house, place) =
        (House::that_runs_commands(SMALL, command).await, tempfile::tempdir().expect("a folder"));
    let lines = Options { folder: place.path().to_owned(), ..Options::default() };
    let mut options = CommandOptions { lines, after_connect: String::new(), after_disconnect: String::new() };
    change(&mut options);
    house.hub.attach_commands(options);
    (house, place)
}

async fn answer(page: &mut Page, line: &str) -> Value {
    page.say(&format!("cmd,{line}")).await;
    loop {
        let text = page.text("system,").await;
        let body: Value = serde_json::from_str(&text["system,".len()..]).expect("JSON");
        if body["action"].as_str().is_some_and(|action| action.starts_with("command_")) {
            return body;
        }
    }
}

async fn until_there(path: &Path, content: &str) {
    let there = async {
        while fs::read_to_string(path).ok().as_deref() != Some(content) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(SOON, there).await;
    assert!(found.is_ok(), "{content:?} in {}: {:?}", path.display(), fs::read_to_string(path));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_hears_what_its_line_printed() {
    let (house, _place) = furnished(|_| {}, true).await;
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    let done = answer(&mut page, "echo 'a, b'; echo $((6 * 7))").await;
    assert_eq!(done["action"], "command_done,echo 'a, b'; echo $((6 * 7))");
    assert_eq!(
        (&done["status"], &done["output"], &done["cut"]),
        (&0.into(), &"a, b\n42\n".into(), &false.into())
    );
    let failed = answer(&mut page, "echo oops >&2; exit 3").await;
    assert_eq!(failed["action"], "command_error,echo oops >&2; exit 3: exit status 3");
    assert_eq!((&failed["status"], &failed["output"]), (&3.into(), &"oops\n".into()));
    let long = answer(&mut page, &"x".repeat(5000)).await;
    assert!(long["action"].as_str().is_some_and(|action| action.contains("CM002")), "{long}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_viewers_nor_those_without_the_operators_leave_run_anything() {
    let (house, place) = furnished(|_| {}, true).await;
    let mut viewer = Page::enter(&house, "?role=viewer").await;
    // A controller that has not settled in yet controls nothing.
    let mut candidate = Page::enter(&house, "").await;
    for page in [&mut viewer, &mut candidate] {
        page.say("cmd,touch ran").await;
        page.say("_ping,5").await;
        page.text("pong,5").await;
    }
    assert_eq!(house.status().await["messages"]["denied"], 2);
    // Whoever may run lines sees for a while whether another one does what it says.
    candidate.settle_in("tab").await;
    let watched = answer(&mut candidate, "for n in $(seq 50); do sleep 0.02; ls; done").await;
    assert_eq!((&watched["status"], &watched["output"]), (&0.into(), &"".into()));
    // Were they heard, they would have left this.
    answer(&mut candidate, "touch heard").await;
    assert!(place.path().join("heard").exists());
    house.close().await;
    let (off, other) = furnished(|_| {}, false).await;
    let mut page = Page::enter(&off, "").await;
    page.settle_in("tab").await;
    page.say("cmd,touch ran").await;
    page.say("_ping,5").await;
    page.text("pong,5").await;
    assert_eq!(off.status().await["messages"]["denied"], 1);
    off.close().await;
    for place in [place, other] {
        assert!(!place.path().join("ran").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_end_with_their_client_and_with_the_host() {
    let (house, place) = furnished(|options| options.lines.end_with_client = true, true).await;
    let log = place.path().join("log");
    let line =
        |name| format!("trap 'echo {name} >> log; exit' TERM; echo > {name}; while :; do sleep 0.05; done");
    let mut first = Page::enter(&house, "").await;
    first.settle_in("one").await;
    first.say(&format!("cmd,{}", line("first"))).await;
    let mut second = Page::enter(&house, "").await;
    second.settle_in("two").await;
    second.say(&format!("cmd,{}", line("second"))).await;
    for name in ["first", "second"] {
        until_there(&place.path().join(name), "\n").await;
    }
    drop(first);
    until_there(&log, "first\n").await;
    house.close().await;
    until_there(&log, "first\nsecond\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_lines_run_for_the_first_and_the_last() {
    let hooks = |options: &mut CommandOptions| {
        options.after_connect = "echo came as $SELKIES_ROLE ${SELKIES_CLIENT:+known} >> log".into();
        options.after_disconnect = "echo went ${SELKIES_CLIENT:+known} >> log".into();
    };
    let (house, place) = furnished(hooks, false).await;
    let log = place.path().join("log");
    let mut viewer = Page::enter(&house, "?role=viewer").await;
    viewer.text("MODE").await;
    until_there(&log, "came as viewer known\n").await;
    let mut other = Page::enter(&house, "").await;
    other.text("MODE").await;
    drop(viewer);
    let seen = async {
        while house.status().await["clients"] != 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, seen).await.expect("one has left");
    drop(other);
    until_there(&log, "came as viewer known\nwent known\n").await;
    let mut last = Page::enter(&house, "").await;
    last.text("MODE").await;
    let all = "came as viewer known\nwent known\ncame as controller known\n";
    until_there(&log, all).await;
    // The host's end is the last client's, too, and waits for the line.
    house.close().await;
    assert_eq!(fs::read_to_string(&log).expect("there"), format!("{all}went known\n"));
}
