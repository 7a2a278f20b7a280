//! Files that browsers put on the desktop and take from it: who may, where to, how fast.

mod download;
mod page;
mod socket;
mod upload;
mod waiting;

use std::{path::PathBuf, sync::Arc};

use poem::{
    IntoResponse, Request, Response,
    http::{HeaderMap, StatusCode, header},
    web::Json,
};
use selkies_files::{FileError, Folder, Limits, Pace, Uploads};
use serde_json::json;
use tracing::warn;

pub(crate) use download::Downloads;
pub(crate) use socket::{Job, SocketUploads};
pub(crate) use upload::UploadPoint;

use crate::auth::same_origin;

/// What browsers may do with files.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The folder that they see.
    pub folder: PathBuf,
    /// They may put files there.
    pub upload: bool,
    /// They may take files from there.
    pub download: bool,
    /// Megabits per second for all transfers together; 0 for any.
    pub limit_mbps: u32,
    /// What uploads may take.
    pub limits: Limits,
}

/// The folder and what is allowed with it, shared by all requests.
#[derive(Debug)]
pub(crate) struct Files {
    folder: Folder,
    uploads: Uploads,
    upload: bool,
    download: bool,
    pace: Pace,
}

/// A request that is not served.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    /// Bytes that are kept of the transfer, where that is what the browser needs to know.
    banked: Option<u64>,
}

impl Files {
    pub(crate) fn new(options: FileOptions) -> Arc<Self> {
        let folder = Folder::at(options.folder);
        Arc::new(Self {
            uploads: Uploads::new(folder.clone(), options.limits),
            folder,
            upload: options.upload,
            download: options.download,
            pace: Pace::of_mbps(options.limit_mbps),
        })
    }
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), banked: None }
    }
}

/// The form of 2.1.0.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "status": "error", "message": self.message });
        if let Some(banked) = self.banked {
            body["offset"] = banked.into();
        }
        Json(body).with_status(self.status).with_header(header::CACHE_CONTROL, "no-store").into_response()
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        let status = match &error {
            FileError::Name(_) | FileError::Incomplete { .. } => StatusCode::BAD_REQUEST,
            FileError::NotFound => StatusCode::NOT_FOUND,
            FileError::Denied => StatusCode::FORBIDDEN,
            FileError::Occupied | FileError::Offset { .. } | FileError::Busy => StatusCode::CONFLICT,
            FileError::TooMany => StatusCode::TOO_MANY_REQUESTS,
            FileError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            FileError::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            FileError::Folder { .. } | FileError::System(_) => {
                warn!(%error, "a file was not transferred");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let banked = if let FileError::Offset { banked } = error { Some(banked) } else { None };
        // The path of the folder is the operator's.
        let message = if let FileError::Folder { .. } = error {
            "SV032 the folder for files cannot be used. See the host's log".to_owned()
        } else {
            error.to_string()
        };
        Self { status, message, banked }
    }
}

/// Whether a request may have to do with files at all.
///
/// # Errors
/// 403 where the operator does not allow it, for those that only look on, and for pages of other sites.
fn admit(request: &Request, allowed: bool) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(StatusCode::FORBIDDEN, message));
    if !allowed {
        return refuse("SV030 the operator switched this off. See the setting file_transfers");
    }
    let headers = request.headers();
    if !same_origin(headers) || is_asked_by_another_site(headers) {
        return refuse("SV020 the page that asks belongs to another site");
    }
    let query = request.uri().query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "role" && value == "viewer") {
        return refuse("SV031 who only looks on neither sends nor takes files");
    }
    Ok(())
}

/// What browsers say of requests that carry no `Origin`, such as those of a link or a picture.
fn is_asked_by_another_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

/// Runs what may wait for the disk.
///
/// # Errors
/// What the work answers; 500 when it could not be done.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => {
            warn!(%error, "a file was not transferred");
            let message = "SV033 the transfer failed; this is a defect of the host";
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))
        }
    }
}
