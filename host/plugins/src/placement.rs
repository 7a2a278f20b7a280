//! Where a plugin's code runs.
//!
//! | who | where |
//! |---|---|
//! | an id that the operator's patterns cover | inside the host, if the manifest allows it |
//! | any other | in a child of the host, see [`child`](crate::child), if the manifest allows it |
//! | a transport | inside the host, or nowhere: children do not run them in this version |
//!
//! Inside the host, a plugin that crashes ends the host, and one that hangs keeps its thread: it is trusted like the
//! host itself. A child is confined, watched, and started again. Nothing beyond this crate sees the difference: instances
//! of both are the same types.

use selkies_plugin_abi::ids;

use crate::{IsolationRules, Manifest, Refusal, manifest::Placement};

/// Where this host runs the plugin of `manifest`.
///
/// # Errors
/// [`Refusal::NoPlacement`] when the operator and the manifest do not agree on a place, [`Refusal::TransportInChild`].
pub fn placement_of(manifest: &Manifest, rules: &IsolationRules) -> Result<Placement, Refusal> {
    let id = manifest.id.as_str();
    let allowed = |place: Placement| {
        manifest.isolation.allowed.is_empty() || manifest.isolation.allowed.contains(&place)
    };
    let covered = rules.covers(id);
    let transport = manifest.interfaces.iter().any(|interface| interface.as_str() == ids::TRANSPORT_V1);
    if transport {
        let trusted = covered || rules.forced == Some(Placement::InProcess);
        return if trusted && allowed(Placement::InProcess) {
            Ok(Placement::InProcess)
        } else {
            Err(Refusal::TransportInChild { id: id.to_owned() })
        };
    }
    let wanted = match rules.forced {
        Some(forced) => [forced, Placement::Process],
        None if covered => [Placement::InProcess, Placement::Process],
        None => [Placement::Process; 2],
    };
    wanted.into_iter().find(|place| allowed(*place)).map_or_else(
        // A forced child is a wish; whoever is trusted and knows nothing else stays inside the host.
        || {
            if covered && allowed(Placement::InProcess) {
                Ok(Placement::InProcess)
            } else {
                Err(Refusal::NoPlacement { id: id.to_owned() })
            }
        },
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn place(table: &str, allowed: &[&str], rules: &IsolationRules) -> Result<Placement, &'static str> {
        let manifest = json!({
            "id": "acme.plugin", "name": "Test", "version": "1.0.0", "vendor": "Tests", "license": "MIT",
            "library": "plugin.so", "interfaces": [table], "kinds": ["encoder"], "isolation": { "allowed": allowed },
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes(), Path::new("test"));
        placement_of(&manifest.map_err(|_| "the manifest is wrong")?, rules).map_err(|refusal| refusal.code())
    }

    #[test]
    fn operator_and_manifest_decide_together() {
        use Placement::{InProcess, Process};
        let rules = |pattern: &str, forced| IsolationRules {
            in_process: vec![pattern.into()],
            forced,
            ..IsolationRules::default()
        };
        let (ours, others) = (rules("acme.*", None), rules("selkies.*", None));
        let (inside, outside) = (rules("selkies.*", Some(InProcess)), rules("acme.*", Some(Process)));
        let (both, here, child) = (&[][..], &["in-process"][..], &["process"][..]);
        for (allowed, rules, wanted) in [
            (both, &ours, Ok(InProcess)),
            (both, &others, Ok(Process)),
            (here, &ours, Ok(InProcess)),
            (here, &others, Err("SP027")),
            (child, &ours, Ok(Process)),
            (child, &others, Ok(Process)),
            (both, &inside, Ok(InProcess)),
            (child, &inside, Ok(Process)),
            (both, &outside, Ok(Process)),
            (here, &outside, Ok(InProcess)),
        ] {
            assert_eq!(place(ids::ENCODER_V1, allowed, rules), wanted, "{allowed:?} {rules:?}");
        }
        for (allowed, rules, wanted) in [
            (both, &ours, Ok(InProcess)),
            (both, &others, Err("SP035")),
            (child, &ours, Err("SP035")),
            (both, &inside, Ok(InProcess)),
            (both, &outside, Ok(InProcess)),
        ] {
            assert_eq!(place(ids::TRANSPORT_V1, allowed, rules), wanted, "{allowed:?} {rules:?}");
        }
    }
}
