//! How programs see gamepads: which plugins, in which order, with what the settings say.

use selkies_config::{Config, GamepadSettings, PluginUse};

use crate::defaults::{GAMEPAD_PLUGIN, UINPUT_PLUGIN};

/// The plugins that the file names, or those of the settings; the first that works serves.
pub(crate) fn ways(config: &Config) -> Vec<PluginUse> {
    let settings = config.gamepads();
    if !settings.enabled {
        return Vec::new();
    }
    let named = &config.file().gamepads;
    if !named.is_empty() {
        return named.clone();
    }
    usual(&settings, has_interposer())
}

/// True where programs are started with an interposer: they would see a device of the kernel as a second gamepad.
fn has_interposer() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let preloaded = std::env::var("LD_PRELOAD").unwrap_or_default();
    is_set("SELKIES_INTERPOSER") || preloaded.contains("interposer")
}

fn usual(settings: &GamepadSettings, has_interposer: bool) -> Vec<PluginUse> {
    let mut config = serde_json::Map::new();
    if let Some(path) = &settings.socket_path {
        config.insert("js_socket_path".into(), path.to_string_lossy().into());
    }
    let sockets = PluginUse { plugin: GAMEPAD_PLUGIN.into(), config };
    let kernel = PluginUse { plugin: UINPUT_PLUGIN.into(), config: serde_json::Map::new() };
    if settings.uinput.unwrap_or(!has_interposer) { vec![kernel, sockets] } else { vec![sockets] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(uinput: Option<bool>, has_interposer: bool) -> Vec<String> {
        let settings = GamepadSettings { enabled: true, uinput, socket_path: Some("/run/pads".into()) };
        let ways = usual(&settings, has_interposer);
        let sockets = ways.last().expect("there are always sockets");
        assert_eq!(sockets.config["js_socket_path"], "/run/pads");
        ways.into_iter().map(|way| way.plugin).collect()
    }

    #[test]
    fn devices_come_first_unless_an_interposer_is_in_use() {
        let both = [UINPUT_PLUGIN, GAMEPAD_PLUGIN];
        assert_eq!(ids(None, false), both);
        assert_eq!(ids(None, true), both[1..]);
        assert_eq!(ids(Some(true), true), both);
        assert_eq!(ids(Some(false), false), both[1..]);
    }
}
