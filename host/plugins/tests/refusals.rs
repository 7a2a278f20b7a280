//! Each way in which a plugin can be unusable: the right code, one line, and the process lives on.
#![allow(unsafe_code)] // calls a function of a loaded table

mod support;

use std::{fs, os::unix::fs::PermissionsExt};

use selkies_plugin_abi::{EncoderRateV1, EncoderV1};
use selkies_plugin_host::{Inventory, IsolationRules, LayoutCheck, LoadedPlugin, Policy, Refusal, load};
use serde_json::json;
use support::{Outcome, PluginFolder, assert_refusal, lines::Lines};

fn attempt(plugin: &PluginFolder) -> Result<LoadedPlugin, Refusal> {
    load(&plugin.candidate()?, &Policy::default())
}

/// The plugin broken by gcc's `arguments`.
fn broken(arguments: &[&str]) -> Result<Result<LoadedPlugin, Refusal>, Box<dyn std::error::Error>> {
    let plugin = PluginFolder::new("test.broken")?;
    plugin.build(arguments)?;
    Ok(attempt(&plugin))
}

/// Loads a good plugin and calls it.
fn assert_alive() -> Outcome {
    let plugin = PluginFolder::new("test.good")?;
    plugin.build(&[])?;
    let loaded = attempt(&plugin)?;
    assert_eq!(loaded.id(), "test.good");
    assert_eq!(loaded.tables().ids(), ["selkies.encoder/1", "selkies.encoder.rate/1"]);
    assert!(loaded.tables().capture().is_none() && loaded.tables().lifecycle().is_none());
    assert_eq!(loaded.left_out().count(), 0);
    assert!(matches!(loaded.layout_check(), LayoutCheck::NoRecords | LayoutCheck::Disabled));
    let encoder = loaded.table::<EncoderV1>().ok_or("no encoder")?;
    let rate = loaded.table::<EncoderRateV1>().ok_or("no rate")?;
    // SAFETY: the test plugin ignores the instance and reads the rate, which lives for the call.
    let (drained, set) = unsafe {
        let new = selkies_plugin_abi::EncoderRate {
            bitrate_kbps: 4321,
            quality: selkies_plugin_abi::UNSET,
            ..std::mem::zeroed()
        };
        (
            encoder.drain.ok_or("no drain")?(std::ptr::null_mut()),
            rate.set.ok_or("no set")?(std::ptr::null_mut(), &raw const new),
        )
    };
    assert_eq!((drained, set), (selkies_plugin_abi::NOTHING, 4321));
    Ok(())
}

#[test]
fn a_good_plugin_loads_and_answers() -> Outcome {
    assert_alive()
}

#[test]
fn a_wrong_entry_is_refused() -> Outcome {
    assert_refusal(broken(&["-DEPOCH=7"])?, "SP013", "epoch 7, this host has 1");
    assert_refusal(broken(&["-DMAGIC=0x1234"])?, "SP012", "0x0000000000001234");
    assert_refusal(broken(&["-DENTRY_SIZE=16"])?, "SP014", "16 bytes");
    assert_refusal(broken(&["-DQUERY=0"])?, "SP015", "query is NULL");
    assert_refusal(broken(&["-DANSWERS_ALWAYS"])?, "SP015", "unknown id");
    assert_alive()
}

#[test]
fn wrong_tables_are_refused() -> Outcome {
    assert_refusal(broken(&["-DENCODER_SIZE=64"])?, "SP018", "size is 64, wanted 56");
    assert_refusal(broken(&["-DNO_ENCODER"])?, "SP017", "selkies.encoder/1");
    assert_refusal(broken(&["-DNO_RATE"])?, "SP017", "selkies.encoder.rate/1");
    assert_refusal(broken(&["-DSUBMIT=0"])?, "SP019", "function submit is NULL");
    assert_alive()
}

#[test]
fn a_broken_second_table_is_left_out() -> Outcome {
    let plugin = broken(&["-DRATE_SIZE=24"])??;
    assert!(plugin.table::<EncoderV1>().is_some());
    assert!(plugin.table::<EncoderRateV1>().is_none());
    let lines: Vec<String> = plugin.left_out().map(Refusal::to_string).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("SP018 test.broken: selkies.encoder.rate/1 "), "{lines:?}");
    Ok(())
}

#[test]
fn a_plugin_with_one_table_loads() -> Outcome {
    let mut plugin = PluginFolder::new("test.one")?;
    plugin.manifest["interfaces"] = json!(["selkies.encoder/1"]);
    plugin.build(&["-DNO_RATE"])?;
    let (lines, _guard) = Lines::capture();
    let loaded = attempt(&plugin)?;
    assert_eq!(loaded.tables().ids(), ["selkies.encoder/1"]);
    assert_eq!(loaded.left_out().count(), 0);
    assert_eq!(lines.count("WARN"), 0, "{}", lines.text());
    Ok(())
}

#[test]
fn a_plugin_with_tables_that_nobody_knows_loads() -> Outcome {
    let mut plugin = PluginFolder::new("test.extra")?;
    plugin.manifest["interfaces"] =
        json!(["selkies.encoder/9", "selkies.encoder/1", "selkies.encoder.rate/1", "vendor.magic/1"]);
    plugin.build(&["-DEXTRA"])?;
    let (lines, _guard) = Lines::capture();
    let loaded = attempt(&plugin)?;
    assert_eq!(loaded.tables().ids(), ["selkies.encoder/1", "selkies.encoder.rate/1"]);
    assert_eq!(loaded.offers().iter().filter(|offer| offer.wanted.is_none()).count(), 2);
    assert_eq!(lines.count("WARN"), 0, "{}", lines.text());
    Ok(())
}

#[test]
fn an_optional_table_of_another_size_is_one_warning() -> Outcome {
    for size in ["24", "8", "0"] {
        let (lines, _guard) = Lines::capture();
        let plugin = broken(&[&format!("-DRATE_SIZE={size}")])??;
        assert_eq!(plugin.tables().ids(), ["selkies.encoder/1"]);
        assert_eq!(lines.count("WARN"), 1, "{}", lines.text());
        assert_eq!(lines.count("SP018 test.broken: selkies.encoder.rate/1 "), 1, "{}", lines.text());
        assert_eq!(lines.text().lines().count(), 1, "{}", lines.text());
    }
    Ok(())
}

#[test]
fn tables_of_the_future_do_no_harm_and_are_not_enough() -> Outcome {
    let mut plugin = PluginFolder::new("test.future")?;
    plugin.manifest["interfaces"] = json!(["selkies.encoder/2", "selkies.encoder/1"]);
    plugin.build(&[])?;
    assert!(attempt(&plugin)?.table::<EncoderV1>().is_some());

    let mut plugin = PluginFolder::new("test.future")?;
    plugin.manifest["interfaces"] = json!(["selkies.encoder/2", "vendor.magic/1"]);
    plugin.build(&[])?;
    assert_refusal(attempt(&plugin), "SP020", "selkies.encoder/2, vendor.magic/1");
    Ok(())
}

#[test]
fn files_that_are_no_plugins_are_refused() -> Outcome {
    let plugin = PluginFolder::new("test.file")?;
    plugin.write_manifest()?;
    assert_refusal(attempt(&plugin), "SP001", "No such file");
    plugin.compile_other(
        "plugin.so",
        "__attribute__((visibility(\"default\"))) int answer(void) { return 42; }\n",
    )?;
    assert_refusal(attempt(&plugin), "SP009", "selkies_plugin_entry");
    plugin.compile_other(
        "plugin.so",
        "__attribute__((visibility(\"default\"))) void selkies_plugin_entry(void) {}\n",
    )?;
    assert_refusal(attempt(&plugin), "SP009", "no data symbol");
    plugin.compile_other(
        "plugin.so",
        "__attribute__((visibility(\"default\"))) int selkies_plugin_entry = 1;\n",
    )?;
    assert_refusal(attempt(&plugin), "SP014", "has 4 bytes");
    for (content, word) in [
        (&b"#!/bin/sh\nexit 0\n"[..], "text that begins with"),
        (b"", "an empty file"),
        (b"\x7fELF", "64-bit"),
        (b"\x7fELF\x01\x01\x01", "64-bit"),
        (b"\xff\xfe\x00\x01", "not an ELF file"),
    ] {
        fs::write(plugin.library(), content)?;
        assert_refusal(attempt(&plugin), "SP007", word);
    }
    fs::remove_file(plugin.library())?;
    fs::create_dir(plugin.library())?;
    assert_refusal(attempt(&plugin), "SP001", "not a regular file");
    assert_alive()
}

#[test]
fn a_library_for_another_machine_is_refused() -> Outcome {
    let plugin = PluginFolder::new("test.machine")?;
    plugin.build(&[])?;
    let mut bytes = fs::read(plugin.library())?;
    // e_machine: EM_RISCV, or ARM on a machine that is none of the supported ones.
    bytes[18..20].copy_from_slice(&243u16.to_le_bytes());
    fs::write(plugin.library(), bytes)?;
    assert_refusal(attempt(&plugin), "SP007", "built for riscv");
    Ok(())
}

#[test]
fn truncated_libraries_are_refused_before_they_are_mapped() -> Outcome {
    let plugin = PluginFolder::new("test.truncated")?;
    plugin.build(&["-DPADDING=1048576"])?;
    assert!(attempt(&plugin).is_ok());
    let whole = fs::read(plugin.library())?;
    assert!(whole.len() > 1 << 20);
    for length in [64, 512, 4 * 1024, 200 * 1024, whole.len() - 1] {
        // A new file each time: the one that is mapped must not change below the linker.
        fs::remove_file(plugin.library())?;
        fs::write(plugin.library(), &whole[..length])?;
        assert_refusal(attempt(&plugin), "SP008", &format!("truncated: {length} bytes"));
    }
    fs::remove_file(plugin.library())?;
    fs::write(plugin.library(), &whole[..40])?;
    assert_refusal(attempt(&plugin), "SP008", "need 64");
    assert_alive()
}

#[test]
fn damaged_headers_never_crash() -> Outcome {
    let plugin = PluginFolder::new("test.damaged")?;
    plugin.build(&[])?;
    let whole = fs::read(plugin.library())?;
    // Each byte of the header and the program headers set to the extremes, and a fifth of the others turned: refused or
    // harmless, never a fault. Only the file is judged; what lies behind sound headers is the linker's.
    let headers = (0..64 + 56 * 8).flat_map(|at| [(at, 0x00), (at, 0xff)]);
    let others = (64 + 56 * 8..whole.len()).step_by(5).map(|at| (at, !whole[at]));
    let mut refused = 0;
    for (at, value) in headers.chain(others) {
        let mut bytes = whole.clone();
        bytes[at] = value;
        fs::write(plugin.library(), &bytes)?;
        if let Err(refusal) = plugin.candidate()?.admit(&Policy::default()) {
            assert!(!refusal.to_string().contains('\n'), "byte {at}: {refusal}");
            refused += 1;
        }
    }
    assert!(refused > 100, "only {refused} were refused");
    Ok(())
}

#[test]
fn a_missing_needed_library_is_named() -> Outcome {
    let plugin = PluginFolder::new("test.needs")?;
    let folder = plugin.path().to_str().ok_or("not UTF-8")?.to_owned();
    plugin.compile_other(
        "libselkiesgone.so",
        "__attribute__((visibility(\"default\"))) int gone(void) { return 1; }\n",
    )?;
    plugin.build(&["-DCALLS_GONE", &format!("-L{folder}"), "-lselkiesgone"])?;
    fs::remove_file(plugin.path().join("libselkiesgone.so"))?;
    assert_refusal(attempt(&plugin), "SP010", "needs libselkiesgone.so, which is not installed");
    // Not linked at all: the symbol is missing, and binding is not lazy.
    plugin.build(&["-DCALLS_GONE"])?;
    assert_refusal(attempt(&plugin), "SP011", "undefined symbol: gone");
    assert_alive()
}

#[test]
fn manifest_and_library_must_agree() -> Outcome {
    let mut plugin = PluginFolder::new("test.agree")?;
    plugin.build(&[])?;
    plugin.manifest["version"] = json!("1.2.4");
    plugin.write_manifest()?;
    assert_refusal(attempt(&plugin), "SP016", "field version is \"1.2.4\" in the manifest file, \"1.2.3\"");
    plugin.manifest["version"] = json!("1.2.3");
    plugin.manifest["requires"] = json!({ "network": true });
    plugin.write_manifest()?;
    assert_refusal(attempt(&plugin), "SP016", "requires.network");
    // What an editor or a packager adds is no disagreement.
    plugin.manifest["requires"] = json!({});
    plugin.manifest["$schema"] = json!("selkies-plugin.schema.json");
    plugin.write_manifest()?;
    assert!(attempt(&plugin).is_ok());

    for (text, word) in [("not json", "manifest_json:1:"), ("", "manifest_json is empty")] {
        let plugin = PluginFolder::new("test.agree")?;
        plugin.write_manifest()?;
        plugin.compile(text, &[])?;
        assert_refusal(attempt(&plugin), "SP015", word);
    }
    assert_alive()
}

#[test]
fn the_hash_of_the_manifest_binds_the_library() -> Outcome {
    let mut plugin = PluginFolder::new("test.hash")?;
    plugin.build(&[])?;
    plugin.manifest["sha256"] = json!("0".repeat(64));
    plugin.write_manifest()?;
    assert_refusal(attempt(&plugin), "SP006", "SHA-256");
    let output = std::process::Command::new("sha256sum").arg(plugin.library()).output()?;
    let text = String::from_utf8(output.stdout)?;
    plugin.manifest["sha256"] = json!(text[..64].to_uppercase());
    plugin.write_manifest()?;
    assert!(attempt(&plugin).is_ok());
    Ok(())
}

#[test]
fn files_that_others_can_change_are_refused() -> Outcome {
    let plugin = PluginFolder::new("test.modes")?;
    plugin.build(&[])?;
    for path in [plugin.library(), plugin.manifest_path(), plugin.path().to_owned()] {
        let before = fs::metadata(&path)?.permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() | 0o002))?;
        assert_refusal(attempt(&plugin), "SP005", "everyone may write it");
        fs::set_permissions(&path, before)?;
    }
    assert!(attempt(&plugin).is_ok());

    let outside = PluginFolder::new("test.outside")?;
    outside.build(&[])?;
    fs::remove_file(plugin.library())?;
    std::os::unix::fs::symlink(outside.library(), plugin.library())?;
    assert_refusal(attempt(&plugin), "SP005", "outside the plugin folder");
    Ok(())
}

#[test]
fn the_searched_folder_is_judged_too() -> Outcome {
    let root = tempfile::tempdir()?;
    let plugin = PluginFolder::new("test.below")?;
    plugin.build(&[])?;
    let inside = root.path().join("below");
    fs::create_dir(&inside)?;
    for file in [plugin.library(), plugin.manifest_path()] {
        fs::copy(&file, inside.join(file.file_name().ok_or("no name")?))?;
    }
    let scan = || Inventory::scan(&[root.path().to_owned()], Policy::default());
    let find = || scan().find("test.below").map(|plugin| plugin.id().to_owned());
    assert!(find().is_ok());
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777))?;
    assert_refusal(find(), "SP005", "everyone may write it (mode 0777)");
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755))?;

    // A folder of plugins that is somewhere else altogether.
    fs::remove_dir_all(&inside)?;
    std::os::unix::fs::symlink(plugin.path(), &inside)?;
    assert_refusal(find(), "SP005", "outside the plugin folder");
    // A search that begins there finds nothing wrong with it, by whatever name.
    let named = Inventory::scan(&[inside], Policy::default());
    assert!(named.find("test.below").is_ok());
    Ok(())
}

#[test]
fn the_operator_decides() -> Outcome {
    let mut plugin = PluginFolder::new("test.policy")?;
    plugin.build(&[])?;
    let deny = Policy { deny: vec!["test.*".into()], ..Policy::default() };
    assert_refusal(load(&plugin.candidate()?, &deny), "SP004", "deny \"test.*\"");
    let allow = Policy { allow: vec!["selkies.*".into()], ..Policy::default() };
    assert_refusal(load(&plugin.candidate()?, &allow), "SP004", "allow list");
    plugin.manifest["isolation"] = json!({ "allowed": ["in-process"] });
    plugin.write_manifest()?;
    let isolation = IsolationRules { in_process: vec!["selkies.*".into()], ..IsolationRules::default() };
    let nowhere = Policy { isolation, ..Policy::default() };
    assert_refusal(load(&plugin.candidate()?, &nowhere), "SP027", "inside the host only");
    Ok(())
}
