//! Random calls of a capture that the contract allows, determined by a seed.

use std::time::Duration;

use selkies_plugin_abi::{self as abi, ids};

use super::{Blocked, Job, Task, fuzz::rounds};
use crate::{
    capture::Capture,
    fence::Access,
    journal::held,
    random::Random,
    rules::{
        capture::{CAP_004, CAP_005, CAP_006, CAP_007, CAP_009, CAP_011},
        lifecycle::LIF_016,
    },
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "random calls of a capture",
    table: Some(ids::CAPTURE_V1),
    rules: &[&LIF_016, &CAP_004, &CAP_005, &CAP_006, &CAP_009, &CAP_011],
    limit_s: 60,
    fuzz: true,
    run: capture,
}];

fn capture(task: &Task) -> Result<(), Blocked> {
    rounds(task, |random, _| {
        let mut capture = Capture::open(task)?;
        // Buffers of before stay, forbidden, as long as the instance.
        let mut graves = Vec::new();
        for _ in 0..random.between(1, 3) {
            run(random, &mut capture)?;
            for buffer in &capture.buffers {
                buffer.memory.allow(Access::None, &CAP_009);
            }
            graves.append(&mut capture.buffers);
        }
        drop(capture);
        Ok(())
    })?;
    held(&[&LIF_016, &CAP_004, &CAP_005, &CAP_006, &CAP_009, &CAP_011]);
    Ok(())
}

/// From a start to its stop; a part of the source may be refused.
fn run(random: &mut Random, capture: &mut Capture) -> Result<(), Blocked> {
    let source = capture.whole();
    let area = if random.once_in(2) { source } else { within(random, source.width, source.height) };
    let count = usize::try_from(random.between(1, 3)).unwrap_or(1);
    match capture.try_start(area, count)? {
        Ok(()) => {}
        Err(failure)
            if area != source
                && failure.class() == abi::CLASS_RECONFIGURE
                && failure.detail() == abi::DETAIL_UNSUPPORTED =>
        {
            return Ok(());
        }
        Err(failure) => {
            failure.breaks(&CAP_009, "start");
            return Err(failure.to_string());
        }
    }
    let grabbed = capture.first(0)?;
    capture.described(&grabbed, 0);
    let mut stamp = capture.timestamp(&grabbed, 0);
    capture.done_with(&grabbed);
    for _ in 0..random.between(0, 30) {
        if random.once_in(2) {
            let timeout = Duration::from_millis(u64::from(random.between(0, 5)));
            capture.wait(timeout).0.map_err(|failure| {
                failure.breaks(&CAP_007, "a wait");
                failure.to_string()
            })?;
            continue;
        }
        let last = u32::try_from(capture.buffers.len().saturating_sub(1)).unwrap_or(0);
        let buffer = usize::try_from(random.between(0, last)).unwrap_or(0);
        let refresh: Vec<abi::Rect> =
            (0..random.between(0, 4)).map(|_| within(random, area.width, area.height)).collect();
        let grabbed = capture.grab(buffer, &refresh).map_err(|failure| {
            failure.breaks(&CAP_004, "a grab");
            failure.to_string()
        })?;
        capture.described(&grabbed, buffer);
        stamp = capture.timestamp(&grabbed, stamp);
        capture.done_with(&grabbed);
    }
    capture.stop().map_err(|failure| {
        failure.breaks(&CAP_009, "stop");
        failure.to_string()
    })
}

/// A rectangle inside of a size.
fn within(random: &mut Random, width: u32, height: u32) -> abi::Rect {
    let (x, y) = (random.between(0, width - 1), random.between(0, height - 1));
    abi::Rect { x, y, width: random.between(1, width - x), height: random.between(1, height - y) }
}
