//! A recorded session: what a browser reported of a real stream.

use selkies_webrtc::congestion::{Arrival, Controller};

/// The estimate after each report: seconds and Mbit/s.
pub(crate) fn replay(recording: &str) -> Vec<(f64, f64)> {
    let mut controller = Controller::default();
    let (mut sent_us, mut arrived_us) = (0_u64, 0_i64);
    let reports = recording.lines().filter(|line| !line.starts_with('#'));
    reports
        .map(|line| {
            let mut words = line.split(' ');
            let now_us: u64 = words.next().and_then(|word| word.parse().ok()).expect("a time");
            let arrivals: Vec<Arrival> = words
                .map(|word| {
                    let mut numbers = word.split(',');
                    let mut number = || numbers.next().and_then(|number| number.parse::<i64>().ok());
                    sent_us = sent_us.strict_add_signed(number().expect("when it left"));
                    let arrived = number().map(|step| {
                        arrived_us += step;
                        u64::try_from(arrived_us).expect("times begin with the recording") * 1000
                    });
                    let size = number().and_then(|size| u32::try_from(size).ok()).expect("bytes");
                    controller.sent(sent_us * 1000, size);
                    Arrival { sent_ns: sent_us * 1000, arrived_ns: arrived, size }
                })
                .collect();
            controller.feedback(now_us * 1000, &arrivals);
            (now_us as f64 / 1e6, f64::from(controller.estimate_kbps()) / 1e3)
        })
        .collect()
}
