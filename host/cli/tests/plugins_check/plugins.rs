//! The host's own plugins and the template, on machines that have what they need and on others.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{BROKEN, assert_clean, check, own, project, run, with_outcome};

#[test]
fn the_hosts_own_plugins_break_no_rule() {
    for name in ["striped-jpeg", "test-pattern", "websocket"] {
        assert_clean(&own(name), &[]);
    }
}

/// An X server of its own, ended with the test.
struct Server(Child, String);

impl Server {
    fn start() -> Self {
        let mut process = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", "1280x720x24"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed");
        let mut number = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb names its display");
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        Self(process, format!(":{}", number.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_x11_plugin_breaks_no_rule_on_a_display() {
    let server = Server::start();
    let config = format!("{{\"display\": {:?}}}", server.1);
    assert_clean(&own("x11"), &["--plugin-config", &config]);
    assert_clean(&own("x11"), &["--plugin-config", &config, "--fuzz", "2", "--reproduce", "3"]);
}

#[test]
fn a_machine_that_lacks_what_a_plugin_needs_is_said_so() {
    let (report, code) = check(&own("x11"), &["--plugin-config", r#"{"display": ":3999"}"#]);
    assert_eq!(code, 1);
    let found = with_outcome(&report, BROKEN);
    assert!(found.iter().any(|(rule, found)| rule == "LIF-016" && found.contains(":3999")), "{found:?}");
    assert!(with_outcome(&report, &["unjudged"]).iter().any(|(rule, _)| rule == "CAP-001"));
}

#[test]
fn the_c_template_breaks_no_rule() {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-template");
    for args in [
        vec!["-S".into(), project().join("plugin-api/templates/c"), "-B".into(), build.clone()],
        vec!["--build".into(), build.clone()],
    ] {
        let output = Command::new("cmake").args(&args).output().expect("cmake is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_clean(&build.join("plugin"), &[]);
}

#[test]
fn plugins_are_loaded_beside_each_other() {
    let (one, two) = (own("test-pattern"), own("websocket"));
    let paths = [one.to_str().expect("a plain path"), two.to_str().expect("a plain path")];
    let output = run(&["--rule", "PKG-011", paths[0], paths[1]]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().filter(|line| *line == "passed     PKG-011  company").count(), 2, "{text}");
}
