//! Files that are swapped after the host judged them and before its child loads them.

use std::{fs, path::Path};

use selkies_plugin_host::StartError;

use crate::{
    stage::{Failure, Outcome, Stage, in_children, swapped},
    support::PluginFolder,
};

/// The error of a start during which `new` takes the place of `old`.
fn refused(folder: &PluginFolder, new: &Path, old: &Path) -> Result<String, Failure> {
    let error = Stage::with(folder, in_children(swapped(new, old)?)).err().ok_or("it was loaded")?;
    assert!(!new.exists(), "it was swapped");
    assert!(matches!(error.downcast_ref(), Some(StartError::Refused(_))), "{error}");
    Ok(error.to_string())
}

fn folder(id: &str, with_hash: bool) -> Result<PluginFolder, Failure> {
    let mut folder = PluginFolder::new(id)?;
    folder.build(&[])?;
    if with_hash {
        folder.build_with_hash()?;
    }
    Ok(folder)
}

#[test]
fn another_library_is_not_loaded() -> Outcome {
    for with_hash in [false, true] {
        let folder = folder("test.swapped", with_hash)?;
        // As good as the first one, and never judged.
        let other = folder.path().join("other.so");
        fs::copy(folder.library(), &other)?;
        let line = refused(&folder, &other, &folder.library())?;
        assert!(
            line.starts_with("SP036 ") && line.contains("plugin.so: changed after it was judged"),
            "{line}"
        );
        // What lies there now is judged at the next start.
        Stage::child(&folder)?;
    }
    Ok(())
}

#[test]
fn another_manifest_is_not_used() -> Outcome {
    let folder = folder("test.swapped-manifest", false)?;
    let other = folder.path().join("other.json");
    let text = fs::read_to_string(folder.manifest_path())?;
    fs::write(&other, text.replace("Test encoder", "Another one"))?;
    let line = refused(&folder, &other, &folder.manifest_path())?;
    assert!(line.starts_with("SP036 ") && line.contains("selkies-plugin.json: changed after"), "{line}");
    Ok(())
}
