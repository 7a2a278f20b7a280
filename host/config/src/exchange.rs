//! What the configuration says about files and commands.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::Config,
    table::{env_name, settings},
    value::Value,
};

/// What browsers may do with files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTransfers {
    /// They may send them.
    pub upload: bool,
    /// They may take them.
    pub download: bool,
    /// The folder that they see.
    pub folder: PathBuf,
    /// Megabits per second for all transfers together; 0 for any.
    pub limit_mbps: u32,
    /// Largest file that they may send, bytes.
    pub max_upload: u64,
}

/// Which command lines are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLines {
    /// Controlling browsers may run theirs.
    pub enabled: bool,
    /// How long one of theirs may run; `None` for any time.
    pub time: Option<Duration>,
    /// Theirs end when they leave.
    pub end_with_client: bool,
    /// The operator's for the first browser that comes; empty for none.
    pub after_connect: String,
    /// The operator's for the last one that leaves; empty for none.
    pub after_disconnect: String,
}

/// The variables from which secrets are read: programs that the host starts do not get them.
pub fn secret_variables() -> impl Iterator<Item = String> {
    settings().filter(|setting| setting.is_secret()).flat_map(|setting| {
        let legacy = setting.legacy_env.iter().map(|name| (*name).to_owned());
        setting.names().map(env_name).chain(legacy)
    })
}

impl Config {
    /// Which command lines are run.
    #[must_use]
    pub fn command_lines(&self) -> CommandLines {
        let seconds = u64::try_from(self.int("command_timeout")).unwrap_or_default();
        CommandLines {
            enabled: self.bool("command_enabled"),
            time: (seconds > 0).then(|| Duration::from_secs(seconds)),
            end_with_client: self.bool("command_end_with_client"),
            after_connect: self.text("run_after_connect").to_owned(),
            after_disconnect: self.text("run_after_disconnect").to_owned(),
        }
    }

    /// What browsers may do with files; `None`: nothing. `home` is what a `~` stands for.
    #[must_use]
    pub fn file_transfers(&self, home: Option<&Path>) -> Option<FileTransfers> {
        let Value::List(ways) = &self.get("file_transfers")?.value else { return None };
        let allowed = |way: &str| ways.iter().any(|known| known == way);
        let (upload, download) = (allowed("upload"), allowed("download"));
        (upload || download).then(|| FileTransfers {
            upload,
            download,
            folder: at_home(self.text("file_manager_path"), home),
            limit_mbps: u32::try_from(self.int("file_transfer_limit_mbps")).unwrap_or_default(),
            max_upload: u64::try_from(self.int("file_upload_max_mb"))
                .unwrap_or_default()
                .saturating_mul(1_000_000),
        })
    }
}

fn at_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loader;

    fn load(env: &[(&str, &str)]) -> Config {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Loader::new().env(env).load().expect("valid")
    }

    #[test]
    fn the_folder_and_what_is_allowed_with_it() {
        let home = Some(Path::new("/home/me"));
        let usual = load(&[]).file_transfers(home).expect("allowed");
        assert_eq!((usual.upload, usual.download, usual.limit_mbps), (true, true, 0));
        assert_eq!(usual.folder, Path::new("/home/me/Desktop"));
        let named = load(&[("FILE_MANAGER_PATH", "/srv/files"), ("SELKIES_FILE_TRANSFERS", "download")]);
        let named = named.file_transfers(home).expect("allowed");
        assert_eq!(
            (named.upload, named.download, named.folder.as_path()),
            (false, true, Path::new("/srv/files"))
        );
        let older = load(&[("SELKIES_UPLOAD_DIR", "~"), ("SELKIES_FILE_UPLOAD_MAX_MB", "3")]);
        let older = older.file_transfers(home).expect("allowed");
        assert_eq!((older.folder.as_path(), older.max_upload), (Path::new("/home/me"), 3_000_000));
        for none in ["", "none"] {
            assert_eq!(load(&[("SELKIES_FILE_TRANSFERS", none)]).file_transfers(home), None);
        }
    }

    #[test]
    fn command_lines_and_the_secrets_they_do_not_get() {
        let usual = load(&[]).command_lines();
        assert_eq!((usual.enabled, usual.time, usual.end_with_client), (true, None, false));
        assert_eq!((usual.after_connect.as_str(), usual.after_disconnect.as_str()), ("", ""));
        let given = load(&[
            ("SELKIES_COMMAND_ENABLED", "false"),
            ("SELKIES_COMMAND_TIMEOUT", "90"),
            ("SELKIES_RUN_AFTER_CONNECT", "echo hello, world"),
        ]);
        let given = given.command_lines();
        assert_eq!((given.enabled, given.time), (false, Some(Duration::from_secs(90))));
        assert_eq!(given.after_connect, "echo hello, world");
        let secrets: Vec<_> = secret_variables().collect();
        for name in ["SELKIES_MASTER_TOKEN", "SELKIES_BASIC_AUTH_PASSWORD", "PASSWORD", "TURN_SHARED_SECRET"]
        {
            assert!(secrets.iter().any(|known| known == name), "{name} in {secrets:?}");
        }
        assert!(!secrets.iter().any(|known| known == "SELKIES_PORT"));
    }
}
