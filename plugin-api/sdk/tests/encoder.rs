//! An encoder through its C table: packets, panics, ownership, threads.

mod support;

use std::time::Duration;

use selkies_plugin_sdk::{
    Rate, abi,
    test_host::{Failure, TestEncoder, TestHost, TestPicture},
};
use support::{Example, caps};

const PANICKED: abi::Status = abi::failure(abi::CLASS_FATAL_INSTANCE, abi::DETAIL_PANIC);

fn encoder(host: &TestHost, config: &str) -> Result<TestEncoder, Failure> {
    TestEncoder::of::<Example>(host, config, "example", &TestEncoder::params(abi::CODEC_NULL, 16, 16))
}

#[test]
fn a_frame_becomes_a_packet_and_is_reported_once() -> Result<(), Failure> {
    let host = TestHost::new();
    assert_eq!(TestEncoder::probe::<Example>(&host, "")?[0], caps());
    let mut encoder = encoder(&host, "{}")?;
    let picture = TestPicture { flags: abi::SUBMIT_REFINE, ..TestPicture::bgrx(16, 16) };
    for number in 1..=3_u64 {
        assert_eq!(encoder.submit(&picture)?, number);
        let packets = host.take_packets();
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0].payload, number.to_le_bytes());
        assert_eq!(packets[0].info.frame_id, number);
        assert_eq!(packets[0].info.area, abi::Rect { x: 0, y: 0, width: 16, height: 16 });
    }
    encoder.set_rate::<Example>(Rate { quality: Some(3), ..Rate::default() })?;
    encoder.submit(&picture)?;
    assert_eq!(host.take_packets()[0].info.layer, 3, "the rate reached the encoder");
    encoder.set_rate::<Example>(Rate { quality: Some(0), ..Rate::default() })?;
    encoder.submit(&picture)?;
    assert_eq!(host.take_packets()[0].info.layer, 0, "0 is a quality");
    encoder.set_rate::<Example>(Rate::default())?;
    encoder.submit(&picture)?;
    assert_eq!(host.take_packets()[0].info.layer, 9, "none was set");
    encoder.drain()?;
    let done = host.done();
    assert_eq!(done.iter().map(|done| done.frame_id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(done.iter().all(|done| done.outcome.is_ok() && done.refine_at_ns == Some(99)));
    assert_eq!(host.misuse(), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_panic_becomes_a_status_and_poisons_the_instance() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut encoder = encoder(&host, r#"{"mode": "panic"}"#)?;
    let panicked = encoder.submit(&TestPicture::bgrx(16, 16)).expect_err("the panic is an error");
    assert_eq!(panicked.status, PANICKED);
    assert!(panicked.text.contains("told to panic at frame 1"), "{}", panicked.text);
    let after = encoder.configure("example", &TestEncoder::params(abi::CODEC_NULL, 16, 16));
    assert_eq!(after.expect_err("a poisoned instance refuses").status, PANICKED);
    assert_eq!(encoder.drain().expect_err("a poisoned instance refuses").status, PANICKED);
    drop(encoder);
    assert_eq!(host.done(), []);
    Ok(())
}

#[test]
fn panics_of_create_and_destroy_stay_inside() -> Result<(), Failure> {
    let host = TestHost::new();
    let refused = encoder(&host, r#"{"panic_in_create": true}"#).expect_err("create panics");
    assert_eq!(refused.status, PANICKED);
    drop(encoder(&host, r#"{"panic_in_drop": true}"#)?);
    assert!(host.failures().iter().any(|failure| failure.text.contains("told to panic in drop")));
    Ok(())
}

#[test]
fn classes_reach_the_host() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut lost = encoder(&host, r#"{"mode": "lost"}"#)?;
    let failure = lost.submit(&TestPicture::bgrx(16, 16)).expect_err("lost");
    assert_eq!(
        (failure.class(), failure.text.as_str()),
        (abi::CLASS_DEVICE_LOST, "the device fell off the bus")
    );
    let refused = lost.configure("example", &TestEncoder::params(abi::CODEC_NULL, 9000, 16));
    assert_eq!(refused.expect_err("too wide").class(), abi::CLASS_RECONFIGURE);
    // Nothing on this machine is no failure, and has a reason.
    assert_eq!(TestEncoder::probe::<Example>(&host, r#"{"mode": "lost"}"#)?, []);
    let said = host.failures().pop().expect("the host was told");
    assert_eq!((said.class(), said.text.as_str()), (abi::CLASS_DEVICE_LOST, "no device"));
    assert!(host.log().iter().any(|line| line.message == "no device"), "people are told, too");
    Ok(())
}

#[test]
fn a_dropped_slab_is_abandoned_and_a_bad_length_refused() -> Result<(), Failure> {
    let host = TestHost::new();
    encoder(&host, r#"{"mode": "drop-slab"}"#)?.submit(&TestPicture::bgrx(16, 16))?;
    assert_eq!((host.slabs_out(), host.packets().len()), (0, 0));
    let overrun = encoder(&host, r#"{"mode": "overrun"}"#)?.submit(&TestPicture::bgrx(16, 16));
    assert_eq!(overrun.expect_err("too long").detail(), abi::DETAIL_INVALID_ARGUMENT);
    assert_eq!(host.slabs_out(), 0);
    assert_eq!(host.misuse(), Vec::<String>::new());
    Ok(())
}

#[test]
fn without_slabs_the_encoder_is_told_to_retry() -> Result<(), Failure> {
    let host = TestHost::new();
    host.limit_slabs(3);
    let mut encoder = encoder(&host, r#"{"mode": "hoard"}"#)?;
    let full = encoder.submit(&TestPicture::bgrx(16, 16)).expect_err("three slabs and no more");
    assert_eq!((full.class(), full.detail()), (abi::CLASS_RETRY, abi::DETAIL_OUT_OF_RESOURCES));
    assert_eq!(host.slabs_out(), 3);
    drop(encoder);
    assert_eq!(host.slabs_out(), 0);
    Ok(())
}

#[test]
fn a_retained_frame_is_released_when_dropped() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut keeper = encoder(&host, r#"{"mode": "keep"}"#)?;
    let picture = TestPicture::bgrx(16, 16);
    let pixels = std::sync::Arc::downgrade(&picture.pixels);
    let refused = keeper.submit(&picture).expect_err("its caps allow none");
    assert_eq!(refused.class(), abi::CLASS_RETRY);
    assert_eq!(host.misuse().len(), 1);
    keeper.allow_retained(1);
    keeper.submit(&picture)?;
    drop(picture);
    assert_eq!(host.retained(), 1);
    assert!(pixels.upgrade().is_some(), "the memory lives as long as the retain");
    drop(keeper);
    assert_eq!(host.retained(), 0);
    assert!(pixels.upgrade().is_none());
    Ok(())
}

#[test]
fn a_frame_may_be_completed_by_another_thread() -> Result<(), Failure> {
    let host = TestHost::new();
    let mut encoder = encoder(&host, r#"{"mode": "thread"}"#)?;
    encoder.allow_retained(1);
    let id = encoder.submit(&TestPicture::bgrx(16, 16))?;
    let done = host.wait_done(id, Duration::from_secs(10)).expect("reported");
    assert_eq!((done.outcome, done.refine_at_ns), (Ok(()), Some(7)));
    assert_eq!(host.packets().len(), 1);
    encoder.drain()?;
    assert_eq!(host.retained(), 0);
    Ok(())
}

#[test]
fn the_test_host_notices_a_frame_reported_twice() -> Result<(), Failure> {
    let host = TestHost::new();
    encoder(&host, r#"{"mode": "twice"}"#)?.submit(&TestPicture::bgrx(16, 16))?;
    assert!(host.misuse()[0].contains("frame 1 was reported before"), "{:?}", host.misuse());
    Ok(())
}
