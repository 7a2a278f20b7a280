//! An X server of a test's own.
#![allow(dead_code)] // each test file uses a part

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// An Xvfb that ends with the test.
pub(crate) struct Xvfb {
    process: Child,
    number: String,
}

impl Xvfb {
    /// On this display, or on a free one.
    pub(crate) fn start(display: Option<&str>, screen: &str) -> Self {
        let mut process = Command::new("Xvfb")
            .args(display)
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", screen])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb must be installed");
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut number = String::new();
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb names its display");
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        Self { process, number: number.trim().into() }
    }

    pub(crate) fn display(&self) -> String {
        format!(":{}", self.number)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
