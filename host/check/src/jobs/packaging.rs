//! The manifest, the library's file and its tables.

use std::{collections::BTreeSet, io::Read, path::Path};

use selkies_plugin_abi::ids;
use selkies_plugin_host::{Depth, ElfFacts, Manifest, Policy, inspect, validate_config, validate_schema};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Blocked, Job, Task,
    instances::{Made, makers},
};
use crate::{
    journal::{fail, held, pass, skip, warn},
    library::Library,
    rule::Rule,
    rules::packaging::{
        PKG_001, PKG_002, PKG_003, PKG_004, PKG_005, PKG_006, PKG_007, PKG_008, PKG_009, PKG_010, PKG_011,
    },
};

pub(super) static JOBS: &[Job] = &[
    Job {
        name: "packaging",
        table: None,
        rules: &[
            &PKG_001, &PKG_002, &PKG_003, &PKG_004, &PKG_005, &PKG_006, &PKG_007, &PKG_008, &PKG_009,
            &PKG_010,
        ],
        limit_s: 60,
        fuzz: false,
        run: packaging,
    },
    Job { name: "company", table: None, rules: &[&PKG_011], limit_s: 120, fuzz: false, run: company },
];

/// Ids that a plugin may know.
const PUBLISHED: &[&str] = &[
    ids::LIFECYCLE_V1,
    ids::CAPTURE_V1,
    ids::DISPLAY_V1,
    ids::CURSOR_V1,
    ids::CLIPBOARD_V1,
    ids::ENCODER_V1,
    ids::ENCODER_RATE_V1,
    ids::TRANSPORT_V1,
    ids::INPUT_V1,
    ids::GAMEPAD_V1,
    ids::RTC_CONFIG_V1,
    ids::AUDIO_CAPTURE_V1,
    ids::AUDIO_ENCODER_V1,
    ids::AUDIO_SINK_V1,
];

fn packaging(task: &Task) -> Result<(), Blocked> {
    let candidate = task.candidate().inspect_err(|why| fail(&PKG_001, why.as_str()))?;
    pass(&PKG_001);
    let manifest = candidate.manifest();
    let path = candidate.library_path();
    schema(manifest);
    ElfFacts::read(&path).map_err(|refusal| {
        fail(&PKG_002, refusal.to_string());
        format!("PKG-002: {refusal}")
    })?;
    hash(manifest, &path)?;
    // The host's own judgement, for what it alone compares: permissions, layout records, NULL functions.
    for inspection in inspect(candidate.manifest_path(), &Policy::default(), Depth::Code) {
        if let Some(refusal) = &inspection.refusal
            && let Some(rule) = rule_of(refusal.code())
        {
            if rule == &PKG_010 { warn(rule, refusal.to_string()) } else { fail(rule, refusal.to_string()) }
        }
        for offer in &inspection.tables {
            if let Some(refusal) = &offer.refusal {
                fail(&PKG_007, refusal.to_string());
            }
        }
    }
    let library = match Library::open(&path) {
        Ok(library) => library,
        Err(why) => {
            // A library that needs another one never came to its entry.
            let rule = if why.starts_with("there is no symbol") || why.contains("is ") {
                &PKG_005
            } else {
                &PKG_002
            };
            fail(rule, why.as_str());
            return Err(format!("{}: {why}", rule.id));
        }
    };
    pass(&PKG_005);
    match library.manifest() {
        Ok(text) => agree(task, text, &path),
        Err(why) => fail(&PKG_005, why),
    }
    unknown_ids(&library, manifest);
    constant(&library, manifest);
    held(&[&PKG_002, &PKG_005, &PKG_006, &PKG_007, &PKG_008, &PKG_010]);
    Ok(())
}

/// The rule behind a refusal of the host; `None` for those that are judged here, or say nothing about the plugin.
fn rule_of(code: &str) -> Option<&'static Rule> {
    match code {
        "SP005" => Some(&PKG_010),
        "SP007" | "SP008" | "SP010" | "SP011" | "SP022" => Some(&PKG_002),
        "SP009" | "SP012" | "SP013" | "SP014" => Some(&PKG_005),
        "SP017" | "SP018" | "SP019" | "SP020" => Some(&PKG_007),
        _ => None,
    }
}

fn schema(manifest: &Manifest) {
    let Some(schema) = &manifest.config_schema else {
        return skip(&PKG_009, "the manifest has no config_schema");
    };
    if let Err(refusal) = validate_schema(manifest) {
        return fail(&PKG_009, refusal.to_string());
    }
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return fail(&PKG_009, "the schema's type is not \"object\"");
    }
    if validate_config(manifest, &Value::Bool(true)).is_ok() {
        return fail(&PKG_009, "the schema takes true, which is no object");
    }
    pass(&PKG_009);
}

fn hash(manifest: &Manifest, path: &Path) -> Result<(), Blocked> {
    let Some(wanted) = &manifest.sha256 else {
        skip(&PKG_004, "the manifest has no sha256");
        return Ok(());
    };
    let unreadable = |error: std::io::Error| format!("PKG-004: {}: {error}", path.display());
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk).map_err(unreadable)? {
            0 => break,
            len => hash.update(&chunk[..len]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found.eq_ignore_ascii_case(wanted.as_str()) {
        pass(&PKG_004);
    } else {
        fail(&PKG_004, format!("the library's is {found}"));
    }
    Ok(())
}

/// Compares the two manifests as values, so that the first field that differs can be named.
fn agree(task: &Task, inside: &[u8], path: &Path) {
    let inside = match Manifest::parse(inside, path) {
        Ok(manifest) => manifest,
        Err(refusal) => return fail(&PKG_003, refusal.to_string()),
    };
    let plain = |manifest: &Manifest| {
        let mut value = serde_json::to_value(manifest).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("sha256");
            fields.remove("$schema");
        }
        value
    };
    let Ok(file) = task.manifest() else { return };
    let (file, inside) = (plain(&file), plain(&inside));
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect()
    };
    let mut all = names(&file);
    all.extend(names(&inside));
    match all.iter().find(|name| file.get(name.as_str()) != inside.get(name.as_str())) {
        None => pass(&PKG_003),
        Some(name) => {
            let show = |value: Option<&Value>| value.map_or_else(|| "absent".into(), ToString::to_string);
            let (file, inside) = (show(file.get(name)), show(inside.get(name)));
            fail(&PKG_003, format!("{name} is {file} in the file and {inside} in the library"));
        }
    }
}

fn unknown_ids(library: &Library, manifest: &Manifest) {
    let mut ids: Vec<String> =
        ["", "\0", "selkies.none/0", "selkies.", "selkies.encoder", "no.such.vendor/1"]
            .map(str::to_owned)
            .to_vec();
    for id in manifest.interfaces.iter().map(|interface| interface.as_str()) {
        ids.extend([
            format!("{id}\0"),
            format!("{id}0"),
            format!(" {id}"),
            id.to_uppercase(),
            id[..id.len() - 1].to_owned(),
        ]);
    }
    let offered = |id: &str| manifest.interfaces.iter().any(|interface| interface.as_str() == id);
    for id in ids.iter().filter(|id| !offered(id) && !PUBLISHED.contains(&id.as_str())) {
        if !library.ask(id).is_null() {
            fail(&PKG_006, format!("query answered a table for {id:?}"));
        }
    }
    // What is published but not in the manifest may be there, apart from the lifecycle it should be said.
    for id in PUBLISHED.iter().filter(|id| **id != ids::LIFECYCLE_V1 && !offered(id)) {
        if !library.ask(id).is_null() {
            warn(&PKG_006, format!("query answers {id}, which the manifest does not name"));
        }
    }
}

fn constant(library: &Library, manifest: &Manifest) {
    for interface in &manifest.interfaces {
        let id = interface.as_str();
        let first = library.ask(id).addr();
        if first == 0 {
            fail(&PKG_007, format!("query answers NULL for {id}, which the manifest names"));
        }
        let library = *library;
        let other = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(move || library.ask(id).addr())).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).find(|&answer| answer != first)
        });
        if let Some(other) = other {
            fail(&PKG_008, format!("query answered {first:#x} and {other:#x} for {id}"));
        }
    }
}

/// Loads all plugins that are checked into one process and makes an instance of each, this one last: many names are
/// registered no earlier than that. How the process ends is judged by its parent.
fn company(task: &Task) -> Result<(), Blocked> {
    let own = &task.order.manifest;
    let mut kept = Vec::new();
    for manifest in task.order.company.iter().filter(|path| *path != own) {
        let order = super::Order { manifest: manifest.clone(), ..task.order.clone() };
        // The configuration is this plugin's.
        let other = Task::new(super::Order { config: serde_json::Map::new(), ..order });
        // What fails is told of in its own report.
        let _ = other.library().and_then(|library| instances(&other, &library, &mut kept));
    }
    let library = task.library_or(&PKG_011)?;
    if task.order.company.len() > 1 {
        instances(task, &library, &mut kept)?;
    }
    pass(&PKG_011);
    Ok(())
}

/// Makes an instance of each of a plugin's tables.
fn instances(task: &Task, library: &Library, kept: &mut Vec<Made>) -> Result<(), Blocked> {
    for (table, make) in makers(task, library)? {
        kept.push(make().map_err(|failure| format!("no instance of {table} beside the others: {failure}"))?);
    }
    Ok(())
}
