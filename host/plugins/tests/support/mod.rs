//! Plugins that the tests compile, each in a folder of its own.
#![allow(dead_code)] // each test binary uses a part

pub(crate) mod kept;
pub(crate) mod lines;
pub(crate) mod sink;

use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use selkies_plugin_host::{Candidate, Refusal};
use serde_json::{Value, json};

/// What a test answers.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A folder with one plugin; deleted at the end of the test.
pub(crate) struct PluginFolder {
    folder: tempfile::TempDir,
    /// The manifest of both the file and the library, unless a test says otherwise.
    pub(crate) manifest: Value,
}

impl PluginFolder {
    /// An empty folder and the manifest of the plugin in `tests/c/plugin.c`.
    pub(crate) fn new(id: &str) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let manifest = json!({
            "id": id,
            "name": "Test encoder",
            "version": "1.2.3",
            "vendor": "Tests",
            "license": "MIT",
            "library": "plugin.so",
            "interfaces": ["selkies.encoder/1", "selkies.encoder.rate/1"],
            "kinds": ["encoder"],
            "isolation": { "default": "in-process" },
            "config_schema": {
                "type": "object",
                "properties": {
                    "threads": { "type": "integer", "minimum": 1, "maximum": 64 },
                    "device": { "type": "string" },
                    "token": { "type": "string", "maxLength": 4 },
                },
                "additionalProperties": false,
            },
        });
        Ok(Self { folder, manifest })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The library.
    pub(crate) fn library(&self) -> PathBuf {
        self.path().join("plugin.so")
    }

    /// The manifest's file.
    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.path().join("selkies-plugin.json")
    }

    /// Writes the manifest file.
    pub(crate) fn write_manifest(&self) -> Outcome {
        fs::write(self.manifest_path(), serde_json::to_string_pretty(&self.manifest)?)?;
        Ok(())
    }

    /// Builds the plugin with its SHA-256 in the manifest.
    pub(crate) fn build_with_hash(&mut self) -> Outcome {
        self.build(&[])?;
        let hash = Command::new("sha256sum").arg(self.library()).output()?;
        self.manifest["sha256"] = String::from_utf8(hash.stdout)?.chars().take(64).collect::<String>().into();
        self.write_manifest()
    }

    /// Writes the manifest file and compiles the library with the same manifest inside. `arguments` go to gcc.
    pub(crate) fn build(&self, arguments: &[&str]) -> Outcome {
        self.write_manifest()?;
        self.compile(&self.manifest.to_string(), arguments)
    }

    /// Compiles the library with this text as its manifest.
    pub(crate) fn compile(&self, manifest: &str, arguments: &[&str]) -> Outcome {
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-api/include");
        self.compile_with(&include, manifest, arguments)
    }

    /// As [`Self::compile`], with the header of another folder.
    pub(crate) fn compile_with(&self, include: &Path, manifest: &str, arguments: &[&str]) -> Outcome {
        // A JSON string without \u escapes is a C string.
        let header = format!("#define MANIFEST {}\n", Value::String(manifest.into()));
        fs::write(self.path().join("manifest.h"), header)?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/plugin.c");
        let mut command = gcc(&self.library());
        command.arg("-I").arg(include).arg("-I").arg(self.path()).arg(source).args(arguments);
        run(command)
    }

    /// The plugin as discovery finds it.
    pub(crate) fn candidate(&self) -> Result<Candidate, Refusal> {
        Candidate::read(&self.manifest_path())
    }

    /// Compiles another library, without an entry, beside the plugin.
    pub(crate) fn compile_other(&self, name: &str, source: &str) -> Outcome {
        let path = self.path().join("other.c");
        fs::write(&path, source)?;
        let mut command = gcc(&self.path().join(name));
        command.arg(path);
        run(command)
    }
}

fn gcc(output: &Path) -> Command {
    let mut command = Command::new("gcc");
    command.args([
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-attributes",
        "-O1",
        "-fPIC",
        "-shared",
        "-fvisibility=hidden",
        "-o",
    ]);
    command.arg(output);
    command
}

fn run(mut command: Command) -> Outcome {
    let output = command.output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Asserts that a listing has the form that its schema describes.
#[track_caller]
pub(crate) fn assert_listing(json: &Value) {
    let schema = selkies_plugin_host::Listing::json_schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Asserts the code, that the line names `word`, and that it is one bounded line without control characters.
#[track_caller]
pub(crate) fn assert_refusal<T: std::fmt::Debug>(result: Result<T, Refusal>, code: &str, word: &str) {
    match result {
        Ok(value) => panic!("wanted {code}, got {value:?}"),
        Err(refusal) => {
            let line = refusal.to_string();
            assert_eq!(refusal.code(), code, "{line}");
            assert!(line.starts_with(code), "{line}");
            assert!(line.contains(word), "{word:?} is not in: {line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(line.chars().count() <= selkies_plugin_host::MAX_LINE, "{line}");
            assert!(line.contains("; "), "no remedy: {line}");
        }
    }
}
