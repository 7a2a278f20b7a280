//! Reads all layers into a [`Config`].

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clap::ArgMatches;

use crate::{
    access,
    check::{Document, MAX_ERRORS, Parsed},
    cli,
    config::Config,
    error::{Code, ConfigError, ConfigErrors, Origin},
    file::{ConfigFile, MAX_ENCODERS},
    parse::text_of,
    plugins::{KnownPlugin, PluginRules},
    position::{Part, Position, position},
    resolve::{Given, Resolved, Source, env_names, resolve},
    stream::MANUAL_SIZE,
    table::{Kind, Setting, find_exact, settings},
    value::Value,
};

/// Longest configuration file, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The variable that names the file.
const FILE_VARIABLE: &str = "SELKIES_CONFIG";

/// Collects the layers, then reads them at once. Each layer may be left out.
#[derive(Clone, Default)]
pub struct Loader {
    flags: Vec<(&'static str, String)>,
    env: BTreeMap<String, OsString>,
    flag_file: Option<PathBuf>,
    file: Option<PathBuf>,
    in_process: Vec<String>,
    other_variables: Vec<String>,
    purpose: Purpose,
}

/// What a configuration is read for, which decides who may connect.
#[derive(Clone, Copy, Default)]
enum Purpose {
    #[default]
    Host,
    Relay,
    TurnRest,
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

    /// Adds patterns of plugin ids that may run inside the host to those of the file.
    #[must_use]
    pub fn allow_in_process(mut self, patterns: impl IntoIterator<Item = String>) -> Self {
        self.in_process.extend(patterns);
        self
    }

    /// Names `SELKIES_*` variables that are no settings, but that the program reads itself.
    #[must_use]
    pub fn other_variables(mut self, names: &[&str]) -> Self {
        self.other_variables.extend(names.iter().map(ToString::to_string));
        self
    }

    /// Judges who may connect as it is right for the signaling relay alone, which serves no desktop.
    #[must_use]
    pub fn for_relay(mut self) -> Self {
        self.purpose = Purpose::Relay;
        self
    }

    /// Judges nothing that is about who reaches a desktop: the TURN REST service has none, and listens where its own command
    /// line says.
    #[must_use]
    pub fn for_turn_rest(mut self) -> Self {
        self.purpose = Purpose::TurnRest;
        self
    }

    /// Reads everything, but does not judge what the file says about single plugins.
    ///
    /// # Errors
    /// Every mistake in every layer. A value in a layer that loses is judged too, unless it is an older variable's.
    pub fn load(self) -> Result<Config, ConfigErrors> {
        self.read_all(None::<fn(&PluginRules) -> Vec<KnownPlugin>>)
    }

    /// Reads everything, plugins' configurations included. `find` answers the plugins that there are; it is not asked
    /// when the file's section about plugins cannot be read.
    ///
    /// # Errors
    /// As [`Self::load`], and every use of a plugin that is not there, may not be used, or does not understand its
    /// `config`.
    pub fn load_with(
        self,
        find: impl FnOnce(&PluginRules) -> Vec<KnownPlugin>,
    ) -> Result<Config, ConfigErrors> {
        self.read_all(Some(find))
    }

    fn read_all(
        self,
        find: Option<impl FnOnce(&PluginRules) -> Vec<KnownPlugin>>,
    ) -> Result<Config, ConfigErrors> {
        let mut errors = Vec::new();
        let document = self.read_file(&mut errors);
        let parsed = match &document {
            Some(document) => document.parse(),
            None => Parsed { names_plugins: errors.is_empty(), ..Parsed::default() },
        };
        let Parsed { file, json, names_plugins, errors: mistakes } = parsed;
        errors.extend(mistakes);
        if let Some(document) = &document {
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
            errors.extend(match self.purpose {
                Purpose::Host => access::mistakes(&values),
                Purpose::Relay => access::mistakes_of_relay(&values),
                Purpose::TurnRest => Vec::new(),
            });
        }
        let rules = PluginRules::new(&file.plugins, document.as_ref(), &self.in_process);
        if let (Some(find), true) = (find, names_plugins) {
            let known = find(&rules);
            errors.extend(document.iter().flat_map(|document| document.plugin_mistakes(&json, &known)));
        }
        errors.sort_by_key(ConfigError::place);
        ConfigErrors::check(errors)?;
        let unknown_env = self.unknown_variables();
        Ok(Config::new(values, file, rules, unknown_env))
    }

    fn unknown_variables(&self) -> Vec<String> {
        let settings = settings().flat_map(env_names);
        let others = self.other_variables.iter().cloned();
        let known: Vec<String> = settings.chain(others).chain([FILE_VARIABLE.to_owned()]).collect();
        let ours = self.env.keys().filter(|name| name.starts_with("SELKIES_"));
        ours.filter(|name| !known.contains(name)).cloned().collect()
    }

    fn read_file(&self, errors: &mut Vec<ConfigError>) -> Option<Document> {
        let variable = self.env.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let path = self.file.clone().or_else(|| self.flag_file.clone()).or(variable)?;
        match read(&path) {
            Ok(text) => Some(Document { path, text }),
            Err(error) => {
                errors.push(*error);
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
                None => errors.push(ConfigError::new(
                    Code::NotUtf8,
                    Origin::Env(name),
                    "bytes that are no UTF-8",
                    "UTF-8 text",
                )),
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
                errors.extend(in_file.map(|(other, _)| {
                    ConfigError::new(
                        Code::Duplicate,
                        document.origin(&format!("/settings/{other}"), Part::Key),
                        format!("{other:?} beside {name:?}, which is the same setting"),
                        "one of them",
                    )
                }));
            }
        }
        given
    }
}

fn read(path: &Path) -> Result<String, Box<ConfigError>> {
    let whole = || Origin::WholeFile(path.to_owned());
    let unreadable = |reason: std::io::Error| {
        let found = format!("no readable file ({reason})");
        Box::new(ConfigError::new(Code::Unreadable, whole(), found, "a file that this user may read"))
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        let allowed = format!("{MAX_FILE_BYTES} bytes");
        return Err(Box::new(ConfigError::new(Code::TooLarge, whole(), "a larger file", allowed)));
    }
    String::from_utf8(bytes).map_err(|wrong| {
        let (before, rest) = wrong.as_bytes().split_at(wrong.utf8_error().valid_up_to());
        let before = String::from_utf8_lossy(before);
        let Position { line, column } = position(&before, before.len());
        let origin = Origin::File { path: path.to_owned(), line, column, pointer: String::new() };
        let byte = rest.first().copied().unwrap_or_default();
        let found = format!("byte 0x{byte:02x}, which is no UTF-8");
        Box::new(ConfigError::new(Code::NotUtf8, origin, found, "UTF-8 text"))
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
            match (given, &forced_by) {
                (Some((number, _)), _) => resolved.value = Value::Int(number),
                (None, forced_by) => {
                    resolved.value = Value::Int(missing);
                    resolved.source = forced_by.clone().unwrap_or(Source::Default);
                }
            }
        }
    }
}
