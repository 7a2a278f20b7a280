//! Which plugins the operator wants.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{ChildOptions, Placement, Refusal, TrustedKey};

/// What ids of first-party plugins begin with.
pub const FIRST_PARTY_PREFIX: &str = "selkies.";

/// The operator's rules. A pattern is matched against the whole id; `*` stands for any text, `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Only these may be used.
    pub allow: Vec<String>,
    /// These may not be used, even when allowed.
    pub deny: Vec<String>,
    /// Only plugins with a signature of a trusted key may be used, first-party ones included.
    pub require_signature: bool,
    /// Whose signatures count.
    pub trusted_keys: Vec<TrustedKey>,
    /// Only first-party plugins may be used.
    pub safe_mode: Option<SafeMode>,
    /// Where they run.
    pub isolation: IsolationRules,
}

/// Where plugins run, within what their manifests allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationRules {
    /// Patterns of ids: these run inside the host, all others in children.
    pub in_process: Vec<String>,
    /// Patterns of ids by the name of a group, whose plugins share a child.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Everything runs here, whatever the patterns say. Not transports, which children cannot run.
    pub forced: Option<Placement>,
    /// How children are started.
    pub children: ChildOptions,
}

impl Default for IsolationRules {
    /// Everything may run inside the host.
    fn default() -> Self {
        Self {
            in_process: vec!["*".into()],
            groups: BTreeMap::new(),
            forced: None,
            children: ChildOptions::default(),
        }
    }
}

impl IsolationRules {
    /// True when the operator wants this plugin inside the host.
    #[must_use]
    pub fn covers(&self, id: &str) -> bool {
        self.in_process.iter().any(|pattern| matches(pattern, id))
    }

    /// The first group that the plugin belongs to.
    #[must_use]
    pub fn group_of(&self, id: &str) -> Option<&str> {
        let has = |patterns: &Vec<String>| patterns.iter().any(|pattern| matches(pattern, id));
        self.groups.iter().find(|(_, patterns)| has(patterns)).map(|(name, _)| name.as_str())
    }
}

/// Safe mode: only plugins that came with the host are used. A name proves nothing, so that a plugin has to lie in one of
/// the host's own folders too: whoever can write there can also replace the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeMode {
    /// The host's own plugin folders.
    pub folders: Vec<PathBuf>,
}

impl Default for Policy {
    /// Everything is allowed.
    fn default() -> Self {
        Self {
            allow: vec!["*".into()],
            deny: Vec::new(),
            require_signature: false,
            trusted_keys: Vec::new(),
            safe_mode: None,
            isolation: IsolationRules::default(),
        }
    }
}

impl Policy {
    /// Answers the rule that admits `id`, whose manifest is `manifest`.
    ///
    /// # Errors
    /// [`Refusal::PolicyDenied`] with the rule that excludes it, [`Refusal::SafeMode`].
    pub fn admit(&self, id: &str, manifest: &Path) -> Result<String, Refusal> {
        let denied = |rule| Err(Refusal::PolicyDenied { id: id.to_owned(), rule });
        if let Some(safe_mode) = &self.safe_mode {
            safe_mode.admit(id, manifest)?;
        }
        if let Some(pattern) = self.deny.iter().find(|pattern| matches(pattern, id)) {
            return denied(format!("deny {pattern:?}"));
        }
        match self.allow.iter().find(|pattern| matches(pattern, id)) {
            Some(pattern) => Ok(format!("allow {pattern:?}")),
            None => denied("no pattern of the allow list".into()),
        }
    }
}

impl SafeMode {
    fn admit(&self, id: &str, manifest: &Path) -> Result<(), Refusal> {
        let refused = |reason: &str| Err(Refusal::SafeMode { id: id.to_owned(), reason: reason.into() });
        if !id.starts_with(FIRST_PARTY_PREFIX) {
            return refused("only first-party plugins run");
        }
        let real = |path: &Path| path.canonicalize().ok();
        let manifest = real(manifest);
        let inside = |folder: PathBuf| manifest.as_ref().is_some_and(|manifest| manifest.starts_with(folder));
        if !self.folders.iter().filter_map(|folder| real(folder)).any(inside) {
            return refused("it has a first-party id, but lies outside the host's own plugin folders");
        }
        Ok(())
    }
}

/// True when `pattern` (`*`, `?`, else literal) covers all of `text`. Linear in the length of both but for `*`.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how much text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    p = *at + 1;
                    t = *taken;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_ids() {
        for (pattern, text, wanted) in [
            ("*", "selkies.x11", true),
            ("selkies.*", "selkies.x11", true),
            ("selkies.*", "evil.selkies.x11", false),
            ("*.x11", "selkies.x11", true),
            ("*.x1?", "selkies.x11", true),
            ("s*s.*1", "selkies.x11", true),
            ("selkies.x11", "selkies.x112", false),
            ("", "a.b", false),
            ("a.b", "", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn deny_beats_allow_and_the_rule_is_named() {
        let policy =
            Policy { allow: vec!["selkies.*".into()], deny: vec!["*.bad".into()], ..Policy::default() };
        let admit = |id| policy.admit(id, Path::new("/p/selkies-plugin.json"));
        assert_eq!(admit("selkies.x11"), Ok("allow \"selkies.*\"".into()));
        let denied = admit("selkies.bad").map_err(|refusal| refusal.to_string());
        assert!(denied.as_ref().is_err_and(|line| line.contains("deny \"*.bad\"")), "{denied:?}");
        assert_eq!(admit("other.x").map_err(|refusal| refusal.code()), Err("SP004"));
    }

    #[test]
    fn a_name_is_not_enough_for_safe_mode() -> Result<(), Box<dyn std::error::Error>> {
        let (own, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let manifest = |folder: &Path| {
            let path = folder.join("selkies-plugin.json");
            std::fs::write(&path, "{}").map(|()| path)
        };
        let (ours, theirs) = (manifest(own.path())?, manifest(other.path())?);
        let link = own.path().join("linked");
        std::os::unix::fs::symlink(other.path(), &link)?;
        let folders = vec![own.path().to_owned(), PathBuf::from("/nonexistent")];
        let policy = Policy { safe_mode: Some(SafeMode { folders }), ..Policy::default() };
        let admit = |id, manifest: &Path| policy.admit(id, manifest).map_err(|refusal| refusal.code());
        assert!(admit("selkies.x11", &ours).is_ok());
        assert_eq!(admit("acme.x11", &ours), Err("SP033"));
        assert_eq!(admit("selkies.x11", &theirs), Err("SP033"));
        assert_eq!(admit("selkies.x11", &link.join("selkies-plugin.json")), Err("SP033"));
        assert_eq!(admit("selkies.x11", Path::new("/nonexistent/selkies-plugin.json")), Err("SP033"));
        Ok(())
    }
}
