//! The texts of a manifest that have a form.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A text with a form, checked where it is read, so that errors carry line and column.
macro_rules! formed_text {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, max $max:literal, $wanted:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(extend("pattern" = $pattern, "maxLength" = $max))]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> bool = $check;
                if text.len() <= $max && check(&text) {
                    Ok(Self(text))
                } else {
                    Err(format!("{:?} is not {}", crate::refusal::clip(&text, 48), $wanted))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

formed_text!(
    /// A plugin's id: `vendor.plugin`.
    PluginId,
    r"^[a-z0-9-]+(\.[a-z0-9-]+)+$",
    max 64,
    "an id (lower case, digits, dashes, with a dot: vendor.plugin)",
    |text| text.contains('.') && text.split('.').all(|part| is_word(part, b"-"))
);
formed_text!(
    /// A version in the form of semver 2: `1.2.3`, `1.2.3-beta.1`, `1.2.3+build`.
    Version,
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$",
    max 64,
    "a version (semver: 1.2.3)",
    is_semver
);
formed_text!(
    /// A file name without folders.
    LibraryName,
    r"^[^/\\\u0000-\u001f]*[^/\\\u0000-\u001f.][^/\\\u0000-\u001f]*$",
    max 255,
    "a plain file name (no folders)",
    |text| !text.contains(['/', '\\']) && !text.chars().any(char::is_control) && text.chars().any(|c| c != '.')
);
formed_text!(
    /// The id of a table with its revision: `selkies.encoder/1`.
    InterfaceId,
    r"^[a-z0-9-]+(\.[a-z0-9-]+)+/[1-9][0-9]*$",
    max 96,
    "a table id (selkies.encoder/1)",
    |text| {
        text.split_once('/').is_some_and(|(name, revision)| {
            name.contains('.')
                && name.split('.').all(|part| is_word(part, b"-"))
                && !revision.starts_with('0')
                && is_digits(revision)
        })
    }
);
formed_text!(
    /// What a plugin is good for. Kinds that this host does not know are kept, not refused.
    Kind,
    r"^[a-z][a-z0-9-]*$",
    max 32,
    "a kind (capture, encoder, ...)",
    |text| text.starts_with(|c: char| c.is_ascii_lowercase()) && is_word(text, b"-")
);
formed_text!(
    /// A SHA-256 in hexadecimal digits.
    Sha256,
    r"^[0-9a-fA-F]{64}$",
    max 64,
    "a SHA-256 (64 hexadecimal digits)",
    |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
);

fn is_word(text: &str, also: &[u8]) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || also.contains(&b))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_semver(text: &str) -> bool {
    let is_tag = |tag: &str| {
        !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
    };
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let is_number = |part: &str| is_digits(part) && (part == "0" || !part.starts_with('0'));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(is_tag)
        && build.is_none_or(is_tag)
}

/// A list with 1 to 64 different entries.
pub(super) fn some<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + PartialEq + fmt::Display,
{
    let list = Vec::<T>::deserialize(deserializer)?;
    if list.is_empty() || list.len() > 64 {
        return Err(de::Error::custom(format!("a list of {} entries, wanted 1 to 64", list.len())));
    }
    for (i, entry) in list.iter().enumerate() {
        if list[..i].contains(entry) {
            return Err(de::Error::custom(format!("{entry} is listed twice")));
        }
    }
    Ok(list)
}
