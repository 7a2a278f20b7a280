//! The table of all settings. Command line, environment, file, schema, documentation and the message to the browser
//! are all derived from it; nothing else in the host knows a setting's name or range.

mod interface;
mod media;
mod rtc;
mod server;
mod signaling;

/// What values a setting takes, and how its text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `true`, `false`, `1` or `0`; with `|locked` behind it the browser may not change it.
    Bool,
    /// One of several names: `first,second`. The first is the default, all of them are the menu, a single one locks.
    Choice {
        /// Names that may be given.
        allowed: &'static [&'static str],
        /// Whole numbers in this span may be given besides the names.
        span: Option<(i64, i64)>,
    },
    /// Any of several names: `upload,download`; empty or `none` for none of them.
    List {
        /// Names that may be given.
        allowed: &'static [&'static str],
    },
    /// `MIN-MAX`, a single number that locks the setting, or `INITIAL,MIN-MAX`.
    Range {
        /// Smallest number that may be given.
        min: i64,
        /// Largest number that may be given.
        max: i64,
        /// Where the browser starts, moved into the operator's range.
        initial: i64,
    },
    /// A whole number.
    Int {
        /// Smallest number that may be given.
        min: i64,
        /// Largest number that may be given.
        max: i64,
    },
    /// Text without control characters, at most [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES) long.
    Text,
    /// Text that is never shown.
    Secret,
    /// `WIDTHxHEIGHT` in pixels, each from 1 to this.
    Size {
        /// Largest width and height.
        max: u32,
    },
}

/// Who may change a setting while the host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changer {
    /// Only whoever starts the host.
    Operator,
    /// A controlling browser too, within what the operator allows.
    Client,
}

/// Whether this version of the host acts on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It does.
    Active,
    /// The value is checked and kept, but the named feature does not exist yet.
    NotYet(&'static str),
}

/// The part of the interface and of the documentation in which a setting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Listener, access, logs.
    Server,
    /// STUN and TURN servers of WebRTC.
    Rtc,
    /// Links for more than one browser.
    Sharing,
    /// Encoders and their quality.
    Video,
    /// Size and scaling of the screen.
    Screen,
    /// Sound in both directions.
    Audio,
    /// Gamepads, cursor, commands.
    Input,
    /// Clipboard and files.
    Exchange,
    /// What the page shows.
    Interface,
}

impl Section {
    /// All sections, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Server,
        Self::Rtc,
        Self::Sharing,
        Self::Video,
        Self::Screen,
        Self::Audio,
        Self::Input,
        Self::Exchange,
        Self::Interface,
    ];

    /// Heading for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Rtc => "STUN and TURN servers",
            Self::Sharing => "Sharing",
            Self::Video => "Video",
            Self::Screen => "Screen",
            Self::Audio => "Audio",
            Self::Input => "Input",
            Self::Exchange => "Clipboard and files",
            Self::Interface => "Interface",
        }
    }
}

/// One setting: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the configuration file; flag and variable are made from it.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Text of the default, read like any other value; for a [`Kind::Choice`] the menu is all that is allowed.
    pub default: &'static str,
    /// Its place in the interface.
    pub section: Section,
    /// One line for people.
    pub help: &'static str,
    /// Its name in messages to and from the browser (Selkies 2.1.0); `None`: browsers never learn it.
    pub wire: Option<&'static str>,
    /// Other names that are accepted for it everywhere.
    pub aliases: &'static [&'static str],
    /// Variables that are read when no `SELKIES_` one is set.
    pub legacy_env: &'static [&'static str],
    /// Who may change it.
    pub changer: Changer,
    /// Whether the host acts on it.
    pub activity: Activity,
}

/// Starts a row: known to browsers by its own name, changed by the operator only, active.
const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    section: Section,
    help: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        default,
        section,
        help,
        wire: Some(name),
        aliases: &[],
        legacy_env: &[],
        changer: Changer::Operator,
        activity: Activity::Active,
    }
}

impl Setting {
    const fn wire(mut self, name: &'static str) -> Self {
        self.wire = Some(name);
        self
    }

    const fn hidden(mut self) -> Self {
        self.wire = None;
        self
    }

    const fn aliases(mut self, names: &'static [&'static str]) -> Self {
        self.aliases = names;
        self
    }

    const fn legacy(mut self, variables: &'static [&'static str]) -> Self {
        self.legacy_env = variables;
        self
    }

    const fn client(mut self) -> Self {
        self.changer = Changer::Client;
        self
    }

    const fn not_yet(mut self, feature: &'static str) -> Self {
        self.activity = Activity::NotYet(feature);
        self
    }

    /// The flag, such as `--jpeg-quality`.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The variable, such as `SELKIES_JPEG_QUALITY`.
    #[must_use]
    pub fn env(&self) -> String {
        env_name(self.name)
    }

    /// All names: its own, then the wire's, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let wire = self.wire.filter(|wire| *wire != self.name);
        std::iter::once(self.name).chain(wire).chain(self.aliases.iter().copied())
    }

    /// True for a setting whose value is never shown.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// The `SELKIES_` variable of a name.
pub(crate) fn env_name(name: &str) -> String {
    format!("SELKIES_{}", name.to_ascii_uppercase())
}

/// All settings, section by section as the documentation shows them.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    let server = server::ROWS.iter().chain(signaling::ROWS).chain(rtc::ROWS);
    server.chain(media::ROWS).chain(interface::ROWS)
}

/// Finds a setting by any of its names; `-` and `_` and letter case do not matter, and neither does a leading `--` or
/// `SELKIES_`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    let name = name.trim_start_matches("--").replace('-', "_").to_ascii_lowercase();
    let name = name.strip_prefix("selkies_").unwrap_or(&name);
    settings().find(|setting| setting.names().any(|known| known == name))
}

/// Finds a setting by a name exactly as files and messages spell it.
pub(crate) fn find_exact(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.names().any(|known| known == name))
}

/// The known name that is nearest to a mistyped one, when one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer names are no typing mistakes, and the distance below costs length times length.
    if name.len() > 64 {
        return None;
    }
    known.map(|known| (distance(name, known), known)).filter(|(d, _)| *d <= 2).min().map(|(_, known)| known)
}

/// Levenshtein's distance, by bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut costs: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut diagonal = i;
        costs[0] = i + 1;
        for (j, r) in right.bytes().enumerate() {
            let replace = diagonal + usize::from(l != r);
            diagonal = costs[j + 1];
            costs[j + 1] = replace.min(diagonal + 1).min(costs[j] + 1);
        }
    }
    costs[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_across_the_table() {
        let mut seen = BTreeSet::new();
        for setting in settings() {
            for name in setting.names() {
                assert!(seen.insert(name), "{name} stands for two settings");
                assert!(
                    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                    "{name}"
                );
            }
            assert!(!setting.help.is_empty() && setting.help.ends_with('.'), "{}", setting.name);
        }
    }

    #[test]
    fn secrets_and_operator_paths_are_unknown_to_browsers() {
        for setting in settings().filter(|setting| setting.is_secret()) {
            assert_eq!(setting.wire, None, "{}", setting.name);
        }
        for name in
            ["port", "addr", "control_port", "dri_node", "audio_device_name", "watermark_path", "debug"]
        {
            assert_eq!(find(name).and_then(|setting| setting.wire), None, "{name}");
        }
    }

    #[test]
    fn any_spelling_finds_a_setting() {
        for spelling in
            ["h264_crf", "--h264-crf", "SELKIES_H264_CRF", "video_crf", "SELKIES_VIDEO_CRF", "--h264_crf"]
        {
            assert_eq!(find(spelling).map(|setting| setting.name), Some("h264_crf"), "{spelling}");
        }
        assert_eq!(find("h265_crf"), None);
        assert_eq!(nearest("framrate", settings().map(|s| s.name)), Some("framerate"));
        assert_eq!(nearest("zzzzzz", settings().map(|s| s.name)), None);
    }
}
