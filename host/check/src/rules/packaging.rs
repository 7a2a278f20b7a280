//! `docs/specs/packaging.md`: the manifest and the library, before any instance.

crate::rule::page! { "packaging", None;
    PKG_001 "PKG-001" Must "manifest"
        "A plugin MUST have a manifest that fits schemas/selkies-plugin.schema.json."
        "Validate selkies-plugin.json against the schema; editors do it with its \"$schema\" field.";
    PKG_002 "PKG-002" Must "library"
        "The library MUST be a complete ELF shared object for this machine, and all that it links MUST be installed."
        "Build it with -shared -fPIC -Wl,-z,defs for this machine, and install or bundle what ldd reports as missing.";
    PKG_003 "PKG-003" Must "manifest in the library"
        "The manifest in the library MUST say the same as the file, apart from `sha256` and `$schema`."
        "Generate both from one file at build time, as the templates do.";
    PKG_004 "PKG-004" Must "sha256"
        "A `sha256` in the manifest MUST be that of the library."
        "Compute it after the last step that changes the library (strip), or leave it out.";
    PKG_005 "PKG-005" Must "entry"
        "The library MUST export the data symbol `selkies_plugin_entry` with the published magic, epoch, size, a manifest and `query`."
        "Use SELKIES_PLUGIN_ENTRY of the header or export_plugin! of the SDK, and keep the symbol when stripping.";
    PKG_006 "PKG-006" Must "unknown ids"
        "`query` MUST answer NULL for every id that the library does not offer; ids are compared byte by byte."
        "Compare length and bytes of the whole id; no prefix, no case folding, no trailing zero.";
    PKG_007 "PKG-007" Must "tables"
        "`query` MUST answer each table that the manifest names, of the published size and without a NULL function."
        "Fill every function of the table; one that has nothing to do returns SELKIES_OK.";
    PKG_008 "PKG-008" Must "query is constant"
        "`query` MUST answer the same pointer for an id at all times and from any thread."
        "Answer the addresses of static tables.";
    PKG_009 "PKG-009" Must "configuration schema"
        "`config_schema` MUST be a JSON Schema that describes an object."
        "Check the schema against its meta-schema; name \"type\": \"object\" at its top.";
    PKG_010 "PKG-010" Should "permissions"
        "The files of a plugin SHOULD be writable by their owner and root only."
        "chmod go-w the folder, the manifest and the library.";
    PKG_011 "PKG-011" Must "company"
        "Plugins MUST be loadable into one process together with others, in any order."
        "Prefix process-wide names (GType names, signal handlers, environment) with your own, and set no global state.";
}
