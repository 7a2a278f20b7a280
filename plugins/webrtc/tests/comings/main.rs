//! What comes and goes leaves nothing behind. Alone in its process, because threads and descriptors are counted.

#[path = "../loopback/client.rs"]
#[allow(dead_code, reason = "tests/loopback uses more of it")]
mod client;
#[path = "../loopback/stage.rs"]
#[allow(dead_code, reason = "tests/loopback uses more of it")]
mod stage;
#[path = "../loopback/stream.rs"]
#[allow(dead_code, reason = "tests/loopback uses more of it")]
mod stream;

use client::wait_for;
use stage::{H264, Stage, VP8};
use stream::Stream;

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("Linux has it").count()
}

/// Threads and descriptors of this process.
fn held() -> (usize, usize) {
    (entries("/proc/self/task"), entries("/proc/self/fd"))
}

fn come_and_go(stage: &mut Stage, client: u64, codec: &'static str) {
    stage.join(client, r#"["vp8"]"#, codec);
    stage.stream_until("pictures", |stage| stage.pictures(client) >= 3);
    stage.clients[&client].say("input", "kr");
    stage.leave(client);
}

#[test]
fn ten_clients_that_come_and_go_leave_no_threads_and_no_descriptors() {
    let mut stage = Stage::new(Stream::vp8());
    // The first ones start what GStreamer keeps for the life of the process.
    come_and_go(&mut stage, 1, VP8);
    come_and_go(&mut stage, 2, VP8);
    let mut before = held();
    // It counts what the second leaves behind once that is through.
    let mut still = 0;
    wait_for("quiet", || {
        let now = held();
        still = if now == before { still + 1 } else { 0 };
        before = now;
        still > 100
    });
    for client in 10..20 {
        come_and_go(&mut stage, client, VP8);
    }
    // One that leaves before it answered.
    stage.join(30, r#"["h264"]"#, H264);
    stage.leave(30);
    let mut now = held();
    wait_for("threads and descriptors to go", || {
        now = held();
        now.0 <= before.0 + 2 && now.1 <= before.1 + 4
    });
    drop(stage);
    wait_for("the transport's own threads to go", || held().0 < before.0);
}
