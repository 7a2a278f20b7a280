//! Rows about the listener, access, logs and sharing.
//!
//! Names and defaults of the settings that Selkies documents are Selkies'; its defaults bind every address and need no
//! password, ours (`addr`, `allow_unauthenticated`) do not expose a desktop by accident.

use super::{Kind, Section, Setting, row};

const PORT: Kind = Kind::Int { min: 0, max: 65535 };

const fn choice(allowed: &'static [&'static str]) -> Kind {
    Kind::Choice { allowed, span: None }
}

/// See the module. Kept as a table: one row is one setting.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    row("addr", Kind::Text, "127.0.0.1", Section::Server,
        "Addresses or host names to listen on, comma-separated; 0.0.0.0 or :: for all of them.").hidden(),
    row("port", PORT, "8082", Section::Server,
        "Port of the page and of the data WebSocket; 0 takes any free one.").hidden().legacy(&["CUSTOM_WS_PORT"]),
    row("web_root", Kind::Text, "", Section::Server,
        "Folder of the web page; empty for the page inside the host.").hidden(),
    row("allow_unauthenticated", Kind::Bool, "false", Section::Server,
        "Serve without a password even where other machines can connect.").hidden(),
    row("enable_basic_auth", Kind::Bool, "true", Section::Server,
        "Ask for basic_auth_user and basic_auth_password, when a password is set.").hidden(),
    row("basic_auth_user", Kind::Text, "ubuntu", Section::Server,
        "User name that browsers must give.").hidden().legacy(&["CUSTOM_USER"]),
    row("basic_auth_password", Kind::Secret, "", Section::Server,
        "Password that browsers must give; empty for none.").hidden().legacy(&["PASSWORD", "PASSWD"]),
    row("control_port", PORT, "8083", Section::Server,
        "Port of the control plane, which manages access tokens in secure mode.").hidden().not_yet("secure mode"),
    row("master_token", Kind::Secret, "", Section::Server,
        "Master token; when set, browsers must connect with tokens given out through the control plane.")
        .hidden().not_yet("secure mode"),
    row("mode", choice(&["websockets", "webrtc"]), "websockets", Section::Server,
        "How the stream travels; pages of the other mode are refused unless enable_dual_mode is on."),
    row("enable_dual_mode", Kind::Bool, "false", Section::Server,
        "Serve WebSockets and WebRTC; pages may choose, and switch the mode that is current."),
    row("webrtc_port_range", Kind::Text, "", Section::Server,
        "UDP ports for WebRTC, MIN-MAX; empty for any free ones.").hidden(),
    row("webrtc_public_ip", Kind::Text, "", Section::Server,
        "Address at which browsers reach this host through a NAT, told to them in WebRTC; empty for its own addresses.")
        .hidden(),
    row("webrtc_ice_lite", Kind::Bool, "false", Section::Server,
        "Only answer connectivity checks in WebRTC.").hidden()
        .not_yet("ICE-lite, which the WebRTC library cannot do"),
    row("congestion_control", Kind::Bool, "true", Section::Server,
        "Adapt the bit rate of WebRTC to what the path carries.").hidden(),
    row("debug", Kind::Bool, "false", Section::Server,
        "Enable debug logging.").hidden(),
    row("log_level", choice(&["info", "error", "warn", "debug", "trace"]), "info", Section::Server,
        "Least important messages that are logged.").hidden(),
    row("log_format", choice(&["text", "json"]), "text", Section::Server,
        "Form of a log line.").hidden(),

    row("enable_sharing", Kind::Bool, "true", Section::Sharing,
        "Master toggle for all sharing features."),
    row("enable_collab", Kind::Bool, "true", Section::Sharing,
        "Enable collaborative (read-write) sharing link.").not_yet("secure mode"),
    row("enable_shared", Kind::Bool, "true", Section::Sharing,
        "Enable view-only sharing links."),
    row("enable_player2", Kind::Bool, "true", Section::Sharing,
        "Enable sharing link for gamepad player 2."),
    row("enable_player3", Kind::Bool, "true", Section::Sharing,
        "Enable sharing link for gamepad player 3."),
    row("enable_player4", Kind::Bool, "true", Section::Sharing,
        "Enable sharing link for gamepad player 4."),
];
