//! Clients that do not read: nobody else notices, and nothing piles up. Alone in its process, because it measures rates.

mod house;

use std::time::Duration;

use house::{House, Pattern, page::Page};

/// Large enough to fill a socket within a second.
const LARGE: Pattern = Pattern { width: 1280, height: 720, fps: 60 };
/// What may wait for one client that reads no further: one frame. Five seconds of frames are 2 MiB.
const MOST_QUEUED: u64 = 512 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_holds_nobody() {
    let house = House::open(LARGE).await;
    let mut page = Page::enter(&house, "").await;
    page.settle_in("tab").await;
    page.frame().await;
    let alone = page.rate(Duration::from_secs(3), async |_| {}).await;
    assert!(alone >= 15.0, "{alone} frames a second alone");

    // It says that it draws every frame, so that only its full socket can hold it back; and it asks for more.
    let mut stuck = Page::enter_narrow(&house, "?role=viewer").await;
    stuck.say("START_VIDEO").await;
    let mut most = 0;
    let mut frames = 0_u32;
    let beside = page
        .rate(Duration::from_secs(5), async |id| {
            stuck.say(&format!("CLIENT_FRAME_ACK {id} 0")).await;
            frames += 1;
            if frames.is_multiple_of(8) {
                stuck.say("REQUEST_KEYFRAME").await;
                most = most.max(house.status().await["queued_bytes"].as_u64().expect("a number"));
            }
        })
        .await;
    assert!(beside >= alone * 0.6, "{beside} frames a second beside it, {alone} alone");
    assert!(most < MOST_QUEUED, "{most} bytes waited");
    assert_eq!(house.status().await["watching"], 2, "it is still there");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_never_reads_does_not_stop_the_viewers() {
    let house = House::open(LARGE).await;
    let mut stuck = Page::enter_narrow(&house, "").await;
    stuck.settle_in("tab").await;
    let mut viewer = Page::enter(&house, "?role=viewer").await;
    viewer.say("START_VIDEO").await;
    viewer.frame().await;
    let mut most = 0;
    let rate = viewer
        .rate(Duration::from_secs(3), async |_| {
            most = most.max(house.status().await["queued_bytes"].as_u64().expect("a number"));
        })
        .await;
    // 20 a second until the owner counts as stalled.
    assert!(rate >= 8.0, "{rate} frames a second beside a stuck owner");
    assert!(most < MOST_QUEUED, "{most} bytes waited");

    // The end does not wait for it.
    let began = std::time::Instant::now();
    house.close().await;
    assert!(began.elapsed() < Duration::from_secs(6), "it took {:?}", began.elapsed());
}
