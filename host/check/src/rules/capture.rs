//! `docs/specs/capture.md`: `selkies.capture/1`.

crate::rule::page! { "capture", Some(selkies_plugin_abi::ids::CAPTURE_V1);
    CAP_001 "CAP-001" Must "information"
        "`info` MUST succeed and name a size of 1 to 16384 pixels an edge, a format, and a row alignment that is a power of two up to 4096."
        "Fill every field of CaptureInfo; ask the source for its size at each call.";
    CAP_002 "CAP-002" Must "damage at the start"
        "The first `wait` after `start` MUST report damage within 2 s."
        "Treat the whole picture as changed when the capture starts.";
    CAP_003 "CAP-003" Must "the first picture is whole"
        "The first `grab` into each buffer, with the whole area to refresh, MUST write every pixel."
        "Copy the new damage and the refresh rectangles; the first damage is everything.";
    CAP_004 "CAP-004" Must "frames are described"
        "`grab` MUST fill size, format, memory and the first plane as the buffer and the area have them."
        "Compare what grab fills with Frame in the header, field by field.";
    CAP_005 "CAP-005" Must "buffers have bounds"
        "A plugin MUST NOT touch memory outside of a buffer."
        "Rows have the buffer's stride, which may be wider than the picture; a buffer has `len` bytes.";
    CAP_006 "CAP-006" Must "damage"
        "A damage list MUST have at most 64 rectangles, none empty, all within the frame."
        "Merge rectangles, and cut them at the area; with FRAME_FULL_DAMAGE no list is needed.";
    CAP_007 "CAP-007" Must "waits end"
        "`wait` MUST end within 2 s after its timeout, with NOTHING when there was no event."
        "Give the poll the time that is left.";
    CAP_008 "CAP-008" Must "wake"
        "`wake` MUST end the current `wait`, or the next one, within 2 s."
        "Write to an eventfd that wait polls, and read it only there.";
    CAP_009 "CAP-009" Must "stop and start"
        "`start` MUST work again after `stop`, with other buffers; those of before MUST NOT be touched after `stop`."
        "Let go of mappings and duplicates of the buffers in stop.";
    CAP_010 "CAP-010" Must "wrong calls"
        "`wait` and `grab` before `start`, a second `start`, a buffer that does not exist and an area outside of the source MUST be refused."
        "Check state and arguments first; SELKIES_DETAIL_WRONG_STATE and INVALID_ARGUMENT are the details.";
    CAP_011 "CAP-011" Must "timestamps"
        "`timestamp_ns` of a frame MUST be in CLOCK_MONOTONIC, not after `grab` returned, and not run backwards."
        "Read CLOCK_MONOTONIC when the picture is taken.";
    CAP_012 "CAP-012" Must "parts"
        "`start` with a part of the source MUST give frames of that part's size, or answer class reconfigure, detail unsupported."
        "Capture only the area; its corner may be odd.";
}
