//! A file that is written, replaced, broken and removed, through the C table.

use std::{
    fs::{File, Permissions, create_dir, remove_file, rename, set_permissions, write},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use selkies_plugin_sdk::{
    RtcRequest, abi,
    test_host::{Failure, TestHost, TestRtcConfig},
};
use selkies_static_rtc::StaticRtc;

fn open(path: &Path) -> TestRtcConfig {
    let config = serde_json::json!({ "path": path }).to_string();
    TestRtcConfig::of::<StaticRtc>(&TestHost::new(), &config).expect("a source")
}

fn fetch(source: &mut TestRtcConfig) -> Result<String, Failure> {
    let request = RtcRequest { tls: false, user: "u".into(), protocol: "udp".into(), deadline_ns: 0 };
    source.fetch(&request)
}

fn put(path: &Path, host: &str) {
    write(path, format!(r#"{{"iceServers":[{{"urls":"stun:{host}"}}]}}"#)).expect("written");
    set_permissions(path, Permissions::from_mode(0o600)).expect("mode");
}

/// Waits for a change, and takes those that belong to it.
fn changed(source: &mut TestRtcConfig) {
    assert_eq!(source.wait(Some(Duration::from_secs(30))), Ok(true));
    while source.wait(Some(Duration::ZERO)) == Ok(true) {}
}

#[test]
fn every_way_to_change_the_file_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rtc.json");
    let mut source = open(&path);
    assert_eq!(fetch(&mut source).expect_err("no file").class(), abi::CLASS_RETRY);
    put(&path, "first");
    changed(&mut source);
    assert!(fetch(&mut source).expect("first").contains("stun:first:3478"));
    put(&path, "second");
    changed(&mut source);
    assert!(fetch(&mut source).expect("second").contains("stun:second"));
    let other = folder.path().join("other");
    put(&other, "third");
    assert_eq!(source.wait(Some(Duration::from_millis(20))), Ok(false), "another file");
    rename(&other, &path).expect("replaced");
    changed(&mut source);
    assert!(fetch(&mut source).expect("third").contains("stun:third"));
    write(&path, r#"{"password":"canary""#).expect("written");
    changed(&mut source);
    let failure = fetch(&mut source).expect_err("cut off");
    assert!(!failure.text.contains("canary") && failure.text.contains("rtc.json"), "{}", failure.text);
    remove_file(&path).expect("removed");
    changed(&mut source);
    fetch(&mut source).expect_err("no file");
}

#[test]
fn a_folder_that_comes_later_is_watched_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("later/rtc.json");
    let mut source = open(&path);
    assert_eq!(source.wait(Some(Duration::from_millis(1))), Ok(false));
    create_dir(folder.path().join("later")).expect("a folder");
    put(&path, "late");
    assert_eq!(source.wait(Some(Duration::from_secs(60))), Ok(true));
    assert!(fetch(&mut source).expect("late").contains("stun:late"));
}

#[test]
fn a_lifetime_begins_when_the_file_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rtc.json");
    let lifetime = |text: &str, age: u64| {
        write(&path, text).expect("written");
        set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
        let file = File::options().write(true).open(&path).expect("there");
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("set");
        let answer = fetch(&mut open(&path)).expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let lifetime = answer["lifetimeDuration"].as_str().and_then(|text| text.strip_suffix('s'));
        lifetime.and_then(|seconds| seconds.parse::<u64>().ok()).expect("seconds")
    };
    let hour = r#"{"lifetimeDuration":"3600s","iceServers":[{"urls":"stun:a"}]}"#;
    // A loaded machine may take a while between writing and reading.
    assert!((2900..=3000).contains(&lifetime(hour, 600)));
    assert_eq!(lifetime(hour, 3601), 0, "it is good only where there is nothing better");
    assert_eq!(
        lifetime(r#"{"iceServers":[{"urls":"stun:a"}]}"#, 1_000_000),
        86_400,
        "it says nothing of an end"
    );
}

#[test]
fn the_waker_ends_a_wait_without_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut source = open(&folder.path().join("rtc.json"));
    let waker = source.waker();
    let thread = std::thread::spawn(move || waker.wake());
    assert_eq!(source.wait(None), Ok(false));
    thread.join().expect("woken");
}
