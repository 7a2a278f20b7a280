//! Signed manifests: each way in which a signature can be wrong, with keys made by another implementation of the format.

mod support;

use std::{fs, io::Cursor};

use minisign::KeyPair;
use selkies_plugin_host::{Inventory, Policy, SignatureState, TrustedKey, signature_path};
use serde_json::json;
use support::{Outcome, PluginFolder, assert_listing, assert_refusal};

struct Signer(KeyPair);

impl Signer {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self(KeyPair::generate_unencrypted_keypair()?))
    }

    fn key(&self) -> Result<TrustedKey, Box<dyn std::error::Error>> {
        Ok(TrustedKey::parse(&self.0.pk.to_base64())?)
    }

    fn sign(&self, plugin: &PluginFolder) -> Outcome {
        let manifest = Cursor::new(fs::read(plugin.manifest_path())?);
        let signature = minisign::sign(Some(&self.0.pk), &self.0.sk, manifest, None, None)?;
        fs::write(signature_path(&plugin.manifest_path()), signature.into_string())?;
        Ok(())
    }
}

fn requiring(keys: Vec<TrustedKey>) -> Policy {
    Policy { require_signature: true, trusted_keys: keys, ..Policy::default() }
}

#[test]
fn a_signed_plugin_is_admitted_and_named_with_its_key() -> Outcome {
    let (signer, other) = (Signer::new()?, Signer::new()?);
    let mut plugin = PluginFolder::new("test.signed")?;
    plugin.build_with_hash()?;
    signer.sign(&plugin)?;
    let key = signer.key()?.id().to_owned();
    let policy = requiring(vec![other.key()?, signer.key()?]);
    plugin.candidate()?.admit(&policy)?;

    let inventory = Inventory::scan(&[plugin.path().to_owned()], policy);
    assert_eq!(
        inventory.refusals().len(),
        0,
        "a signature is nothing to pass over: {:?}",
        inventory.refusals()
    );
    let listing = inventory.listing();
    assert_eq!(listing.plugins[0].signature, SignatureState::Verified { key: key.clone() });
    let json = listing.to_json();
    assert_eq!(json["plugins"][0]["signature"], json!({ "state": "verified", "key": key }));
    assert_eq!(json["plugins"][0]["sha256"], "verified");
    assert_eq!(json["require_signature"], true);
    assert_listing(&json);
    assert!(listing.to_text().contains(&format!("; signed with {key}; sha256 verified; ")));
    inventory.load("test.signed")?;
    Ok(())
}

#[test]
fn every_other_signature_is_refused_with_its_reason() -> Outcome {
    let (signer, other) = (Signer::new()?, Signer::new()?);
    let mut plugin = PluginFolder::new("test.signed")?;
    plugin.build_with_hash()?;
    let policy = requiring(vec![signer.key()?]);
    let free = Policy { trusted_keys: vec![signer.key()?], ..Policy::default() };
    let key = signer.key()?.id().to_owned();
    let attempt = |policy: &Policy| plugin.candidate().and_then(|candidate| candidate.admit(policy));

    assert_refusal(attempt(&policy), "SP028", &format!("no signature; wanted one of {key}"));
    other.sign(&plugin)?;
    let found = other.key()?.id().to_owned();
    assert_refusal(attempt(&policy), "SP030", &format!("signed with key {found}, wanted one of {key}"));
    assert_refusal(attempt(&requiring(Vec::new())), "SP030", "wanted one of none");

    let path = signature_path(&plugin.manifest_path());
    for text in ["", "one line", "\n\n\n\n", &"x".repeat(9000)] {
        fs::write(&path, text)?;
        assert_refusal(attempt(&policy), "SP029", "cannot be read");
    }
    fs::remove_file(&path)?;
    fs::create_dir(&path)?;
    assert_refusal(attempt(&policy), "SP029", "not a regular file");
    fs::remove_dir(&path)?;
    std::os::unix::fs::symlink("/nonexistent", &path)?;
    assert_refusal(attempt(&policy), "SP029", "No such file");
    fs::remove_file(&path)?;
    // None of these matters to who does not ask for signatures.
    attempt(&free)?;

    signer.sign(&plugin)?;
    attempt(&policy)?;
    let good = fs::read_to_string(plugin.manifest_path())?;
    let signature = fs::read_to_string(&path)?;
    for (from, to) in [("1.2.3", "1.2.4"), ("Test encoder", "Best encoder")] {
        fs::write(plugin.manifest_path(), good.replace(from, to))?;
        assert_refusal(attempt(&policy), "SP031", &key);
        assert_refusal(attempt(&free), "SP031", &key);
    }
    fs::write(plugin.manifest_path(), format!("{good}\n"))?;
    assert_refusal(attempt(&policy), "SP031", "not the signature of this manifest");
    fs::write(plugin.manifest_path(), &good)?;
    // What the trusted comment says is signed as well.
    fs::write(&path, signature.replace("timestamp:", "timestamp:9"))?;
    assert_refusal(attempt(&policy), "SP031", &key);
    fs::write(&path, &signature)?;
    attempt(&policy)?;
    Ok(())
}

#[test]
fn no_changed_signature_is_believed() -> Outcome {
    let signer = Signer::new()?;
    let mut plugin = PluginFolder::new("test.signed")?;
    plugin.build_with_hash()?;
    signer.sign(&plugin)?;
    let path = signature_path(&plugin.manifest_path());
    let good = fs::read(&path)?;
    // The first line is nobody's word.
    let second = good.iter().position(|byte| *byte == b'\n').ok_or("one line")? + 1;
    let policy = requiring(vec![signer.key()?]);
    for place in second..good.trim_ascii_end().len() {
        for value in [0, b'A', b'=', 0xff, good[place] ^ 1] {
            let mut changed = good.clone();
            changed[place] = value;
            if changed == good {
                continue;
            }
            fs::write(&path, &changed)?;
            let code = plugin.candidate()?.admit(&policy).map_err(|refusal| refusal.code());
            assert!(matches!(code, Err("SP029" | "SP030" | "SP031")), "byte {place} as {value}: {code:?}");
        }
    }
    Ok(())
}

#[test]
fn a_signature_covers_the_library_by_its_hash() -> Outcome {
    let signer = Signer::new()?;
    let mut plugin = PluginFolder::new("test.signed")?;
    plugin.build(&[])?;
    signer.sign(&plugin)?;
    let policy = requiring(vec![signer.key()?]);
    assert_refusal(plugin.candidate()?.admit(&policy), "SP032", "no sha256");
    plugin.build_with_hash()?;
    signer.sign(&plugin)?;
    plugin.candidate()?.admit(&policy)?;
    fs::copy("/bin/true", plugin.path().join("other"))?;
    plugin.compile("{}", &[])?;
    assert_refusal(plugin.candidate()?.admit(&policy), "SP006", "SHA-256");
    Ok(())
}

#[test]
fn keys_are_read_from_files_that_only_the_operator_can_change() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let signer = Signer::new()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("vendor.pub");
    fs::write(&path, signer.0.pk.to_box()?.into_string())?;
    assert_eq!(TrustedKey::read(&path)?, signer.key()?);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    let refused = TrustedKey::read(&path).map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|line| line.starts_with("SP005 ")), "{refused:?}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    fs::write(&path, "untrusted comment: of something else\nAAAA\n")?;
    assert!(TrustedKey::read(&path).is_err());
    assert!(TrustedKey::read(&folder.path().join("gone.pub")).is_err());
    Ok(())
}
