//! Where log lines go: standard error, as text or JSON.

use selkies_config::{Config, LogFormat};
use tracing_subscriber::{EnvFilter, fmt};

/// Sends the log to standard error at the configured level. `RUST_LOG` overrides it for single modules.
pub(crate) fn start(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(config.log_level()));
    // Where nobody reads the log, its errors must not become panics.
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    match config.log_format() {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}

/// The configured level in the ABI's numbers.
pub(crate) fn abi_level(name: &str) -> u32 {
    match name {
        "error" => 1,
        "warn" => 2,
        "debug" => 4,
        "trace" => 5,
        _ => 3,
    }
}
