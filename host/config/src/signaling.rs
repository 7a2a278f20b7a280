//! What the configuration says about Socket.IO signaling.

use crate::{
    config::Config,
    value::{Secret, Value},
};

/// The Socket.IO relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIo {
    /// The host serves it on its own port.
    pub enabled: bool,
    /// What clients must know; `None`: nothing.
    pub token: Option<Secret>,
    /// Sites whose pages may use it; `*` for all.
    pub origins: Vec<String>,
}

impl Config {
    /// The Socket.IO relay.
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
        }
    }
}
