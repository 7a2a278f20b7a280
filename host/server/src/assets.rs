//! The browser's files: the embedded client, or a folder given with `--web-root`.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use poem::{
    Body, Endpoint, Request, Response,
    http::{Method, StatusCode, header},
};
use rust_embed::RustEmbed;

/// What the page may load and where it may connect: itself, its workers from blobs, its own WebSocket.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; worker-src 'self' blob:; connect-src 'self' ws: wss: blob:; \
     img-src 'self' data: blob:; style-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

/// Largest file served from a folder, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// The client that was built before the host.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Embedded;

/// Where files come from.
#[derive(Clone, Debug)]
pub(crate) enum Assets {
    /// The client in the binary.
    Embedded,
    /// A folder, canonical. Pages of others know nothing of our content security policy, so none is sent.
    Folder(PathBuf),
}

struct File {
    bytes: Cow<'static, [u8]>,
    mime: String,
    tag: Option<String>,
}

impl Assets {
    /// Files from a folder.
    ///
    /// # Errors
    /// When the folder does not exist or has no `index.html`.
    pub(crate) fn folder(path: &Path) -> std::io::Result<Self> {
        let path = path.canonicalize()?;
        if path.join("index.html").is_file() {
            return Ok(Self::Folder(path));
        }
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the folder has no index.html"))
    }

    async fn find(&self, name: &str) -> Option<File> {
        match self {
            Self::Embedded => {
                let file = Embedded::get(name)?;
                let mime = file.metadata.mimetype().to_owned();
                let tag =
                    file.metadata.sha256_hash()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
                Some(File { bytes: file.data, mime, tag: Some(tag) })
            }
            Self::Folder(root) => {
                let path = root.join(name).canonicalize().ok()?;
                // A link may lead anywhere; only what is under the folder is served.
                if !path.starts_with(root) {
                    return None;
                }
                let meta = tokio::fs::metadata(&path).await.ok()?;
                if !meta.is_file() || meta.len() > MAX_FILE {
                    return None;
                }
                let bytes = tokio::fs::read(&path).await.ok()?;
                Some(File { bytes: bytes.into(), mime: mime_of(&path).to_owned(), tag: None })
            }
        }
    }
}

/// The file's name under the root, `None` for paths that try to leave it.
fn name_of(path: &str) -> Option<String> {
    let decoded = percent_decoded(path.trim_start_matches('/'))?;
    let clean = Path::new(&decoded).components().all(|part| matches!(part, Component::Normal(_)));
    if !clean || decoded.contains('\0') {
        return None;
    }
    Some(if decoded.is_empty() || decoded.ends_with('/') { format!("{decoded}index.html") } else { decoded })
}

/// Text whose `%xx` stand for bytes of UTF-8; `None` for what is none.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn mime_of(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "webmanifest" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/x-icon",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        Some("woff") => "font/woff",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

impl Endpoint for Assets {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Ok(StatusCode::METHOD_NOT_ALLOWED.into());
        }
        let Some(name) = name_of(request.uri().path()) else { return Ok(StatusCode::NOT_FOUND.into()) };
        let Some(file) = self.find(&name).await else {
            if name == "index.html" {
                return Ok(Response::builder()
                    .status(StatusCode::SERVICE_UNAVAILABLE)
                    .content_type("text/plain; charset=utf-8")
                    .body("This host was built without its web client. Run ./run.sh, or name a folder with --web-root.\n"));
            }
            return Ok(StatusCode::NOT_FOUND.into());
        };
        let tag = file.tag.map(|tag| format!("\"{tag}\""));
        let mut response = Response::builder()
            .content_type(&file.mime)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::REFERRER_POLICY, "no-referrer")
            .header(header::CACHE_CONTROL, "no-cache");
        if matches!(self, Self::Embedded) {
            response = response.header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        }
        if let Some(tag) = &tag {
            response = response.header(header::ETAG, tag);
            let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
            if known == Some(tag.as_str()) {
                return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
            }
        }
        Ok(match request.method() == Method::HEAD {
            true => response.finish(),
            false => response.body(Body::from(file.bytes.into_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_under_the_root() {
        assert_eq!(name_of("/").as_deref(), Some("index.html"));
        assert_eq!(name_of("/a%20b/c.js").as_deref(), Some("a b/c.js"));
        for bad in ["/../etc/passwd", "/a/../../b", "/%2e%2e/etc/passwd", "/a%00b", "/%zz", "//etc/passwd/.."]
        {
            assert_eq!(name_of(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn links_out_of_the_folder_are_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("another folder");
        std::fs::write(folder.path().join("index.html"), "page").expect("written");
        std::fs::write(outside.path().join("secret"), "secret").expect("written");
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("link"))
            .expect("linked");
        let assets = Assets::folder(folder.path()).expect("a folder with a page");
        assert!(assets.find("index.html").await.is_some());
        assert!(assets.find("link").await.is_none());
    }
}
