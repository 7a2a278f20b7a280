//! A new version of a plugin that is slow to be probed holds nobody.

mod house;

use std::time::{Duration, Instant};

use house::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_while_a_new_version_is_probed() {
    let house = House::with_encoders(|plugins| plugins.faulty("slow-start", 1_000)).await;
    let (hub, plugin) = (house.hub.clone(), house.plugins().faulty_plugin("slow-start"));
    let began = Instant::now();
    let renewing = tokio::task::spawn_blocking(move || hub.renew_plugin(&plugin));
    let mut asked = 0;
    while !renewing.is_finished() {
        house.status().await;
        asked += 1;
    }
    assert_eq!(renewing.await.expect("without a panic").expect("it probes"), 1);
    assert!(began.elapsed() >= Duration::from_secs(1), "it is slow to be probed");
    // Each answer looks at the studio: held for the whole second, it would have given two or three.
    assert!(asked >= 10, "{asked} answers within {:?}", began.elapsed());
    house.close().await;
}
