//! Times per stage as `/api/status` shows them.

use std::time::Instant;

use selkies_session::latency::{Histogram, Stages, WINDOW};
use serde_json::{Map, Value, json};

use super::Hub;

impl Hub {
    /// What each stage takes, for the picture and for each client; stages that nothing measured are absent.
    pub(super) fn latency(&self) -> Value {
        let now = Instant::now();
        let (mut figures, mut input) = (None, None);
        self.with_studio(|studio| (figures, input) = (Some(studio.figures()), studio.input_times()));
        let pipeline = figures.map_or_else(|| json!({}), |found| stages(found.stages(), now));
        let clients = self
            .stream
            .stages()
            .into_iter()
            .map(|(client, found)| json!({ "client": client.0, "stages": stages(&found, now) }));
        json!({
            "window_seconds": WINDOW.as_secs(),
            "pipeline": { "stages": pipeline },
            "clients": clients.collect::<Value>(),
            "input": input.map(|found| figures_of(&found, now)),
        })
    }
}

fn stages(stages: &Stages, now: Instant) -> Value {
    let named = stages.measured().map(|(stage, found)| (stage.name().to_owned(), figures_of(found, now)));
    Value::Object(named.collect::<Map<_, _>>())
}

fn figures_of(histogram: &Histogram, now: Instant) -> Value {
    let (summary, totals) = (histogram.summary(now), histogram.totals());
    json!({
        "count": summary.map_or(0, |found| found.count),
        "p50_us": summary.map(|found| found.p50_us),
        "p95_us": summary.map(|found| found.p95_us),
        "p99_us": summary.map(|found| found.p99_us),
        "max_us": summary.map(|found| found.max_us),
        "total_count": totals.count(),
        "total_us": totals.sum_us,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use selkies_session::latency::{Stage, StageRecorder};

    use super::*;

    #[test]
    fn a_quiet_minute_has_no_percentiles_but_its_past() {
        let now = Instant::now();
        let mut recorder = StageRecorder::default();
        recorder.record(Stage::Grab, now, Duration::from_micros(12));
        recorder.record(Stage::Grab, now, Duration::from_micros(14));
        let found = |at| stages(&recorder.stages(), at);
        let busy = json!({
            "count": 2, "p50_us": 12, "p95_us": 14, "p99_us": 14, "max_us": 14, "total_count": 2, "total_us": 26,
        });
        assert_eq!(found(now), json!({ "grab": busy }));
        let quiet = json!({
            "count": 0, "p50_us": null, "p95_us": null, "p99_us": null, "max_us": null, "total_count": 2, "total_us": 26,
        });
        assert_eq!(found(now + WINDOW), json!({ "grab": quiet }));
    }
}
