//! What became of a rule.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    journal::Entry,
    rule::{Rule, Severity},
    rules::lifecycle::{LIF_001, LIF_002, LIF_004, LIF_007},
};

/// What became of a rule, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The plugin does not offer what it is about.
    Skipped,
    /// It could not be judged: another rule was broken first, or this machine lacks something.
    Unjudged,
    /// It held.
    Passed,
    /// It should be known.
    Warning,
    /// It was broken.
    Failed,
    /// A call did not return.
    TimedOut,
    /// The process ended.
    Crashed,
}

impl Outcome {
    /// True for those that make the plugin fail.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self >= Self::Failed
    }

    /// One word, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Unjudged => "unjudged",
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Crashed => "crashed",
        }
    }
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// It was killed after so many seconds.
    Killed(u64),
}

/// What a child left.
#[derive(Clone, Debug)]
pub(crate) struct Remains {
    pub(crate) job: &'static str,
    /// The rule that a crash, an exit or a hang breaks, where it is none of those about a plugin by itself.
    pub(crate) blamed: Option<&'static Rule>,
    /// Rules that the job judges.
    pub(crate) rules: Vec<&'static Rule>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) ending: Ending,
    /// The beginning of what it wrote to standard output.
    pub(crate) stdout: Vec<u8>,
    /// The end of what it wrote to standard error.
    pub(crate) stderr: String,
}

/// Verdicts of one plugin, by rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts(BTreeMap<&'static str, (Outcome, Vec<String>)>);

/// The name of a signal.
fn signal_name(signal: i32) -> String {
    let known = [
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGTERM, "SIGTERM"),
    ];
    let name = known.iter().find(|(number, _)| *number == signal).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| format!("signal {signal}"))
}

impl Verdicts {
    /// What became of a rule, and what was found.
    pub(crate) fn of(&self, rule: &Rule) -> (Outcome, &[String]) {
        match self.0.get(rule.id) {
            Some((outcome, found)) => (*outcome, found),
            None => (Outcome::Unjudged, &[]),
        }
    }

    /// Sets what is worse than what is known; equals add their findings.
    pub(crate) fn add(&mut self, rule: &'static Rule, outcome: Outcome, found: Option<String>) {
        // A sentence that only asks "should" cannot fail a plugin.
        let outcome = match rule.severity {
            Severity::Should if outcome == Outcome::Failed => Outcome::Warning,
            _ => outcome,
        };
        let entry = self.0.entry(rule.id).or_insert((Outcome::Skipped, Vec::new()));
        if outcome > entry.0 {
            *entry = (outcome, Vec::new());
        }
        if outcome == entry.0
            && let Some(found) = found
            && !entry.1.contains(&found)
            && entry.1.len() < 5
        {
            entry.1.push(found);
        }
    }

    /// Takes over what a child left.
    pub(crate) fn take(&mut self, remains: &Remains) {
        let mut blocked = None;
        let (mut ended, mut told) = (false, false);
        for entry in &remains.entries {
            match entry {
                Entry::Pass { rule } => self.named(rule, Outcome::Passed, None),
                Entry::Fail { rule, found } => self.named(rule, Outcome::Failed, Some(found.clone())),
                Entry::Warn { rule, found } => self.named(rule, Outcome::Warning, Some(found.clone())),
                Entry::Skip { rule, reason } => self.named(rule, Outcome::Skipped, Some(reason.clone())),
                Entry::Blocked { reason } => blocked = Some(reason.clone()),
                Entry::Signal { signal, call, rule } => {
                    told = true;
                    let found = format!("{} in {}", signal_name(*signal), place(call, remains.job));
                    let rule = crate::rule::find(rule).unwrap_or(remains.blamed.unwrap_or(&LIF_001));
                    self.add(rule, Outcome::Crashed, Some(found.clone()));
                    blocked = Some(format!("{} crashed: {found}", rule.id));
                }
                Entry::Hang { rule, call, limit_ms } => {
                    told = true;
                    let found = format!("{call} did not return within {} s", limit_ms / 1000);
                    let rule = remains.blamed.map_or(rule.as_str(), |rule| rule.id);
                    self.named(rule, Outcome::TimedOut, Some(found.clone()));
                    blocked = Some(format!("{rule} timed out: {found}"));
                }
                Entry::End => ended = true,
            }
        }
        if let Some(reason) = self.ending(remains, ended, told) {
            blocked = Some(reason);
        }
        if !remains.stdout.is_empty() {
            let text = String::from_utf8_lossy(&remains.stdout);
            let text: String = text.chars().take(60).collect();
            self.add(&LIF_007, Outcome::Failed, Some(format!("{text:?} in the job {}", remains.job)));
        } else if ended {
            self.add(&LIF_007, Outcome::Passed, None);
        }
        let reason = blocked.unwrap_or_else(|| format!("the job {} did not come to it", remains.job));
        for rule in &remains.rules {
            if !self.0.contains_key(rule.id) {
                self.add(rule, Outcome::Unjudged, Some(reason.clone()));
            }
        }
    }

    /// Judges how the child ended; answers why the rest could not be judged.
    fn ending(&mut self, remains: &Remains, ended: bool, told: bool) -> Option<String> {
        let blamed = |usual| remains.blamed.unwrap_or(usual);
        match remains.ending {
            Ending::Killed(seconds) => {
                let found = format!("the job {} did not end within {seconds} s", remains.job);
                let rule = blamed(&LIF_004);
                self.add(rule, Outcome::TimedOut, Some(found.clone()));
                Some(format!("{} timed out: {found}", rule.id))
            }
            _ if told => None,
            Ending::Signalled(signal) => {
                let when = if ended { "when the process ended after" } else { "in" };
                let found = format!("{} {when} the job {}", signal_name(signal), remains.job);
                let rule = blamed(&LIF_001);
                self.add(rule, Outcome::Crashed, Some(found.clone()));
                Some(format!("{} crashed: {found}", rule.id))
            }
            Ending::Exited(status) if !ended => {
                let found = format!("exit status {status} in the job {}", remains.job);
                let rule = blamed(&LIF_002);
                self.add(rule, Outcome::Crashed, Some(found.clone()));
                Some(format!("{} crashed: {found}", rule.id))
            }
            Ending::Exited(_) => None,
        }
    }

    fn named(&mut self, id: &str, outcome: Outcome, found: Option<String>) {
        if let Some(rule) = crate::rule::find(id) {
            self.add(rule, outcome, found);
        }
    }
}

fn place(call: &str, job: &str) -> String {
    if call.is_empty() { format!("the job {job}, outside of a call") } else { format!("{call}, job {job}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::encoder::{ENC_011, ENC_026};

    fn remains(entries: Vec<Entry>, ending: Ending) -> Remains {
        let rules = vec![&ENC_011, &ENC_026];
        Remains {
            job: "test",
            blamed: None,
            rules,
            entries,
            ending,
            stdout: Vec::new(),
            stderr: String::new(),
        }
    }

    fn outcome(verdicts: &Verdicts, rule: &Rule) -> Outcome {
        verdicts.of(rule).0
    }

    #[test]
    fn a_fenced_crash_is_that_of_its_rule() {
        let signal =
            |rule: &str| Entry::Signal { signal: 11, call: "encoder.submit".into(), rule: rule.into() };
        let mut verdicts = Verdicts::default();
        verdicts.take(&remains(vec![signal("ENC-026")], Ending::Signalled(11)));
        assert_eq!(outcome(&verdicts, &ENC_026), Outcome::Crashed);
        assert_eq!(outcome(&verdicts, &LIF_001), Outcome::Unjudged);
        let (outcome_of_rest, why) = verdicts.of(&ENC_011);
        assert_eq!(outcome_of_rest, Outcome::Unjudged);
        assert!(why[0].starts_with("ENC-026 crashed: SIGSEGV in encoder.submit"), "{why:?}");

        verdicts.take(&remains(vec![signal("")], Ending::Signalled(11)));
        assert_eq!(outcome(&verdicts, &LIF_001), Outcome::Crashed);
    }

    #[test]
    fn endings_are_judged() {
        let pass = Entry::Pass { rule: "ENC-011".into() };
        for (entries, ending, rule, wanted) in [
            (vec![pass.clone()], Ending::Exited(0), &LIF_002, Outcome::Crashed),
            (vec![pass.clone(), Entry::End], Ending::Exited(0), &LIF_002, Outcome::Unjudged),
            (vec![pass.clone(), Entry::End], Ending::Signalled(6), &LIF_001, Outcome::Crashed),
            (vec![pass.clone()], Ending::Killed(60), &LIF_004, Outcome::TimedOut),
            (vec![pass.clone(), Entry::End], Ending::Exited(0), &ENC_011, Outcome::Passed),
        ] {
            let mut verdicts = Verdicts::default();
            verdicts.take(&remains(entries, ending.clone()));
            assert_eq!(outcome(&verdicts, rule), wanted, "{ending:?}");
        }
    }

    #[test]
    fn a_rule_that_is_blamed_takes_every_bad_end() {
        let signal = Entry::Signal { signal: 6, call: "create".into(), rule: String::new() };
        let hang = Entry::Hang { rule: "LIF-003".into(), call: "create".into(), limit_ms: 10_000 };
        for (entries, ending) in [
            (vec![signal], Ending::Signalled(6)),
            (vec![hang], Ending::Exited(3)),
            (Vec::new(), Ending::Signalled(6)),
            (Vec::new(), Ending::Exited(1)),
            (Vec::new(), Ending::Killed(60)),
        ] {
            let mut verdicts = Verdicts::default();
            verdicts.take(&Remains { blamed: Some(&ENC_026), ..remains(entries, ending.clone()) });
            assert!(outcome(&verdicts, &ENC_026).is_failure(), "{ending:?}");
            for rule in [&LIF_001, &LIF_002, &LIF_004] {
                assert!(!outcome(&verdicts, rule).is_failure(), "{ending:?}");
            }
        }
    }

    #[test]
    fn the_worst_stays_and_standard_output_is_a_failure() {
        let mut verdicts = Verdicts::default();
        verdicts.add(&ENC_011, Outcome::Failed, Some("x".into()));
        verdicts.add(&ENC_011, Outcome::Passed, None);
        assert_eq!(verdicts.of(&ENC_011), (Outcome::Failed, &["x".to_owned()][..]));
        let mut loud = remains(vec![Entry::End], Ending::Exited(0));
        loud.stdout = b"hello".to_vec();
        verdicts.take(&loud);
        assert_eq!(outcome(&verdicts, &LIF_007), Outcome::Failed);
    }
}
