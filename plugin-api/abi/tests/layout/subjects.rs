//! Every struct and every number of the ABI, named once. A field that is missing here does not compile; a struct or a
//! constant that is missing here fails `the_lists_are_complete`.

use std::mem::{align_of, offset_of, size_of};

use selkies_plugin_abi as abi;

/// The size of a field's type, which the accessor names.
fn size_of_field<S, F>(_: impl Fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        /// `(name, size, alignment, [(field, offset, size)])` of every struct.
        pub(crate) fn structs() -> Vec<(&'static str, usize, usize, Vec<(&'static str, usize, usize)>)> {
            vec![$({
                // A pattern without `..` names every field.
                let _ = |abi::$name { $($field: _),* }: &abi::$name| ();
                let fields = vec![$((
                    stringify!($field),
                    offset_of!(abi::$name, $field),
                    size_of_field(|of: &abi::$name| &of.$field),
                )),*];
                (stringify!($name), size_of::<abi::$name>(), align_of::<abi::$name>(), fields)
            }),*]
        }
    };
}

macro_rules! constants {
    ($($name:ident)*) => {
        /// `(name, type, value)` of every constant.
        pub(crate) fn constants() -> Vec<(&'static str, &'static str, String)> {
            vec![$((stringify!($name), std::any::type_name_of_val(&abi::$name), format!("{:?}", abi::$name))),*]
        }
    };
}

structs! {
    Str { ptr, len }
    Bytes { ptr, len }
    Rect { x, y, width, height }
    TextSink { ctx, emit }
    AudioFormat { sample, rate, channel_mask, reserved }
    AudioBlock { struct_size, flags, samples, frames, reserved32, timestamp_ns, reserved }
    AudioCaptureInfo { struct_size, sample_mask, native, reserved }
    AudioCaptureParams { struct_size, block_frames, format, device, reserved }
    AudioCaptureV1 { struct_size, reserved, create, destroy, info, start, read, wake, stop }
    AudioEncoderCaps {
        struct_size, flags, name, codec, sample_mask, rates, channel_masks, block_frames, rate_count,
        channel_mask_count, block_frames_count, min_bitrate, max_bitrate, reserved32, reserved,
    }
    AudioCapsSink { ctx, emit }
    AudioEncoderParams {
        struct_size, flags, name, format, block_frames, bitrate, complexity, loss_ppm, reserved,
    }
    AudioRate { struct_size, bitrate, loss_ppm, reserved32, reserved }
    AudioStreamInfo { struct_size, lookahead_frames, description, reserved }
    AudioPacket { struct_size, flags, len, timestamp_ns, reserved }
    AudioEncoderV1 { struct_size, reserved, probe, create, destroy, info, adjust, encode }
    AudioSinkInfo { struct_size, sample_mask, native, reserved }
    AudioSinkParams { struct_size, reserved32, format, buffer_ns, reserved }
    AudioSinkState { struct_size, recorders, queued_ns, reserved }
    AudioSinkV1 { struct_size, reserved, create, destroy, info, start, write, stop, wait, wake }
    CaptureInfo { struct_size, flags, width, height, fourcc, stride_align, reserved }
    CaptureParams { struct_size, buffer_count, area, buffers, output, reserved }
    CaptureEvent { struct_size, kind, width, height, reserved }
    CaptureV1 { struct_size, reserved, create, destroy, info, start, wait, wake, grab, done_with, stop }
    ClipboardChange { struct_size, selection, filled, reserved32, serial, reserved }
    ClipboardRequest { struct_size, selection, serial, mime, limit, deadline_ns, reserved }
    ClipboardContentInfo { struct_size, flags, reserved }
    ClipboardItem { struct_size, reserved32, mime, data, reserved }
    ClipboardOffer { struct_size, flags, selection, count, items, reserved }
    BytesSink { ctx, emit }
    ClipboardV1 { struct_size, reserved, create, destroy, wait, formats, read, offer, wake }
    CursorImage { struct_size, visible, width, height, hot_x, hot_y, serial, rgba, reserved }
    CursorV1 { struct_size, reserved, create, destroy, wait, wake }
    DisplayOutput {
        struct_size, flags, name, x, y, width, height, refresh_mhz, dpi, max_width, max_height, reserved,
    }
    DisplayRequest { struct_size, flags, name, x, y, width, height, refresh_mhz, dpi, reserved }
    OutputSink { ctx, emit }
    DisplayV1 { struct_size, reserved, create, destroy, outputs, apply }
    EncoderCaps {
        struct_size, flags, name, codec, memory_mask, fourccs, fourcc_count, chroma_mask, rate_mask, depth,
        max_retained, max_width, max_height, quality_min, quality_max, bit_depth_mask, reserved,
    }
    CapsSink { ctx, emit }
    EncoderParams {
        struct_size, codec, name, width, height, fourcc, memory, fps_num, fps_den, chroma, bit_depth, rate,
        quality, refine_quality, refine_frames, bitrate_kbps, max_bitrate_kbps, vbv_ms, keyframe_interval,
        threads, stripe_height, min_qp, max_qp, ignore_damage, reserved32, color, out_width, out_height,
        reserved,
    }
    SubmitParams { struct_size, flags, deadline_ns, known_frame_id, roi, roi_count, reserved32, reserved }
    RoiRect { rect, qp_delta, reserved }
    FrameDone { struct_size, status, frame_id, refine_at_ns, reserved }
    HostEncoderV1 { struct_size, reserved, done }
    EncoderV1 { struct_size, reserved, probe, create, destroy, configure, submit, drain }
    EncoderRate {
        struct_size, bitrate_kbps, max_bitrate_kbps, quality, fps_num, fps_den, vbv_ms, reserved32,
        reserved,
    }
    EncoderRateV1 { struct_size, reserved, set }
    PluginEntry { magic, abi_epoch, struct_size, manifest_json, query }
    LifecycleV1 { struct_size, reserved, init, set_log_level }
    Color { primaries, transfer, matrix, full_range }
    Plane { ptr, handle, offset, len, stride, fd }
    Frame {
        struct_size, memory, width, height, fourcc, plane_count, modifier, color, flags, timestamp_ns,
        frame_id, token, planes, acquire_fence_fd, damage_count, damage, reserved,
    }
    FrameBuffer { struct_size, memory, ptr, len, fd, stride, fourcc, reserved }
    Host { struct_size, reserved, ctx, query }
    LogV1 { struct_size, reserved, max_level, log, fail }
    ClockV1 { struct_size, reserved, now_ns }
    MetricsV1 { struct_size, reserved, counter_add, gauge_set, observe }
    MemoryV1 { struct_size, reserved, slab, commit, abandon, retain, release }
    InputEvent { struct_size, kind, code, value, x, y, text, timestamp_ns, reserved }
    InputV1 { struct_size, reserved, create, destroy, kinds, inject }
    GamepadAxis { code, minimum, maximum, rest, fuzz, flat, resolution, reserved }
    GamepadIdentity {
        struct_size, flags, name, bus, vendor, product, version, buttons, axes, button_count, axis_count,
        reserved,
    }
    GamepadEvent { struct_size, slot, kind, index, value, reserved32, timestamp_ns, reserved }
    GamepadRumble { struct_size, slot, strong, weak, duration_ms, reserved32, reserved }
    GamepadV1 { struct_size, reserved, create, destroy, plug, unplug, inject, wait, wake }
    Slab { ptr, capacity, token }
    Packet {
        struct_size, codec, flags, layer, len, frame_id, reference_frame_id, timestamp_ns, duration_ns,
        area, stream, reserved32, reserved,
    }
    RtcConfigRequest { struct_size, tls, user, protocol, deadline_ns, reserved }
    RtcConfigV1 { struct_size, reserved, create, destroy, fetch, wait, wake }
    TransportInfo { struct_size, flags, codec_mask, stripes, audio, max_message, reserved32, reserved }
    Feedback {
        struct_size, loss_ppm, rtt_us, estimate_kbps, queued_bytes, arrived_frame_id, stream, reserved32,
        reserved,
    }
    HostTransportV1 {
        struct_size, reserved, message, emit, signal, feedback, request_keyframe, client_codec,
        client_state,
    }
    TransportV1 {
        struct_size, reserved, create, destroy, info, client_open, client_close, receive, signal,
        rtc_config, send_message, send_packet,
    }
}

constants! {
    AUDIO_SAMPLE_F32 SPEAKER_FRONT_LEFT SPEAKER_FRONT_RIGHT SPEAKER_FRONT_CENTER SPEAKER_LOW_FREQUENCY
    SPEAKER_BACK_LEFT SPEAKER_BACK_RIGHT SPEAKER_SIDE_LEFT SPEAKER_SIDE_RIGHT CHANNELS_MONO CHANNELS_STEREO
    CHANNELS_5_1 CHANNELS_7_1 MAX_AUDIO_CHANNELS MAX_AUDIO_RATE MAX_AUDIO_BLOCK_SAMPLES AUDIO_BLOCK_GAP
    AUDIO_ENCODER_DTX AUDIO_ENCODER_FEC AUDIO_ENCODE_DTX AUDIO_ENCODE_FEC
    AUDIO_PACKET_DTX MAX_AUDIO_PACKET_BYTES MAX_AUDIO_DESCRIPTION_BYTES MAX_AUDIO_CHOICES
    UNSET CAPTURE_HOST_BUFFERS CAPTURE_DAMAGE CAPTURE_DRAWS_CURSOR CAPTURE_EVENT_DAMAGE
    CAPTURE_EVENT_RESIZED SELECTION_CLIPBOARD SELECTION_PRIMARY MAX_CLIPBOARD_BYTES MAX_CLIPBOARD_FORMATS
    MAX_CLIPBOARD_MIME MAX_CLIPBOARD_TOTAL CLIPBOARD_SECRET MAX_CURSOR_EDGE OUTPUT_ENABLED OUTPUT_PRIMARY
    ENCODER_HARDWARE ENCODER_STRIPES
    ENCODER_DAMAGE ENCODER_INTRA_ONLY ENCODER_REFINES ENCODER_ROI ENCODER_ANCHORS ENCODER_SCALES CHROMA_420
    CHROMA_422 CHROMA_444 RATE_QUALITY RATE_CBR RATE_VBR SUBMIT_KEYFRAME SUBMIT_REFINE PLUGIN_MAGIC
    ABI_EPOCH ENTRY_SYMBOL MAX_MANIFEST_BYTES MEMORY_CPU MEMORY_MEMFD MEMORY_DMABUF MEMORY_CUDA
    FOURCC_XRGB8888 FOURCC_ARGB8888 FOURCC_XRGB2101010 FOURCC_NV12 FOURCC_YUV420 FOURCC_YUV444 FOURCC_P010
    MODIFIER_LINEAR FRAME_FULL_DAMAGE MAX_DAMAGE_RECTS LEVEL_ERROR LEVEL_WARN LEVEL_INFO LEVEL_DEBUG
    LEVEL_TRACE LEVEL_HOST_MISBEHAVING LEVEL_PLUGIN_MISBEHAVING INPUT_KEYSYM INPUT_KEYCODE
    INPUT_POINTER_ABSOLUTE INPUT_POINTER_RELATIVE INPUT_BUTTON INPUT_SCROLL INPUT_TEXT INPUT_RELEASE_ALL
    INPUT_TOUCH BUTTON_LEFT BUTTON_MIDDLE BUTTON_RIGHT BUTTON_BACK BUTTON_FORWARD MAX_INPUT_TEXT CODEC_JPEG
    CODEC_H264 CODEC_H265 CODEC_VP8 CODEC_VP9 CODEC_AV1 CODEC_OPUS CODEC_NULL PACKET_KEY PACKET_INTRA
    PACKET_ANCHOR PACKET_DISCARDABLE PACKET_REFINEMENT PACKET_LAST SLAB_HEADROOM MAX_RTC_CONFIG_BYTES OK
    NOTHING CLASS_RETRY CLASS_RECONFIGURE CLASS_FATAL_INSTANCE CLASS_FATAL_PLUGIN CLASS_DEVICE_LOST
    DETAIL_UNSPECIFIED DETAIL_INVALID_ARGUMENT DETAIL_UNSUPPORTED DETAIL_OUT_OF_RESOURCES DETAIL_TIMEOUT
    DETAIL_PANIC DETAIL_WRONG_STATE DETAIL_PERMISSION DETAIL_NOT_FOUND DETAIL_IO DETAIL_CONFIG
    TRANSPORT_HOST_CONNECTION TRANSPORT_SIGNALING TRANSPORT_FEEDBACK MESSAGE_TEXT MESSAGE_BINARY
    CHANNEL_CONTROL CHANNEL_POINTER CLIENT_CONNECTING CLIENT_CONNECTED CLIENT_FAILED MAX_GAMEPADS
    MAX_GAMEPAD_NAME MAX_GAMEPAD_BUTTONS MAX_GAMEPAD_AXES GAMEPAD_RUMBLES GAMEPAD_BUTTON GAMEPAD_AXIS
    GAMEPAD_REST
}
