//! Finding, listing and inspecting plugins.

mod support;

use std::{ffi::OsString, fs, path::PathBuf};

use selkies_plugin_host::{Depth, Inventory, IsolationRules, Policy, discover, inspect, search_path};
use serde_json::json;
use support::{Outcome, PluginFolder, assert_refusal};

#[test]
fn earlier_folders_come_first_and_each_counts_once() -> Outcome {
    let folder = tempfile::tempdir()?;
    let there = folder.path().to_owned();
    let gone = there.join("gone");
    let path = search_path(
        &["/a".into(), "/b".into()],
        Some(&OsString::from("/c::/a:/d")),
        &[gone.clone(), there.clone()],
    );
    let wanted: Vec<PathBuf> = ["/a", "/b", "/c", "/d"].iter().map(PathBuf::from).chain([there]).collect();
    assert_eq!(path, wanted);
    assert_eq!(
        search_path(std::slice::from_ref(&gone), None, &[]),
        [gone],
        "a named folder is searched even if it is missing"
    );
    Ok(())
}

#[test]
fn manifests_of_a_folder_and_its_subfolders_are_found() -> Outcome {
    let root = tempfile::tempdir()?;
    let manifest = |id: &str| PluginFolder::new(id).map(|plugin| plugin.manifest.to_string());
    for name in ["one", "two", "two/deep", "empty", ".hidden"] {
        fs::create_dir_all(root.path().join(name))?;
    }
    fs::write(root.path().join("b.selkies-plugin.json"), manifest("test.b")?)?;
    fs::write(root.path().join("a.selkies-plugin.json"), manifest("test.a")?)?;
    fs::write(root.path().join("one/selkies-plugin.json"), manifest("test.one")?)?;
    fs::write(root.path().join("two/selkies-plugin.json"), manifest("test.a")?)?;
    fs::write(root.path().join("two/deep/selkies-plugin.json"), manifest("test.deep")?)?;
    fs::write(root.path().join(".hidden/selkies-plugin.json"), manifest("test.hidden")?)?;
    fs::write(root.path().join("empty/other.json"), "{}")?;
    fs::write(root.path().join("broken.selkies-plugin.json"), "{\n \"id\": 3 }")?;

    let missing = root.path().join("missing");
    let found = discover(&[root.path().to_owned(), missing, root.path().join("two")]);
    let ids: Vec<&str> = found.candidates.iter().map(|candidate| candidate.id()).collect();
    assert_eq!(ids, ["test.a", "test.b", "test.one", "test.deep"]);
    let codes: Vec<&str> = found.refusals.iter().map(|refusal| refusal.code()).collect();
    assert_eq!(codes, ["SP003", "SP021", "SP001", "SP021"], "{:?}", found.refusals);
    let duplicate = found.refusals[1].to_string();
    assert!(
        duplicate.contains("two/selkies-plugin.json") && duplicate.contains("a.selkies-plugin.json"),
        "{duplicate}"
    );
    assert!(found.refusals[2].to_string().contains("missing"));
    Ok(())
}

#[test]
fn a_plugin_without_manifest_is_reported() -> Outcome {
    let plugin = PluginFolder::new("test.orphan")?;
    plugin.build(&[])?;
    fs::rename(plugin.library(), plugin.path().join("renamed.so"))?;
    plugin.compile_other("ordinary.so", "int unused;\n")?;
    let found = discover(&[plugin.path().to_owned()]);
    let lines: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("SP002 ") && lines[0].contains("renamed.so"), "{lines:?}");
    Ok(())
}

#[test]
fn the_list_loads_no_code() -> Outcome {
    let marker = tempfile::tempdir()?;
    let marker = marker.path().join("constructor-ran");
    let plugin = PluginFolder::new("test.listed")?;
    let constructor = plugin.path().join("constructor.c");
    fs::write(
        &constructor,
        format!(
            "#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ FILE *f = fopen({:?}, \"w\"); if (f) fclose(f); }}\n",
            marker.display().to_string()
        ),
    )?;
    fs::create_dir_all(marker.parent().ok_or("no folder")?)?;
    plugin.build(&[constructor.to_str().ok_or("not UTF-8")?])?;
    let inventory = Inventory::scan(&[plugin.path().to_owned()], Policy::default());
    assert_eq!(inventory.usable().count(), 1);
    assert_eq!(inspect(&plugin.library(), &Policy::default(), Depth::Files).len(), 1);
    assert!(!marker.exists(), "no code may run");
    inventory.load("test.listed")?;
    assert!(marker.exists(), "the constructor runs when it is loaded");
    fs::remove_dir_all(marker.parent().ok_or("no folder")?)?;
    Ok(())
}

#[test]
fn the_list_is_a_table_and_json() -> Outcome {
    let good = PluginFolder::new("test.good")?;
    good.build(&[])?;
    let mut bad = PluginFolder::new("test.bad")?;
    bad.build(&[])?;
    bad.manifest["sha256"] = json!("1".repeat(64));
    bad.write_manifest()?;
    let folders = [good.path().to_owned(), bad.path().to_owned(), PathBuf::from("/nonexistent/plugins")];
    let isolation = IsolationRules { in_process: vec!["test.good".into()], ..IsolationRules::default() };
    let inventory = Inventory::scan(&folders, Policy { isolation, ..Policy::default() });

    let listing = inventory.listing();
    let text = listing.to_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 9, "{text}");
    assert!(lines[0].starts_with("ID         VERSION  KINDS    STATE"), "{text}");
    assert!(lines[1].starts_with("test.good  1.2.3    encoder  usable "), "{text}");
    assert!(lines[2].starts_with("test.bad   1.2.3    encoder  refused SP006  "), "{text}");
    assert!(
        lines[4].starts_with(
            "test.good: usable, rule allow \"*\"; runs in the host; unsigned; sha256 not in the manifest; by Tests; /"
        ) && lines[4].ends_with("/plugin.so"),
        "{text}"
    );
    assert!(lines[5].starts_with("test.bad: refused SP006, rule allow \"*\"; "), "{text}");
    assert!(lines[5].contains("; runs in a child; unsigned; sha256 differs; "), "{text}");
    assert!(lines[6].starts_with("SP006 ") && lines[7].starts_with("SP001 "), "{text}");
    assert!(lines[8].starts_with("safe mode off; signatures not required, trusted keys none; "), "{text}");

    let json = listing.to_json();
    assert_eq!(json["plugins"][0]["usable"], true);
    assert_eq!(json["plugins"][0]["in_process"], true);
    assert_eq!(json["plugins"][0]["admission"]["rule"], "allow \"*\"");
    assert_eq!(json["plugins"][0]["admission"]["placement"], "in-process");
    assert_eq!(json["plugins"][0]["sha256"], "absent");
    assert_eq!(json["plugins"][0]["signature"], json!({ "state": "unsigned" }));
    assert_eq!(json["plugins"][1]["refusal"]["code"], "SP006");
    assert_eq!(json["plugins"][1]["sha256"], "mismatch");
    assert_eq!(json["plugins"][1]["in_process"], false);
    assert_eq!(json["refusals"][0]["code"], "SP001");
    assert_eq!(json["folders"].as_array().map(Vec::len), Some(3));
    support::assert_listing(&json);

    inventory.load("test.good")?;
    assert_refusal(inventory.load("test.bad"), "SP006", "SHA-256");
    assert_refusal(inventory.load("test.none"), "SP024", "found: test.good");
    let nothing = Inventory::scan(&[], Policy::default());
    assert!(nothing.listing().to_text().starts_with("no plugins found\n"));
    assert_refusal(nothing.load("test.none"), "SP024", "found: none");
    Ok(())
}

#[test]
fn an_inspection_says_everything() -> Outcome {
    let plugin = PluginFolder::new("test.inspected")?;
    plugin.build(&["-DRATE_SIZE=24", "-lm", "-Wl,--no-as-needed"])?;
    for path in [plugin.library(), plugin.manifest_path(), plugin.path().to_owned()] {
        let found = inspect(&path, &Policy::default(), Depth::Code);
        assert_eq!(found.len(), 1);
        let text = found[0].to_text();
        for word in [
            "test.inspected 1.2.3 (Test encoder)",
            "libc.so.6",
            "selkies_plugin_entry, 40 bytes",
            "selkies.encoder/1, 56 bytes",
            "selkies.encoder.rate/1, 24 bytes, not used (SP018)",
            "allow \"*\"",
            "unsigned",
            "not in the manifest",
        ] {
            assert!(text.contains(word), "{word}:\n{text}");
        }
        assert!(text.ends_with("usable\n"), "{text}");
        let json = found[0].to_json();
        assert_eq!(json["manifest"]["id"], "test.inspected");
        assert_eq!(json["elf"]["entry_bytes"], 40);
        assert_eq!(json["tables"][0]["bytes"], 56);
        assert_eq!(json["tables"][1]["refusal"]["code"], "SP018");
        assert_eq!(json["refusal"], json!(null));
    }

    fs::remove_file(plugin.manifest_path())?;
    let found = inspect(&plugin.library(), &Policy::default(), Depth::Code);
    assert!(found[0].to_text().contains("refused: SP002 "), "{}", found[0].to_text());
    let gone = inspect(&plugin.path().join("gone.so"), &Policy::default(), Depth::Code);
    assert!(gone[0].to_text().starts_with("library"), "{}", gone[0].to_text());
    assert!(gone[0].to_text().contains("refused: SP001 "));
    Ok(())
}

#[test]
fn an_inspection_judges_the_schema() -> Outcome {
    let mut plugin = PluginFolder::new("test.schema")?;
    plugin.manifest["config_schema"] = json!({ "type": "nonsense" });
    plugin.build(&[])?;
    let found = inspect(plugin.path(), &Policy::default(), Depth::Files);
    assert!(found[0].to_text().contains("refused: SP026 "), "{}", found[0].to_text());
    Ok(())
}

#[test]
fn a_refused_plugin_does_not_hide_a_good_one_with_its_id() -> Outcome {
    let broken = PluginFolder::new("test.same")?;
    broken.build(&[])?;
    let whole = fs::read(broken.library())?;
    fs::write(broken.library(), &whole[..4096])?;
    let good = PluginFolder::new("test.same")?;
    good.build(&[])?;
    let again = PluginFolder::new("test.same")?;
    again.build(&[])?;

    let folders = [&broken, &good, &again].map(|plugin| plugin.path().to_owned());
    let inventory = Inventory::scan(&folders, Policy::default());
    assert_eq!(inventory.find("test.same")?.manifest_path(), good.manifest_path());
    assert!(inventory.entries()[0].verdict().is_err());
    let codes: Vec<&str> = inventory.refusals().iter().map(|refusal| refusal.code()).collect();
    assert_eq!(codes, ["SP021"], "the third is a duplicate of the good one");
    Ok(())
}
