//! Rows about Socket.IO signaling. Selkies has none of these; the names are ours.

use super::{Kind, Section, Setting, row};

const ROLES: Kind = Kind::Choice { allowed: &["viewer", "controller"], span: None };

/// See the module. Kept as a table: one row is one setting.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    row("socketio_signaling", Kind::Bool, "false", Section::Server,
        "Relay WebRTC signaling between Socket.IO clients at /socket.io/ on the host's port.").hidden(),
    row("socketio_token", Kind::Secret, "", Section::Server,
        "Secret that clients of this host's Socket.IO relay must know; empty for none.").hidden(),
    row("socketio_origins", Kind::Text, "", Section::Server,
        "Sites whose pages may use the Socket.IO relay without a token, comma-separated, as https://gcom.example; * for all.").hidden(),
    row("socketio_url", Kind::Text, "", Section::Server,
        "Socket.IO relay to whose peer the host offers its stream over WebRTC, as http://HOST:PORT; empty for none.").hidden(),
    row("socketio_url_token", Kind::Secret, "", Section::Server,
        "Secret that the relay at socketio_url wants; empty for none.").hidden(),
    row("socketio_role", ROLES, "viewer", Section::Server,
        "What the peer behind socketio_url may do; a controller needs no password.").hidden(),
];
