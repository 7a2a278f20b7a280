//! What a child tells its parent: one JSON object a line, each in the file before the next call of the plugin.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Write},
    os::fd::AsRawFd,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::rule::Rule;

/// Largest journal in bytes that a parent reads.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Times that a child tells of one rule; more adds nothing.
const MAX_REPEATS: u32 = 3;
/// Longest text of an entry, in bytes.
const MAX_TEXT: usize = 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// A rule was looked at and held.
    Pass { rule: String },
    /// A rule was broken.
    Fail { rule: String, found: String },
    /// Something that is not wrong but should be known.
    Warn { rule: String, found: String },
    /// A rule that has nothing to say about this plugin.
    Skip { rule: String, reason: String },
    /// The job could not go on.
    Blocked { reason: String },
    /// A fatal signal is about to end the process. `rule` is empty unless fenced memory was touched.
    Signal { signal: i32, call: String, rule: String },
    /// A call did not return in time.
    Hang { rule: String, call: String, limit_ms: u64 },
    /// The job is over.
    End,
}

/// The journal of this process.
static JOURNAL: Mutex<Option<Open>> = Mutex::new(None);

struct Open {
    file: File,
    told: HashMap<&'static str, u32>,
    breaches: u64,
    /// Where the job is; empty where its texts say that.
    place: String,
}

fn lock() -> MutexGuard<'static, Option<Open>> {
    JOURNAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the journal of this process and answers its descriptor, which stays open.
pub(crate) fn open(path: &Path) -> std::io::Result<i32> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let descriptor = file.as_raw_fd();
    *lock() = Some(Open { file, told: HashMap::new(), breaches: 0, place: String::new() });
    Ok(descriptor)
}

fn write(open: &mut Open, entry: &Entry) {
    // Texts and numbers always serialize. A full disk shows as a missing end.
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    let _ = open.file.write_all(&line);
}

/// Appends a line.
pub(crate) fn tell(entry: &Entry) {
    if let Some(open) = lock().as_mut() {
        write(open, entry);
    }
}

/// Broken rules are told with this place from now on.
pub(crate) fn place(place: &str) {
    if let Some(open) = lock().as_mut() {
        place.clone_into(&mut open.place);
    }
}

/// A rule held.
pub(crate) fn pass(rule: &'static Rule) {
    tell(&Entry::Pass { rule: rule.id.into() });
}

/// A rule was broken; `found` says how.
pub(crate) fn fail(rule: &'static Rule, found: impl Into<String>) {
    if let Some(open) = lock().as_mut() {
        open.breaches += 1;
        let told = open.told.entry(rule.id).or_default();
        *told += 1;
        if *told <= MAX_REPEATS {
            let found = match open.place.as_str() {
                "" => found.into(),
                place => format!("{place}: {}", found.into()),
            };
            let entry = Entry::Fail { rule: rule.id.into(), found: clip(found) };
            write(open, &entry);
        }
    }
}

/// Something that should be known about a rule.
pub(crate) fn warn(rule: &'static Rule, found: impl Into<String>) {
    if let Some(open) = lock().as_mut() {
        let told = open.told.entry(rule.id).or_default();
        *told += 1;
        if *told <= MAX_REPEATS {
            write(open, &Entry::Warn { rule: rule.id.into(), found: clip(found.into()) });
        }
    }
}

/// A rule has nothing to say about this plugin.
pub(crate) fn skip(rule: &'static Rule, reason: impl Into<String>) {
    tell(&Entry::Skip { rule: rule.id.into(), reason: clip(reason.into()) });
}

/// How often a rule was broken in this process so far.
pub(crate) fn breaches() -> u64 {
    lock().as_ref().map_or(0, |open| open.breaches)
}

/// True when this rule was broken in this process.
pub(crate) fn broken(rule: &'static Rule) -> bool {
    lock().as_ref().is_some_and(|open| open.told.contains_key(rule.id))
}

/// Says that these rules held, apart from those that were broken.
pub(crate) fn held(rules: &[&'static Rule]) {
    for rule in rules.iter().filter(|rule| !broken(rule)) {
        pass(rule);
    }
}

fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Reads what a child wrote; lines that are cut are left out.
pub(crate) fn read(path: &Path) -> Vec<Entry> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(MAX_BYTES).read_to_end(&mut bytes);
    }
    bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_a_cut_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let first = Entry::Fail { rule: "X-1".into(), found: "a\nb".into() };
        let mut bytes = serde_json::to_vec(&first).unwrap();
        bytes.extend_from_slice(b"\n{\"kind\":\"end\"}\n{\"kind\":\"pa");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path), [first, Entry::End]);
        assert_eq!(read(&folder.path().join("none")), []);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(clip("ab".into()), "ab");
        let long = clip("ä".repeat(MAX_TEXT));
        assert!(long.len() <= MAX_TEXT + 3 && long.ends_with("ä..."));
    }
}
