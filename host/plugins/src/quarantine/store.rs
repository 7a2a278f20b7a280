//! The records of all plugins, in a file that hosts of one user share.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::fs::{Access, FlockOperation, OFlags, access, flock};
use serde::{Deserialize, Serialize};

use super::{FaultNote, FaultRecord, LibraryIdentity, Moment, Verdict};
use crate::{PluginId, files, refusal::clip};

/// Largest file in bytes; what is longer counts as damaged.
pub const MAX_STORE_BYTES: u64 = 512 * 1024;

/// Most plugins that are kept. The one without quarantine whose last fault is the oldest goes first.
pub const MAX_RECORDS: usize = 256;

/// The form of the file.
const VERSION: u32 = 1;

/// How often, and how long apart, another host's lock is tried for. Nobody holds it longer than a small write takes, but a
/// busy disk makes that long.
const LOCK_TRIES: u32 = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The faults of all plugins. What is wrong with its file is told once and never fails a call.
#[derive(Debug, Default)]
pub struct Quarantine {
    path: Option<PathBuf>,
    records: BTreeMap<String, FaultRecord>,
    /// The file as it was last read or written, so that other hosts' changes are noticed.
    seen: Option<Stamp>,
    /// Counts what may have changed the records, of whichever process.
    revision: u64,
    warning: Option<String>,
}

/// Tells the temporary files of this process apart.
static TURN: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    inode: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    plugins: BTreeMap<String, FaultRecord>,
}

impl Quarantine {
    /// Records that are forgotten with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A copy without a file.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { records: self.records.clone(), ..Self::default() }
    }

    /// Reads the file at `path`, which need not exist. A damaged one counts as empty; where nothing can be written, the
    /// records stay in memory. [`Self::warning`] tells of both.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let mut opened = Self { path: Some(path.clone()), ..Self::default() };
        opened.warning = opened.reload(&path).err();
        if let Err(error) = writable(&path) {
            opened.path = None;
            opened.warning = Some(line(
                "SQ002",
                &path,
                &format!("cannot be written: {error}"),
                "faults of plugins are forgotten with the host, unless SELKIES_STATE_DIR names a folder of yours",
            ));
        }
        opened
    }

    /// What was wrong with the file when it was opened: one line with a code and the remedy. Later troubles are logged.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Where the records are kept; nothing when only in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Counts a fault of the plugin `id`, whose library is `library`. Faults of an earlier library are forgotten.
    pub fn fault(&mut self, id: &str, library: &LibraryIdentity, note: FaultNote, now: Moment) -> Verdict {
        let note = note.bounded();
        self.change(|records| {
            let new = || FaultRecord::new(library.clone(), note.clone(), now);
            let record = records.entry(id.to_owned()).or_insert_with(new);
            if record.library != *library {
                *record = new();
            }
            let verdict = record.fault(note.clone(), now);
            while records.len() > MAX_RECORDS && forget_one(records, id) {}
            verdict
        })
    }

    /// The faults of this library of the plugin `id`.
    #[must_use]
    pub fn state(&self, id: &str, library: &LibraryIdentity) -> Option<&FaultRecord> {
        self.records.get(id).filter(|record| record.library == *library)
    }

    /// The faults of the plugin `id`, whatever library it had.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<&FaultRecord> {
        self.records.get(id)
    }

    /// Forgets the plugin `id`; false when nothing was known about it.
    pub fn clear(&mut self, id: &str) -> bool {
        self.change(|records| records.remove(id).is_some())
    }

    /// Forgets all plugins; answers how many there were.
    pub fn clear_all(&mut self) -> usize {
        self.change(|records| std::mem::take(records).len())
    }

    /// Every plugin with faults, by id.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &FaultRecord)> {
        self.records.iter().map(|(id, record)| (id.as_str(), record))
    }

    /// How often the records were changed or read so far, at least.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Reads the file again if another process changed it.
    pub fn refresh(&mut self) {
        if let Some(path) = self.path.clone()
            && stamp(&path) != self.seen
            && let Err(line) = self.reload(&path)
        {
            tracing::warn!("{line}");
        }
    }

    /// Changes the records of this process and of the file, under the lock of the file's folder.
    fn change<T>(&mut self, change: impl FnOnce(&mut BTreeMap<String, FaultRecord>) -> T) -> T {
        self.revision += 1;
        let Some(path) = self.path.clone() else { return change(&mut self.records) };
        let locked = folder_of(&path).and_then(|folder| lock(&folder));
        // Read even if it seems the same: files that replace each other quickly may share time and inode.
        let known = stamp(&path) == self.seen;
        if let Err(line) = self.reload(&path)
            && !known
        {
            tracing::warn!("{line}");
        }
        let answer = change(&mut self.records);
        match locked.and_then(|_lock| self.write(&path)) {
            Ok(()) => self.seen = stamp(&path),
            Err(error) => {
                self.path = None;
                let what = format!("cannot be written: {error}");
                let line =
                    line("SQ003", &path, &what, "from now on faults of plugins are forgotten with the host");
                tracing::warn!("{line}");
            }
        }
        answer
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let stored = Stored { version: VERSION, plugins: self.records.clone() };
        let text = serde_json::to_vec_pretty(&stored)?;
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{turn}", std::process::id()));
        let temporary = PathBuf::from(name);
        let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow);
        let written = options.open(&temporary).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        let done = written.and_then(|()| fs::rename(&temporary, path));
        if done.is_err() {
            // What is left of it does no harm.
            let _ = fs::remove_file(&temporary);
        }
        done
    }

    /// Reads the file. On an error, which is a line for people, the records stay what they were.
    fn reload(&mut self, path: &Path) -> Result<(), String> {
        self.seen = stamp(path);
        let mut records = read(path).map_err(|reason| {
            line(
                "SQ001",
                path,
                &reason,
                "no older fault of a plugin counts; the next one writes the file anew",
            )
        })?;
        // What happened in this process keeps its place on this process's clock.
        for (id, record) in &mut records {
            let known = self.records.get(id).map_or(&[][..], |known| known.recent.as_slice());
            for recent in &mut record.recent {
                let same = known.iter().find(|known| known.unix_ms == recent.unix_ms);
                recent.monotonic_ms = same.and_then(|known| known.monotonic_ms);
            }
        }
        self.records = records;
        self.revision += 1;
        Ok(())
    }
}

fn line(code: &str, path: &Path, what: &str, remedy: &str) -> String {
    let path = path.display().to_string();
    format!("{code} {}: {}; {remedy}", clip(&path, 120), clip(what, 160))
}

/// Forgets the oldest record but that of `kept`, one that is not in quarantine if there is one.
fn forget_one(records: &mut BTreeMap<String, FaultRecord>, kept: &str) -> bool {
    let others = records.iter().filter(|(id, _)| id.as_str() != kept);
    let oldest = others.min_by_key(|(_, record)| (record.quarantined.is_some(), record.last.unix_ms));
    let oldest = oldest.map(|(id, _)| id.clone());
    oldest.is_some_and(|id| records.remove(&id).is_some())
}

/// What stands in the file; nothing when there is none.
fn read(path: &Path) -> Result<BTreeMap<String, FaultRecord>, String> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(BTreeMap::new());
    }
    let (file, _) = files::open(path).map_err(|refusal| refusal.to_string())?;
    let mut text = Vec::new();
    file.take(MAX_STORE_BYTES + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_STORE_BYTES {
        return Err(format!("more than {MAX_STORE_BYTES} bytes"));
    }
    let stored: Stored = serde_json::from_slice(&text)
        .map_err(|error| format!("damaged: {}", clip(&error.to_string(), 120)))?;
    if stored.version != VERSION {
        return Err(format!("of version {}, this host knows {VERSION}", stored.version));
    }
    let known = |id: &String| PluginId::try_from(id.clone()).is_ok();
    if stored.plugins.len() > MAX_RECORDS || !stored.plugins.keys().all(known) {
        return Err("damaged: names what is no plugin, or too many".into());
    }
    let bounded = |(id, mut record): (String, FaultRecord)| {
        record.last.note = record.last.note.bounded();
        record.recent.truncate(super::FAULT_LIMIT);
        if let Some(sentence) = &mut record.quarantined {
            sentence.reason = clip(&sentence.reason, 140);
        }
        (id, record)
    };
    Ok(stored.plugins.into_iter().map(bounded).collect())
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    Some(Stamp { bytes: metadata.len(), modified, inode: metadata.ino() })
}

/// The folder of the file, made if it is missing.
fn folder_of(path: &Path) -> io::Result<PathBuf> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    Ok(folder.to_owned())
}

/// Whether the file, or the first folder above it that exists, can be written. Makes nothing.
fn writable(path: &Path) -> io::Result<()> {
    let folder = path.ancestors().skip(1).find(|folder| folder.exists());
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(io::Error::other(format!("{} is no folder", folder.display())));
    }
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The lock that hosts which share the file take; held until the answer is dropped.
fn lock(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    for _ in 0..LOCK_TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
    // A stopped process may hold it for ever. The write replaces the file as a whole in any case.
    Ok(file)
}
