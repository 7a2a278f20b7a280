//! `docs/specs/display.md`: `selkies.display/1`.

crate::rule::page! { "display", Some(selkies_plugin_abi::ids::DISPLAY_V1);
    DSP_001 "DSP-001" Must "outputs"
        "`outputs` MUST report at least one output; names MUST be different, and an enabled output have a size within its largest."
        "Report each output once, with the limits that apply accepts.";
    DSP_002 "DSP-002" Must "sizes over the limit"
        "`apply` MUST refuse a size over the limits with class retry, detail invalid-argument and a text, and change nothing."
        "Check all requests before the first is applied.";
    DSP_003 "DSP-003" Must "the present mode"
        "`apply` of what an output is now MUST succeed and leave it so."
        "Answer success when nothing has to change.";
}
