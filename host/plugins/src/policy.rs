//! Which plugins the operator wants.

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The operator's lists. A pattern is matched against the whole id; `*` stands for any text, `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Only these may be used.
    pub allow: Vec<String>,
    /// These may not be used, even when allowed.
    pub deny: Vec<String>,
}

impl Default for Policy {
    /// Everything is allowed.
    fn default() -> Self {
        Self { allow: vec!["*".into()], deny: Vec::new() }
    }
}

impl Policy {
    /// Answers the rule that admits `id`.
    ///
    /// # Errors
    /// [`Refusal::PolicyDenied`] with the rule that excludes it.
    pub fn admit(&self, id: &str) -> Result<String, Refusal> {
        let denied = |rule| Err(Refusal::PolicyDenied { id: id.to_owned(), rule });
        if let Some(pattern) = self.deny.iter().find(|pattern| matches(pattern, id)) {
            return denied(format!("deny {pattern:?}"));
        }
        match self.allow.iter().find(|pattern| matches(pattern, id)) {
            Some(pattern) => Ok(format!("allow {pattern:?}")),
            None => denied("no pattern of the allow list".into()),
        }
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
        let policy = Policy { allow: vec!["selkies.*".into()], deny: vec!["*.bad".into()] };
        assert_eq!(policy.admit("selkies.x11"), Ok("allow \"selkies.*\"".into()));
        let denied = policy.admit("selkies.bad").map_err(|refusal| refusal.to_string());
        assert!(denied.as_ref().is_err_and(|line| line.contains("deny \"*.bad\"")), "{denied:?}");
        assert_eq!(policy.admit("other.x").map_err(|refusal| refusal.code()), Err("SP004"));
    }
}
