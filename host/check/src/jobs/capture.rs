//! Captures.

use std::time::{Duration, Instant};

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Job, Task,
    waiting::{Wake, timeouts, wakes},
};
use crate::{
    capture::{Capture, WAIT},
    fence::Access,
    journal::{fail, held, skip},
    process,
    random::Random,
    rules::{
        capture::{
            CAP_001, CAP_002, CAP_003, CAP_004, CAP_005, CAP_006, CAP_007, CAP_008, CAP_009, CAP_010,
            CAP_011, CAP_012,
        },
        lifecycle::{LIF_010, LIF_012, LIF_013},
    },
};

const TABLE: Option<&str> = Some(ids::CAPTURE_V1);

pub(super) static JOBS: &[Job] = &[
    Job {
        name: "pictures",
        table: TABLE,
        rules: &[&CAP_001, &CAP_002, &CAP_003, &CAP_004, &CAP_005, &CAP_006, &CAP_011],
        limit_s: 60,
        fuzz: false,
        run: pictures,
    },
    Job {
        name: "capture waits",
        table: TABLE,
        rules: &[&CAP_007, &CAP_008],
        limit_s: 90,
        fuzz: false,
        run: waits,
    },
    Job {
        name: "restarts",
        table: TABLE,
        rules: &[&CAP_009, &CAP_012],
        limit_s: 60,
        fuzz: false,
        run: restarts,
    },
    Job { name: "wrong captures", table: TABLE, rules: &[&CAP_010], limit_s: 60, fuzz: false, run: wrong },
    Job {
        name: "capture at work",
        table: TABLE,
        rules: &[&CAP_005, &CAP_006, &CAP_011, &LIF_010, &LIF_012, &LIF_013],
        limit_s: 120,
        fuzz: false,
        run: at_work,
    },
];

/// What a buffer holds before it is first written.
fn noise(seed: u64, bytes: &mut [u8]) {
    let mut random = Random::new(seed);
    for chunk in bytes.chunks_mut(8) {
        let word = random.next().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

fn pictures(task: &Task) -> Result<(), Blocked> {
    let mut capture = Capture::open(task)?;
    let whole = capture.whole();
    capture.start(whole, 2)?;
    for (index, buffer) in capture.buffers.iter_mut().enumerate() {
        noise(index as u64, buffer.memory.bytes_mut());
    }
    let first = capture.first(0)?;
    capture.described(&first, 0);
    let mut stamp = capture.timestamp(&first, 0);
    untouched(&capture, 0);
    capture.done_with(&first);
    if capture.buffers.len() > 1 {
        let second = capture.grab(1, &[whole]).map_err(|failure| {
            failure.breaks(&CAP_003, "a grab into the second buffer");
            failure.to_string()
        })?;
        capture.described(&second, 1);
        stamp = capture.timestamp(&second, stamp);
        untouched(&capture, 1);
    }
    // Grabbing when nothing may have changed is allowed.
    let third = capture.grab(0, &[]).map_err(|failure| {
        failure.breaks(&CAP_004, "a grab without a wait");
        failure.to_string()
    })?;
    capture.described(&third, 0);
    capture.timestamp(&third, stamp);
    capture.done_with(&third);
    held(&[&CAP_001, &CAP_002, &CAP_003, &CAP_004, &CAP_005, &CAP_006, &CAP_011]);
    Ok(())
}

/// Tells of pixels that still have what the buffer was filled with.
fn untouched(capture: &Capture, index: usize) {
    let Some(buffer) = capture.buffers.get(index) else { return };
    let bytes = buffer.memory.bytes();
    let mut before = vec![0; bytes.len()];
    noise(index as u64, &mut before);
    let (stride, width) = (buffer.raw.stride as usize, capture.area.width as usize);
    let rows = bytes.chunks(stride).zip(before.chunks(stride)).take(capture.area.height as usize);
    let mut count = 0_u64;
    let mut place = None;
    for (y, (now, old)) in rows.enumerate() {
        for x in 0..width {
            // The fourth byte may be left as it is.
            if now[x * 4..x * 4 + 3] == old[x * 4..x * 4 + 3] {
                count += 1;
                place = place.or(Some((x, y)));
            }
        }
    }
    // One in 2^24 may be equal by chance.
    let all = u64::from(capture.area.width) * u64::from(capture.area.height);
    if let Some((x, y)) = place.filter(|_| count > all / 1_000_000 + 8) {
        fail(
            &CAP_003,
            format!("{count} of {all} pixels of buffer {index} were not written, the first at {x},{y}"),
        );
    }
}

fn waits(task: &Task) -> Result<(), Blocked> {
    let mut capture = Capture::open(task)?;
    let whole = capture.whole();
    capture.start(whole, 1)?;
    let first = capture.first(0)?;
    capture.done_with(&first);
    let wake = Wake::new(capture.table.wake, &capture.instance).ok_or("PKG-007: wake is NULL")?;
    // What happened is taken, so that the next wait waits.
    let mut wait = |timeout| {
        let (answer, took, _) = capture.wait(timeout);
        if let Ok(true) = answer
            && let Ok(grabbed) = capture.grab(0, &[])
        {
            capture.done_with(&grabbed);
        }
        (answer, took)
    };
    timeouts(&CAP_007, &mut wait)?;
    held(&[&CAP_007]);
    wakes(&CAP_008, &WAIT, wake, &mut wait)?;
    held(&[&CAP_008]);
    Ok(())
}

fn restarts(task: &Task) -> Result<(), Blocked> {
    let mut capture = Capture::open(task)?;
    let whole = capture.whole();
    let part = abi::Rect {
        x: u32::from(whole.width > 8),
        y: u32::from(whole.height > 8),
        width: ((whole.width / 2) | 1).min(whole.width),
        height: ((whole.height / 2) | 1).min(whole.height),
    };
    // Those of before stay, forbidden.
    let mut graves = Vec::new();
    for (round, area) in [whole, part, whole].into_iter().enumerate() {
        match capture.try_start(area, 2)? {
            Ok(()) => {}
            Err(failure)
                if area == part
                    && failure.class() == abi::CLASS_RECONFIGURE
                    && failure.detail() == abi::DETAIL_UNSUPPORTED =>
            {
                continue;
            }
            Err(failure) => {
                failure.breaks(if area == part { &CAP_012 } else { &CAP_009 }, "start");
                return Err(failure.to_string());
            }
        }
        let grabbed = capture.first(round % capture.buffers.len().max(1))?;
        if area == part && (grabbed.frame.width, grabbed.frame.height) != (area.width, area.height) {
            let (w, h) = (grabbed.frame.width, grabbed.frame.height);
            fail(&CAP_012, format!("a frame of {w}x{h} of an area of {}x{}", area.width, area.height));
        }
        capture.done_with(&grabbed);
        if let Err(failure) = capture.stop() {
            failure.breaks(&CAP_009, "stop");
            return Err(failure.to_string());
        }
        for buffer in &capture.buffers {
            buffer.memory.allow(Access::None, &CAP_009);
        }
        graves.append(&mut capture.buffers);
    }
    // Ended while it runs.
    capture.start(whole, 1)?;
    let Capture { instance, buffers, .. } = capture;
    drop(instance);
    for buffer in &buffers {
        buffer.memory.allow(Access::None, &CAP_009);
    }
    held(&[&CAP_009, &CAP_012]);
    Ok(())
}

fn wrong(task: &Task) -> Result<(), Blocked> {
    let mut capture = Capture::open(task)?;
    let whole = capture.whole();
    let refused = |what: &str, taken: bool| {
        if taken {
            fail(&CAP_010, format!("{what} was not refused"));
        }
    };
    refused("wait before start", capture.wait(Duration::ZERO).0.is_ok());
    refused("grab before start", capture.grab(0, &[]).is_ok());
    let outside =
        abi::Rect { x: whole.width, y: 0, width: whole.width.clamp(1, 64), height: whole.height.min(64) };
    let buffers = capture.make_buffers(outside, 1)?;
    let taken = capture.start_with(outside, &buffers).is_ok();
    refused("an area outside of the source", taken);
    if taken {
        return Ok(());
    }
    capture.start(whole, 1)?;
    let again = capture.make_buffers(whole, 1)?;
    refused("a second start", capture.start_with(whole, &again).is_ok());
    if !capture.own_memory() {
        refused("grab into a buffer that does not exist", capture.grab(9, &[]).is_ok());
    }
    // It still works.
    let grabbed = capture.first(0)?;
    capture.done_with(&grabbed);
    drop(capture);
    held(&[&CAP_010]);
    Ok(())
}

/// Grabs of the long job.
const GRABS: usize = 200;
/// Growth that nobody minds.
const LEAST_GROWTH: u64 = 8 << 20;
const MOST_MEMORY: u64 = 512 << 20;

fn at_work(task: &Task) -> Result<(), Blocked> {
    drop(Capture::open(task)?);
    let (threads, start) = (process::threads(), process::peak_memory());
    let mut capture = Capture::open(task)?;
    let whole = capture.whole();
    capture.start(whole, 3)?;
    let first = capture.first(0)?;
    let mut stamp = capture.timestamp(&first, 0);
    capture.done_with(&first);
    let mut memory = Vec::new();
    let until = Instant::now() + Duration::from_secs(20);
    for number in 1..=GRABS {
        // A source that stands still is grabbed all the same.
        let (answer, _, _) = capture.wait(Duration::from_millis(20));
        answer.map_err(|failure| {
            failure.breaks(&CAP_007, "a wait");
            failure.to_string()
        })?;
        let grabbed = capture.grab(number % capture.buffers.len().max(1), &[whole]).map_err(|failure| {
            failure.breaks(&CAP_004, "a grab");
            failure.to_string()
        })?;
        stamp = capture.timestamp(&grabbed, stamp);
        capture.done_with(&grabbed);
        if number >= GRABS / 4 && number % 10 == 0 {
            memory.push(process::memory());
        }
        if Instant::now() > until {
            break;
        }
    }
    let buffers: u64 = capture.buffers.iter().map(|buffer| buffer.raw.len).sum();
    if let Err(failure) = capture.stop() {
        failure.breaks(&CAP_009, "stop");
    }
    drop(capture);
    if let Some(growth) = super::encoder_long::growth(&memory).filter(|growth| *growth > LEAST_GROWTH) {
        fail(&LIF_012, format!("about {} MiB in {GRABS} grabs", growth >> 20));
    }
    let pictures = u64::from(whole.width) * u64::from(whole.height) * 4 * 4;
    let taken = process::peak_memory().saturating_sub(start + buffers + pictures);
    if taken > MOST_MEMORY {
        fail(&LIF_013, format!("{} MiB beside the buffers", taken >> 20));
    }
    if !process::eventually(Duration::from_secs(3), || process::threads() <= threads) {
        fail(&LIF_010, format!("{threads} threads before the instance, {} after it", process::threads()));
    }
    if memory.is_empty() {
        skip(&LIF_012, "the source was too slow for enough grabs");
    }
    held(&[&CAP_005, &CAP_006, &CAP_011, &LIF_010, &LIF_012, &LIF_013]);
    Ok(())
}
