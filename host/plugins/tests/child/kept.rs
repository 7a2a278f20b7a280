//! Plugins that were built when an ABI was published, in a child of today's host: what they did in the host's process they
//! do there, byte for byte. See tests/abi/README.md.

use selkies_plugin_host::{Placement, Policy};

use crate::{
    stage::{GENEROUS, Outcome, Stage, children, eventually, in_children},
    support::{kept, lines::Lines},
};

#[test]
fn kept_plugins_do_the_same_in_a_child() -> Outcome {
    let lines = Lines::everywhere();
    for folder in kept::folders() {
        let name = folder.display();
        let (theirs, ours) = (kept::copy(&folder)?, kept::copy(&folder)?);
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("selkies-plugin.json"))?)?;
        let id = manifest["id"].as_str().ok_or("no id")?;
        let child = Stage::of(theirs.path(), id, in_children(children(None, GENEROUS)?))?;
        let here = Stage::of(ours.path(), id, Policy::default())?;
        assert_eq!(child.plugin.placement(), Placement::Process);
        assert_eq!(here.plugin.placement(), Placement::InProcess);

        let drive = |stage: &Stage| {
            let made = kept::drive(&stage.services, &stage.plugin);
            made.map_err(|error| format!("{name}: {error}: {}", lines.text()))
        };
        assert_eq!(drive(&child)?, drive(&here)?, "{name}");
        let refused = |stage: &Stage| kept::drive_refusal(&stage.services, &stage.plugin);
        assert_eq!(refused(&child)?, refused(&here)?, "{name}");
        // Each of them says it once: that of this process here, the other one in its child.
        let begun = || {
            let text = lines.text();
            text.lines().filter(|line| line.contains("kept plugin begins") && line.contains(id)).count()
        };
        assert!(eventually(|| begun() >= 2), "{name}: {}", lines.text());
        assert_eq!(begun(), 2, "{name}: {}", lines.text());
    }
    Ok(())
}
