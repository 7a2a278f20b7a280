//! Where two manifests of one plugin disagree.

use serde_json::Value;

use super::Manifest;

/// A field with two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The field's name, with dots below the top: `requires.network`.
    pub(crate) field: String,
    /// The value of the first manifest, as JSON, or `absent`.
    pub(crate) left: String,
    /// The value of the second.
    pub(crate) right: String,
}

impl Manifest {
    /// The first field in which `other` means something else. The order of `kinds` is no difference, nor are fields
    /// that are for editors (`$schema`) or cannot be inside the library (`sha256`).
    pub(crate) fn difference(&self, other: &Self) -> Option<Difference> {
        differ(&self.comparable(), &other.comparable(), "")
    }

    fn comparable(&self) -> Value {
        let mut copy = self.clone();
        copy.schema = None;
        copy.sha256 = None;
        copy.kinds.sort();
        // A manifest has only text keys and finite numbers, so it always is a JSON value.
        serde_json::to_value(copy).unwrap_or_default()
    }
}

fn differ(left: &Value, right: &Value, at: &str) -> Option<Difference> {
    if let (Value::Object(left), Value::Object(right)) = (left, right) {
        let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
        return keys
            .filter_map(|key| {
                let field = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => differ(left, right, &field),
                    (left, right) => Some(Difference { field, left: shown(left), right: shown(right) }),
                }
            })
            .next();
    }
    (left != right).then(|| Difference {
        field: at.to_owned(),
        left: shown(Some(left)),
        right: shown(Some(right)),
    })
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".into(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest(extra: &str) -> Manifest {
        let text = format!(
            r#"{{"id": "a.b", "name": "B", "version": "1.0.0", "vendor": "A", "license": "MIT", "library": "b.so",
                "interfaces": ["selkies.encoder/1"]{extra}}}"#
        );
        match Manifest::parse(text.as_bytes(), Path::new("test")) {
            Ok(manifest) => manifest,
            Err(refusal) => panic!("{refusal}"),
        }
    }

    #[test]
    fn only_meaning_counts() {
        let hash = "0".repeat(64);
        let left = manifest(r#", "kinds": ["encoder", "cursor"], "config_schema": {"a": 1, "b": 2}"#);
        let right = manifest(&format!(
            r#", "$schema": "x", "kinds": ["cursor", "encoder"], "sha256": "{hash}", "requires": {{"network": false}},
                "config_schema": {{"b": 2, "a": 1}}"#
        ));
        assert_eq!(left.difference(&right), None);
    }

    #[test]
    fn the_first_difference_is_named_with_its_path() {
        let left = manifest(r#", "kinds": ["encoder"]"#);
        let right = manifest(r#", "kinds": ["encoder"], "requires": {"network": true}"#);
        let difference = left.difference(&right);
        let wanted =
            Difference { field: "requires.network".into(), left: "false".into(), right: "true".into() };
        assert_eq!(difference, Some(wanted));
        let schema = manifest(r#", "kinds": ["encoder"], "config_schema": {}"#);
        let found = left.difference(&schema);
        assert!(found.is_some_and(|found| found.field == "config_schema" && found.left == "absent"));
    }
}
