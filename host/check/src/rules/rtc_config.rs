//! `docs/specs/rtc-config.md`: `selkies.rtc-config/1`.

crate::rule::page! { "rtc-config", Some(selkies_plugin_abi::ids::RTC_CONFIG_V1);
    RTC_001 "RTC-001" Must "configurations"
        "`fetch` MUST give exactly one text: a JSON object of at most 64 KiB with `iceServers`, each of which has `urls`, and with `lifetimeDuration` in seconds (\"86400s\")."
        "Build the answer as the W3C RTCConfiguration; test it in a browser.";
    RTC_002 "RTC-002" Must "deadlines"
        "`fetch` MUST return within 2 s after its deadline, with a failure when it has nothing."
        "Give every connection and read the time that is left.";
    RTC_003 "RTC-003" Must "waits end"
        "`wait` MUST end within 2 s after its timeout, with NOTHING when nothing changed."
        "Give the poll the time that is left.";
    RTC_004 "RTC-004" Must "wake"
        "`wake` MUST end the current `wait`, or the next one, within 2 s."
        "Write to an eventfd that wait polls, and read it only there.";
}
