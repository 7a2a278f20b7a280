//! What the configuration says about Socket.IO signaling.

use crate::{
    config::Config,
    value::{Secret, Value},
};

/// The Socket.IO relay, and the host as a client of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIo {
    /// The host serves it on its own port.
    pub enabled: bool,
    /// What clients must know; `None`: nothing.
    pub token: Option<Secret>,
    /// Sites whose pages may use it; `*` for all.
    pub origins: Vec<String>,
    /// The relay to whose peer the stream is offered, as it was written; `None`: to none.
    pub url: Option<String>,
    /// That peer controls the desktop; otherwise it looks on.
    pub controls: bool,
}

impl Config {
    /// The Socket.IO relay, and the host as a client of one.
    #[must_use]
    pub fn socketio(&self) -> SocketIo {
        let token = match self.get("socketio_token").map(|resolved| &resolved.value) {
            Some(Value::Secret(token)) if !token.is_empty() => Some(token.clone()),
            _ => None,
        };
        let origins = self.text("socketio_origins").split(',').map(str::trim);
        SocketIo {
            enabled: self.bool("socketio_signaling"),
            token,
            origins: origins.filter(|origin| !origin.is_empty()).map(str::to_owned).collect(),
            url: Some(self.text("socketio_url").trim().to_owned()).filter(|url| !url.is_empty()),
            controls: self.choice("socketio_role") == "controller",
        }
    }
}
