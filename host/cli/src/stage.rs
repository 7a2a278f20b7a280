//! Choosing, loading and preparing the plugins of a session.

use std::collections::BTreeMap;

use selkies_config::{Config, PluginUse};
use selkies_media::{Backend, Backends, EncoderBackend};
use selkies_plugin_host::{HostServices, Inventory, Manifest, Plugin, ids};
use tracing::{debug, info, warn};

use crate::{defaults, rtc};

/// What the session is made of.
pub(crate) struct Stage {
    pub(crate) backends: Backends,
    /// At least one.
    pub(crate) transports: Vec<Backend>,
}

/// What sound and microphone are made of.
#[derive(Default)]
pub(crate) struct SoundBackends {
    pub(crate) capture: Option<Backend>,
    pub(crate) encoder: Option<Backend>,
    pub(crate) microphone: Option<Backend>,
}

/// Loads each plugin once, however many parts it plays.
struct Loader<'a> {
    inventory: &'a Inventory,
    services: &'a HostServices,
    display: &'a str,
    loaded: BTreeMap<String, Plugin>,
}

impl Loader<'_> {
    fn load(&mut self, id: &str) -> Result<Plugin, String> {
        if let Some(plugin) = self.loaded.get(id) {
            return Ok(plugin.clone());
        }
        let plugin = self.inventory.start(self.services, id).map_err(|error| error.to_string())?;
        for refusal in plugin.left_out() {
            warn!(plugin = id, %refusal, "a table is not used");
        }
        info!(plugin = id, version = plugin.version(), "plugin loaded");
        self.loaded.insert(id.to_owned(), plugin.clone());
        Ok(plugin)
    }

    fn backend(&mut self, wanted: &PluginUse) -> Result<Backend, String> {
        let plugin = self.load(&wanted.plugin)?;
        let mut config = serde_json::Value::Object(wanted.config.clone());
        // A plugin that takes a display gets the host's, unless the file names another.
        if plugin.manifest().is_some_and(takes_display) && config.get("display").is_none() {
            config["display"] = self.display.into();
        }
        Ok(Backend { plugin, config: config.to_string() })
    }
}

/// True for a plugin whose configuration has a `display`.
fn takes_display(manifest: &Manifest) -> bool {
    let schema = manifest.config_schema.as_ref();
    schema.and_then(|schema| schema.get("properties")?.get("display")).is_some()
}

/// True when a plugin that will be used takes a display that the configuration does not name: without one the host
/// needs its own.
pub(crate) fn wants_display(config: &Config, inventory: &Inventory) -> bool {
    let file = config.file();
    let capture = file.capture.clone().unwrap_or_else(|| used(defaults::DESKTOP_PLUGIN));
    let parts = [Some(&capture), file.display.as_ref(), file.cursor.as_ref(), file.clipboard.as_ref()];
    parts.into_iter().flatten().chain(&file.input).any(|part| {
        let takes = inventory.find(&part.plugin).is_ok_and(|plugin| takes_display(plugin.manifest()));
        takes && !part.config.contains_key("display")
    })
}

/// The plugin once more, if it offers this table, too.
fn offering(backend: &Backend, table: &str) -> Option<Backend> {
    backend.plugin.offers(table).then(|| backend.clone())
}

fn used(id: &str) -> PluginUse {
    PluginUse { plugin: id.to_owned(), config: serde_json::Map::new() }
}

/// Loads what the configuration names, or what is used without one.
///
/// Answers one line for what makes a session impossible; an encoder that does not work here is only reported.
pub(crate) fn set(
    config: &Config,
    inventory: &Inventory,
    services: &HostServices,
    display: &str,
) -> Result<Stage, String> {
    let file = config.file();
    let mut loader = Loader { inventory, services, display, loaded: BTreeMap::new() };
    let capture_use = file.capture.clone().unwrap_or_else(|| used(defaults::DESKTOP_PLUGIN));
    let capture = loader.backend(&capture_use)?;
    // What the capture plugin offers beside pictures serves unless the file names another plugin.
    let display_part = match &file.display {
        Some(named) => Some(loader.backend(named)?),
        None => offering(&capture, ids::DISPLAY_V1),
    };
    let cursor = match &file.cursor {
        Some(named) => Some(loader.backend(named)?),
        None => offering(&capture, ids::CURSOR_V1),
    };
    let clipboard = match &file.clipboard {
        Some(named) => Some(loader.backend(named)?),
        None => offering(&capture, ids::CLIPBOARD_V1),
    };
    let input = match file.input.as_slice() {
        [] => offering(&capture, ids::INPUT_V1).into_iter().collect(),
        named => named.iter().map(|named| loader.backend(named)).collect::<Result<_, _>>()?,
    };
    let gamepads = gamepads(config, &mut loader)?;
    let transports = transports(config, &mut loader)?;
    let encoders = encoders(config, &mut loader)?;
    let backends = Backends { capture, display: display_part, cursor, clipboard, input, gamepads, encoders };
    Ok(Stage { backends, transports })
}

/// The ways to programs for gamepads. One that is named in the file has to be there; others are only missed.
fn gamepads(config: &Config, loader: &mut Loader<'_>) -> Result<Vec<Backend>, String> {
    let is_named = !config.file().gamepads.is_empty();
    let mut found = Vec::new();
    for way in crate::gamepads::ways(config) {
        match loader.backend(&way) {
            Ok(backend) if backend.plugin.offers(ids::GAMEPAD_V1) => found.push(backend),
            Ok(backend) => {
                let id = backend.plugin.id();
                return Err(format!(
                    "CL034 plugin {id} does not offer {}; name another under gamepads",
                    ids::GAMEPAD_V1
                ));
            }
            Err(text) if is_named => return Err(text),
            Err(text) => debug!("gamepads go another way: {text}"),
        }
    }
    Ok(found)
}

/// The transports that the file names, or those of the modes that are served. One that is not on this machine, or does not
/// work here, is only missed where it alone would do.
fn transports(config: &Config, loader: &mut Loader<'_>) -> Result<Vec<Backend>, String> {
    let named = &config.file().transports;
    if !named.is_empty() {
        return named.iter().map(|named| transport(config, loader, named)).collect();
    }
    let mut found = Vec::new();
    for (mode, id) in defaults::TRANSPORT_PLUGINS {
        if mode != config.mode() && !config.enable_dual_mode() {
            continue;
        }
        match transport(config, loader, &used(id)) {
            Ok(backend) => found.push(backend),
            Err(text) if mode == config.mode() => return Err(text),
            Err(text) => info!(mode, "not served: {text}"),
        }
    }
    Ok(found)
}

/// A transport, with what the settings say of WebRTC where it has names for that.
fn transport(config: &Config, loader: &mut Loader<'_>, wanted: &PluginUse) -> Result<Backend, String> {
    let mut backend = loader.backend(wanted)?;
    if !backend.plugin.offers(ids::TRANSPORT_V1) {
        let id = backend.plugin.id();
        return Err(format!(
            "CL031 plugin {id} does not offer {}; name another under transports",
            ids::TRANSPORT_V1
        ));
    }
    let schema = backend.plugin.manifest().and_then(|manifest| manifest.config_schema.as_ref());
    let known = schema.and_then(|schema| schema.get("properties")?.as_object());
    let mut own = wanted.config.clone();
    for (key, value) in config.webrtc() {
        if known.is_some_and(|known| known.contains_key(&key)) {
            own.entry(key).or_insert(value);
        }
    }
    if own != wanted.config {
        backend.config = serde_json::Value::Object(own).to_string();
    }
    Ok(backend)
}

/// Loads what sound is made of; `None` for what is switched off, or not on this machine, which one line in the log tells.
///
/// # Errors
/// What the file names, and cannot be loaded.
pub(crate) fn sound(
    config: &Config,
    inventory: &Inventory,
    services: &HostServices,
) -> Result<SoundBackends, String> {
    let mut loader = Loader { inventory, services, display: "", loaded: BTreeMap::new() };
    let named = &config.file().audio;
    let mut load = |named: &Option<PluginUse>, usual: &str, missed: &str| match named {
        Some(named) => loader.backend(named).map(Some),
        None => Ok(loader.backend(&used(usual)).inspect_err(|text| warn!("{missed}: {text}")).ok()),
    };
    let mut backends = SoundBackends::default();
    if config.audio_enabled() {
        const MISSED: &str = "the desktop is not heard";
        backends.capture = load(&named.capture, defaults::SOUND_PLUGIN, MISSED)?;
        if backends.capture.is_some() {
            backends.encoder = load(&named.encoder, defaults::SOUND_ENCODER_PLUGIN, MISSED)?;
        }
    }
    if config.microphone_enabled() {
        let missed = "pages have no microphone";
        backends.microphone = load(&named.microphone, defaults::SOUND_PLUGIN, missed)?;
    }
    Ok(backends)
}

/// Loads the sources of ICE servers, each of which may fail for itself.
pub(crate) fn rtc_sources(
    config: &Config,
    inventory: &Inventory,
    services: &HostServices,
) -> Vec<Result<Backend, String>> {
    let mut loader = Loader { inventory, services, display: "", loaded: BTreeMap::new() };
    rtc::sources(config).iter().map(|source| loader.backend(source)).collect()
}

/// True for a plugin that loads libraries at run time or opens devices.
fn needs_more(manifest: &Manifest) -> bool {
    !manifest.requires.libs.is_empty() || !manifest.requires.devices.is_empty()
}

/// True when an encoder of this name is likely that plugin's: it is asked first.
fn sounds_like(plugin: &str, encoder: &str) -> bool {
    plugin.rsplit('.').next().is_some_and(|own| encoder.contains(own))
}

fn encoders(config: &Config, loader: &mut Loader<'_>) -> Result<Vec<EncoderBackend>, String> {
    let (named, chosen) = (&config.file().encoders, config.chosen_encoders());
    let mut wanted: Vec<(Option<String>, PluginUse)> = named
        .iter()
        .map(|entry| {
            (
                Some(entry.name.clone()),
                PluginUse { plugin: entry.plugin.clone(), config: entry.config.clone() },
            )
        })
        .collect();
    if wanted.is_empty() {
        let offers_encoder = |id: &&selkies_plugin_host::Candidate| {
            id.manifest()
                .interfaces
                .iter()
                .any(|interface| interface.as_str().starts_with("selkies.encoder/"))
        };
        let mut plugins: Vec<_> = loader.inventory.usable().filter(offers_encoder).collect();
        plugins.sort_by_key(|plugin| {
            let manifest = plugin.manifest();
            let named = chosen.is_some_and(|chosen| chosen.iter().any(|name| sounds_like(plugin.id(), name)));
            (needs_more(manifest), !named)
        });
        wanted = plugins.into_iter().map(|plugin| (None, used(plugin.id()))).collect();
    }
    let mut found: Vec<EncoderBackend> = Vec::new();
    for (name, entry) in wanted {
        // What brings libraries into the process costs memory and time: it is not loaded to know that it is not wanted.
        let has = |wanted: &String| found.iter().any(|encoder| encoder.offer.name == *wanted);
        let complete = chosen.is_some_and(|chosen| chosen.iter().all(has));
        if name.is_none()
            && complete
            && loader.inventory.find(&entry.plugin).is_ok_and(|plugin| needs_more(plugin.manifest()))
        {
            debug!(plugin = %entry.plugin, "not loaded: every encoder that was chosen is there");
            continue;
        }
        // Named in the file: a mistake there must not be passed over.
        let backend = match (loader.backend(&entry), &name) {
            (Ok(backend), _) => backend,
            (Err(text), Some(_)) => return Err(text),
            (Err(text), None) => {
                warn!("{text}");
                continue;
            }
        };
        match EncoderBackend::probe(loader.services, &backend) {
            Ok(offers) => {
                let chosen: Vec<_> = offers
                    .into_iter()
                    .filter(|entry| name.as_ref().is_none_or(|name| *name == entry.offer.name))
                    .collect();
                match &name {
                    Some(name) if chosen.is_empty() => {
                        warn!(plugin = %entry.plugin, name, "offers no such encoder here");
                    }
                    // It said why.
                    None if chosen.is_empty() => debug!(plugin = %entry.plugin, "offers no encoder here"),
                    _ => {}
                }
                found.extend(chosen);
            }
            Err(error) => warn!(%error, "an encoder does not work on this machine"),
        }
    }
    if named.is_empty() {
        found.sort_by_key(|encoder| config.encoder_place(&encoder.offer.name));
    }
    Ok(found)
}
