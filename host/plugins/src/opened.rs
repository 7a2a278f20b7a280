//! A library that is mapped into this process: its entry, its manifest, its tables.

use std::{
    ffi::c_void,
    path::{Path, PathBuf},
};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use selkies_plugin_abi as abi;

use crate::{
    LayoutCheck, Manifest, Offer, Refusal,
    tables::{Known, Tables, known},
};

/// An id that no plugin may know.
const UNKNOWN_ID: &str = "selkies.none/0";

/// A mapped library with a plausible entry.
pub(crate) struct Opened {
    path: PathBuf,
    manifest_json: &'static [u8],
    query: unsafe extern "C" fn(id: abi::Str) -> *const c_void,
    #[cfg(feature = "verify")]
    records: Option<Result<crate::layout::Records, String>>,
}

impl Opened {
    /// Maps the library of an [`Admission`] and reads its entry.
    ///
    /// # Errors
    /// [`Refusal::MissingLibrary`], [`Refusal::LinkFailed`], [`Refusal::NoEntry`], [`Refusal::WrongMagic`],
    /// [`Refusal::WrongEpoch`], [`Refusal::EntryTooSmall`], [`Refusal::EntryBroken`].
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        let path = path.to_owned();
        // SAFETY: constructors of the library run; that is what loading a plugin means. The file was measured, so that
        // mapping it does not fault.
        let library =
            unsafe { Library::open(Some(path.as_os_str()), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
                // The linker's own words are the source of the error.
                let words = std::error::Error::source(&error).map(ToString::to_string);
                link_refusal(&path, &words.unwrap_or_else(|| error.to_string()))
            })?;
        // SAFETY: only the symbol's address is taken; what is behind it is checked below.
        let entry =
            unsafe { library.get::<*const abi::PluginEntry>(abi::ENTRY_SYMBOL) }.map(|symbol| *symbol);
        #[cfg(feature = "verify")]
        // SAFETY: a symbol of this name is an `AbiHeader` of abi_stable, whose form is the same in all its versions.
        let header =
            unsafe { library.get::<abi_stable::library::AbiHeaderRef>(crate::layout::SYMBOL) }.map(|s| *s);
        // Never unmapped: threads and thread-local destructors of the plugin may outlive any use of it.
        std::mem::forget(library);

        let entry = entry.map_err(|_| Refusal::NoEntry { path: path.clone() })?;
        let entry = check_entry(&path, entry)?;
        let broken = |reason: &str| Refusal::EntryBroken { path: path.clone(), reason: reason.into() };
        let query = entry.query.ok_or_else(|| broken("query is NULL"))?;
        let text = entry.manifest_json;
        if text.ptr.is_null() || text.len == 0 {
            return Err(broken("manifest_json is empty"));
        }
        if text.len > abi::MAX_MANIFEST_BYTES {
            return Err(broken("manifest_json is longer than 256 KiB"));
        }
        // SAFETY: not NULL and of bounded length; the ABI promises static readable bytes.
        let manifest_json = unsafe { std::slice::from_raw_parts(text.ptr, text.len) };
        let opened = Self {
            manifest_json,
            query,
            #[cfg(feature = "verify")]
            records: header.ok().map(crate::layout::Records::read),
            path,
        };
        if !opened.ask(UNKNOWN_ID).is_null() {
            return Err(Refusal::EntryBroken {
                path: opened.path,
                reason: format!("query answers a table for the unknown id {UNKNOWN_ID}"),
            });
        }
        Ok(opened)
    }

    fn ask(&self, id: &str) -> *const c_void {
        // SAFETY: the ABI allows this call from any thread at any time; the id is borrowed for the call.
        unsafe { (self.query)(abi::Str::new(id)) }
    }

    /// The manifest inside the library.
    ///
    /// # Errors
    /// [`Refusal::EntryBroken`].
    pub(crate) fn embedded(&self) -> Result<Manifest, Refusal> {
        Manifest::parse(self.manifest_json, &self.path).map_err(|refusal| Refusal::EntryBroken {
            path: self.path.clone(),
            reason: match refusal {
                Refusal::ManifestInvalid { line, column, reason, .. } => {
                    format!("manifest_json:{line}:{column}: {reason}")
                }
                other => other.to_string(),
            },
        })
    }

    /// Compares the manifest file with the one in the library.
    ///
    /// # Errors
    /// [`Refusal::ManifestDisagrees`] with the first field, [`Refusal::EntryBroken`].
    pub(crate) fn agree(&self, file: &Manifest) -> Result<(), Refusal> {
        match file.difference(&self.embedded()?) {
            None => Ok(()),
            Some(difference) => Err(Refusal::ManifestDisagrees {
                path: self.path.clone(),
                field: difference.field,
                file: difference.left,
                library: difference.right,
            }),
        }
    }

    /// Asks for each table of the manifest, and for the lifecycle table in any case.
    pub(crate) fn survey(&self, manifest: &Manifest) -> (Tables, Vec<Offer>) {
        let mut tables = Tables::default();
        let mut offers = Vec::new();
        for interface in &manifest.interfaces {
            let id = interface.as_str();
            offers.push(match known(id) {
                Some(known) => self.offer(manifest.id.as_str(), known, &mut tables),
                None => Offer { id: id.to_owned(), bytes: None, wanted: None, refusal: None },
            });
        }
        let lifecycle = abi::ids::LIFECYCLE_V1;
        if !manifest.interfaces.iter().any(|interface| interface.as_str() == lifecycle)
            && !self.ask(lifecycle).is_null()
            && let Some(known) = known(lifecycle)
        {
            offers.push(self.offer(manifest.id.as_str(), known, &mut tables));
        }
        (tables, offers)
    }

    fn offer(&self, id: &str, known: &Known, tables: &mut Tables) -> Offer {
        let (bytes, outcome) = self.check_table(id, known);
        let refusal = match outcome {
            Ok(table) => {
                // SAFETY: `check_table` passed it: aligned, not NULL, of the published size; static by the ABI.
                unsafe { (known.keep)(table, tables) };
                None
            }
            Err(refusal) => Some(refusal),
        };
        Offer { id: known.id.into(), bytes, wanted: Some(known.bytes), refusal }
    }

    /// The size that a table has, and the table if it is the published one.
    fn check_table(&self, id: &str, known: &Known) -> (Option<u32>, Result<*const c_void, Refusal>) {
        let (id, table) = (id.to_owned(), known.id.to_owned());
        let pointer = self.ask(known.id);
        if pointer.is_null() {
            return (None, Err(Refusal::TableMissing { id, table }));
        }
        if !pointer.addr().is_multiple_of(align_of::<abi::LifecycleV1>()) {
            let difference = "its address is not a multiple of 8".into();
            return (None, Err(Refusal::TableChanged { id, table, difference }));
        }
        // SAFETY: aligned and not NULL; every table begins with its size, and the ABI promises that it is static.
        let bytes = unsafe { pointer.cast::<u32>().read() };
        if bytes != known.bytes {
            let difference = format!("size is {bytes}, wanted {}", known.bytes);
            return (Some(bytes), Err(Refusal::TableChanged { id, table, difference }));
        }
        #[cfg(feature = "verify")]
        if let Some(Ok(records)) = &self.records
            && let Some(difference) = records.difference(known.id)
        {
            return (Some(bytes), Err(Refusal::TableChanged { id, table, difference }));
        }
        // SAFETY: aligned, not NULL and of the published size; static by the ABI.
        if let Some(function) = unsafe { (known.first_null)(pointer) } {
            return (Some(bytes), Err(Refusal::TableIncomplete { id, table, function: function.into() }));
        }
        (Some(bytes), Ok(pointer))
    }

    /// How the tables of [`Self::survey`] were checked.
    #[cfg(feature = "verify")]
    pub(crate) fn layout_check(&self) -> LayoutCheck {
        match &self.records {
            None => LayoutCheck::NoRecords,
            Some(Ok(_)) => LayoutCheck::Compared,
            Some(Err(reason)) => LayoutCheck::Unreadable(crate::refusal::clip(reason, 160)),
        }
    }

    /// How the tables of [`Self::survey`] were checked.
    #[cfg(not(feature = "verify"))]
    pub(crate) fn layout_check(&self) -> LayoutCheck {
        LayoutCheck::Disabled
    }
}

/// Reads the entry in the order in which its fields may be trusted.
fn check_entry(path: &Path, entry: *const abi::PluginEntry) -> Result<&'static abi::PluginEntry, Refusal> {
    let path = path.to_owned();
    if entry.is_null() || !entry.is_aligned() {
        return Err(Refusal::EntryBroken { path, reason: "it is NULL or misaligned".into() });
    }
    // SAFETY: aligned and not NULL, and the file's symbol table says that it is as large as a `PluginEntry`. A
    // `PluginEntry` is numbers and pointers, of which every value is valid but for `query`, a nullable pointer.
    let entry = unsafe { &*entry };
    if entry.magic != abi::PLUGIN_MAGIC {
        return Err(Refusal::WrongMagic { path, found: entry.magic });
    }
    if entry.abi_epoch != abi::ABI_EPOCH {
        return Err(Refusal::WrongEpoch { path, found: entry.abi_epoch });
    }
    let wanted = size_of::<abi::PluginEntry>() as u64;
    let found = u64::from(entry.struct_size);
    if found < wanted {
        return Err(Refusal::EntryTooSmall { path, wanted, found });
    }
    Ok(entry)
}

/// What the dynamic linker (glibc or musl) says, as a refusal.
fn link_refusal(path: &Path, text: &str) -> Refusal {
    let own = path.to_string_lossy();
    let text = text.strip_prefix(&*own).map_or(text, |rest| rest.trim_start_matches([':', ' ']));
    let library = text
        .split_once(": cannot open shared object file: No such file")
        .map(|(library, _)| library)
        .or_else(|| {
            let rest = text.strip_prefix("Error loading shared library ")?;
            rest.split_once(": No such file").map(|(library, _)| library)
        });
    match library {
        Some(library) => Refusal::MissingLibrary { path: path.to_owned(), library: library.to_owned() },
        None => Refusal::LinkFailed { path: path.to_owned(), reason: text.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_linker_become_refusals() {
        let path = Path::new("/p/x.so");
        for (text, code, word) in [
            ("libgone.so: cannot open shared object file: No such file or directory", "SP010", "libgone.so"),
            (
                "Error loading shared library libgone.so: No such file or directory (needed by /p/x.so)",
                "SP010",
                "libgone.so",
            ),
            ("/p/x.so: undefined symbol: frobnicate", "SP011", "linked: undefined symbol: frobnicate"),
        ] {
            let refusal = link_refusal(path, text);
            assert_eq!(refusal.code(), code, "{refusal}");
            assert!(refusal.to_string().contains(word), "{refusal}");
        }
    }
}
