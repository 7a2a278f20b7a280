//! Random calls of a source of RTC configurations that the contract allows, determined by a seed.

use std::time::Duration;

use selkies_plugin_abi::ids;

use super::{
    Blocked, Job, Task,
    fuzz::rounds,
    rtc_config::{Source, Wish},
    waiting::random_waits,
};
use crate::{
    fence::Fenced,
    journal::{held, warn},
    random::Random,
    rules::{
        lifecycle::{LIF_001, LIF_016},
        rtc_config::{RTC_001, RTC_002, RTC_003, RTC_004},
    },
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "random calls of a source of RTC configurations",
    table: Some(ids::RTC_CONFIG_V1),
    rules: &[&LIF_016, &RTC_001, &RTC_002, &RTC_003, &RTC_004],
    limit_s: 90,
    fuzz: true,
    run: fetches,
}];

fn fetches(task: &Task) -> Result<(), Blocked> {
    let (mut fetched, mut refusal) = (false, None);
    rounds(task, |random, _| {
        let source = Source::open(task)?;
        // Names of before stay, forbidden, as long as the instance.
        let mut graves = Vec::new();
        for _ in 0..random.between(1, 6) {
            let lent = |text: &str| {
                Fenced::of(text.as_bytes(), &LIF_001).map_err(|error| format!("no memory for names: {error}"))
            };
            let protocol = if random.once_in(2) { "udp" } else { "tcp" };
            let names = [lent(&user(random))?, lent(protocol)?];
            let [user, protocol] = names.each_ref().map(|name| std::str::from_utf8(name.bytes()));
            let limits = [0, 1, 20, 500, 2000].map(Duration::from_millis);
            let wish = Wish {
                tls: random.once_in(2),
                user: user.unwrap_or_default(),
                protocol: protocol.unwrap_or_default(),
                limit: random.one_of(&limits).copied().unwrap_or_default(),
            };
            match source.fetch(&wish) {
                Ok(()) => fetched = true,
                Err(failure) => refusal = Some(failure),
            }
            names.iter().for_each(|name| name.bury(&LIF_001));
            graves.extend(names);
            if random.once_in(3) {
                random_waits(random, [&RTC_003, &RTC_004], source.wake()?, |timeout| source.wait(timeout))?;
            }
        }
        drop(source);
        Ok(())
    })?;
    if let Some(failure) = refusal.filter(|_| !fetched) {
        warn(&RTC_001, format!("nothing was fetched: {failure}"));
    }
    held(&[&LIF_016, &RTC_001, &RTC_002, &RTC_003, &RTC_004]);
    Ok(())
}

/// A name as nobody should have one, and somebody has: whatever is Unicode, also what JSON, URLs and credentials
/// (`time:name`) have a meaning for.
fn user(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "check", "\"", "\\", "\n", "\u{0}", "\u{1f}", ":", "/", "%s%n", "%22", "&", "=", "{}", "\u{feff}",
        "\u{202e}", "Zoë", "名", "😀", " ",
    ];
    let long = random.once_in(16);
    let count = if long { 300 } else { random.between(0, 6) };
    (0..count).filter_map(|_| random.one_of(PIECES).copied()).collect()
}
