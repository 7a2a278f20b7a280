//! Every setting of the host, from one table.
//!
//! [`settings`] is that table. [`Loader`] reads the command line, the `SELKIES_*` variables, older variables and the
//! configuration file, in that order of precedence, and answers either a [`Config`] or every mistake in all of them.
//! [`Config::server_settings`] is what a browser is told, [`Config::sanitize`] judges what a browser asks for.
//! [`config_schema`] and [`docs_page`] are the JSON Schema and the documentation made from the same table.
//!
//! ```
//! use selkies_config::{Loader, Source};
//!
//! let config = Loader::new().env([("SELKIES_FRAMERATE", "30-60"), ("CUSTOM_WS_PORT", "8888")]).load()?;
//! assert_eq!(config.port(), 8888);
//! assert_eq!(config.stream_defaults().framerate, 60);
//! assert_eq!(config.get("port").map(|port| &port.source), Some(&Source::Legacy("CUSTOM_WS_PORT".into())));
//!
//! let errors = Loader::new().env([("SELKIES_FRAMERATE", "60-30")]).load().unwrap_err();
//! assert!(errors.to_string().starts_with("SC006 SELKIES_FRAMERATE: found \"60-30\", allowed "));
//! # Ok::<(), selkies_config::ConfigErrors>(())
//! ```

#![forbid(unsafe_code)]

mod access;
mod check;
mod cli;
mod client;
mod clipboard;
mod config;
mod docs;
mod error;
mod exchange;
mod explain;
mod file;
mod loader;
mod parse;
mod place;
mod plugins;
mod position;
mod resolve;
mod rtc;
mod schema;
mod signaling;
mod sound;
mod stream;
mod table;
mod value;
mod wire;

pub use cli::args;
pub use client::{ClientError, ClientSettings, DisplayId, MAX_CLIENT_BYTES};
pub use clipboard::ClipboardRules;
pub use config::{BasicAuth, Config, GamepadSettings, LogFormat, Sharing};
pub use docs::docs_page;
pub use error::{Code, ConfigError, ConfigErrors, Origin, Remedy};
pub use exchange::{CommandLines, FileTransfers, secret_variables};
pub use file::{AudioSection, ConfigFile, EncoderUse, Isolation, Placement, PluginUse, PluginsSection};
pub use loader::{Loader, MAX_FILE_BYTES};
pub use parse::{MAX_TEXT_BYTES, encoder_wire_name};
pub use plugins::{KeySource, KnownPlugin, PluginRules};
pub use resolve::{Inactive, Layer, Resolved, Source};
pub use rtc::{CloudflareTurn, RtcServers, TurnLogin, TurnRest, TurnServer};
pub use schema::config_schema;
pub use signaling::SocketIo;
pub use sound::SoundSettings;
pub use stream::{Sanitized, StreamSettings};
pub use table::{Activity, Changer, Kind, Section, Setting, find, settings};
pub use value::{Secret, Value};
