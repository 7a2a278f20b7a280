//! What the kit decodes, and what it says of what it does not.

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use crate::{BROKEN, assert_clean, check, own, packed, with_outcome};

/// Faults of tests/faulty/h264 and the rule that catches each.
const H264_FAULTS: &[(&str, &str)] = &[
    ("wrong-picture", "ENC-032"),
    ("wrong-size", "ENC-031"),
    ("cut-keyframe", "ENC-031"),
    ("false-keyframe", "ENC-031"),
    ("first-delta", "ENC-022"),
    ("lost-reference", "ENC-039"),
];

/// The folder of the H.264 encoder of tests/faulty.
fn h264() -> PathBuf {
    packed("tests/faulty/h264", "libselkies_faulty_h264.so")
}

#[test]
fn h264_is_decoded_and_compared() {
    let folder = h264();
    for config in ["{}", r#"{"profile": "high"}"#, r#"{"stripes": true}"#] {
        assert_clean(&folder, &["--plugin-config", config]);
    }
    let (report, code) = check(&folder, &["--fuzz", "5", "--reproduce", "11"]);
    assert_eq!((with_outcome(&report, BROKEN), code), (Vec::new(), 0));
    for (fault, rule) in H264_FAULTS {
        // What comes before and after counts for each row of stripes.
        let stripes = matches!(*fault, "lost-reference" | "first-delta");
        let config = format!(r#"{{"fault": "{fault}", "stripes": {stripes}}}"#);
        let (report, code) = check(&folder, &["--plugin-config", &config]);
        let found = with_outcome(&report, BROKEN);
        let rules: BTreeSet<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!((rules, code), (BTreeSet::from([*rule]), 1), "{config}: {found:?}");
    }
}

/// A vendor's machine has a release and no development packages.
#[test]
fn the_decoders_are_part_of_the_binary() {
    let output =
        Command::new("readelf").args(["-d", env!("CARGO_BIN_EXE_selkies-host")]).output().expect("binutils");
    let text = String::from_utf8_lossy(&output.stdout);
    let needed: Vec<&str> = text.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.iter().any(|line| line.contains("[libc.so")), "{text}");
    for library in ["stdc++", "vpx", "openh264"] {
        assert!(!needed.iter().any(|line| line.contains(library)), "{needed:?}");
    }
}

#[test]
fn the_h264_plugin_breaks_no_rule() {
    let (report, code) = check(&own("x264"), &[]);
    let bad = with_outcome(&report, &["failed", "crashed", "timed-out", "warning", "unjudged"]);
    // The kit's decoder knows no 4:4:4; 4:2:0 is decoded and compared.
    let undecoded = |(_, found): &(String, String)| found.contains("not decoded: h264 of profile 244");
    let bad: Vec<_> = bad.into_iter().filter(|entry| !undecoded(entry)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(code, 0);
}

#[test]
fn the_plugins_over_gstreamer_break_no_rule() {
    for plugin in ["vp8", "vp9", "openh264"] {
        let (report, code) = check(&own(plugin), &[]);
        let bad = with_outcome(&report, &["failed", "crashed", "timed-out", "warning", "unjudged"]);
        assert!(bad.is_empty(), "{plugin}: {bad:?}");
        assert_eq!(code, 0);
    }
}

#[test]
fn what_is_not_decoded_is_said_so() {
    for (plugin, codec) in [("av1", "av1"), ("x265", "h265")] {
        let (report, code) = check(&own(plugin), &[]);
        let bad = with_outcome(&report, &["failed", "crashed", "timed-out", "unjudged"]);
        assert_eq!((bad, code), (Vec::new(), 0), "{plugin}");
        let warnings = with_outcome(&report, &["warning"]);
        let rules: Vec<&str> = warnings.iter().map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(rules, ["ENC-031", "ENC-032", "ENC-039"], "{plugin}");
        let said = format!("not decoded: {codec}: no decoder in this build");
        assert!(warnings.iter().all(|(_, found)| found.contains(&said)), "{warnings:?}");
    }
}

/// On a machine without a GPU, the reason is what the plugin says.
#[test]
fn a_plugin_without_its_device_says_so() {
    let (report, _) = check(&own("vah264"), &[]);
    let warnings = with_outcome(&report, &["warning"]);
    let reason = warnings.iter().find(|(_, found)| found.contains("nothing is offered on this machine"));
    assert!(reason.is_some() || std::path::Path::new("/dev/dri").exists(), "{warnings:?}");
    assert!(
        reason.is_none_or(|(_, found)| found.contains("vah264enc") && found.contains("install")),
        "{reason:?}"
    );
}
