//! A Rust plugin with layout records, compared table by table.

mod support;

use std::{fs, path::PathBuf};

use selkies_plugin_abi::{CursorV1, EncoderRateV1};
use selkies_plugin_host::{Depth, LayoutCheck, Policy, inspect, load};
use support::{Outcome, PluginFolder};

/// Cargo builds examples before tests, into the folder beside the test's own.
fn example() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(|deps| deps.parent()).ok_or("no target folder")?;
    Ok(profile.join("examples/librecorded_plugin.so"))
}

#[test]
fn layout_records_are_compared_per_table() -> Outcome {
    let plugin = PluginFolder::new("test.recorded")?;
    fs::write(plugin.manifest_path(), include_str!("../examples/recorded_plugin.json"))?;
    fs::copy(example()?, plugin.path().join("librecorded_plugin.so"))?;
    let loaded = load(&plugin.candidate()?, &Policy::default())?;
    assert_eq!(loaded.layout_check(), &LayoutCheck::Compared);
    assert!(loaded.table::<CursorV1>().is_some());
    assert!(loaded.table::<EncoderRateV1>().is_none(), "same size and all functions, but not its layout");
    let lines: Vec<String> = loaded.left_out().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("SP018 test.recorded: selkies.encoder.rate/1 "), "{lines:?}");
    assert!(lines[0].contains("type is LifecycleV1, wanted EncoderRateV1"), "{lines:?}");
    assert!(!lines[0].contains('\n') && lines[0].chars().count() <= 300, "{lines:?}");

    let found = inspect(plugin.path(), &Policy::default(), Depth::Code);
    let text = found[0].to_text();
    assert!(text.contains("compared field by field"), "{text}");
    assert_eq!(found[0].elf.as_ref().map(|elf| elf.layout_records), Some(true));
    Ok(())
}
