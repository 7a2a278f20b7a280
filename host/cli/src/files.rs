//! The folder that browsers see.

use std::sync::Arc;

use selkies_config::Config;
use selkies_files::Limits;
use selkies_server::{FileOptions, Hub};

/// Opens the folder to browsers, as far as the operator allows.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn attach(config: &Config, hub: &Arc<Hub>) -> Result<(), String> {
    let Some(allowed) = config.file_transfers(std::env::home_dir().as_deref()) else { return Ok(()) };
    let options = FileOptions {
        folder: allowed.folder,
        upload: allowed.upload,
        download: allowed.download,
        limit_mbps: allowed.limit_mbps,
        limits: Limits { max_file: allowed.max_upload, ..Limits::default() },
    };
    hub.attach_files(options)
        .map_err(|error| format!("CL080 no thread for files: {error}. Raise the limits of the host"))
}

/// Whether browsers may send files.
pub(crate) fn takes_uploads(config: &Config) -> bool {
    config.file_transfers(None).is_some_and(|allowed| allowed.upload)
}
