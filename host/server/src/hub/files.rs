//! Files that clients send and take.

use std::{io, sync::Arc};

use selkies_session::{ClientId, UploadStep};
use tracing::warn;

use super::Hub;
use crate::files::{FileOptions, Files, Job, SocketUploads};

/// The folder, and the thread that writes what comes over sockets.
#[derive(Debug)]
pub(super) struct FileDesk {
    files: Arc<Files>,
    sockets: SocketUploads,
}

impl Hub {
    /// Lets browsers put files into a folder and take them from it. Called once, before clients come.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn attach_files(&self, options: FileOptions) -> io::Result<()> {
        let files = Files::new(options);
        let sockets = SocketUploads::start(files.clone(), self.post.clone())?;
        if self.files.set(FileDesk { files, sockets }).is_err() {
            warn!("a second folder for files was ignored");
        }
        Ok(())
    }

    /// The folder, where there is one.
    pub(crate) fn files(&self) -> Option<Arc<Files>> {
        self.files.get().map(|desk| desk.files.clone())
    }

    /// Completes when a client may send more of a file.
    pub(crate) async fn room_for_uploads(&self, client: ClientId) {
        if let Some(desk) = self.files.get() {
            desk.sockets.room(client).await;
        }
    }

    pub(super) fn upload(&self, client: ClientId, step: UploadStep) {
        if let Some(desk) = self.files.get() {
            desk.sockets.ask(client, Job::Step(step));
        }
    }

    pub(super) fn drop_uploads(&self, client: ClientId) {
        if let Some(desk) = self.files.get() {
            desk.sockets.ask(client, Job::Left);
        }
    }
}
