//! What the settings say about STUN and TURN servers.

use std::path::{Path, PathBuf};

use crate::{
    config::Config,
    value::{Secret, Value},
};

/// The word that stands for no server and no file.
const NONE: &str = "none";

/// Credentials at a TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnLogin {
    /// User and password that stay.
    LongTerm {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// Made of a secret.
    SharedSecret(Secret),
}

/// A TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Every way to log in that was given, long-term credentials first; empty: it is good for STUN only.
    pub logins: Vec<TurnLogin>,
}

/// A TURN REST service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRest {
    /// Its address.
    pub uri: String,
    /// The key that it wants, or nothing.
    pub api_key: Secret,
    /// Headers for user, protocol and TLS.
    pub headers: [String; 3],
}

/// A TURN key at Cloudflare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudflareTurn {
    /// Its id.
    pub token_id: String,
    /// Its token.
    pub api_token: Secret,
}

/// What the settings say about STUN and TURN servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcServers {
    /// The TURN key at Cloudflare.
    pub cloudflare: Option<CloudflareTurn>,
    /// The file with a configuration.
    pub file: Option<PathBuf>,
    /// The TURN REST service.
    pub rest: Option<TurnRest>,
    /// The TURN server.
    pub turn: Option<TurnServer>,
    /// The STUN server: host and port. `None`: none is wanted, or those of one's own are enough.
    pub stun: Option<(String, u16)>,
    /// No STUN at all, not even the TURN server's.
    pub no_stun: bool,
    /// TURN servers are reached by TCP.
    pub tcp: bool,
    /// TURN servers are reached by TLS.
    pub tls: bool,
    /// For whom credentials are when nobody is named.
    pub user: String,
    /// Nothing but TURN servers may be used.
    pub force_relay: bool,
    /// Settings without effect, a line each.
    pub warnings: Vec<&'static str>,
}

impl Config {
    /// WebRTC is served: it is the mode, or pages may choose.
    #[must_use]
    pub fn uses_webrtc(&self) -> bool {
        self.mode() == "webrtc" || self.enable_dual_mode()
    }

    /// What the settings say about STUN and TURN servers.
    #[must_use]
    pub fn rtc_servers(&self) -> RtcServers {
        let mut warnings = Vec::new();
        let cloudflare = CloudflareTurn {
            token_id: self.text("cloudflare_turn_token_id").into(),
            api_token: self.secret("cloudflare_turn_api_token"),
        };
        let has_cloudflare = !cloudflare.token_id.is_empty() && !cloudflare.api_token.is_empty();
        let wants_cloudflare = self.bool("enable_cloudflare_turn");
        if wants_cloudflare && !has_cloudflare {
            warnings
                .push("enable_cloudflare_turn does nothing without cloudflare_turn_token_id and _api_token");
        }
        let turn = self.turn_server();
        if turn.as_ref().is_some_and(|turn| turn.logins.is_empty()) {
            warnings.push(
                "turn_host is used for STUN only: neither turn_shared_secret nor turn_username and turn_password are set",
            );
        }
        let rest = self.named("turn_rest_uri").map(|uri| TurnRest {
            uri: uri.into(),
            api_key: self.secret("turn_rest_api_key"),
            headers: ["turn_rest_username_auth_header", "turn_rest_protocol_header", "turn_rest_tls_header"]
                .map(|name| self.text(name).to_owned()),
        });
        let cloudflare = Some(cloudflare).filter(|_| wants_cloudflare && has_cloudflare);
        let has_own = turn.is_some() || rest.is_some() || cloudflare.is_some();
        let is_named = self.get("stun_host").is_some_and(|resolved| resolved.is_explicit());
        let stun = self.named("stun_host").filter(|_| is_named || !has_own);
        RtcServers {
            file: self.named("rtc_config_json").map(PathBuf::from),
            stun: stun.map(|host| (host.to_owned(), self.port_of("stun_port"))),
            no_stun: self.named("stun_host").is_none(),
            tcp: self.choice("turn_protocol") == "tcp",
            tls: self.bool("turn_tls"),
            user: self.named("turn_rest_username").map_or_else(machine_user, str::to_owned),
            force_relay: self.bool("rtc_force_relay"),
            cloudflare,
            rest,
            turn,
            warnings,
        }
    }

    fn turn_server(&self) -> Option<TurnServer> {
        let host = self.named("turn_host")?;
        let (username, password) = (self.text("turn_username"), self.secret("turn_password"));
        let long_term = (!username.is_empty() && !password.is_empty())
            .then(|| TurnLogin::LongTerm { username: username.into(), password });
        let secret = Some(self.secret("turn_shared_secret")).filter(|secret| !secret.is_empty());
        let logins = long_term.into_iter().chain(secret.map(TurnLogin::SharedSecret)).collect();
        Some(TurnServer { host: host.into(), port: self.port_of("turn_port"), logins })
    }

    /// A text that names something.
    fn named(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case(NONE))
    }

    fn secret(&self, name: &str) -> Secret {
        match self.get(name).map(|resolved| &resolved.value) {
            Some(Value::Secret(secret)) => secret.clone(),
            _ => Secret::default(),
        }
    }

    fn port_of(&self, name: &str) -> u16 {
        u16::try_from(self.int(name)).unwrap_or_default()
    }
}

/// As Selkies names a host at a TURN REST service.
fn machine_user() -> String {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    match name.trim() {
        "" => "selkies".into(),
        name => format!("selkies-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loader;

    fn servers(variables: &[(&str, &str)]) -> RtcServers {
        Loader::new().env(variables.iter().copied()).load().expect("a configuration").rtc_servers()
    }

    #[test]
    fn nobody_is_asked_to_relay_unless_somebody_is_named() {
        let found = servers(&[]);
        assert_eq!((found.cloudflare, found.rest, found.turn), (None, None, None));
        assert_eq!(found.file, Some("/tmp/rtc.json".into()));
        assert_eq!(found.stun, Some(("stun.l.google.com".into(), 19302)));
        assert!(!found.tcp && !found.tls && !found.force_relay && found.user.starts_with("selkies"));
        let found = servers(&[("SELKIES_STUN_HOST", "none"), ("RTC_CONFIG_JSON", "none")]);
        assert_eq!((found.stun, found.file, found.no_stun), (None, None, true));
    }

    #[test]
    fn who_has_servers_of_his_own_asks_no_others() {
        let own = [("TURN_HOST", "relay"), ("SELKIES_TURN_REST_URI", "http://a/")];
        for variable in &own {
            assert_eq!(servers(&[*variable]).stun, None, "{variable:?}");
        }
        let found = servers(&[("TURN_HOST", "relay"), ("STUN_HOST", "mine"), ("STUN_PORT", "1")]);
        assert_eq!(found.stun, Some(("mine".into(), 1)));
    }

    #[test]
    fn older_names_are_read_and_newer_ones_win() {
        let older = [
            ("TURN_HOST", "old"),
            ("TURN_PORT", "443"),
            ("TURN_PROTOCOL", "tcp"),
            ("TURN_TLS", "true"),
            ("TURN_SHARED_SECRET", "north"),
            ("TURN_USERNAME", "u"),
            ("TURN_PASSWORD", "p"),
        ];
        let found = servers(&older);
        let turn = found.turn.expect("a server");
        assert_eq!((turn.host.as_str(), turn.port, found.tcp, found.tls), ("old", 443, true, true));
        let password = Secret::new("p".into());
        let long_term = TurnLogin::LongTerm { username: "u".into(), password };
        assert_eq!(turn.logins, [long_term, TurnLogin::SharedSecret(Secret::new("north".into()))]);
        let both = [&older[..], &[("SELKIES_TURN_HOST", "new")]].concat();
        assert_eq!(servers(&both).turn.map(|turn| turn.host), Some("new".into()));
        let command = clap::Command::new("x").args(crate::args());
        let flags = ["x", "--turn_host=flag", "--turn_shared_secret=s", "--turn_rest_uri=http://r/"];
        let config = Loader::new().env(older).cli(&command.get_matches_from(flags)).load().expect("valid");
        let found = config.rtc_servers();
        assert_eq!(found.turn.map(|turn| turn.host), Some("flag".into()));
        assert_eq!(found.rest.map(|rest| rest.uri), Some("http://r/".into()));
    }

    #[test]
    fn half_of_what_is_needed_is_told() {
        let found = servers(&[("TURN_HOST", "relay"), ("SELKIES_TURN_USERNAME", "u")]);
        assert_eq!(found.turn.map(|turn| turn.logins), Some(Vec::new()));
        assert_eq!(found.warnings.len(), 1);
        let found = servers(&[("SELKIES_ENABLE_CLOUDFLARE_TURN", "true")]);
        assert_eq!((found.cloudflare, found.warnings.len()), (None, 1));
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_showing_it() {
        const CANARY: &str = "canary-91e0";
        let address = format!("https://user:{CANARY}@rest.example/?x");
        let refused = Loader::new().env([("SELKIES_TURN_REST_URI", address.as_str())]).load();
        let said = refused.expect_err("a password").to_string();
        assert!(said.contains("turn_rest_api_key") && !said.contains(CANARY), "{said}");
        assert!(servers(&[("TURN_REST_URI", "https://rest.example/a@b")]).rest.is_some());
        // The older variable may be another program's: it is passed over where a newer one is given, and is not shown either.
        let both = [("SELKIES_TURN_REST_URI", "https://rest.example/"), ("TURN_REST_URI", address.as_str())];
        let config = Loader::new().env(both).load().expect("valid");
        let explained = config.explain("turn_rest_uri").expect("a setting");
        assert!(!explained.contains(CANARY) && explained.contains("***"), "{explained}");
    }

    #[test]
    fn secrets_are_never_shown() {
        const CANARY: &str = "canary-2b9d";
        let names = ["TURN_PASSWORD", "TURN_SHARED_SECRET", "TURN_REST_API_KEY", "CLOUDFLARE_TURN_API_TOKEN"];
        let variables: Vec<(String, &str)> = names.map(|name| (format!("SELKIES_{name}"), CANARY)).into();
        let more = [("TURN_HOST".to_owned(), "h"), ("SELKIES_TURN_USERNAME".to_owned(), "u")];
        let config = Loader::new().env(variables.into_iter().chain(more)).load().expect("valid");
        let shown = format!("{config:?} {:?} {}", config.rtc_servers(), config.server_settings());
        assert!(!shown.contains(CANARY));
        for name in names {
            let explained = config.explain(name).expect("a setting");
            assert!(!explained.contains(CANARY) && explained.contains("***"), "{explained}");
        }
    }
}
