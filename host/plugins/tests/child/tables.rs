//! Plugins with fewer tables, with unknown ones, and with one that is not as published: the same wherever they run.

use std::fs;

use selkies_plugin_host::{Placement, Policy, Refusal, probe_encoder};
use serde_json::json;

use crate::{
    stage::{Failure, GENEROUS, Outcome, Stage, children, example, in_children},
    support::{PluginFolder, lines::Lines},
};

/// Starts the plugin in a child and in this process, and lets `judge` look at each. It must say as many lines about
/// tables that are left out, in all that is logged about it, as `warnings`.
fn both(folder: &PluginFolder, warnings: usize, judge: impl Fn(&Stage) -> Outcome) -> Outcome {
    let lines = Lines::everywhere();
    let id = folder.manifest["id"].as_str().ok_or("no id")?;
    let warned = || {
        let text = lines.text();
        text.lines().filter(|line| line.contains("WARN") && line.contains(id)).count()
    };
    let child = in_children(children(None, GENEROUS)?);
    for (policy, place) in [(child, Placement::Process), (Policy::default(), Placement::InProcess)] {
        let before = warned();
        let stage = Stage::with(folder, policy)?;
        assert_eq!(stage.plugin.placement(), place);
        assert_eq!(stage.plugin.left_out().count(), warnings);
        judge(&stage)?;
        // What a child says comes later; its log and its answers are one stream, so that this one is behind it.
        let _ = probe(&stage);
        assert_eq!(warned() - before, warnings, "{place:?}: {}", lines.text());
    }
    Ok(())
}

fn probe(stage: &Stage) -> Result<usize, Failure> {
    Ok(probe_encoder(&stage.origin("{}"))?.len())
}

#[test]
fn fewer_tables_are_enough() -> Outcome {
    let mut plugin = PluginFolder::new("test.fewer")?;
    plugin.manifest["interfaces"] = json!(["selkies.encoder/1"]);
    plugin.build(&["-DNO_RATE"])?;
    both(&plugin, 0, |stage| {
        assert!(stage.plugin.offers("selkies.encoder/1") && !stage.plugin.offers("selkies.encoder.rate/1"));
        assert_eq!(probe(stage)?, 0);
        Ok(())
    })
}

#[test]
fn unknown_tables_do_no_harm() -> Outcome {
    let mut plugin = PluginFolder::new("test.unknown-tables")?;
    plugin.manifest["interfaces"] =
        json!(["selkies.encoder/9", "selkies.encoder/1", "selkies.encoder.rate/1", "vendor.magic/1"]);
    plugin.build(&["-DEXTRA"])?;
    both(&plugin, 0, |stage| {
        assert!(stage.plugin.offers("selkies.encoder/1") && stage.plugin.offers("selkies.encoder.rate/1"));
        assert!(!stage.plugin.offers("selkies.encoder/9") && !stage.plugin.offers("vendor.magic/1"));
        assert_eq!(probe(stage)?, 0);
        Ok(())
    })
}

#[test]
fn an_optional_table_of_another_size_is_left_out_with_one_line() -> Outcome {
    let plugin = PluginFolder::new("test.other-size")?;
    plugin.build(&["-DRATE_SIZE=24"])?;
    both(&plugin, 1, |stage| {
        assert!(stage.plugin.offers("selkies.encoder/1") && !stage.plugin.offers("selkies.encoder.rate/1"));
        let refusal = stage.plugin.left_out().next().map(Refusal::to_string).unwrap_or_default();
        assert!(refusal.starts_with("SP018 test.other-size: selkies.encoder.rate/1 "), "{refusal}");
        assert_eq!(probe(stage)?, 0);
        Ok(())
    })
}

#[test]
#[cfg(feature = "verify")]
fn an_optional_table_of_another_layout_is_left_out_with_one_line() -> Outcome {
    let mut plugin = PluginFolder::new("test.recorded")?;
    plugin.manifest = serde_json::from_str(include_str!("../../examples/recorded_plugin.json"))?;
    plugin.write_manifest()?;
    let library = "librecorded_plugin.so";
    fs::copy(example(library)?, plugin.path().join(library))?;
    both(&plugin, 1, |stage| {
        assert!(stage.plugin.offers("selkies.cursor/1") && !stage.plugin.offers("selkies.encoder.rate/1"));
        let refusal = stage.plugin.left_out().next().map(Refusal::to_string).unwrap_or_default();
        assert!(refusal.contains("type is LifecycleV1, wanted EncoderRateV1"), "{refusal}");
        Ok(())
    })
}
