//! docs/plugin-abi.md names every published table and every function of it.

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_page_for_vendors_is_complete() {
    let page = read("../../docs/plugin-abi.md");
    let ids = read("src/ids.rs");
    let ids: Vec<&str> = ids.lines().filter_map(|line| line.split('"').nth(1)).collect();
    assert_eq!(ids.len(), 20, "{ids:?}");
    for id in ids {
        assert!(page.contains(&format!("| `{id}` |")), "{id} has no row");
    }
    let mut functions = 0;
    for file in [
        "audio_capture",
        "audio_encoder",
        "audio_sink",
        "capture",
        "clipboard",
        "cursor",
        "display",
        "encoder",
        "entry",
        "gamepad",
        "host",
        "input",
        "rtc_config",
        "transport",
    ] {
        let source = read(&format!("src/{file}.rs"));
        for (at, _) in source
            .match_indices(": Option<unsafe extern \"C\"")
            .chain(source.match_indices(":\n        Option<unsafe"))
            .chain(source.match_indices(": Option<\n        unsafe"))
        {
            let name = source[..at].rsplit(' ').next().unwrap_or_default();
            assert!(page.contains(&format!("`{name}`")), "{file}: {name} is not described");
            functions += 1;
        }
    }
    assert!(functions > 60, "only {functions} functions were found in the sources");
}
