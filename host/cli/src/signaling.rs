//! `signaling`: the Socket.IO relay by itself; the relay inside the host; and the host as the client of one.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use selkies_config::{Config, Source};
use selkies_server::{Origins, SignalingOptions, SignalingServer};
use selkies_signaling::{NodeOptions, NodeRole, RelayOptions, RelayUrl, Token};
use tracing::warn;

use crate::{commands, failure::Failure, logging, serving};

/// The port where nothing else is said.
const PORT: u16 = 8080;

/// The subcommand. Its settings are the host's: `--port`, `--addr`, `--socketio-token`, `--log-level`...
pub(crate) fn command() -> Command {
    Command::new("signaling")
        .about("Relay WebRTC signaling between Socket.IO clients, without streaming anything")
        .long_about(
            "Relay WebRTC signaling between Socket.IO clients, without streaming anything.\n\nIt listens on --addr and \
             on port 8080, or on the --port of the command line. Where other machines can connect, --socketio-token is \
             needed, or --allow-unauthenticated. --socketio-origins names sites whose pages may use it. / answers \
             health checks.",
        )
}

/// Runs the relay until a signal.
///
/// # Errors
/// What kept it from starting.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = commands::relay_config(matches)?;
    logging::start(&config);
    let given = config.get("port").is_some_and(|port| matches!(port.source, Source::Cli(_)));
    let server = SignalingServer::bind(SignalingOptions {
        addresses: config.addr().map(str::to_owned).collect(),
        port: if given { config.port() } else { PORT },
        relay: relay_options(&config),
        origins: origins(&config),
        any_host: config.allow_unauthenticated(),
    })
    .map_err(|error| error.to_string())?;
    if config.socketio().token.is_none() {
        warn!("the relay asks nobody for a token: whoever can connect hears all signals; set socketio_token");
    }
    let local = server.local().to_vec();
    serving::serve("signaling", &local, |stop| async move { server.run(stop.asked()).await })?;
    Ok(ExitCode::SUCCESS)
}

/// How the configured relay behaves.
pub(crate) fn relay_options(config: &Config) -> RelayOptions {
    let token = config.socketio().token.map(|token| Token::new(token.expose()));
    RelayOptions { token, ..RelayOptions::default() }
}

/// Pages of which sites may use the configured relay.
pub(crate) fn origins(config: &Config) -> Origins {
    Origins { allowed: config.socketio().origins }
}

/// The relay to whose peer the stream is offered, if one is configured.
///
/// # Errors
/// When its address is none, or the stream cannot be offered.
pub(crate) fn node_options(config: &Config) -> Result<Option<NodeOptions>, Failure> {
    let told = config.socketio();
    let Some(url) = told.url else { return Ok(None) };
    let url = RelayUrl::parse(&url).map_err(|error| format!("CL070 socketio_url: {error}"))?;
    if !config.uses_webrtc() {
        return Err("CL071 socketio_url: the peer behind the relay needs WebRTC; add --mode webrtc or --enable-dual-mode".into());
    }
    let role = if told.controls { NodeRole::Controller } else { NodeRole::Viewer };
    Ok(Some(NodeOptions { url, token: told.url_token.map(|token| token.expose().to_owned()), role }))
}
