//! `docs/specs/cursor.md`: `selkies.cursor/1`.

crate::rule::page! { "cursor", Some(selkies_plugin_abi::ids::CURSOR_V1);
    CUR_001 "CUR-001" Must "the first answer"
        "The first `wait` MUST report the image within 2 s."
        "Report the present image without waiting for a change.";
    CUR_002 "CUR-002" Must "images"
        "A visible image MUST be 1 to 512 pixels an edge, with its hot spot inside and its pixels readable."
        "Scale larger images down; report a hidden pointer with visible 0.";
    CUR_003 "CUR-003" Must "only changes"
        "A later `wait` MUST end within 2 s after its timeout, with NOTHING unless the serial differs from the one before."
        "Compare shapes before reporting.";
    CUR_004 "CUR-004" Must "wake"
        "`wake` MUST end the current `wait`, or the next one, within 2 s."
        "Write to an eventfd that wait polls, and read it only there.";
}
