//! Times per stage in `/api/status`, from a real server and real plugins.

mod house;

use std::time::{Duration, Instant};

use house::{House, SMALL, SOON, page::Page};
use serde_json::Value;

/// How the pages here share a frame's time: decoding takes about this, drawing no time.
const DECODE: Duration = Duration::from_millis(6);

/// The median of a stage in milliseconds.
fn median(stages: &Value, stage: &str) -> f64 {
    stages[stage]["p50_us"].as_f64().unwrap_or_else(|| panic!("{stage} in {stages:#}")) / 1000.0
}

/// The stages there are, by name.
fn names(stages: &Value) -> Vec<&str> {
    let mut names: Vec<_> = stages.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_of_a_frame_is_measured() {
    let house = House::open(SMALL).await;
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    // A page that says nothing of its own times, beside it.
    let mut stock = Page::enter(&house, "?role=viewer").await;
    stock.say("STOP_VIDEO").await;
    stock.say("START_VIDEO").await;

    let end = Instant::now() + SOON;
    let mut told = Instant::now();
    let mut reports = Vec::new();
    let status = loop {
        assert!(Instant::now() < end, "{:#}", house.status().await["latency"]);
        let stripe = page.stripe().await;
        if stripe.last {
            let arrived = Instant::now();
            tokio::time::sleep(DECODE).await;
            page.say(&format!("CLIENT_FRAME_ACK {} 0", stripe.frame_id)).await;
            reports.push(format!("{}:{}:200", stripe.frame_id, arrived.elapsed().as_micros() - 200));
            stock.frame().await;
        }
        if told.elapsed() < Duration::from_millis(300) {
            continue;
        }
        told = Instant::now();
        page.say(&format!("_stages,{}", reports.join(","))).await;
        reports.clear();
        let status = house.status().await;
        if status["latency"]["clients"][0]["stages"]["wire"]["count"].as_u64() > Some(50) {
            break status;
        }
    };
    let latency = &status["latency"];
    assert_eq!(latency["window_seconds"], 60);
    let pipeline = &latency["pipeline"]["stages"];
    // JPEG converts colours as it encodes; there is nothing to tell apart.
    assert_eq!(names(pipeline), ["damage", "encode", "grab"]);
    let [ours, other] = [0, 1].map(|at| &latency["clients"][at]);
    assert_eq!((&ours["client"], &other["client"]), (&1.into(), &2.into()));
    assert_eq!(names(&ours["stages"]), ["decode", "present", "queue", "wire"]);
    assert_eq!(names(&other["stages"]), ["queue"]);

    for stages in [pipeline, &ours["stages"], &other["stages"]] {
        for (name, found) in stages.as_object().expect("an object") {
            let figure = |name: &str| found[name].as_u64().unwrap_or_else(|| panic!("{name} in {found:#}"));
            assert!(figure("count") > 20 && figure("count") <= figure("total_count"), "{name}: {found:#}");
            let percentiles = ["p50_us", "p95_us", "p99_us", "max_us"].map(figure);
            assert!(percentiles.is_sorted(), "{name}: {found:#}");
            assert!(figure("total_us") >= figure("p50_us"), "{name}: {found:#}");
        }
    }
    let frames = status["video"]["frames"].as_u64().expect("a number");
    let encoded = pipeline["encode"]["total_count"].as_u64().expect("a number");
    assert!(encoded.abs_diff(frames) <= 1, "{encoded} of {frames}");
    // The page's part is what it was.
    let decode = median(&ours["stages"], "decode");
    assert!((4.0..60.0).contains(&decode), "{decode} ms");
    assert!((0.1..0.3).contains(&median(&ours["stages"], "present")));
    house.close().await;
}
