//! Why a setting has its value: the text of `config explain NAME`.

use std::fmt::Write;

use crate::{
    config::Config,
    resolve::env_names,
    table::{Activity, Changer, find},
};

impl Config {
    /// Every value that was given for a setting, which one won, and where it could be given. Takes any spelling of the
    /// name; `None` when there is no such setting. Secrets show as `***`.
    #[must_use]
    pub fn explain(&self, name: &str) -> Option<String> {
        let setting = find(name)?;
        let resolved = self.get(setting.name)?;
        let mut lines = vec![format!("{}: {}", setting.name, setting.help)];
        lines.push(format!("  value: {}, from {}", resolved.value, resolved.source));
        let names =
            resolved.layers.iter().map(|layer| layer.source.to_string().len()).max().unwrap_or_default();
        let winner = resolved.layers.iter().position(|layer| layer.source == resolved.source);
        for (index, layer) in resolved.layers.iter().enumerate() {
            let mut line = format!("    {:names$}  {}", layer.source.to_string(), layer.shown);
            if winner == Some(index) {
                line.push_str("  <- wins");
            }
            lines.push(line);
        }
        if winner.is_none() {
            lines.push("    (forced by another setting)".into());
        }
        let mut places = format!("  set by: {}", setting.flag());
        for name in env_names(setting).chain(setting.legacy_env.iter().map(ToString::to_string)) {
            // Writing to a String cannot fail.
            let _ = write!(places, ", {name}");
        }
        lines.push(format!("{places}, /settings/{} of the file", setting.name));
        lines.push(match setting.changer {
            Changer::Operator => "  browsers may not change it".into(),
            Changer::Client if resolved.value.is_locked() => "  locked: browsers may not change it".into(),
            Changer::Client => "  browsers may change it".to_owned(),
        });
        if let Activity::NotYet(feature) = setting.activity {
            lines.push(format!("  not active yet: {feature}"));
        }
        Some(lines.join("\n"))
    }
}
