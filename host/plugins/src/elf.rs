//! What an ELF file says about itself, read without mapping it.
//!
//! `dlopen` maps a truncated library and dies by SIGBUS when it touches a page past its end, so the tables of the file
//! are measured first. Layout: System V ABI, chapters 4 and 5 ("Object Files", "Program Loading").

use std::path::Path;

use object::{
    LittleEndian, elf,
    read::{
        ReadCache, ReadRef,
        elf::{Dyn, FileHeader, ProgramHeader, Sym},
    },
};
use serde::Serialize;

use crate::{Refusal, files, refusal::clip};

/// Largest library in bytes.
pub const MAX_LIBRARY_BYTES: u64 = 512 * 1024 * 1024;

#[cfg(target_arch = "x86_64")]
const HOST_MACHINE: u16 = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const HOST_MACHINE: u16 = elf::EM_AARCH64;

/// The machine of this host, as [`ElfFacts::machine`] names it.
pub(crate) const HOST_MACHINE_NAME: &str = std::env::consts::ARCH;

const ENDIAN: LittleEndian = LittleEndian;
type Header = elf::FileHeader64<LittleEndian>;

/// What was learned about a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ElfFacts {
    /// The machine it is built for: `x86_64`, `aarch64`.
    pub machine: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Libraries that it links (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// Size of the exported data symbol `selkies_plugin_entry`; absent when there is none.
    pub entry_bytes: Option<u64>,
    /// It carries the layout records of a Rust plugin.
    pub layout_records: bool,
}

impl ElfFacts {
    /// Reads and measures the library at `path`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`], [`Refusal::TooLarge`], [`Refusal::NotLibrary`], [`Refusal::Truncated`]. A library without
    /// the entry symbol is no error here.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        let (file, metadata) = files::open(path)?;
        if metadata.len() > MAX_LIBRARY_BYTES {
            return Err(Refusal::TooLarge {
                path: path.to_owned(),
                found: format!("{} MiB", metadata.len() >> 20),
                limit: format!("{} MiB", MAX_LIBRARY_BYTES >> 20),
            });
        }
        let cache = ReadCache::new(file);
        measure(&cache, metadata.len()).map_err(|fault| match fault {
            Fault::Other(found) => Refusal::NotLibrary { path: path.to_owned(), found },
            Fault::Short(wanted) => {
                Refusal::Truncated { path: path.to_owned(), wanted, found: metadata.len() }
            }
        })
    }
}

enum Fault {
    /// Not what is wanted; says what it is.
    Other(String),
    /// Needs this many bytes.
    Short(u64),
}

impl From<object::Error> for Fault {
    fn from(error: object::Error) -> Self {
        Self::Other(format!("damaged ELF file: {error}"))
    }
}

fn measure<'data, R: ReadRef<'data>>(data: R, bytes: u64) -> Result<ElfFacts, Fault> {
    // Magic, then class and byte order.
    let ident = data.read_bytes_at(0, bytes.min(6)).unwrap_or(&[]);
    if !ident.starts_with(&elf::ELFMAG) {
        return Err(Fault::Other(start_of(data, bytes)));
    }
    if ident.get(4..) != Some(&[elf::ELFCLASS64, elf::ELFDATA2LSB]) {
        return Err(Fault::Other("an ELF file, but not 64-bit little-endian".into()));
    }
    let header: &Header = data.read_at(0).map_err(|()| Fault::Short(size_of::<Header>() as u64))?;
    let machine = header.e_machine(ENDIAN);
    if machine != HOST_MACHINE {
        return Err(Fault::Other(format!("built for {}", machine_name(machine))));
    }
    if header.e_type(ENDIAN) != elf::ET_DYN {
        return Err(Fault::Other("an ELF file, but not a shared library".into()));
    }
    let needed_bytes = extent(header, data)?;
    if needed_bytes > bytes {
        return Err(Fault::Short(needed_bytes));
    }

    let mut facts = ElfFacts {
        machine: machine_name(machine),
        bytes,
        needed: Vec::new(),
        entry_bytes: None,
        layout_records: false,
    };
    let sections = header.sections(ENDIAN, data)?;
    if let Some((entries, strings)) = sections.dynamic(ENDIAN, data)? {
        let strings = sections.strings(ENDIAN, data, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag32(ENDIAN) == Some(elf::DT_NEEDED)) {
            let name = entry.val32(ENDIAN).and_then(|offset| strings.get(offset).ok());
            let name =
                name.ok_or_else(|| Fault::Other("damaged ELF file: a needed library without name".into()))?;
            facts.needed.push(clip(&String::from_utf8_lossy(name), 255));
        }
    }
    let symbols = sections.symbols(ENDIAN, data, elf::SHT_DYNSYM)?;
    for symbol in symbols.iter().filter(|symbol| !symbol.is_undefined(ENDIAN)) {
        let name = symbol.name(ENDIAN, symbols.strings())?;
        if name == selkies_plugin_abi::ENTRY_SYMBOL.as_bytes() && symbol.st_type() == elf::STT_OBJECT {
            facts.entry_bytes = Some(symbol.st_size(ENDIAN));
        }
        facts.layout_records |= name == crate::layout::SYMBOL.as_bytes();
    }
    Ok(facts)
}

/// How many bytes the file's own tables need: header tables and everything that is mapped.
fn extent<'data, R: ReadRef<'data>>(header: &Header, data: R) -> Result<u64, Fault> {
    let table =
        |start: u64, entry: u16, count: u64| start.saturating_add(u64::from(entry).saturating_mul(count));
    let program_end =
        table(header.e_phoff(ENDIAN), header.e_phentsize(ENDIAN), header.e_phnum(ENDIAN).into());
    let section_end =
        table(header.e_shoff(ENDIAN), header.e_shentsize(ENDIAN), header.e_shnum(ENDIAN).into());
    let mut end = program_end.max(section_end);
    if let Ok(segments) = header.program_headers(ENDIAN, data) {
        if !segments.iter().any(|segment| segment.p_type(ENDIAN) == elf::PT_LOAD) {
            return Err(Fault::Other("an ELF file that maps nothing".into()));
        }
        for segment in segments.iter().filter(|segment| segment.p_type(ENDIAN) == elf::PT_LOAD) {
            if segment.p_filesz(ENDIAN) > segment.p_memsz(ENDIAN) {
                return Err(Fault::Other("damaged ELF file: a segment larger than its memory".into()));
            }
            end = end.max(segment.p_offset(ENDIAN).saturating_add(segment.p_filesz(ENDIAN)));
        }
    } else if header.e_phentsize(ENDIAN) as usize != size_of::<elf::ProgramHeader64<LittleEndian>>() {
        return Err(Fault::Other("damaged ELF file: program headers of a wrong size".into()));
    }
    Ok(end)
}

fn machine_name(machine: u16) -> String {
    match machine {
        elf::EM_X86_64 => "x86_64".into(),
        elf::EM_AARCH64 => "aarch64".into(),
        elf::EM_386 => "x86".into(),
        elf::EM_ARM => "arm".into(),
        elf::EM_RISCV => "riscv".into(),
        other => format!("ELF machine {other}"),
    }
}

/// Describes a file that is not ELF.
fn start_of<'data, R: ReadRef<'data>>(data: R, bytes: u64) -> String {
    let start = data.read_bytes_at(0, bytes.min(16)).unwrap_or(&[]);
    if start.is_empty() {
        "an empty file".into()
    } else if start.is_ascii() {
        format!("text that begins with {:?}", String::from_utf8_lossy(start))
    } else {
        "not an ELF file".into()
    }
}
