//! The library under test, mapped into this process, without any of the host's judgement.

use std::{ffi::c_void, path::Path};

use libloading::os::unix::{Library as Mapped, RTLD_LOCAL, RTLD_NOW};
use selkies_plugin_abi as abi;

use crate::host::size32;

/// A mapped library with a plausible entry. Never unmapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Library {
    entry: &'static abi::PluginEntry,
    query: unsafe extern "C" fn(id: abi::Str) -> *const c_void,
}

impl Library {
    /// Maps the library; its constructors run.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        // SAFETY: constructors run; this process is there for that.
        let library = unsafe { Mapped::open(Some(path.as_os_str()), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|error| {
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        })?;
        // SAFETY: only the symbol's address is taken.
        let entry =
            unsafe { library.get::<*const abi::PluginEntry>(abi::ENTRY_SYMBOL) }.map(|symbol| *symbol);
        std::mem::forget(library);
        let entry = entry.map_err(|_| format!("there is no symbol {}", abi::ENTRY_SYMBOL))?;
        if entry.is_null() || !entry.is_aligned() {
            return Err("the entry is NULL or misaligned".into());
        }
        // SAFETY: a data symbol of this name; the fields are judged before they are used, in the order of the struct.
        let entry = unsafe { &*entry };
        if entry.magic != abi::PLUGIN_MAGIC {
            return Err(format!("magic is {:#x}, wanted {:#x}", entry.magic, abi::PLUGIN_MAGIC));
        }
        if entry.abi_epoch != abi::ABI_EPOCH {
            return Err(format!("abi_epoch is {}, wanted {}", entry.abi_epoch, abi::ABI_EPOCH));
        }
        let wanted = size32::<abi::PluginEntry>();
        if entry.struct_size < wanted {
            return Err(format!("struct_size is {}, wanted {wanted}", entry.struct_size));
        }
        let query = entry.query.ok_or("query is NULL")?;
        Ok(Self { entry, query })
    }

    /// The manifest inside.
    pub(crate) fn manifest(&self) -> Result<&'static [u8], String> {
        let text = self.entry.manifest_json;
        if text.ptr.is_null() || text.len == 0 || text.len > abi::MAX_MANIFEST_BYTES {
            return Err(format!("manifest_json has {} bytes", text.len));
        }
        // SAFETY: not NULL and of bounded length; static by the ABI.
        Ok(unsafe { std::slice::from_raw_parts(text.ptr, text.len) })
    }

    /// What `query` answers. Callable from any thread.
    pub(crate) fn ask(&self, id: &str) -> *const c_void {
        // SAFETY: the ABI allows this call at any time; the id is borrowed for it.
        unsafe { (self.query)(abi::Str::new(id)) }
    }

    /// The table `id`, if it is there and has the published size.
    ///
    /// # Safety
    /// `T` is the struct published under this id.
    pub(crate) unsafe fn table<T>(&self, id: &str) -> Option<&'static T> {
        let pointer = self.ask(id);
        if pointer.is_null() || !pointer.addr().is_multiple_of(align_of::<T>()) {
            return None;
        }
        // SAFETY: aligned and not NULL; every table begins with its size and is static.
        let size = unsafe { pointer.cast::<u32>().read() };
        // SAFETY: of the published size, so the caller's struct fits.
        (size == size32::<T>()).then(|| unsafe { &*pointer.cast::<T>() })
    }
}
