//! The faults of plugins: judged once, kept for `/api/status`.

use std::{
    collections::VecDeque,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use selkies_media::{FaultVerdict, PluginFault};
use serde_json::{Value, json};

/// Faults that are kept; older ones are only in the log.
const KEPT: usize = 32;

type Judge = Box<dyn Fn(&PluginFault) -> FaultVerdict + Send + Sync>;

/// The newest faults, and who judges them. Any thread may use it.
#[derive(Default)]
pub(crate) struct FaultLog {
    judge: OnceLock<Judge>,
    kept: Mutex<VecDeque<Entry>>,
}

struct Entry {
    at: SystemTime,
    fault: PluginFault,
    verdict: FaultVerdict,
}

impl FaultLog {
    /// Sets the judge. False when there is one already.
    pub(crate) fn judged_by(
        &self,
        judge: impl Fn(&PluginFault) -> FaultVerdict + Send + Sync + 'static,
    ) -> bool {
        self.judge.set(Box::new(judge)).is_ok()
    }

    /// Judges a fault and keeps it.
    pub(crate) fn judge(&self, fault: &PluginFault) -> FaultVerdict {
        let verdict = self.judge.get().map_or(FaultVerdict::Again, |judge| judge(fault));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Entry { at: SystemTime::now(), fault: fault.clone(), verdict });
        verdict
    }

    /// The faults that are kept, oldest first; `at` in seconds since 1970, to the millisecond.
    pub(crate) fn to_json(&self) -> Value {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .map(|Entry { at, fault, verdict }| {
                let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
                let at = u64::try_from(at).unwrap_or(u64::MAX);
                json!({
                    "at": Duration::from_millis(at).as_secs_f64(),
                    "plugin": &*fault.plugin,
                    "version": fault.version,
                    "part": fault.part,
                    "code": fault.code,
                    "class": fault.class,
                    "ending": fault.ending,
                    "last_call": fault.call,
                    "message": fault.text,
                    "barred": *verdict == FaultVerdict::Barred,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(version: usize) -> PluginFault {
        PluginFault {
            plugin: "acme.enc".into(),
            version: version.to_string(),
            part: "encoder",
            code: "SI006",
            call: "encoder.submit",
            text: "SI006 acme.enc encoder.submit: killed by SIGSEGV (11)".into(),
            class: "fatal-instance".into(),
            ending: Some("killed by SIGSEGV (11)".into()),
            counts: true,
        }
    }

    #[test]
    fn the_newest_faults_are_kept_with_the_verdict() {
        let log = FaultLog::default();
        assert_eq!(log.judge(&fault(0)), FaultVerdict::Again);
        assert!(log.judged_by(|_| FaultVerdict::Barred));
        assert!(!log.judged_by(|_| FaultVerdict::Again));
        for version in 1..=KEPT {
            assert_eq!(log.judge(&fault(version)), FaultVerdict::Barred);
        }
        let kept = log.to_json();
        let kept = kept.as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!((kept.len(), &kept[0]["version"], &kept[0]["barred"]), (KEPT, &json!("1"), &json!(true)));
        assert_eq!(
            (&kept[0]["last_call"], &kept[0]["class"]),
            (&json!("encoder.submit"), &json!("fatal-instance"))
        );
    }
}
