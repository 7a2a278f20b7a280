//! Reads all layers into a [`Config`].

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::ArgMatches;

use crate::{
    check::{Document, MAX_ERRORS},
    cli,
    config::Config,
    error::{Code, ConfigError, ConfigErrors, Origin},
    file::{ConfigFile, MAX_ENCODERS},
    parse::{shown, text_of},
    position::Part,
    resolve::{Given, Resolved, Source, env_names, resolve},
    stream::MANUAL_SIZE,
    table::{Kind, Setting, find_exact, settings},
    value::Value,
};

/// Longest configuration file, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Collects the layers, then reads them at once. Each layer may be left out.
#[derive(Clone, Default)]
pub struct Loader {
    flags: Vec<(&'static str, String)>,
    env: BTreeMap<String, OsString>,
    flag_file: Option<PathBuf>,
    file: Option<PathBuf>,
}

impl Loader {
    /// Nothing but the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what the arguments of [`args`](crate::args) were given, `--config` included.
    #[must_use]
    pub fn cli(mut self, matches: &ArgMatches) -> Self {
        let (flags, file) = cli::given(matches);
        self.flags = flags;
        self.flag_file = file.map(PathBuf::from);
        self
    }

    /// Takes the variables, such as those of [`std::env::vars_os`]. `SELKIES_CONFIG` names the file unless a flag does.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        // A name that is no UTF-8 is nobody's of ours.
        self.env = variables
            .filter_map(|(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value)))
            .collect();
        self
    }

    /// Reads this file, whatever flag and variable say.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Reads everything. The plugins' own schemas are judged later, by
    /// [`Config::check_plugins`](crate::Config::check_plugins), because this file says where plugins are.
    ///
    /// # Errors
    /// Every mistake in every layer. A value in a layer that loses is judged too, unless it is an older variable's.
    pub fn load(self) -> Result<Config, ConfigErrors> {
        let mut errors = Vec::new();
        let document = self.read_file(&mut errors);
        let mut file = ConfigFile::default();
        if let Some(document) = &document {
            let (parsed, mistakes) = document.parse();
            errors.extend(mistakes);
            file = parsed;
            errors.extend(unknown_settings(document, &file));
        }
        let encoders: Vec<String> =
            file.encoders.iter().take(MAX_ENCODERS).map(|encoder| encoder.name.clone()).collect();
        let mut values = Vec::new();
        for setting in settings() {
            let extra: &[String] = if setting.name == "encoder" { &encoders } else { &[] };
            let given = self.given(setting, extra, &file, document.as_ref(), &mut errors);
            values.extend(resolve(setting, given, extra, &mut errors));
        }
        lock_manual_resolution(&mut values);
        if errors.is_empty() {
            errors.extend(exposure(&values));
        }
        errors.sort_by_key(ConfigError::place);
        ConfigErrors::check(errors)?;
        let known: Vec<String> = settings().flat_map(env_names).collect();
        let unknown_env =
            self.env.keys().filter(|name| name.starts_with("SELKIES_") && *name != "SELKIES_CONFIG");
        let unknown_env = unknown_env.filter(|name| !known.contains(name)).cloned().collect();
        Ok(Config::new(values, file, document, unknown_env))
    }

    fn read_file(&self, errors: &mut Vec<ConfigError>) -> Option<Document> {
        let variable = self.env.get("SELKIES_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let path = self.file.clone().or_else(|| self.flag_file.clone()).or(variable)?;
        match read(&path) {
            Ok(text) => Some(Document { path, text }),
            Err(error) => {
                errors.push(error);
                None
            }
        }
    }

    /// The values that were given for a setting, the strongest first.
    fn given(
        &self,
        setting: &'static Setting,
        extra: &[String],
        file: &ConfigFile,
        document: Option<&Document>,
        errors: &mut Vec<ConfigError>,
    ) -> Vec<Given> {
        let mut given = Vec::new();
        if let Some((_, text)) = self.flags.iter().find(|(name, _)| *name == setting.name) {
            let flag = setting.flag();
            given.push(Given {
                source: Source::Cli(flag.clone()),
                origin: Origin::Flag(flag),
                text: Ok(text.clone()),
            });
        }
        let own = env_names(setting).map(|name| (name.clone(), Source::Env(name)));
        let legacy =
            setting.legacy_env.iter().map(|name| (name.to_string(), Source::Legacy(name.to_string())));
        for (name, source) in own.chain(legacy) {
            let Some(value) = self.env.get(&name) else { continue };
            match value.to_str() {
                // Containers pass empty variables on for unset ones. Only a list means something by it.
                Some("") if !matches!(setting.kind, Kind::List { .. }) => {}
                Some(text) => given.push(Given { source, origin: Origin::Env(name), text: Ok(text.into()) }),
                None if matches!(source, Source::Legacy(_)) && !given.is_empty() => {}
                None => errors.push(ConfigError {
                    code: Code::NotUtf8,
                    origin: Origin::Env(name),
                    found: "bytes that are no UTF-8".into(),
                    allowed: "UTF-8 text".into(),
                }),
            }
        }
        if let Some(document) = document {
            let mut in_file = setting.names().filter_map(|name| Some((name, file.settings.0.get(name)?)));
            if let Some((name, json)) = in_file.next() {
                let origin = document.origin(&format!("/settings/{name}"), Part::Value);
                let source = match &origin {
                    Origin::File { path, line, column, .. } => {
                        Source::File { path: path.clone(), line: *line, column: *column }
                    }
                    _ => Source::Default,
                };
                given.push(Given { source, origin, text: text_of(setting, json, extra) });
                errors.extend(in_file.map(|(other, _)| ConfigError {
                    code: Code::Duplicate,
                    origin: document.origin(&format!("/settings/{other}"), Part::Key),
                    found: format!("{other:?} beside {name:?}, which is the same setting"),
                    allowed: "one of them".into(),
                }));
            }
        }
        given
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let error = |code, found: String, allowed: String| ConfigError {
        code,
        origin: Origin::WholeFile(path.to_owned()),
        found,
        allowed,
    };
    let unreadable = |reason: std::io::Error| {
        error(
            Code::Unreadable,
            format!("no readable file ({reason})"),
            "a file that this user may read".into(),
        )
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(error(Code::TooLarge, "a larger file".into(), format!("{MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|wrong| {
        let at = wrong.utf8_error().valid_up_to();
        error(Code::NotUtf8, format!("a byte at {at} that is no UTF-8"), "UTF-8 text".into())
    })
}

fn unknown_settings(document: &Document, file: &ConfigFile) -> Vec<ConfigError> {
    let known: Vec<&str> = settings().flat_map(Setting::names).collect();
    let unknown = file.settings.0.keys().filter(|name| find_exact(name).is_none());
    unknown.take(MAX_ERRORS).map(|name| document.unknown_key("/settings", name, &known)).collect()
}

/// A width, a height or the mode forces the mode, locks it, and fills in the size that is missing (seed rule).
fn lock_manual_resolution(values: &mut [Resolved]) {
    let number = |values: &[Resolved], name: &str| {
        let resolved = values.iter().find(|resolved| resolved.setting.name == name)?;
        match &resolved.value {
            Value::Int(number) if *number > 0 => Some((*number, resolved.source.clone())),
            _ => None,
        }
    };
    let (width, height) = (number(values, "manual_width"), number(values, "manual_height"));
    let mut forced_by = width.clone().or(height.clone()).map(|(_, source)| source);
    for resolved in values.iter_mut() {
        if resolved.setting.name == "is_manual_resolution_mode" {
            match &mut resolved.value {
                Value::Bool { on, locked } if *on || forced_by.is_some() => {
                    *locked = true;
                    if !*on {
                        *on = true;
                        resolved.source = forced_by.clone().unwrap_or(Source::Default);
                    }
                    forced_by = Some(resolved.source.clone());
                }
                _ => return,
            }
        }
    }
    let sizes = [("manual_width", width, MANUAL_SIZE.0), ("manual_height", height, MANUAL_SIZE.1)];
    for (name, given, missing) in sizes {
        if let Some(resolved) = values.iter_mut().find(|resolved| resolved.setting.name == name) {
            resolved.value = Value::Int(given.map_or(missing, |(number, _)| number));
        }
    }
}

/// Other machines may connect only with a password, or when the operator says that none is needed.
fn exposure(values: &[Resolved]) -> Option<ConfigError> {
    let value = |name: &str| values.iter().find(|resolved| resolved.setting.name == name);
    let is_on = |name| matches!(value(name).map(|r| &r.value), Some(Value::Bool { on: true, .. }));
    let has_password = matches!(
        value("basic_auth_password").map(|r| &r.value),
        Some(Value::Secret(password)) if !password.is_empty()
    );
    let addr = value("addr")?;
    let Value::Text(text) = &addr.value else { return None };
    let is_loopback = |name: &str| {
        let name = name.trim();
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        name == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let is_safe = text.split(',').all(is_loopback) || is_on("allow_unauthenticated");
    if is_safe || (is_on("enable_basic_auth") && has_password) {
        return None;
    }
    Some(ConfigError {
        code: Code::Exposed,
        origin: match &addr.source {
            Source::Cli(flag) => Origin::Flag(flag.clone()),
            Source::Env(name) | Source::Legacy(name) => Origin::Env(name.clone()),
            Source::File { path, line, column } => Origin::File {
                path: path.clone(),
                line: *line,
                column: *column,
                pointer: "/settings/addr".into(),
            },
            Source::Default => Origin::Default("addr"),
        },
        found: format!("{} without a password", shown(text)),
        allowed: "127.0.0.1, or basic_auth_password set, or allow_unauthenticated=true".into(),
    })
}
