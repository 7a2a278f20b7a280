//! `turn-rest` and `turn-check`.

use std::{collections::BTreeSet, net::SocketAddr, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use selkies_config::{Config, RtcServers, TurnLogin};
use selkies_plugin_host::environment;
use selkies_server::TurnRestServer;
use selkies_turn::{
    Found, IceTarget, Roots, Transport, check,
    rest::{DEFAULT_TTL, Service, ServiceOptions},
};
use serde_json::{Value as Json, json};
use tracing::warn;

use crate::{
    commands,
    failure::{Failure, print},
    logging,
    rtc::{self, Told},
    serving,
};

/// The port of Selkies' service.
const PORT: u16 = 8008;
/// The variable with the key that clients of `turn-rest` must give.
const KEY_VARIABLE: &str = "TURN_API_KEY";
/// The variable that says how long credentials are good for, in seconds.
const TTL_VARIABLE: &str = "TURN_TTL";
/// A year: no credential is good for longer.
const MAX_TTL: u64 = 366 * 86_400;

/// The command lines.
pub(crate) fn commands() -> [Command; 2] {
    let rest = Command::new("turn-rest")
        .about("Give other hosts credentials of a TURN server (TURN REST)")
        .long_about(
            "Give other hosts credentials of a TURN server (TURN REST).\n\nTURN_SHARED_SECRET and TURN_HOST name the \
             server, TURN_PORT, TURN_PROTOCOL, TURN_TLS, STUN_HOST and STUN_PORT say more (or the settings of the same \
             names); TURN_TTL is the credentials' life in seconds. With TURN_API_KEY clients must give that key; without \
             one only this machine may ask, unless --listen says otherwise.",
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDR:PORT")
                .value_parser(value_parser!(SocketAddr))
                .help("Where to listen [default: 0.0.0.0:8008 with TURN_API_KEY, 127.0.0.1:8008 without]"),
        );
    let check = Command::new("turn-check")
        .about("Allocate on the TURN servers of every configured source and say what works")
        .arg(rtc::user_arg())
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("Try every TURN server without TLS by UDP and by TCP, whichever is configured"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"));
    [rest, check]
}

/// `turn-rest`.
///
/// # Errors
/// What keeps it from starting.
pub(crate) fn rest(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = commands::turn_rest_config(matches)?;
    logging::start(&config);
    let service = service(&config)?;
    let wants_key = service.wants_key();
    let usual = SocketAddr::from((if wants_key { [0, 0, 0, 0] } else { [127, 0, 0, 1] }, PORT));
    let listen = matches.get_one::<SocketAddr>("listen").copied().unwrap_or(usual);
    if !wants_key && !listen.ip().is_loopback() {
        warn!("whoever reaches {listen} gets credentials of the TURN server: {KEY_VARIABLE} is not set");
    }
    let server = TurnRestServer::bind(&[listen.ip().to_string()], listen.port(), service);
    let server = server.map_err(|error| error.to_string())?;
    let local = server.local().to_vec();
    serving::serve("TURN REST", &local, |stop| async move { server.run(stop.asked()).await })?;
    Ok(ExitCode::SUCCESS)
}

fn service(config: &Config) -> Result<Service, Failure> {
    let RtcServers { turn, stun, tcp, tls, .. } = config.rtc_servers();
    let secret = turn.as_ref().and_then(|turn| {
        turn.logins.iter().find_map(|login| match login {
            TurnLogin::SharedSecret(secret) => Some(secret.expose().to_owned()),
            TurnLogin::LongTerm { .. } => None,
        })
    });
    let (Some(turn), Some(secret)) = (turn, secret) else {
        return Err("CL061 turn-rest needs TURN_HOST and TURN_SHARED_SECRET; set both".into());
    };
    let text = |name| environment::trusted_variable(name).map(|value| value.to_string_lossy().into_owned());
    let ttl = match text(TTL_VARIABLE).filter(|text| !text.is_empty()).map(|text| text.parse::<u64>()) {
        None => DEFAULT_TTL,
        Some(Ok(ttl)) if (1..=MAX_TTL).contains(&ttl) => ttl,
        Some(_) => return Err(format!("CL062 {TTL_VARIABLE}: allowed 1 to {MAX_TTL} seconds").into()),
    };
    Ok(Service::new(ServiceOptions {
        secret,
        key: text(KEY_VARIABLE).unwrap_or_default(),
        turn: (turn.host, turn.port),
        tcp,
        tls,
        ttl,
        stun,
    }))
}

/// Credentials: username and password.
type Login = (String, String);

/// A server of an answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    url: String,
    login: Option<Login>,
}

/// `turn-check`: every server of every source, also of those behind the one that serves.
///
/// # Errors
/// When no source answers, and every mistake of the configuration.
pub(crate) fn check_servers(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (config, inventory) = commands::load(matches)?;
    let user = matches.get_one::<String>("user").map(String::as_str);
    let (wants_json, wants_all) = (matches.get_flag("json"), matches.get_flag("all"));
    let roots = Roots::of_system();
    let (mut works, mut refused, mut answered) = (true, false, false);
    let mut seen = BTreeSet::new();
    let mut reports = Vec::new();
    for Told { plugin, answer } in rtc::ask(&config, &inventory, user) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(refusal) => {
                rtc::complain(&format!("{plugin}: {}", refusal.text));
                reports.push(json!({ "source": plugin, "reason": refusal.text, "nothing": refusal.nothing }));
                refused = true;
                works &= refusal.nothing;
                continue;
            }
        };
        answered = true;
        let mut servers = Vec::new();
        for Candidate { url, login } in candidates(answer.json(), wants_all, &mut seen) {
            let login = login.as_ref().map(|(username, password)| (username.as_str(), password.as_str()));
            let found = match url.parse::<IceTarget>() {
                Ok(target) => check(&target, login, &roots).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            works &= found.is_ok();
            if wants_json {
                servers.push(report(&url, &found));
            } else {
                print(&format!("{} ({plugin})", line(&url, &found)))?;
            }
        }
        reports.push(json!({ "source": plugin, "servers": servers }));
    }
    if !answered {
        return Err(rtc::nothing(refused));
    }
    if wants_json {
        print(&format!("{:#}", json!({ "sources": reports })))?;
    }
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The servers of an answer that were not `seen` yet: each address once for each login.
fn candidates(json: &str, all: bool, seen: &mut BTreeSet<Candidate>) -> Vec<Candidate> {
    let json: Json = serde_json::from_str(json).unwrap_or_default();
    let mut found = Vec::new();
    for server in json["iceServers"].as_array().into_iter().flatten() {
        let text = |name: &str| server[name].as_str().map(str::to_owned);
        let login = text("username").zip(text("credential"));
        let urls = match &server["urls"] {
            Json::Array(urls) => urls.iter().filter_map(Json::as_str).collect(),
            url => url.as_str().into_iter().collect::<Vec<_>>(),
        };
        for url in urls {
            let others = if all { by_both(url) } else { Vec::new() };
            for url in std::iter::once(url.to_owned()).chain(others) {
                let candidate = Candidate { url, login: login.clone() };
                if seen.insert(candidate.clone()) {
                    found.push(candidate);
                }
            }
        }
    }
    found
}

/// A TURN server without TLS, by UDP and by TCP.
fn by_both(url: &str) -> Vec<String> {
    match url.parse::<IceTarget>() {
        Ok(target) if target.relays && target.transport != Transport::Tls => {
            let place = url.split_once('?').map_or(url, |(place, _)| place);
            ["udp", "tcp"].map(|transport| format!("{place}?transport={transport}")).into()
        }
        _ => Vec::new(),
    }
}

fn line(url: &str, found: &Result<Found, String>) -> String {
    match found {
        Ok(Found { own, relayed, took }) => {
            let relayed = relayed.map_or_else(String::new, |at| format!(" relays through {at},"));
            let own = own.map_or_else(String::new, |at| format!(" sees {at},"));
            format!("ok    {url}{relayed}{own} {} ms", took.as_millis())
        }
        Err(text) => format!("FAIL  {url} {text}"),
    }
}

fn report(url: &str, found: &Result<Found, String>) -> Json {
    match found {
        Ok(Found { own, relayed, took }) => {
            json!({ "url": url, "works": true, "relayed": relayed, "own": own, "ms": took.as_millis() as u64 })
        }
        Err(text) => json!({ "url": url, "works": false, "reason": text }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_checked_once_and_by_both_ways_when_asked() {
        let json = r#"{"iceServers":[{"urls":"stun:a"},{"urls":["turn:a:1?transport=udp","turn:a:1?transport=udp","turns:a"],
            "username":"u","credential":"c"}]}"#;
        let fresh = |all| candidates(json, all, &mut BTreeSet::new());
        let urls = |all| fresh(all).into_iter().map(|one| one.url).collect::<Vec<_>>();
        assert_eq!(urls(false), ["stun:a", "turn:a:1?transport=udp", "turns:a"]);
        assert_eq!(urls(true), ["stun:a", "turn:a:1?transport=udp", "turn:a:1?transport=tcp", "turns:a"]);
        assert!(fresh(false)[1].login.is_some() && fresh(false)[0].login.is_none());
    }

    #[test]
    fn what_another_source_names_is_checked_where_its_login_differs() {
        let of = |user: &str| {
            format!(
                r#"{{"iceServers":[{{"urls":"stun:a"}},{{"urls":"turn:a","username":"{user}","credential":"c"}}]}}"#
            )
        };
        let mut seen = BTreeSet::new();
        assert_eq!(candidates(&of("u"), false, &mut seen).len(), 2);
        let second: Vec<String> =
            candidates(&of("v"), false, &mut seen).into_iter().map(|one| one.url).collect();
        assert_eq!(second, ["turn:a"]);
        assert!(candidates(&of("v"), false, &mut seen).is_empty());
    }
}
