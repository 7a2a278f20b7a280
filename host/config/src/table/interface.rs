//! Rows about what the page shows. The host only passes them on.

use super::{Kind, Section, Setting, row};

const fn shown(name: &'static str, help: &'static str) -> Setting {
    row(name, Kind::Bool, "true", Section::Interface, help)
}

/// See the module. Kept as a table: one row is one setting.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    row("ui_title", Kind::Text, "Selkies", Section::Interface, "Title in top left corner of sidebar."),
    shown("ui_show_logo", "Show the Selkies logo in the sidebar."),
    shown("ui_show_sidebar", "Show the main sidebar UI."),
    shown("ui_show_core_buttons", "Show the core components buttons display, audio, microphone, and gamepad."),
    shown("ui_sidebar_show_video_settings", "Show the video settings section in the sidebar."),
    shown("ui_sidebar_show_screen_settings", "Show the screen settings section in the sidebar."),
    shown("ui_sidebar_show_audio_settings", "Show the audio settings section in the sidebar."),
    shown("ui_sidebar_show_stats", "Show the stats section in the sidebar."),
    shown("ui_sidebar_show_clipboard", "Show the clipboard section in the sidebar."),
    shown("ui_sidebar_show_files", "Show the file transfer section in the sidebar."),
    shown("ui_sidebar_show_apps", "Show the applications section in the sidebar."),
    shown("ui_sidebar_show_sharing", "Show the sharing section in the sidebar."),
    shown("ui_sidebar_show_gamepads", "Show the gamepads section in the sidebar."),
    shown("ui_sidebar_show_fullscreen", "Show the fullscreen button in the sidebar."),
    shown("ui_sidebar_show_gaming_mode", "Show the gaming mode button in the sidebar."),
    shown("ui_sidebar_show_trackpad", "Show the virtual trackpad button in the sidebar."),
    shown("ui_sidebar_show_keyboard_button", "Show the on-screen keyboard button in the display area."),
    shown("ui_sidebar_show_soft_buttons", "Show the soft buttons section in the sidebar."),
];
