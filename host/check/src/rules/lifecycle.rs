//! `docs/specs/lifecycle.md`: what holds for every plugin and instance.

crate::rule::page! { "lifecycle", None;
    LIF_001 "LIF-001" Must "no crash"
        "A plugin MUST NOT end the process by a signal."
        "Run the call that is named under a debugger: selkies-host plugins check --in-process --rule ID FILE.";
    LIF_002 "LIF-002" Must "no exit"
        "A plugin MUST NOT end the process by `exit`, `_exit` or a similar call."
        "Answer a status of class fatal-instance or fatal-plugin instead.";
    LIF_003 "LIF-003" Must "control calls return"
        "A `[control]` function MUST return: `create` and `destroy` within 10 s, `probe` and `init` within 20 s."
        "Give waits a limit, and answer detail timeout.";
    LIF_004 "LIF-004" Must "media calls return"
        "A `[media]` or `[any]` function MUST return within 5 s, and a wait within 5 s after its timeout."
        "Give waits a limit, and answer detail timeout.";
    LIF_005 "LIF-005" Must "no panic"
        "A plugin MUST NOT panic, or answer detail panic, when it is called as the contract has it."
        "The text that goes with the status names file and line.";
    LIF_006 "LIF-006" Must "statuses"
        "A failure MUST carry one of the published classes, 1 to 5."
        "Build it with SELKIES_FAILURE(class, detail).";
    LIF_007 "LIF-007" Must "standard output"
        "A plugin MUST NOT write to standard output."
        "Write to the host's log.";
    LIF_008 "LIF-008" Must "log flood"
        "A plugin MUST NOT log more than 200 lines in one second at the levels that the host keeps."
        "Log changes of state, not each frame; ask max_level first.";
    LIF_009 "LIF-009" Must "no child processes"
        "A plugin MUST NOT leave child processes behind."
        "Do the work in the library; if it needs a helper, end it and wait for it in destroy.";
    LIF_010 "LIF-010" Must "threads end"
        "An instance's threads MUST have ended when `destroy` returned."
        "Join each thread in destroy.";
    LIF_011 "LIF-011" Must "descriptors are closed"
        "An instance's file descriptors MUST be closed when `destroy` returned."
        "Close in destroy, and on every way out of create, what was opened.";
    LIF_012 "LIF-012" Must "memory does not grow"
        "The memory of an instance MUST NOT grow with the number of its frames."
        "Look for what is allocated with each frame and not freed; heaptrack or LeakSanitizer find it.";
    LIF_013 "LIF-013" Must "memory is bounded"
        "An instance for a picture of at most 640 x 480 MUST NOT take more than 512 MiB."
        "Size buffers by the picture.";
    LIF_014 "LIF-014" Must "the host's context"
        "A plugin MUST call a function of the host with the `ctx` that its instance was given, and only until `destroy` returned."
        "Keep ctx in the instance, never in a static, and end threads before destroy returns.";
    LIF_015 "LIF-015" Must "init"
        "`init` of `selkies.lifecycle/1` MUST succeed with a host that offers log, clock and metrics, and `set_log_level` MUST take every level."
        "Look for the host's tables that you need; do without the others.";
    LIF_016 "LIF-016" Must "instances"
        "A plugin MUST be able to make an instance again after one was destroyed, and two at a time."
        "Free in destroy what create took; keep state in the instance. What can exist once only (a device), share.";
    LIF_017 "LIF-017" Must "defaults"
        "`create` MUST take a configuration without optional members, and one with the defaults that the schema states; those MUST fit the schema."
        "Give each setting a default that works, and derive schema and parser from one source.";
    LIF_018 "LIF-018" Must "wrong configuration"
        "A value of a wrong type for a property of the schema MUST be refused by `create` with detail config."
        "Check the type of each member; SELKIES_DETAIL_CONFIG is the detail.";
    LIF_019 "LIF-019" Must "documented properties"
        "`create` MUST NOT refuse a property that the schema states, with a value that fits the schema, with detail config."
        "Let the schema state the same ranges as the code.";
    LIF_020 "LIF-020" Must "log and metrics"
        "Texts given to the host MUST be UTF-8, log fields a JSON object, and metric names match [a-z][a-z0-9_]{0,63}."
        "Check what is built from foreign bytes.";
    LIF_021 "LIF-021" Should "reasons"
        "A failure SHOULD be explained by `fail` of the host's log on the same thread, just before it is returned."
        "Call log.fail(ctx, status, text).";
}
