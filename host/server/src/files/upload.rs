//! `/api/upload`: POST puts a file, or a slice of one, on the desktop (Selkies 2.1.0, stream_server.py:2633-2801).
//!
//! `X-Upload-Path` is the file's path below the folder, percent-encoded. A whole file needs no more. A slice says with
//! `X-Upload-Id` which transfer it belongs to, with `X-Upload-Offset` where it begins, with `X-Upload-Total` how large the
//! file is, and with `X-Upload-Final: 1` that it is the last one. Beyond 2.1.0, what came of an interrupted slice is kept,
//! GET answers where to go on, an `X-Upload-Offset` that does not fit is answered by that, too, and DELETE gives up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderMap, Method, StatusCode, header},
    web::Json,
};
use selkies_files::{FileError, NameError, Patience, RelativePath, Upload, UploadRequest};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{Files, Refusal, admit, on_disk};
use crate::{assets::percent_decoded, hub::Hub};

/// Bytes that are collected before they are written.
const BLOCK: usize = 512 * 1024;
/// Bytes of a refused upload that are still taken, so that the browser hears the answer.
const DRAINED: usize = 16 * 1024 * 1024;
/// How long they are taken.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Where the bytes that are kept end.
const OFFSET: &str = "x-upload-offset";

/// The address.
#[derive(Clone)]
pub(crate) struct UploadPoint {
    pub(crate) hub: Arc<Hub>,
}

/// What the headers say.
#[derive(Debug)]
struct Slice {
    request: UploadRequest,
    last: bool,
}

impl Endpoint for UploadPoint {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let mut body = request.take_body().into_bytes_stream();
        let answer = match self.hub.files() {
            Some(files) => match admit(&request, files.upload) {
                Ok(()) => answer(&files, &request, &mut body).await,
                Err(refusal) => Err(refusal),
            },
            None => Err(Refusal::new(StatusCode::FORBIDDEN, "SV030 this host takes no files")),
        };
        Ok(match answer {
            Ok(progress) => {
                let offset = progress["offset"].to_string();
                let answer = Json(progress).with_header(header::CACHE_CONTROL, "no-store");
                answer.with_header(OFFSET, offset).into_response()
            }
            Err(refusal) => {
                let drain = drain(&mut body);
                let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
                let offset = refusal.banked;
                let mut response = refusal.into_response();
                if let Some(offset) = offset {
                    response.headers_mut().insert(OFFSET, offset.into());
                }
                response
            }
        })
    }
}

async fn answer(
    files: &Arc<Files>,
    request: &Request,
    body: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin),
) -> Result<Value, Refusal> {
    let mut slice = Slice::read(request.headers())?;
    // Of those behind one proxy nobody can be told from another.
    slice.request.sender = match request.remote_addr().as_socket_addr() {
        Some(from) => from.ip().to_canonical().to_string(),
        None => request.remote_addr().to_string(),
    };
    let UploadRequest { path, id, total, .. } = &slice.request;
    let (uploads, path, total) = (files.uploads.clone(), path.clone(), *total);
    match (request.method(), id.clone()) {
        (&Method::POST, _) => receive(files, slice, body).await,
        (&Method::DELETE, Some(id)) => {
            on_disk(move || uploads.forget(&path, &id, total)).await?;
            Ok(json!({ "status": "success", "offset": 0, "complete": false }))
        }
        (_, Some(id)) => {
            let banked = on_disk(move || uploads.banked(&path, &id, total)).await?;
            Ok(json!({ "status": "success", "offset": banked, "complete": false }))
        }
        (_, None) => Err(malformed("X-Upload-Id names no transfer")),
    }
}

/// Takes the body, block by block.
async fn receive(
    files: &Arc<Files>,
    slice: Slice,
    body: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin),
) -> Result<Value, Refusal> {
    let uploads = files.uploads.clone();
    let Slice { request, last } = slice;
    let mut upload = Held::new(on_disk(move || uploads.begin(&request)).await?);
    let mut block = Vec::with_capacity(BLOCK);
    let mut patience = Patience::default();
    let cut = loop {
        let asked = Instant::now();
        let Ok(next) = tokio::time::timeout(patience.left(), body.next()).await else {
            break Some(too_slow());
        };
        match next {
            Some(Ok(bytes)) => {
                block.extend_from_slice(&bytes);
                if !patience.came(asked.elapsed(), bytes.len()) {
                    break Some(too_slow());
                }
            }
            // The answer will hardly be heard; what came counts.
            Some(Err(_)) => break Some(malformed("the body ended early")),
            None => break None,
        }
        if block.len() >= BLOCK {
            let wait = files.pace.take(Instant::now(), block.len());
            block = write(&mut upload, block).await?;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    };
    write(&mut upload, block).await?;
    let upload = upload.take()?;
    let offset = upload.written();
    if cut.is_some() || !last {
        on_disk(move || {
            drop(upload);
            Ok(())
        })
        .await?;
    } else {
        on_disk(move || upload.finish()).await?;
    }
    match cut {
        Some(refusal) => Err(refusal),
        None => Ok(json!({ "status": "success", "offset": offset, "complete": last })),
    }
}

fn too_slow() -> Refusal {
    let least = Patience::LEAST / 1024;
    Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("SV034 less than {least} KiB came in a minute"))
}

/// Writes a block, and gives its memory back.
async fn write(held: &mut Held<Upload>, mut block: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let mut upload = held.take()?;
    let (upload, block) = on_disk(move || {
        upload.write(&block)?;
        block.clear();
        Ok((upload, block))
    })
    .await?;
    *held = Held::new(upload);
    Ok(block)
}

/// What a request holds. However the request ends, this is dropped where that may wait: a file is closed, and removed.
#[derive(Debug)]
struct Held<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Held<T> {
    fn new(held: T) -> Self {
        Self(Some(held))
    }

    fn take(&mut self) -> Result<T, Refusal> {
        let gone = || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "SV033 the transfer failed");
        self.0.take().ok_or_else(gone)
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(held))),
            // At the end of the host.
            Err(_) => drop(held),
        }
    }
}

async fn drain(body: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin)) {
    let mut left = DRAINED;
    while let Some(Ok(bytes)) = body.next().await {
        match left.checked_sub(bytes.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

impl Slice {
    fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = |name: &str| match headers.get(name).map(|value| value.to_str()) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(malformed(name)),
        };
        let number = |name: &str| match text(name)? {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse::<u64>().map(Some).map_err(|_| malformed(name))
            }
            Some(_) => Err(malformed(name)),
            None => Ok(None),
        };
        let path =
            text("x-upload-path")?.and_then(percent_decoded).ok_or_else(|| malformed("X-Upload-Path"))?;
        let path = RelativePath::parse(&path).map_err(FileError::Name)?;
        path.split().map_err(|error: NameError| FileError::Name(error))?;
        let id = text("x-upload-id")?.filter(|id| !id.is_empty()).map(str::to_owned);
        let (offset, total) = (number(OFFSET)?, number("x-upload-total")?);
        if offset.is_some() && id.is_none() {
            return Err(malformed("X-Upload-Offset needs X-Upload-Id"));
        }
        // A file in one piece is all of it.
        let (total, last) = match &id {
            Some(_) => (total, text("x-upload-final")? == Some("1")),
            None => (total.or(number("content-length")?), true),
        };
        Ok(Self {
            request: UploadRequest {
                path,
                sender: String::new(),
                id,
                offset: offset.unwrap_or_default(),
                total,
            },
            last,
        })
    }
}

fn malformed(what: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("SV035 malformed upload: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Slice, Refusal> {
        let headers = pairs.iter().map(|(name, value)| {
            (
                name.parse().expect("a name"),
                poem::http::HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            )
        });
        Slice::read(&headers.collect())
    }

    /// Tells the thread that drops it.
    struct Tells(std::sync::mpsc::Sender<std::thread::ThreadId>);

    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(std::thread::current().id());
        }
    }

    #[test]
    fn what_a_request_holds_is_dropped_where_that_may_wait() {
        let (tell, told) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let held = Held::new(Tells(tell.clone()));
        // A connection that is lost drops its request in the middle.
        runtime.block_on(async move { drop(held) });
        assert_ne!(told.recv().expect("dropped"), std::thread::current().id());
        drop(Held::new(Tells(tell)));
        assert_eq!(told.recv().expect("dropped"), std::thread::current().id(), "without a runtime");
    }

    #[test]
    fn headers_of_whole_files_and_slices() {
        let whole = read(&[("x-upload-path", "a%20b/%C3%BC.txt"), ("content-length", "7")]).expect("read");
        assert_eq!(whole.request.path.to_string(), "a b/ü.txt");
        assert_eq!((whole.request.id, whole.request.total, whole.last), (None, Some(7), true));
        let slice =
            [("x-upload-path", "f"), ("x-upload-id", "t"), ("x-upload-offset", "5"), ("x-upload-total", "9")];
        let read_slice = read(&slice).expect("read");
        assert_eq!(
            (read_slice.request.offset, read_slice.request.total, read_slice.last),
            (5, Some(9), false)
        );
        let last = read(&[slice.as_slice(), &[("x-upload-final", "1")]].concat()).expect("read");
        assert!(last.last);
    }

    #[test]
    fn hostile_headers_are_malformed() {
        for pairs in [
            &[][..],
            &[("x-upload-path", "")],
            &[("x-upload-path", "%2e%2e/x")],
            &[("x-upload-path", "..%5cx")],
            &[("x-upload-path", "%zz")],
            &[("x-upload-path", "%ff")],
            &[("x-upload-path", "a%00b")],
            &[("x-upload-path", "f"), ("x-upload-offset", "5")],
            &[("x-upload-path", "f"), ("x-upload-id", "t"), ("x-upload-offset", "-5")],
            &[("x-upload-path", "f"), ("x-upload-id", "t"), ("x-upload-offset", "99999999999999999999999")],
            &[("x-upload-path", "f"), ("x-upload-id", "t"), ("x-upload-total", "1e9")],
            &[("x-upload-path", "f"), ("x-upload-id", "\u{e9}")],
        ] {
            let refused = read(pairs).expect_err("refused");
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{pairs:?}");
        }
    }
}
