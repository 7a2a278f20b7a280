//! `/api/files/`: lists and files (Selkies 2.1.0: 200, 301 for a folder without its slash, 403, 404, attachments).

use std::{io, ops::Range, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{Stream, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{
    Body, Endpoint, IntoResponse, Request, Response, ResponseBuilder,
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    web::Json,
};
use selkies_files::{FileError, Found, OpenFile, RelativePath, Selection};

use super::{Files, Refusal, admit, on_disk, page};
use crate::{assets::percent_decoded, hub::Hub};

/// The address of the folder.
const ROOT: &str = "/api/files";
/// Bytes that are read at once.
const BLOCK: u64 = 256 * 1024;
/// What stands in a path or a header as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address, and all below it.
#[derive(Clone)]
pub(crate) struct Downloads {
    pub(crate) hub: Arc<Hub>,
}

impl Endpoint for Downloads {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let answer = match self.hub.files() {
            Some(files) => match admit(&request, files.download) {
                Ok(()) => answer(files, &request).await,
                Err(refusal) => Err(refusal),
            },
            None => Err(Refusal::new(StatusCode::FORBIDDEN, "SV030 this host gives no files")),
        };
        Ok(answer.unwrap_or_else(IntoResponse::into_response))
    }
}

async fn answer(files: Arc<Files>, request: &Request) -> Result<Response, Refusal> {
    let asked = request.uri().path().strip_prefix(ROOT).unwrap_or_default();
    // What is not text names nothing that is served.
    let path = percent_decoded(asked).ok_or(FileError::NotFound)?;
    // Of a name that is not served nobody learns whether it is there.
    let path = RelativePath::parse(&path).map_err(|_| FileError::NotFound)?;
    let (shelf, wanted) = (files.clone(), path.clone());
    match on_disk(move || shelf.folder.find(&wanted)).await {
        Ok(Found::File(file)) => Ok(give(files, file, &path, request)),
        Ok(Found::Folder) if !asked.ends_with('/') => Ok(moved(&path)),
        Ok(Found::Folder) => list(files, path, request).await,
        // A desktop on which nobody has put anything yet.
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND && path.is_folder_itself() => {
            if asked.ends_with('/') {
                shown(&selkies_files::Listing::empty(), request)
            } else {
                Ok(moved(&path))
            }
        }
        Err(refusal) => Err(refusal),
    }
}

/// A folder is asked for with a slash, so that the links of its page lead into it.
fn moved(path: &RelativePath) -> Response {
    let name = path.names().last().map_or("files", String::as_str);
    let location = format!("./{}/", encoded(name));
    let response =
        Response::builder().status(StatusCode::MOVED_PERMANENTLY).header(header::LOCATION, location);
    guarded(response).finish()
}

async fn list(files: Arc<Files>, path: RelativePath, request: &Request) -> Result<Response, Refusal> {
    let listing = on_disk(move || files.folder.list(&path)).await?;
    shown(&listing, request)
}

/// A list as the request wants it: browsers that navigate want a page, programs want JSON.
fn shown(listing: &selkies_files::Listing, request: &Request) -> Result<Response, Refusal> {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        let response = guarded(Response::builder()).content_type("text/html; charset=utf-8");
        return Ok(response.body(page::of(listing, encoded)));
    }
    let mut response = Json(listing).into_response();
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    Ok(response)
}

/// What keeps a file of anybody from acting as a page of this site.
const GUARDS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "private, no-cache"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

fn guarded(response: ResponseBuilder) -> ResponseBuilder {
    GUARDS.into_iter().fold(response, |response, (name, value)| response.header(name, value))
}

fn give(files: Arc<Files>, file: OpenFile, path: &RelativePath, request: &Request) -> Response {
    let (len, tag) = (file.len(), format!("\"{}\"", file.tag()));
    let name = path.names().last().map_or("file", String::as_str);
    let mut response = guarded(Response::builder())
        .content_type("application/octet-stream")
        .header(header::CONTENT_DISPOSITION, disposition(name))
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, &tag);
    let range = match Selection::of(wanted_range(request.headers(), &tag), len) {
        Selection::Whole => 0..len,
        Selection::Part(range) => {
            let told = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, told);
            range
        }
        Selection::Unsatisfiable => {
            let told = format!("bytes */{len}");
            return response
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(header::CONTENT_RANGE, told)
                .finish();
        }
    };
    response = response.header(header::CONTENT_LENGTH, range.end - range.start);
    if request.method() == Method::HEAD {
        return response.finish();
    }
    response.body(Body::from_bytes_stream(read(files, file, range)))
}

/// The range, unless it is of a file that is another by now.
fn wanted_range<'a>(headers: &'a HeaderMap, tag: &str) -> Option<&'a str> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text(header::IF_RANGE) {
        Some(known) if known != tag => None,
        _ => text(header::RANGE),
    }
}

/// The bytes of a range, read as fast as they are taken.
fn read(
    files: Arc<Files>,
    file: OpenFile,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((Arc::new(file), range), move |(file, range)| {
        let files = files.clone();
        async move {
            let take = BLOCK.min(range.end.saturating_sub(range.start));
            if take == 0 {
                return Ok(None);
            }
            let wait = files.pace.take(Instant::now(), take as usize);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let (reader, at) = (file.clone(), range.start);
            let block = tokio::task::spawn_blocking(move || {
                let mut block = vec![0; take as usize];
                let read = reader.read_at(&mut block, at)?;
                block.truncate(read);
                Ok::<_, io::Error>(block)
            });
            let block = block.await.map_err(io::Error::other)??;
            if block.is_empty() {
                // The length was told already: the connection ends, so that nobody takes this for the whole.
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
            }
            let next = at + block.len() as u64..range.end;
            Ok(Some((Bytes::from(block), (file, next))))
        }
    })
}

/// `Content-Disposition` (RFC 6266): for old browsers, and the name as it is.
fn disposition(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " -._()".contains(c) { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", encoded(name))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_header() {
        for name in ["a\"b.txt", "a;filename=x", "Grüße\u{1f600}.txt", "a\\\"", "x%0d%0a"] {
            let told = disposition(name);
            assert!(told.is_ascii() && !told.contains(['\r', '\n', '\\']), "{told}");
            assert_eq!(told.matches('"').count(), 2, "{told}");
        }
        assert_eq!(disposition("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
    }

    #[test]
    fn a_range_of_another_file_is_none() {
        let headers = |pairs: &[(HeaderName, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), header::HeaderValue::from_static(value)))
                .collect()
        };
        let both: HeaderMap = headers(&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, "\"a\"")]);
        assert_eq!(wanted_range(&both, "\"a\""), Some("bytes=1-"));
        assert_eq!(wanted_range(&both, "\"b\""), None);
        assert_eq!(wanted_range(&headers(&[(header::RANGE, "bytes=1-")]), "\"b\""), Some("bytes=1-"));
    }
}
