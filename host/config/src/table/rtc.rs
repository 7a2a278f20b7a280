//! Rows about STUN and TURN servers, with Selkies' names and those of its predecessor (`TURN_HOST` and the like).
//!
//! Selkies' default is a public TURN server with a public secret: then strangers relay the desktop's traffic. Here there
//! is no TURN server unless the operator names one.

use super::{Kind, Section, Setting, row};

const PORT: Kind = Kind::Int { min: 1, max: 65535 };

const fn rtc(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    row(name, kind, default, Section::Rtc, help).hidden()
}

/// See the module. Kept as a table: one row is one setting.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    rtc("enable_cloudflare_turn", Kind::Bool, "false",
        "Get TURN credentials from Cloudflare; needs cloudflare_turn_token_id and cloudflare_turn_api_token.")
        .legacy(&["ENABLE_CLOUDFLARE_TURN"]),
    rtc("cloudflare_turn_token_id", Kind::Text, "",
        "Id of the TURN key at Cloudflare.").legacy(&["CLOUDFLARE_TURN_TOKEN_ID"]),
    rtc("cloudflare_turn_api_token", Kind::Secret, "",
        "API token of the TURN key at Cloudflare.").legacy(&["CLOUDFLARE_TURN_API_TOKEN"]),
    rtc("rtc_config_json", Kind::Text, "/tmp/rtc.json",
        "JSON file with an RTCConfiguration, watched; only root's or this user's own; none for no file.")
        .legacy(&["RTC_CONFIG_JSON"]),
    rtc("turn_rest_uri", Kind::Text, "",
        "Address of a TURN REST service, such as http://turn-rest:8008/.").legacy(&["TURN_REST_URI"]),
    rtc("turn_rest_username", Kind::Text, "",
        "User for whom the host asks for credentials; empty for selkies- and the machine's name.")
        .legacy(&["TURN_REST_USERNAME"]),
    rtc("turn_rest_api_key", Kind::Secret, "",
        "Key that the TURN REST service wants.").legacy(&["TURN_REST_API_KEY"]),
    rtc("turn_rest_username_auth_header", Kind::Text, "x-auth-user",
        "Header that tells the TURN REST service the user.").legacy(&["TURN_REST_USERNAME_AUTH_HEADER"]),
    rtc("turn_rest_protocol_header", Kind::Text, "x-turn-protocol",
        "Header that asks the TURN REST service for udp or tcp.").legacy(&["TURN_REST_PROTOCOL_HEADER"]),
    rtc("turn_rest_tls_header", Kind::Text, "x-turn-tls",
        "Header that asks the TURN REST service for TLS.").legacy(&["TURN_REST_TLS_HEADER"]),
    rtc("turn_host", Kind::Text, "",
        "Host name or address of a TURN server.").legacy(&["TURN_HOST"]),
    rtc("turn_port", PORT, "3478",
        "Port of the TURN server.").legacy(&["TURN_PORT"]),
    rtc("turn_protocol", Kind::Choice { allowed: &["udp", "tcp"], span: None }, "udp",
        "How the TURN server is reached.").legacy(&["TURN_PROTOCOL"]),
    rtc("turn_tls", Kind::Bool, "false",
        "Reach the TURN server by TLS.").legacy(&["TURN_TLS"]),
    rtc("turn_username", Kind::Text, "",
        "User name at the TURN server.").legacy(&["TURN_USERNAME"]),
    rtc("turn_password", Kind::Secret, "",
        "Password at the TURN server; every browser learns it.").legacy(&["TURN_PASSWORD"]),
    rtc("turn_shared_secret", Kind::Secret, "",
        "Secret from which short-lived TURN passwords are made.").legacy(&["TURN_SHARED_SECRET"]),
    rtc("stun_host", Kind::Text, "stun.l.google.com",
        "STUN server; none for no STUN. The default is asked only where no server of one's own is named.")
        .legacy(&["STUN_HOST"]),
    rtc("stun_port", PORT, "19302",
        "Port of the STUN server.").legacy(&["STUN_PORT"]),
    rtc("rtc_force_relay", Kind::Bool, "false",
        "Let WebRTC use nothing but TURN servers."),
];
