//! Congestion control in virtual time, over a simulated bottleneck.

mod link;
mod recorded;

use link::{Link, Run, run};

const MBIT: f64 = 1e6;

fn after(run: &Run, seconds: f64) -> Run {
    run.between(seconds, f64::MAX)
}

#[test]
fn a_constant_path_is_filled_without_a_queue() {
    let run = run(Link::constant(10.0 * MBIT), 30.0);
    let steady = after(&run, 3.0);
    assert!(steady.utilisation() > 0.85, "{:.2}", steady.utilisation());
    assert!(steady.queue_ms(0.95) < 50.0, "{:.1} ms", steady.queue_ms(0.95));
    assert!(steady.least_estimate() > 7.0 * MBIT, "{:.1}", steady.least_estimate() / MBIT);
}

#[test]
fn a_step_down_and_up_is_followed() {
    let run = run(Link::steps(&[(0.0, 10.0 * MBIT), (10.0, 2.0 * MBIT), (20.0, 10.0 * MBIT)]), 30.0);
    assert!(run.queue_ms(0.95) < 100.0, "{:.1} ms", run.queue_ms(0.95));
    let low = run.between(12.0, 20.0);
    assert!(low.utilisation() > 0.8, "{:.2}", low.utilisation());
    let again = run.between(23.0, 30.0);
    assert!(again.utilisation() > 0.9, "{:.2}", again.utilisation());
}

#[test]
fn a_path_is_used_again_within_three_seconds_by_who_takes_a_share_of_the_estimate() {
    let rates = [(0.0, 10.0 * MBIT), (8.0, 2.0 * MBIT), (16.0, 10.0 * MBIT)];
    let run = run(Link { share: 0.96, ..Link::steps(&rates) }, 24.0);
    for (from, rate) in rates {
        let steady = run.between(from + 3.0, from + 8.0);
        let found = format!("{rate}: {:.3}, {:.1} ms", steady.utilisation(), steady.queue_ms(0.95));
        assert!(steady.utilisation() > 0.9 && steady.queue_ms(0.95) < 60.0, "{found}");
    }
}

#[test]
fn the_long_queue_after_a_step_down_is_gone_within_a_second() {
    let run = run(Link::steps(&[(0.0, 10.0 * MBIT), (10.0, 2.0 * MBIT)]), 20.0);
    let later = run.between(11.0, 20.0);
    assert!(later.queue_ms(0.95) < 80.0, "{:.1} ms", later.queue_ms(0.95));
}

#[test]
fn random_loss_costs_little_more_than_what_is_lost() {
    for (loss, least) in [(0.01, 0.85), (0.05, 0.75), (0.20, 0.5)] {
        let run = run(Link { loss, ..Link::constant(10.0 * MBIT) }, 60.0);
        let steady = after(&run, 20.0);
        assert!(steady.utilisation() > least, "{loss}: {:.2}", steady.utilisation());
        assert!(steady.queue_ms(0.95) < 60.0, "{loss}: {:.1} ms", steady.queue_ms(0.95));
    }
}

#[test]
fn a_path_that_drops_instead_of_queueing_is_not_flooded() {
    let run = run(Link { buffer_ms: 30.0, ..Link::constant(2.0 * MBIT) }, 30.0);
    let steady = after(&run, 10.0);
    assert!(steady.loss() < 0.15, "{:.2}", steady.loss());
    assert!(steady.utilisation() > 0.6, "{:.2}", steady.utilisation());
}

#[test]
fn a_long_round_trip_is_no_queue() {
    let run = run(Link { delay_ms: 150.0, ..Link::constant(10.0 * MBIT) }, 40.0);
    let steady = after(&run, 10.0);
    assert!(steady.utilisation() > 0.8, "{:.2}", steady.utilisation());
    assert!(steady.queue_ms(0.95) < 100.0, "{:.1} ms", steady.queue_ms(0.95));
}

#[test]
fn cross_traffic_leaves_the_rest() {
    let link = Link { cross: vec![(10.0, 20.0, 6.0 * MBIT)], ..Link::constant(10.0 * MBIT) };
    let run = run(link, 30.0);
    assert!(run.queue_ms(0.95) < 100.0, "{:.1} ms", run.queue_ms(0.95));
    let beside = run.between(12.0, 20.0);
    assert!(beside.utilisation() > 0.25, "{:.2}", beside.utilisation());
    let alone = run.between(24.0, 30.0);
    assert!(alone.utilisation() > 0.85, "{:.2}", alone.utilisation());
}

#[test]
fn jitter_and_reordering_are_no_congestion() {
    let run = run(Link { jitter_ms: 8.0, ..Link::constant(10.0 * MBIT) }, 40.0);
    let steady = after(&run, 10.0);
    assert!(steady.utilisation() > 0.6, "{:.2}", steady.utilisation());
}

#[test]
fn silence_lowers_the_rate_and_reports_bring_it_back() {
    let run = run(Link { gaps: vec![(10.0, 15.0)], ..Link::constant(10.0 * MBIT) }, 30.0);
    let silent = run.between(14.0, 15.0);
    assert!(silent.highest_estimate() < 4.0 * MBIT, "{:.1}", silent.highest_estimate() / MBIT);
    let again = run.between(18.0, 30.0);
    assert!(again.utilisation() > 0.85, "{:.2}", again.utilisation());
}

#[test]
fn reports_that_get_lost_cost_little() {
    let run = run(Link { unheard: 0.2, ..Link::constant(10.0 * MBIT) }, 60.0);
    let steady = after(&run, 10.0);
    assert!(steady.utilisation() > 0.75, "{:.2}", steady.utilisation());
    assert!(steady.queue_ms(0.95) < 60.0, "{:.1} ms", steady.queue_ms(0.95));
}

#[test]
fn a_stream_that_needs_little_keeps_its_estimate_and_cannot_raise_it_without_end() {
    let run = run(Link { demand: 0.5 * MBIT, ..Link::constant(10.0 * MBIT) }, 60.0);
    let steady = after(&run, 5.0);
    assert!(steady.least_estimate() > 2.0 * MBIT, "{:.1}", steady.least_estimate() / MBIT);
    assert!(steady.highest_estimate() < 12.0 * MBIT, "{:.1}", steady.highest_estimate() / MBIT);
}

#[test]
fn jitter_does_not_take_the_estimate_from_a_stream_that_needs_little() {
    let run = run(Link { demand: 0.25 * MBIT, jitter_ms: 40.0, ..Link::constant(10.0 * MBIT) }, 60.0);
    assert!(run.least_estimate() > 1.2 * MBIT, "{:.1}", run.least_estimate() / MBIT);
}

#[test]
fn a_way_that_becomes_longer_is_no_queue_for_long() {
    let link = Link { longer: Some((10.0, 250.0)), ..Link::constant(10.0 * MBIT) };
    let again = run(link, 30.0).between(16.0, 30.0);
    assert!(again.utilisation() > 0.8, "{:.2}", again.utilisation());
}

#[test]
fn an_estimate_that_fell_comes_back_while_little_is_sent() {
    let rates = [(0.0, 10.0 * MBIT), (5.0, 0.3 * MBIT), (10.0, 10.0 * MBIT)];
    let link = Link { demand: 0.5 * MBIT, ..Link::steps(&rates) };
    let run = run(link, 40.0);
    let low = run.between(7.0, 10.0);
    assert!(low.highest_estimate() < 0.8 * MBIT, "{:.1}", low.highest_estimate() / MBIT);
    let again = run.between(35.0, 40.0);
    assert!(again.least_estimate() > 2.0 * MBIT, "{:.1}", again.least_estimate() / MBIT);
}

#[test]
fn a_recorded_browsers_reports_are_followed() {
    let estimates = recorded::replay(include_str!("steps.txt"));
    let between = |from: f64, to: f64| {
        let seen: Vec<f64> =
            estimates.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, kbps)| *kbps).collect();
        assert!(!seen.is_empty());
        (seen.iter().copied().fold(f64::MAX, f64::min), seen.iter().copied().fold(0.0, f64::max))
    };
    assert!(between(5.5, 8.0).1 < 1.4, "{:?}", between(5.5, 8.0));
    assert!(between(5.5, 8.0).0 > 0.3, "{:?}", between(5.5, 8.0));
    assert!(between(11.0, 12.0).1 > 2.8, "{:?}", between(11.0, 12.0));
}
