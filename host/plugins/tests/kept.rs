//! Plugins that were built when an ABI was published, driven by the host of today. See tests/abi/README.md; in a child they
//! are driven by tests/child/kept.rs.
#![cfg(target_arch = "x86_64")] // so are the binaries

mod support;

use std::fs;
use std::path::Path;

use selkies_plugin_host::{Candidate, HostServices, LayoutCheck, LoadedPlugin, Plugin, Policy, load};
use support::{Outcome, PluginFolder, kept, lines::Lines};

fn loaded(folder: &Path) -> Result<LoadedPlugin, Box<dyn std::error::Error>> {
    Ok(load(&Candidate::read(&folder.join("selkies-plugin.json"))?, &Policy::default())?)
}

#[test]
fn every_kept_plugin_works() -> Outcome {
    for folder in kept::folders() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let copy = kept::copy(&folder)?;
        let (lines, _guard) = Lines::capture();
        let plugin = loaded(copy.path()).map_err(|error| format!("{name}: {error}"))?;
        assert_eq!(plugin.left_out().count(), 0, "{name}: {}", lines.text());
        if name.ends_with("rust") {
            assert_eq!(plugin.layout_check(), &LayoutCheck::Compared, "{name}");
        }
        let services = HostServices::default();
        let plugin = Plugin::here(&services, plugin)?;
        kept::drive(&services, &plugin).map_err(|error| format!("{name}: {error}: {}", lines.text()))?;
        assert_eq!(lines.count("kept plugin begins"), 1, "{name}: {}", lines.text());
    }
    Ok(())
}

#[test]
fn a_kept_plugin_refuses_as_it_did() -> Outcome {
    for folder in kept::folders() {
        let copy = kept::copy(&folder)?;
        let services = HostServices::default();
        let plugin = Plugin::here(&services, loaded(copy.path())?)?;
        kept::drive_refusal(&services, &plugin)?;
    }
    Ok(())
}

#[test]
fn a_plugin_against_a_kept_header_loads() -> Outcome {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-api/include/kept");
    let mut headers = 0;
    for entry in fs::read_dir(kept)? {
        let header = entry?.path();
        let plugin = PluginFolder::new("test.kept-header")?;
        fs::copy(&header, plugin.path().join("selkies_plugin.h"))?;
        plugin.write_manifest()?;
        plugin.compile_with(plugin.path(), &plugin.manifest.to_string(), &[])?;
        let loaded = load(&plugin.candidate()?, &Policy::default())?;
        assert_eq!(
            loaded.tables().ids(),
            ["selkies.encoder/1", "selkies.encoder.rate/1"],
            "{}",
            header.display()
        );
        headers += 1;
    }
    assert!(headers > 0, "no header was kept");
    Ok(())
}
