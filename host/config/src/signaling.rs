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
    /// What clients of the relay that is served must know; `None`: nothing.
    pub token: Option<Secret>,
    /// Sites whose pages may use it; `*` for all.
    pub origins: Vec<String>,
    /// The relay to whose peer the stream is offered, as it was written; `None`: to none.
    pub url: Option<String>,
    /// What that relay wants to be told; `None`: nothing.
    pub url_token: Option<Secret>,
    /// That peer controls the desktop; otherwise it looks on.
    pub controls: bool,
}

impl Config {
    /// The Socket.IO relay, and the host as a client of one.
    #[must_use]
    pub fn socketio(&self) -> SocketIo {
        let token = |name| match self.get(name).map(|resolved| &resolved.value) {
            Some(Value::Secret(token)) if !token.is_empty() => Some(token.clone()),
            _ => None,
        };
        let origins = self.text("socketio_origins").split(',').map(str::trim);
        SocketIo {
            enabled: self.bool("socketio_signaling"),
            token: token("socketio_token"),
            origins: origins.filter(|origin| !origin.is_empty()).map(str::to_owned).collect(),
            url: Some(self.text("socketio_url").trim().to_owned()).filter(|url| !url.is_empty()),
            url_token: token("socketio_url_token"),
            controls: self.choice("socketio_role") == "controller",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Loader;

    #[test]
    fn the_relay_that_is_served_and_the_one_that_is_used_have_their_own_secrets() {
        let config = Loader::new()
            .env([
                ("SELKIES_SOCKETIO_SIGNALING", "true"),
                ("SELKIES_SOCKETIO_TOKEN", "canary-own"),
                ("SELKIES_SOCKETIO_URL", "https://relay.example"),
            ])
            .load()
            .expect("a configuration");
        let own = config.socketio();
        assert_eq!(own.token.as_ref().map(|token| token.expose()), Some("canary-own"));
        assert_eq!(own.url_token, None, "nobody else is told the secret of this host");
        let other =
            Loader::new().env([("SELKIES_SOCKETIO_URL_TOKEN", "canary-other")]).load().expect("valid");
        let told = other.socketio();
        assert_eq!(
            (told.token, told.url_token.as_ref().map(|token| token.expose())),
            (None, Some("canary-other"))
        );
        assert!(!other.explain("socketio_url_token").expect("a setting").contains("canary"));
    }
}
