//! Where ICE servers come from: the file's list of plugins, or what the settings name, in Selkies' order.

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use selkies_config::{Config, PluginUse, RtcServers, TurnLogin};
use selkies_media::{RtcOptions, RtcRefusal, fetch_once};
use selkies_plugin_host::{HostServices, Inventory, SlabPool};
use selkies_session::rtc::RtcAnswer;
use serde_json::{Value as Json, json};

use crate::{
    commands, defaults,
    failure::{Failure, print},
    logging, stage,
};

/// The command line of `rtc-config`.
pub(crate) fn command() -> Command {
    Command::new("rtc-config")
        .about("Look at the STUN and TURN servers that browsers are told of")
        .subcommand_required(true)
        .subcommand(
            Command::new("show")
                .about("Ask the configured sources and print what a browser would get, credentials included")
                .arg(user_arg())
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print only the JSON")),
        )
}

/// `--user`.
pub(crate) fn user_arg() -> Arg {
    Arg::new("user").long("user").value_name("NAME").help("For whom credentials are asked")
}

/// The plugins that are asked, in order.
pub(crate) fn sources(config: &Config) -> Vec<PluginUse> {
    let named = &config.file().rtc_config;
    if named.is_empty() { of_settings(&config.rtc_servers()) } else { named.clone() }
}

/// What every source is asked for.
pub(crate) fn options(config: &Config) -> RtcOptions {
    let RtcServers { user, tcp, tls, force_relay, .. } = config.rtc_servers();
    RtcOptions { user, tcp, tls, force_relay, in_use: config.uses_webrtc() }
}

/// Selkies' order: Cloudflare, the file, TURN REST, user and password, the shared secret, STUN alone.
fn of_settings(servers: &RtcServers) -> Vec<PluginUse> {
    let mut found = Vec::new();
    let mut add = |plugin: &str, config: Json| {
        let config = config.as_object().cloned().unwrap_or_default();
        found.push(PluginUse { plugin: plugin.to_owned(), config });
    };
    if let Some(cloudflare) = &servers.cloudflare {
        let token = cloudflare.api_token.expose();
        add(defaults::CLOUDFLARE_PLUGIN, json!({ "token_id": cloudflare.token_id, "api_token": token }));
    }
    if let Some(path) = &servers.file {
        add(defaults::RTC_FILE_PLUGIN, json!({ "path": path }));
    }
    if let Some(rest) = &servers.rest {
        let [user, protocol, tls] = &rest.headers;
        add(
            defaults::TURN_REST_PLUGIN,
            json!({ "uri": rest.uri, "api_key": rest.api_key.expose(), "username": servers.user,
                "user_header": user, "protocol_header": protocol, "tls_header": tls }),
        );
    }
    let named = servers.stun.as_ref().map(|(host, port)| stun_url(host, *port));
    if let Some(turn) = &servers.turn {
        let own = (!servers.tls && !servers.no_stun).then(|| stun_url(&turn.host, turn.port));
        let stun: Vec<String> = named.iter().cloned().chain(own).collect();
        for login in &turn.logins {
            let mut config = json!({ "host": turn.host, "port": turn.port, "stun": stun });
            let plugin = match login {
                TurnLogin::LongTerm { username, password } => {
                    config["username"] = username.as_str().into();
                    config["password"] = password.expose().into();
                    defaults::TURN_LONGTERM_PLUGIN
                }
                TurnLogin::SharedSecret(secret) => {
                    config["secret"] = secret.expose().into();
                    defaults::TURN_SECRET_PLUGIN
                }
            };
            add(plugin, config);
        }
        if !stun.is_empty() {
            add(defaults::STUN_PLUGIN, json!({ "urls": stun }));
        }
    } else if let Some(url) = named {
        add(defaults::STUN_PLUGIN, json!({ "urls": [url] }));
    }
    found
}

fn stun_url(host: &str, port: u16) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("stun:[{host}]:{port}")
    } else {
        format!("stun:{host}:{port}")
    }
}

/// What a source said.
pub(crate) struct Told {
    pub(crate) plugin: String,
    pub(crate) answer: Result<RtcAnswer, RtcRefusal>,
}

/// Asks the sources in order, each when it is taken. Tells of settings without effect on standard error.
pub(crate) fn ask(
    config: &Config,
    inventory: &Inventory,
    user: Option<&str>,
) -> impl Iterator<Item = Told> + use<> {
    for line in config.rtc_servers().warnings {
        complain(&format!("note: {line}"));
    }
    let services = HostServices::new(SlabPool::default());
    services.set_log_level(logging::abi_level(config.log_level()));
    let options = options(config);
    let user = user.unwrap_or(&options.user).to_owned();
    let backends = stage::rtc_sources(config, inventory, &services);
    sources(config).into_iter().zip(backends).map(move |(PluginUse { plugin, .. }, backend)| {
        let answer = match backend {
            Ok(backend) => fetch_once(&backend, &services, &options, &user),
            Err(text) => Err(RtcRefusal { text, nothing: false }),
        };
        Told { plugin, answer }
    })
}

/// `rtc-config ...`.
///
/// # Errors
/// When no source answers, and every mistake of the configuration.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let Some(("show", matches)) = matches.subcommand() else { return Ok(ExitCode::FAILURE) };
    let (config, inventory) = commands::load(matches)?;
    let user = matches.get_one::<String>("user").map(String::as_str);
    let mut refused = false;
    for Told { plugin, answer } in ask(&config, &inventory, user) {
        match answer {
            Ok(answer) => {
                let is_bare = matches.get_flag("json");
                print(&if is_bare { answer.json().to_string() } else { shown(&plugin, &answer) })?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(refusal) => {
                refused = true;
                complain(&format!("{plugin}: {}", refusal.text));
            }
        }
    }
    Err(nothing(refused))
}

/// A line on standard error; where that is closed, the rest still counts.
pub(crate) fn complain(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The failure when no source has an answer; `refused`: one of them said why.
pub(crate) fn nothing(refused: bool) -> Failure {
    let why = if refused { "see above" } else { "none is configured" };
    Failure::Other(format!(
        "CL060 no source of ICE servers has an answer ({why}); set turn_host, turn_rest_uri, rtc_config_json or stun_host"
    ))
}

fn shown(plugin: &str, answer: &RtcAnswer) -> String {
    let json: Json = serde_json::from_str(answer.json()).unwrap_or_default();
    let mut lines = vec![format!("from {plugin}")];
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if let Some(lifetime) = answer.lifetime_at(wall) {
        lines.push(format!("good for {} s", lifetime.as_secs()));
    }
    lines.push(format!("policy {}", json["iceTransportPolicy"].as_str().unwrap_or("all")));
    for server in json["iceServers"].as_array().into_iter().flatten() {
        let urls = match &server["urls"] {
            Json::Array(urls) => urls.clone(),
            url => vec![url.clone()],
        };
        lines.extend(urls.iter().filter_map(Json::as_str).map(plain));
        for (name, key) in [("username", "username"), ("password", "credential")] {
            if let Some(text) = server[key].as_str() {
                lines.push(format!("  {name} {}", plain(text)));
            }
        }
    }
    lines.join("\n")
}

/// Text of others without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use selkies_config::Loader;

    use super::*;

    fn plugins(variables: &[(&str, &str)]) -> Vec<(String, Json)> {
        let config = Loader::new().env(variables.iter().copied()).load().expect("a configuration");
        let uses = sources(&config).into_iter();
        uses.map(|used| (used.plugin, Json::Object(used.config))).collect()
    }

    #[test]
    fn the_order_is_that_of_selkies() {
        let all = plugins(&[
            ("SELKIES_ENABLE_CLOUDFLARE_TURN", "true"),
            ("SELKIES_CLOUDFLARE_TURN_TOKEN_ID", "id"),
            ("SELKIES_CLOUDFLARE_TURN_API_TOKEN", "t"),
            ("SELKIES_TURN_REST_URI", "http://r/"),
            ("TURN_HOST", "relay"),
            ("TURN_USERNAME", "u"),
            ("TURN_PASSWORD", "p"),
            ("TURN_SHARED_SECRET", "s"),
        ]);
        let ids: Vec<&str> = all.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "selkies.cloudflare-turn",
                "selkies.static-rtc",
                "selkies.coturn-rest",
                "selkies.turn-longterm",
                "selkies.turn-hmac",
                "selkies.stun-list"
            ]
        );
        assert_eq!(
            all[4].1,
            json!({ "host": "relay", "port": 3478, "stun": ["stun:relay:3478"], "secret": "s" })
        );
    }

    #[test]
    fn stun_is_asked_of_whom_the_operator_named() {
        let last = |variables: &[(&str, &str)]| plugins(variables).pop().expect("a source");
        assert_eq!(last(&[]).1, json!({ "urls": ["stun:stun.l.google.com:19302"] }));
        assert_eq!(last(&[("TURN_HOST", "::1")]).1, json!({ "urls": ["stun:[::1]:3478"] }));
        let both = [("TURN_HOST", "relay"), ("STUN_HOST", "mine"), ("STUN_PORT", "1")];
        assert_eq!(last(&both).1, json!({ "urls": ["stun:mine:1", "stun:relay:3478"] }));
        assert_eq!(plugins(&[("STUN_HOST", "none"), ("RTC_CONFIG_JSON", "none")]), []);
        let secret = [
            ("STUN_HOST", "none"),
            ("RTC_CONFIG_JSON", "none"),
            ("TURN_HOST", "a"),
            ("TURN_SHARED_SECRET", "s"),
        ];
        assert_eq!(plugins(&secret)[0].1["stun"], json!([]));
    }
}
