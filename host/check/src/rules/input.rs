//! `docs/specs/input.md`: `selkies.input/1`.

crate::rule::page! { "input", Some(selkies_plugin_abi::ids::INPUT_V1);
    INP_001 "INP-001" Must "kinds"
        "`kinds` MUST name at least one kind of event, and INPUT_RELEASE_ALL when it names one that can be held."
        "Answer a mask of 1 << INPUT_KIND; whatever presses must release.";
    INP_002 "INP-002" Must "unknown events"
        "`inject` MUST refuse an event of a kind that does not exist, and of one with an unknown button."
        "Check each event; SELKIES_DETAIL_INVALID_ARGUMENT or UNSUPPORTED is the detail.";
    INP_003 "INP-003" Must "harmless events"
        "`inject` MUST take an empty list and, where `kinds` names it, INPUT_RELEASE_ALL with nothing held, again and again."
        "Answer success when there is nothing to do.";
    INP_004 "INP-004" Must "moves"
        "`inject` MUST take pointer moves of the kinds that `kinds` names, positions outside of the display included."
        "Clamp positions to the display.";
}
