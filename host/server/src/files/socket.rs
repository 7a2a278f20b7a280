//! Uploads over the socket, as pages of the seed era make them: `FILE_UPLOAD_START`, bytes, `FILE_UPLOAD_END`.
//!
//! What is heard is queued and written by a thread: the session's lock is held while a client is heard. A socket is read on
//! only while little of its own waits; a data channel has no such brake, so that an upload which outruns the disk ends.

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use selkies_files::{FileError, Patience, RelativePath, Upload, UploadRequest};
use selkies_session::{ClientId, UploadStep, wire::ServerMessage};
use tracing::{debug, info};

use super::{
    Files,
    waiting::{Turn, Waiting, cost},
};
use crate::post::Post;

/// What an error names where there is no path (the seed era's word).
const GENERAL: &str = "GENERAL";
/// Why an upload ends that takes a place and does not use it.
const TOO_SLOW: &str = "FI022 the upload is too slow. Send it again over a better connection";
/// The thread looks for slow uploads so often at most.
const LEAST_WAIT: Duration = Duration::from_millis(100);

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
    waiting: Arc<Waiting>,
}

impl SocketUploads {
    /// Starts the thread, which ends when this is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(files: Arc<Files>, post: Arc<Post>) -> io::Result<Self> {
        let waiting: Arc<Waiting> = Arc::default();
        let desk = Desk { files, post, waiting: waiting.clone(), open: HashMap::new() };
        thread::Builder::new().name("uploads".into()).spawn(move || desk.serve())?;
        Ok(Self { waiting })
    }

    /// Queues a job. Never waits.
    pub(crate) fn ask(&self, client: ClientId, job: Job) {
        self.waiting.put(client, job, Instant::now());
    }

    /// Completes when there is room for more of a client.
    pub(crate) async fn room(&self, client: ClientId) {
        self.waiting.room(client).await;
    }
}

impl Drop for SocketUploads {
    fn drop(&mut self) {
        self.waiting.end();
    }
}

/// The thread's side.
struct Desk {
    files: Arc<Files>,
    post: Arc<Post>,
    waiting: Arc<Waiting>,
    open: HashMap<ClientId, Open>,
}

/// An upload that is being written.
struct Open {
    path: String,
    upload: Upload,
    patience: Patience,
    /// When the client sent what came last.
    sent: Instant,
}

impl Open {
    /// When it has been too slow, should nothing come until then.
    fn due(&self) -> Instant {
        self.sent + self.patience.left()
    }
}

impl Desk {
    fn serve(mut self) {
        loop {
            let due = self.open.values().map(Open::due).min();
            match self.waiting.take(due.map(|due| due.max(Instant::now() + LEAST_WAIT))) {
                Turn::Job(client, job, asked) => {
                    let wait = self.files.pace.take(Instant::now(), cost(&job));
                    self.carry_out(client, job, asked);
                    if !wait.is_zero() {
                        thread::sleep(wait);
                    }
                }
                Turn::Late => {}
                Turn::End => return,
            }
            self.end_slow();
        }
    }

    /// Ends what holds a place without using it. What waits here is not late.
    fn end_slow(&mut self) {
        let now = Instant::now();
        let slow = |(client, open): (&ClientId, &Open)| {
            (open.due() <= now && !self.waiting.has(*client)).then_some(*client)
        };
        let slow: Vec<ClientId> = self.open.iter().filter_map(slow).collect();
        slow.into_iter().for_each(|client| self.give_up(client, &TOO_SLOW));
    }

    fn carry_out(&mut self, client: ClientId, job: Job, asked: Instant) {
        match job {
            Job::Step(UploadStep::Start { path, size }) => {
                // One at a time for each client; the one before is not whole.
                self.open.remove(&client);
                match self.begin(client, &path, size) {
                    Ok(upload) => {
                        let open = Open { path, upload, patience: Patience::default(), sent: asked };
                        self.open.insert(client, open);
                    }
                    Err(error) => self.fail(client, &path, &error),
                }
            }
            Job::Step(UploadStep::Data(bytes)) => {
                // After an error the rest still comes.
                let Some(open) = self.open.get_mut(&client) else { return };
                let waited = asked.saturating_duration_since(open.sent);
                open.sent = asked;
                let quick = open.patience.came(waited, bytes.len());
                match open.upload.write(&bytes) {
                    Ok(()) if quick => {}
                    Ok(()) => self.give_up(client, &TOO_SLOW),
                    Err(error) => self.give_up(client, &error),
                }
            }
            Job::Step(UploadStep::End) => {
                let Some(Open { path, upload, .. }) = self.open.remove(&client) else { return };
                match upload.finish() {
                    Ok(()) => {
                        info!(client = client.0, path, "file uploaded");
                        self.tell(client, &ServerMessage::UploadEnded { path });
                    }
                    Err(error) => self.fail(client, &path, &error),
                }
            }
            Job::Overrun => {
                self.give_up(client, &"FI021 the upload is faster than the disk. Use POST /api/upload");
            }
            Job::Step(UploadStep::Abort) | Job::Left => {
                self.open.remove(&client);
            }
        }
    }

    /// Ends a client's upload, of which nothing is kept.
    fn give_up(&mut self, client: ClientId, why: &dyn std::fmt::Display) {
        if let Some(Open { path, upload, .. }) = self.open.remove(&client) {
            upload.discard();
            self.fail(client, &path, why);
        }
    }

    fn begin(&self, client: ClientId, path: &str, size: u64) -> Result<Upload, FileError> {
        let (path, sender) = (RelativePath::parse(path)?, format!("client {}", client.0));
        self.files.uploads.begin(&UploadRequest { path, sender, id: None, offset: 0, total: Some(size) })
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
