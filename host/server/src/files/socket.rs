//! Uploads over the socket, as pages of the seed era make them: `FILE_UPLOAD_START`, bytes, `FILE_UPLOAD_END`.
//!
//! What is heard is queued and written by a thread: the session's lock is held while a client is heard. A socket is read on
//! only while little waits; a data channel has no such brake, so that an upload which outruns the disk ends.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use selkies_files::{FileError, RelativePath, Upload, UploadRequest};
use selkies_session::{ClientId, UploadStep, wire::ServerMessage};
use tokio::sync::Notify;
use tracing::{debug, info};

use super::Files;
use crate::post::Post;

/// Bytes that may wait before sockets are read on.
const BRAKE: usize = 8 * 1024 * 1024;
/// Bytes that may wait at all.
const MOST: usize = 64 * 1024 * 1024;
/// What an error names where there is no path (the seed era's word).
const GENERAL: &str = "GENERAL";

/// What is to be done for a client.
#[derive(Debug)]
pub(crate) enum Job {
    /// What it said.
    Step(UploadStep),
    /// More waits than may.
    Overrun,
    /// It is gone.
    Left,
}

/// The queue before the thread.
#[derive(Debug)]
pub(crate) struct SocketUploads {
    jobs: Sender<(ClientId, Job)>,
    waiting: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    less: Notify,
}

impl SocketUploads {
    /// Starts the thread, which ends when this is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(files: Arc<Files>, post: Arc<Post>) -> io::Result<Self> {
        let (jobs, heard) = channel();
        let waiting: Arc<Waiting> = Arc::default();
        let desk = Desk { files, post, open: HashMap::new() };
        let seen = waiting.clone();
        thread::Builder::new().name("uploads".into()).spawn(move || desk.serve(&heard, &seen))?;
        Ok(Self { jobs, waiting })
    }

    /// Queues a job. Never waits.
    pub(crate) fn ask(&self, client: ClientId, mut job: Job) {
        if let Job::Step(UploadStep::Data(bytes)) = &job {
            let before = self.waiting.bytes.fetch_add(bytes.len(), Ordering::AcqRel);
            if before + bytes.len() > MOST {
                self.waiting.bytes.fetch_sub(bytes.len(), Ordering::AcqRel);
                job = Job::Overrun;
            }
        }
        // The thread ends with the host.
        let _ = self.jobs.send((client, job));
    }

    /// Completes when there is room for more.
    pub(crate) async fn room(&self) {
        loop {
            let less = self.waiting.less.notified();
            if self.waiting.bytes.load(Ordering::Acquire) <= BRAKE {
                return;
            }
            less.await;
        }
    }
}

/// The thread's side.
struct Desk {
    files: Arc<Files>,
    post: Arc<Post>,
    open: HashMap<ClientId, (String, Upload)>,
}

impl Desk {
    fn serve(mut self, jobs: &Receiver<(ClientId, Job)>, waiting: &Waiting) {
        while let Ok((client, job)) = jobs.recv() {
            let bytes = if let Job::Step(UploadStep::Data(bytes)) = &job { bytes.len() } else { 0 };
            self.carry_out(client, job);
            if bytes > 0 {
                waiting.bytes.fetch_sub(bytes, Ordering::AcqRel);
                waiting.less.notify_waiters();
            }
        }
    }

    fn carry_out(&mut self, client: ClientId, job: Job) {
        match job {
            Job::Step(UploadStep::Start { path, size }) => {
                // One at a time for each client; the one before is not whole.
                self.open.remove(&client);
                match self.begin(&path, size) {
                    Ok(upload) => {
                        self.open.insert(client, (path, upload));
                    }
                    Err(error) => self.fail(client, &path, &error),
                }
            }
            Job::Step(UploadStep::Data(bytes)) => {
                // After an error the rest still comes.
                let Some((_, upload)) = self.open.get_mut(&client) else { return };
                let written = upload.write(&bytes);
                let wait = self.files.pace.take(std::time::Instant::now(), bytes.len());
                if let Err(error) = written
                    && let Some((path, upload)) = self.open.remove(&client)
                {
                    upload.discard();
                    self.fail(client, &path, &error);
                }
                if !wait.is_zero() {
                    thread::sleep(wait);
                }
            }
            Job::Step(UploadStep::End) => {
                let Some((path, upload)) = self.open.remove(&client) else { return };
                match upload.finish() {
                    Ok(()) => {
                        info!(client = client.0, path, "file uploaded");
                        self.tell(client, &ServerMessage::UploadEnded { path });
                    }
                    Err(error) => self.fail(client, &path, &error),
                }
            }
            Job::Overrun => {
                if let Some((path, _)) = self.open.remove(&client) {
                    self.fail(
                        client,
                        &path,
                        &"FI021 the upload is faster than the disk. Use POST /api/upload",
                    );
                }
            }
            Job::Step(UploadStep::Abort) | Job::Left => {
                self.open.remove(&client);
            }
        }
    }

    fn begin(&self, path: &str, size: u64) -> Result<Upload, FileError> {
        let path = RelativePath::parse(path)?;
        self.files.uploads.begin(&UploadRequest { path, id: None, offset: 0, total: Some(size) })
    }

    fn fail(&self, client: ClientId, path: &str, error: &dyn std::fmt::Display) {
        debug!(client = client.0, %error, "an upload failed");
        let path = if path.is_empty() { GENERAL } else { path }.to_owned();
        self.tell(client, &ServerMessage::UploadFailed { path, reason: error.to_string() });
    }

    fn tell(&self, client: ClientId, message: &ServerMessage) {
        self.post.send_text(&[client], &message.render());
    }
}
