//! Rows about video, screen, sound, input, clipboard and files.
//!
//! The initial values inside the ranges (framerate 60, JPEG 40 and 90, CRF 25 and 18, burst 5) and the stops of
//! `scaling_dpi` and `audio_bitrate` are those of Selkies, whose documentation gives the ranges only.

use super::{Kind, Section, Setting, row};

const fn range(min: i64, max: i64, initial: i64) -> Kind {
    Kind::Range { min, max, initial }
}

const SIDE: Kind = Kind::Int { min: 0, max: 16384 };
const AUDIO_BITRATES: &[&str] =
    &["32000", "48000", "64000", "96000", "128000", "192000", "256000", "320000", "384000", "510000"];

/// Names of the encoders that come with the host. What is not in the folders of plugins, or does not work on the machine, is
/// not offered.
const ENCODERS: &[&str] = &[
    "x264enc",
    "x264enc-striped",
    "jpeg",
    "nvh264enc",
    "vah264enc",
    "openh264enc",
    "nvh265enc",
    "vah265enc",
    "x265enc",
    "vp8enc",
    "vp9enc",
    "vavp9enc",
    "nvav1enc",
    "vaav1enc",
    "svtav1enc",
    "av1enc",
    "rav1enc",
];

/// See the module. Kept as a table: one row is one setting.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    row("encoder", Kind::Choice { allowed: ENCODERS, span: None }, "x264enc",
        Section::Video, "The default video encoder, and the others that may be chosen.").client(),
    row("framerate", range(1, 240, 60), "8-120", Section::Video,
        "Allowed framerate range or a fixed value.").client(),
    row("jpeg_quality", range(1, 100, 40), "1-100", Section::Video,
        "Allowed JPEG quality range or a fixed value.").client(),
    row("use_paint_over_quality", Kind::Bool, "true", Section::Video,
        "Enable high-quality paint-over for static scenes.").client(),
    row("paint_over_jpeg_quality", range(1, 100, 90), "1-100", Section::Video,
        "Allowed JPEG paint-over quality range or a fixed value.").client(),
    row("use_cpu", Kind::Bool, "false", Section::Video,
        "Force CPU-based encoding.").client().not_yet("hardware encoders"),
    row("h264_crf", range(0, 51, 25), "5-50", Section::Video,
        "Allowed H.264 CRF range or a fixed value.").wire("video_crf").client(),
    row("h264_fullcolor", Kind::Bool, "false", Section::Video,
        "Enable H.264 full color range.").wire("video_fullcolor").client(),
    row("h264_streaming_mode", Kind::Bool, "false", Section::Video,
        "Enable H.264 streaming mode.").wire("video_streaming_mode").client(),
    row("h264_paintover_crf", range(0, 51, 18), "5-50", Section::Video,
        "Allowed H.264 paint-over CRF range or a fixed value.")
        .wire("video_paintover_crf").client(),
    row("h264_paintover_burst_frames", range(1, 120, 5), "1-30", Section::Video,
        "Allowed H.264 paint-over burst frames range or a fixed value, for encoders that refine what rests in several \
         pictures. libx264 needs one and ignores it: with a fixed quantiser the first has the whole quality.")
        .wire("video_paintover_burst_frames").client(),
    row("rate_control_mode", Kind::Choice { allowed: &["crf", "cbr"], span: None }, "crf", Section::Video,
        "Constant quality (crf) or constant bitrate (cbr).").client(),
    row("video_bitrate", range(100, 1_000_000, 8000), "100-1000000", Section::Video,
        "Allowed video bitrate range or a fixed value, in kbit/s.").client(),
    row("dri_node", Kind::Text, "", Section::Video,
        "Path to the DRI render node for VA-API.")
        .hidden().aliases(&["encode_dri"]).legacy(&["DRI_NODE"]).not_yet("hardware encoders"),
    row("watermark_path", Kind::Text, "", Section::Video,
        "Absolute path to the watermark PNG file.").hidden().legacy(&["WATERMARK_PNG"]),
    row("watermark_location", Kind::Int { min: -1, max: 6 }, "-1", Section::Video,
        "Watermark location enum (0-6): 1 top left, 2 top right, 3 bottom left, 4 bottom right, 5 middle, 6 moving about; 0 \
         and -1 none.").legacy(&["WATERMARK_LOCATION"]),

    row("display", Kind::Text, "", Section::Screen,
        "X display to stream, such as :0; empty to start one.").hidden().legacy(&["DISPLAY"]),
    row("xvfb_max_size", Kind::Size { max: 16384 }, "8192x4096", Section::Screen,
        "Largest size of the X display that the host starts.").hidden(),
    row("enable_resize", Kind::Bool, "true", Section::Screen,
        "Resize the screen to the browser's window."),
    row("is_manual_resolution_mode", Kind::Bool, "false", Section::Screen,
        "Lock the resolution to the manual width/height values.").wire("manual_resolution").client(),
    row("manual_width", SIDE, "0", Section::Screen,
        "Lock width to a fixed value. Setting this forces manual resolution mode.").client(),
    row("manual_height", SIDE, "0", Section::Screen,
        "Lock height to a fixed value. Setting this forces manual resolution mode.").client(),
    row("force_aligned_resolution", Kind::Bool, "false", Section::Screen,
        "Round the sides of the screen down to multiples of 16, for decoders that want whole blocks; else to even numbers.")
        .client(),
    row("scaling_dpi", Kind::Choice {
        allowed: &["96", "120", "144", "168", "192", "216", "240", "264", "288"],
        span: Some((48, 768)),
    }, "96", Section::Screen, "The default DPI for UI scaling.").client(),
    row("use_css_scaling", Kind::Bool, "false", Section::Screen,
        "HiDPI when false, if true a lower resolution is sent from the client and the canvas is stretched.").client(),
    row("second_screen", Kind::Bool, "true", Section::Screen,
        "Enable support for a second monitor/display.").not_yet("second screen"),
    row("wayland_socket_index", Kind::Int { min: 0, max: 1024 }, "0", Section::Screen,
        "Index for the Wayland command socket (e.g. 0 for wayland-0).").hidden().not_yet("Wayland"),

    row("audio_enabled", Kind::Bool, "true", Section::Audio, "Enable server-to-client audio streaming."),
    row("microphone_enabled", Kind::Bool, "true", Section::Audio, "Enable client-to-server microphone forwarding."),
    row("audio_bitrate", Kind::Choice { allowed: AUDIO_BITRATES, span: Some((6000, 510_000)) }, "320000",
        Section::Audio, "The default audio bitrate, in bit/s.").client(),
    row("audio_channels", Kind::Choice { allowed: &["1", "2", "6", "8"], span: None }, "2", Section::Audio,
        "Channels of the captured sound: mono, stereo, 5.1 or 7.1. More than two are for pages over WebSocket."),
    row("audio_frame_duration_ms", Kind::Choice { allowed: &["2.5", "5", "10", "20"], span: None }, "10",
        Section::Audio, "What a packet of sound plays, in milliseconds. Shorter ones arrive earlier and cost more.")
        .hidden(),
    row("audio_redundancy", Kind::Bool, "true", Section::Audio,
        "Repeat older sound in messages to pages over WebSocket that could not be sent everything lately."),
    row("audio_redundancy_distance", Kind::Int { min: 0, max: 4 }, "2", Section::Audio,
        "Number of older packets that such a message repeats; 0 for none."),
    row("audio_device_name", Kind::Text, "output.monitor", Section::Audio,
        "Audio device name for capture.").hidden(),

    row("gamepad_enabled", Kind::Bool, "true", Section::Input,
        "Enable gamepad support."),
    row("uinput_gamepad", Kind::Choice { allowed: &["auto", "true", "false"], span: None }, "auto", Section::Input,
        "Gamepads as devices of the kernel (/dev/uinput): true where that works, false for the interposer's sockets, auto for \
         devices where no interposer is in use (SELKIES_INTERPOSER).").hidden(),
    row("js_socket_path", Kind::Text, "", Section::Input,
        "Folder of the interposer's sockets; empty for XDG_RUNTIME_DIR, and /tmp where that is not set.").hidden(),
    row("use_browser_cursors", Kind::Bool, "false", Section::Input,
        "Use browser CSS cursors instead of rendering to canvas. Told to the page: Selkies' own follows it, the one \
         inside the host always does so.").client(),
    row("command_enabled", Kind::Bool, "true", Section::Input,
        "Enable parsing of command websocket messages: controlling browsers may run command lines on the desktop."),
    row("command_timeout", Kind::Int { min: 0, max: 604_800 }, "0", Section::Input,
        "Seconds that a browser's command may run; 0 for any time, as a desktop's programs need.").hidden(),
    row("command_end_with_client", Kind::Bool, "false", Section::Input,
        "End a browser's commands when it leaves.").hidden(),
    row("run_after_connect", Kind::Text, "", Section::Input,
        "Shell command run when a browser connects while no other is connected; empty for none.").hidden(),
    row("run_after_disconnect", Kind::Text, "", Section::Input,
        "Shell command run when the last browser has left, also at the host's end; empty for none.").hidden(),

    row("clipboard_enabled", Kind::Bool, "true", Section::Exchange,
        "Enable clipboard synchronization: what is copied in the desktop can be pasted in the browser's machine and the \
         other way round, by those who may use keyboard and pointer. Up to 32 MiB."),
    row("clipboard_in_enabled", Kind::Bool, "true", Section::Exchange,
        "Enable client-to-server clipboard synchronization (ignored if clipboard_enabled is false)."),
    row("clipboard_out_enabled", Kind::Bool, "true", Section::Exchange,
        "Enable server-to-client clipboard synchronization (ignored if clipboard_enabled is false)."),
    row("enable_clipboard", Kind::Choice { allowed: &["true", "in", "out", "false"], span: None }, "true",
        Section::Exchange, "The three clipboard settings in one, as newer Selkies spells them. A direction is open where \
         all settings about it open it.")
        .hidden(),
    row("enable_binary_clipboard", Kind::Bool, "false", Section::Exchange,
        "Allow binary data on the clipboard: pictures (PNG, JPEG, WebP, BMP, SVG) and lists of files.").client(),
    row("clipboard_seamless", Kind::Bool, "true", Section::Exchange,
        "Exchange the clipboard by itself, when something is copied, pasted or the page is looked at again. Without it only \
         the clipboard panel does.").client(),
    row("file_transfers", Kind::List { allowed: &["upload", "download"] }, "upload,download", Section::Exchange,
        "Allowed file transfer directions; empty or none to disable."),
    row("file_manager_path", Kind::Text, "~/Desktop", Section::Exchange,
        "Folder that browsers put files into and take them from; made when the first file comes.")
        .hidden().aliases(&["upload_dir"]).legacy(&["FILE_MANAGER_PATH"]),
    row("file_transfer_limit_mbps", Kind::Int { min: 0, max: 1_000_000 }, "0", Section::Exchange,
        "Rate that all file transfers share, in Mbit/s; 0 for any.").hidden(),
    row("file_upload_max_mb", Kind::Int { min: 1, max: 1_000_000_000 }, "65536", Section::Exchange,
        "Largest file that browsers may send, in MB.").hidden(),
];
