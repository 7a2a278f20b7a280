//! The memory of faults: its file, several processes at once, and what the inventory makes of it.

mod support;

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use selkies_plugin_host::{
    FAULT_WINDOW, FaultNote, Inventory, Ledger, LibraryIdentity, MAX_RECORDS, MAX_STORE_BYTES, Moment,
    Policy, Quarantine, Verdict,
};
use support::{Outcome, PluginFolder, assert_listing, assert_refusal};

fn at(seconds: u64) -> Moment {
    Moment { monotonic: Duration::from_secs(seconds), unix_ms: 1_763_700_000_000 + seconds * 1000 }
}

fn crash() -> FaultNote {
    FaultNote {
        code: "PF003".into(),
        class: "fatal-plugin".into(),
        text: "the plugin's process ended".into(),
        version: "1.2.3".into(),
        ending: Some("SIGSEGV".into()),
        last_call: Some("submit".into()),
    }
}

fn identity(name: &str) -> LibraryIdentity {
    LibraryIdentity::of_hash(name)
}

#[test]
fn faults_outlive_the_process() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state/faults.json");
    let library = identity("a");
    {
        let mut store = Quarantine::open(&path);
        assert_eq!(store.warning(), None);
        assert!(!path.exists(), "nothing is written before there is something to remember");
        assert_eq!(store.fault("acme.x", &library, crash(), at(1000)), Verdict::Count(1));
        assert_eq!(store.fault("acme.x", &library, crash(), at(1010)), Verdict::Count(2));
    }
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    // Another boot of the machine: its clock has just begun.
    let later = |seconds| Moment { monotonic: Duration::from_secs(3), ..at(seconds) };
    let mut store = Quarantine::open(&path);
    assert_eq!(store.record("acme.x").map(|record| record.last().note.clone()), Some(crash()));
    assert_eq!(store.fault("acme.x", &library, crash(), later(1020)), Verdict::Quarantined);
    let store = Quarantine::open(&path);
    let sentence = store.state("acme.x", &library).and_then(|record| record.quarantined());
    let sentence = sentence.ok_or("not in quarantine")?;
    assert_eq!(sentence.reason, "3 faults in 10 minutes, the last: SIGSEGV in submit");
    assert_eq!(sentence.since_unix_ms, at(1020).unix_ms);
    assert!(store.state("acme.x", &identity("b")).is_none(), "another library is another matter");
    assert!(store.state("acme.y", &library).is_none());
    Ok(())
}

#[test]
fn faults_of_an_earlier_start_wear_off() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("faults.json");
    for start in 0..5 {
        let now = at(10_000 + start * (FAULT_WINDOW.as_secs() / 2));
        let verdict = Quarantine::open(&path).fault("acme.x", &identity("a"), crash(), now);
        assert_eq!(verdict, Verdict::Count(if start == 0 { 1 } else { 2 }), "start {start}");
    }
    Ok(())
}

#[test]
fn a_new_library_begins_anew() -> Outcome {
    let mut store = Quarantine::in_memory();
    for n in 0..3 {
        store.fault("acme.x", &identity("a"), crash(), at(n));
    }
    assert_eq!(store.fault("acme.x", &identity("b"), crash(), at(4)), Verdict::Count(1));
    assert!(store.state("acme.x", &identity("a")).is_none());
    assert!(store.clear("acme.x") && !store.clear("acme.x"));
    assert_eq!(store.entries().count(), 0);
    Ok(())
}

#[test]
fn a_damaged_file_is_an_empty_one() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("faults.json");
    let mut good = Quarantine::open(&path);
    good.fault("acme.x", &identity("a"), crash(), at(1));
    let text = fs::read_to_string(&path)?;
    for (wrong, word) in [
        (String::new(), "damaged"),
        (text[..text.len() / 2].to_owned(), "damaged"),
        (text.replace("\"version\": 1", "\"version\": 7"), "version 7"),
        (text.replace("acme.x", "../../etc"), "no plugin"),
        (text.replace("\"faults\": 1", "\"faults\": -1"), "damaged"),
        ("[".repeat(200_000), "damaged"),
        (" ".repeat(usize::try_from(MAX_STORE_BYTES)? + 1), "more than"),
    ] {
        fs::write(&path, &wrong)?;
        let mut store = Quarantine::open(&path);
        let warning = store.warning().ok_or("no warning")?;
        assert!(warning.starts_with("SQ001 ") && warning.contains(word), "{word}: {warning}");
        assert!(!warning.contains('\n'), "{warning:?}");
        assert_eq!(store.entries().count(), 0);
        assert_eq!(store.fault("acme.x", &identity("a"), crash(), at(2)), Verdict::Count(1));
        assert_eq!(Quarantine::open(&path).warning(), None, "the next fault mends it");
    }
    Ok(())
}

#[test]
fn no_change_to_the_file_is_more_than_a_warning() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("faults.json");
    let mut good = Quarantine::open(&path);
    for n in 0..3 {
        good.fault("acme.x", &identity("a"), crash(), at(n));
    }
    let text = fs::read(&path)?;
    for place in 0..text.len() {
        for value in [0, b'"', b'9', 0xff] {
            let mut changed = text.clone();
            changed[place] = value;
            fs::write(&path, changed)?;
            let store = Quarantine::open(&path);
            assert!(store.warning().is_none_or(|line| line.starts_with("SQ001 ")), "{:?}", store.warning());
            assert_eq!(store.warning().is_some(), store.entries().count() == 0, "byte {place} as {value}");
        }
    }
    Ok(())
}

#[test]
fn without_a_place_to_write_the_memory_is_the_processs_own() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "")?;
    for path in [file.join("faults.json"), file.join("deeper/faults.json")] {
        let mut store = Quarantine::open(&path);
        let warning = store.warning().ok_or("no warning")?;
        assert!(warning.starts_with("SQ002 ") && warning.contains("SELKIES_STATE_DIR"), "{warning}");
        assert_eq!(store.path(), None);
        for (n, verdict) in [(0, Verdict::Count(1)), (1, Verdict::Count(2)), (2, Verdict::Quarantined)] {
            assert_eq!(store.fault("acme.x", &identity("a"), crash(), at(n)), verdict);
        }
    }
    // The place is lost while the host runs.
    let place = folder.path().join("place");
    let mut store = Quarantine::open(place.join("faults.json"));
    assert_eq!(store.warning(), None);
    store.fault("acme.x", &identity("a"), crash(), at(0));
    fs::remove_dir_all(&place)?;
    fs::write(&place, "")?;
    store.fault("acme.x", &identity("a"), crash(), at(1));
    assert_eq!(store.path(), None);
    assert_eq!(store.fault("acme.x", &identity("a"), crash(), at(2)), Verdict::Quarantined);
    Ok(())
}

#[test]
fn several_hosts_share_a_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("faults.json");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mut store = Quarantine::open(path);
                for n in 0..10 {
                    store.fault(&format!("acme.p{writer}-{n}"), &identity("a"), crash(), at(n));
                }
            });
        }
    });
    assert_eq!(Quarantine::open(&path).entries().count(), 40, "no write loses another's");
    assert_eq!(fs::read_dir(folder.path())?.count(), 1, "nothing is left beside the file");

    // A command clears what a running host counts.
    let host = Ledger::new(Quarantine::open(&path));
    let library = identity("b");
    for n in 0..3 {
        host.fault("acme.x", &library, crash(), at(n));
    }
    assert!(host.sentence("acme.x", &library).is_some());
    assert!(Quarantine::open(&path).clear("acme.x"));
    assert!(host.sentence("acme.x", &library).is_none());
    assert_eq!(host.fault("acme.x", &library, crash(), at(4)), Verdict::Count(1));
    Ok(())
}

#[test]
fn the_file_stays_small() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("faults.json");
    let mut store = Quarantine::open(&path);
    let long = FaultNote { text: "\u{20ac}\"".repeat(10_000), ..crash() };
    for _ in 0..3 {
        store.fault("acme.bad", &identity("a"), crash(), at(0));
    }
    for n in 0..MAX_RECORDS as u64 + 20 {
        store.fault(&format!("acme.p{n}"), &identity("a"), long.clone(), at(n + 1));
    }
    assert_eq!(store.entries().count(), MAX_RECORDS);
    assert!(store.record("acme.bad").is_some(), "what is in quarantine goes last");
    assert!(store.record("acme.p0").is_none(), "the oldest goes first");
    assert!(fs::metadata(&path)?.len() < MAX_STORE_BYTES);
    assert_eq!(Quarantine::open(&path).warning(), None);
    Ok(())
}

#[test]
fn a_plugin_in_quarantine_is_refused_until_it_is_cleared_or_replaced() -> Outcome {
    let plugin = PluginFolder::new("test.failing")?;
    plugin.build(&[])?;
    let ledger = Ledger::in_memory();
    let inventory = Inventory::scan_with(&[plugin.path().to_owned()], Policy::default(), ledger.clone());
    let library = inventory.library_identity("test.failing").ok_or("no identity")?;
    ledger.fault("test.failing", &library, crash(), at(0));
    let json = inventory.listing().to_json();
    assert_eq!(json["plugins"][0]["last_fault"]["ending"], "SIGSEGV");
    assert_eq!(json["plugins"][0]["usable"], true, "one fault is none too many");
    assert_listing(&json);
    for n in 1..3 {
        ledger.fault("test.failing", &library, crash(), at(n));
    }

    // At once, in the inventory that is in use.
    assert_refusal(
        inventory.load("test.failing"),
        "SP034",
        "3 faults in 10 minutes, the last: SIGSEGV in submit",
    );
    assert_refusal(inventory.load("test.failing"), "SP034", "2025-11-21T");
    assert_refusal(inventory.load("test.failing"), "SP034", "selkies-host plugins clear test.failing");
    assert_eq!(inventory.usable().count(), 0);
    assert_eq!(inventory.library_identity("test.failing"), Some(library.clone()));
    let listing = inventory.listing();
    let json = listing.to_json();
    assert_eq!(json["plugins"][0]["refusal"]["code"], "SP034");
    assert_eq!(json["plugins"][0]["quarantine"]["since"], json["plugins"][0]["last_fault"]["at"]);
    assert_eq!(json["plugins"][0]["last_fault"]["faults"], 3);
    assert_listing(&json);
    let text = listing.to_text();
    assert!(text.contains("  quarantined  "), "{text}");
    assert!(text.contains("test.failing: last fault 2025-11-21T"), "{text}");
    assert!(
        text.contains("PF003, fatal-plugin, SIGSEGV, the plugin's process ended in submit; 3 in all"),
        "{text}"
    );

    ledger.clear("test.failing");
    assert!(inventory.find("test.failing").is_ok());

    for n in 0..3 {
        ledger.fault("test.failing", &library, crash(), at(n));
    }
    assert_refusal(inventory.find("test.failing").map(|_| ()), "SP034", "");
    fs::remove_file(plugin.library())?;
    plugin.build(&["-DPADDING=4096"])?;
    let again = Inventory::scan_with(&[plugin.path().to_owned()], Policy::default(), ledger);
    again.load("test.failing")?;
    let json = again.listing().to_json();
    assert_eq!(json["plugins"][0]["quarantine"], serde_json::Value::Null);
    assert_eq!(json["plugins"][0]["last_fault"]["ending"], "SIGSEGV", "what happened is still told");
    Ok(())
}
