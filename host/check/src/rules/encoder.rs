//! `docs/specs/encoder.md`: `selkies.encoder/1` and `selkies.encoder.rate/1`.

crate::rule::page! { "encoder", Some(selkies_plugin_abi::ids::ENCODER_V1);
    ENC_001 "ENC-001" Must "offers are sound"
        "Each caps entry MUST have a name of [a-z0-9-]{1,32}, 1 to 32 formats, a depth of at least 1, sizes of at least 16, and no empty mask."
        "Compare the entry with EncoderCaps in the header, field by field.";
    ENC_002 "ENC-002" Must "probe"
        "`probe` MUST succeed, and say by `fail` why it offers nothing when it does."
        "When a device is missing, answer success, emit nothing and call log.fail with the reason.";
    ENC_003 "ENC-003" Must "offered formats work"
        "`create` and `submit` MUST work for each format and kind of memory that is offered."
        "Offer in probe only what create takes.";
    ENC_004 "ENC-004" Must "offered sizes work"
        "Every size from 64 x 64 to the caps' largest MUST work, odd ones included."
        "Pad inside the encoder, or lower max_width and max_height.";
    ENC_005 "ENC-005" Must "offered modes work"
        "Each chroma sampling, rate control and end of the quality scale that is offered MUST work."
        "Offer in probe only what create takes.";
    ENC_006 "ENC-006" Must "parameters outside of the offer"
        "Parameters that the caps do not allow MUST be refused by `create` with class reconfigure, detail unsupported."
        "Compare each field of EncoderParams with the caps.";
    ENC_007 "ENC-007" Must "wrong frames"
        "A frame of another size or format than the parameters MUST be refused by `submit`, without packets and without `done`."
        "Compare width, height, fourcc and plane lengths before the pixels are read.";
    ENC_008 "ENC-008" Must "one done per frame"
        "`done` MUST be called exactly once for each successful `submit`, and for nothing else."
        "Count frames in and out; a frame without packets is done as well.";
    ENC_009 "ENC-009" Must "in time"
        "A frame of 640 x 480 MUST be done within 2 s."
        "Lower the effort of the codec; a frame that is late is worth nothing.";
    ENC_010 "ENC-010" Must "drain"
        "`drain` MUST finish every frame in flight before it returns."
        "Flush the codec and wait for its last packet, with a limit.";
    ENC_011 "ENC-011" Must "packets are not empty"
        "A packet MUST have at least one byte."
        "Abandon the slab when there is nothing to send.";
    ENC_012 "ENC-012" Must "packets fit"
        "A packet MUST NOT be longer than its slab."
        "Ask for a larger slab; `len` counts the bytes that were written.";
    ENC_013 "ENC-013" Must "slabs have bounds"
        "A plugin MUST NOT write outside of its slab."
        "Give the codec the slab's capacity as its limit. AddressSanitizer finds the place.";
    ENC_014 "ENC-014" Must "slabs are used once"
        "A slab MUST NOT be touched, committed or abandoned after it was committed or abandoned."
        "Forget the pointer with the commit.";
    ENC_015 "ENC-015" Must "slabs come back"
        "Every slab MUST be committed or abandoned when `drain` returned."
        "Abandon on every way out that does not commit.";
    ENC_016 "ENC-016" Must "packets name their frame"
        "`frame_id` of a packet MUST be that of a frame in flight."
        "Keep frame_id beside the picture on its way through the codec.";
    ENC_017 "ENC-017" Must "nothing after done"
        "A packet MUST NOT be committed after its frame was reported as done."
        "Report done after the last commit returned.";
    ENC_018 "ENC-018" Must "codec"
        "`codec` of a packet MUST be the one that was agreed in `create`, and its flags published ones other than PACKET_LAST."
        "Set codec from the parameters.";
    ENC_019 "ENC-019" Must "area"
        "`area` of a packet MUST lie within the frame and not be empty."
        "Cut the last stripe at the frame's height.";
    ENC_020 "ENC-020" Must "timestamp"
        "`timestamp_ns` of a packet MUST be that of its frame."
        "Keep timestamp_ns beside the picture on its way through the codec.";
    ENC_021 "ENC-021" Must "order"
        "Packets of a frame MUST NOT come after those of a later frame."
        "Reorder inside the plugin; no B-frames.";
    ENC_022 "ENC-022" Must "first frame"
        "The packets of an instance's first frame MUST be keyframes that cover the whole frame."
        "Begin with an IDR; ignore the damage of the first frame.";
    ENC_023 "ENC-023" Must "keyframes on request"
        "The packets of a frame with SUBMIT_KEYFRAME MUST be keyframes that cover the whole frame."
        "Force an IDR, and encode every stripe.";
    ENC_024 "ENC-024" Must "changes are sent"
        "The packets of a frame MUST cover every pixel that changed since the frame before."
        "Take the union of the damage list; treat FRAME_FULL_DAMAGE as everything.";
    ENC_025 "ENC-025" Must "rest is not sent"
        "With ENCODER_DAMAGE, a frame in which nothing changed MUST NOT make packets, unless it is a keyframe or refines."
        "damage_count 0 without FRAME_FULL_DAMAGE means that nothing changed.";
    ENC_026 "ENC-026" Must "frames are read-only"
        "A plugin MUST NOT write into a frame."
        "Copy before converting in place.";
    ENC_027 "ENC-027" Must "frames have bounds"
        "A plugin MUST NOT read outside of a frame's planes."
        "Rows have `stride` bytes, the plane `len`; codecs that read whole blocks need a padded copy of the last rows.";
    ENC_028 "ENC-028" Must "frames are borrowed"
        "A plugin MUST NOT read a frame after `submit` returned, unless it was retained and not yet released."
        "Call memory.retain(token) within submit, or copy.";
    ENC_029 "ENC-029" Must "retains are announced"
        "A plugin MUST NOT retain more frames than the caps' `max_retained`, nor release what it does not retain."
        "Announce in probe what the codec holds, or copy.";
    ENC_030 "ENC-030" Must "retained frames come back"
        "Every retained frame MUST be released when `drain` returned."
        "Release when the codec has read the picture, and on every way out.";
    ENC_031 "ENC-031" Must "packets decode"
        "The bytes of a packet MUST be a picture of its codec, of its area's size."
        "Feed the packets to a reference decoder.";
    ENC_032 "ENC-032" Must "packets resemble"
        "A decoded picture MUST resemble the frame: 24 dB PSNR at the middle of the quality scale."
        "Look for swapped channels, wrong stride, wrong range or matrix.";
    ENC_033 "ENC-033" Must "configure"
        "`configure` with parameters that the caps allow MUST succeed, and the next frame be encoded by them, or answer class reconfigure."
        "When the codec cannot change it, answer class reconfigure; the host makes a new instance.";
    ENC_034 "ENC-034" Must "rate"
        "`set` of `selkies.encoder.rate/1` MUST take every value that the caps allow, or answer class reconfigure."
        "Clamp what the codec limits; values that are not set stay.";
    ENC_035 "ENC-035" Must "stripes are announced"
        "Without ENCODER_STRIPES a frame MUST make at most one packet per layer, which covers the whole frame."
        "Set ENCODER_STRIPES.";
    ENC_036 "ENC-036" Must "streaming mode"
        "With `ignore_damage` 1 each frame MUST be encoded whole."
        "Treat each frame as FRAME_FULL_DAMAGE.";
    ENC_037 "ENC-037" Must "submits succeed"
        "`submit` MUST succeed for a frame as it was agreed, and its `done` carry success."
        "The status and its text say what failed.";
    ENC_038 "ENC-038" Must "two at a time"
        "Two instances MUST be able to encode at the same time on two threads."
        "Lock what is shared between instances.";
    ENC_039 "ENC-039" Must "deltas decode"
        "A packet without PACKET_KEY MUST decode after the packets of its place since the last keyframe there, all of them and nothing else."
        "Send each picture that the codec refers to; after an encode that was not sent, force an IDR. Stripes are streams of their own.";
}
