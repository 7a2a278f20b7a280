//! Requests: the page, the status, and who is let in.

mod house;

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use house::{House, SMALL, page::Page};
use selkies_server::{Listening, ServerError, ServerOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How the tests' page folders look.
const INDEX: &str = "<!doctype html><title>a page</title>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_status_and_what_does_not_exist() {
    let house = House::open(SMALL).await;
    let health = house.ask("GET /api/health", &[]).await;
    assert_eq!((health.status, health.text().as_str()), (200, "ok\n"));
    let status = house.status().await;
    assert_eq!(status["name"], "selkies-host");
    assert_eq!((status["clients"].as_u64(), status["watching"].as_u64()), (Some(0), Some(0)));
    assert_eq!(status["queued_bytes"], 0);
    assert_eq!(status["video"]["frames"], 0, "nobody watches");
    let plugins = house.ask("GET /api/plugins", &[]).await;
    assert_eq!((plugins.status, plugins.text().as_str()), (200, r#"{"plugins":["told"]}"#));
    for missing in ["/nothing", "/api/nothing", "/api", "/assets/"] {
        assert_eq!(house.ask(&format!("GET {missing}"), &[]).await.status, 404, "{missing}");
    }
    for line in ["POST /api/health", "DELETE /api/status", "POST /api/plugins", "POST /", "PUT /index.html"] {
        assert_eq!(house.ask(line, &[]).await.status, 405, "{line}");
    }
    // Pages of 2.1.0 probe the address this way before they open it.
    assert_eq!(house.ask("GET /api/websockets", &[]).await.status, 204);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_inside_the_host() {
    let house = House::open(SMALL).await;
    let page = house.ask("GET /", &[]).await;
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist/index.html").exists();
    if !built {
        // A host that was built before its client says so.
        assert_eq!(page.status, 503);
        assert!(page.text().contains("run.sh"), "{}", page.text());
        return house.close().await;
    }
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<html"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'self'"))
    );
    let tag = page.header("etag").expect("a tag").to_owned();
    let again = house.ask("GET /", &[("If-None-Match", &tag)]).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag.as_str())));
    let other = house.ask("GET /", &[("If-None-Match", "\"0\"")]).await;
    assert_eq!((other.status, other.body), (200, page.body));
    let head = house.ask("HEAD /", &[]).await;
    assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, Some(tag.as_str())));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_as_the_page_and_nothing_beside_it() {
    let (root, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let write = |path: &Path, text: &str| fs::write(path, text).expect("written");
    write(&root.path().join("index.html"), INDEX);
    write(&root.path().join("code.js"), "1");
    fs::create_dir(root.path().join("sub")).expect("made");
    write(&root.path().join("sub/index.html"), "sub");
    write(&outside.path().join("secret"), "secret");
    symlink(outside.path().join("secret"), root.path().join("link")).expect("linked");
    symlink(outside.path(), root.path().join("folder")).expect("linked");
    symlink(root.path().join("code.js"), root.path().join("inside.js")).expect("linked");
    let house = House::with(SMALL, Some(root.path().to_owned()), None).await;

    for (path, text) in
        [("/", INDEX), ("/code.js", "1"), ("/inside.js", "1"), ("/sub/", "sub"), ("/code%2ejs?v=1", "1")]
    {
        let answer = house.ask(&format!("GET {path}"), &[]).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, text), "{path}");
    }
    let script = house.ask("GET /code.js", &[]).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    let head = house.ask("HEAD /code.js", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let name = outside.path().file_name().and_then(|name| name.to_str()).expect("a name");
    for path in [
        "/link".to_owned(),
        "/folder/secret".to_owned(),
        format!("/../{name}/secret"),
        format!("/sub/../../{name}/secret"),
        format!("/%2e%2e/{name}/secret"),
        format!("/..%2f{name}%2fsecret"),
        format!("/%2e%2e%2f{name}/secret"),
        format!("//{}/secret", outside.path().display()),
        format!("/%2f{}/secret", outside.path().display()),
        "/code.js%00.html".to_owned(),
        "/sub/%zz".to_owned(),
    ] {
        let answer = house.ask(&format!("GET {path}"), &[]).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("secret"), "{path}");
    }
    house.close().await;
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = ServerOptions {
        addresses: vec!["127.0.0.1".into()],
        port: 0,
        web_root: Some(folder.path().to_owned()),
        auth: None,
        any_host: false,
    };
    let refused = Listening::bind(options.clone());
    assert!(matches!(refused, Err(ServerError::WebRoot { .. })), "{refused:?}");
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("an address").port();
    let taken = Listening::bind(ServerOptions { web_root: None, port, ..options });
    assert!(matches!(taken, Err(ServerError::Listen { .. })), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_others_are_not_served() {
    let house = House::open(SMALL).await;
    let port = house.at.port();
    // A page of evil.example whose name points at this machine is of the same origin as its requests.
    let rebound =
        [("host", &*format!("evil.example:{port}")), ("origin", &*format!("http://evil.example:{port}"))];
    assert_eq!(Page::refusal(Page::knock(&house, "", &rebound).await), 403);
    let named = [("host", &*format!("localhost:{port}"))];
    let mut page = Page::knock(&house, "", &named).await.expect("a name of this machine");
    page.text("MODE").await;
    house.close().await;

    let house = House::with(SMALL, None, Some(("user", "pass:word"))).await;
    let rebound = [("host", "evil.example"), ("authorization", "Basic dXNlcjpwYXNzOndvcmQ=")];
    Page::knock(&house, "", &rebound).await.expect("a password is enough under any name");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_password_nothing_is_open_but_the_health() {
    let house = House::with(SMALL, None, Some(("user", "pass:word"))).await;
    // user:pass:word and user:wrong
    let (right, wrong) = ("Basic dXNlcjpwYXNzOndvcmQ=", "Basic dXNlcjp3cm9uZw==");
    for path in ["/", "/api/status", "/api/plugins", "/api/websockets", "/nothing"] {
        for headers in [&[][..], &[("Authorization", wrong)], &[("Authorization", "Bearer x")]] {
            let answer = house.ask(&format!("GET {path}"), headers).await;
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            assert!(answer.header("www-authenticate").is_some_and(|ask| ask.starts_with("Basic ")));
        }
    }
    assert_eq!(house.ask("GET /api/health", &[]).await.status, 200);
    assert_eq!(house.ask("GET /api/status", &[("Authorization", right)]).await.status, 200);

    assert_eq!(Page::refusal(Page::knock(&house, "", &[]).await), 401);
    assert_eq!(Page::refusal(Page::knock(&house, "", &[("authorization", wrong)]).await), 401);
    let mut page = Page::knock(&house, "", &[("authorization", right)]).await.expect("let in");
    page.text("MODE websockets").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_open_no_websocket() {
    let house = House::open(SMALL).await;
    let own = format!("http://{}", house.at);
    for origin in ["http://evil.example", "null", "http://127.0.0.1", "garbage"] {
        let refused = Page::refusal(Page::knock(&house, "", &[("origin", origin)]).await);
        assert_eq!(refused, 403, "{origin}");
    }
    assert_eq!(house.status().await["clients"], 0);
    let mut page = Page::knock(&house, "", &[("origin", &own)]).await.expect("its own page");
    page.text("MODE").await;
    let proxied = [("origin", "https://desk.example"), ("x-forwarded-host", "desk.example")];
    let mut page = Page::knock(&house, "", &proxied).await.expect("a page behind a proxy");
    page.text("MODE").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_headers_are_not_waited_for() {
    let house = House::open(SMALL).await;
    let drip = closed_after(&house, "GET / HTTP/1.1\r\nX-Slow: ", Some("x"));
    let silent = closed_after(&house, "", None);
    let (drip, silent) = tokio::join!(drip, silent);
    for (kind, after) in [("one byte a second", drip), ("nothing at all", silent)] {
        assert!((9.0..15.0).contains(&after.as_secs_f64()), "{kind}: closed after {after:?}");
    }
    // Others are served all the same.
    assert_eq!(house.ask("GET /api/health", &[]).await.status, 200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_headers_are_refused() {
    let house = House::open(SMALL).await;
    let (mut reader, mut writer) = TcpStream::connect(house.at).await.expect("it listens").into_split();
    writer.write_all(b"GET /api/health HTTP/1.1\r\n").await.expect("it reads");
    let line = format!("X-Long: {}\r\n", "x".repeat(1000));
    let mut sent = 0_usize;
    let flood = async {
        // 32 KiB are allowed; the rest is what the kernel's buffers take before the end is seen.
        while writer.write_all(line.as_bytes()).await.is_ok() && sent < 64 * 1024 * 1024 {
            sent += line.len();
        }
    };
    tokio::time::timeout(Duration::from_secs(8), flood).await.expect("it reads on and on, or not at all");
    assert!(sent < 16 * 1024 * 1024, "{sent} bytes of headers were taken");
    let mut answer = Vec::new();
    // A reset may have taken the answer along.
    let _ = reader.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(house.ask("GET /api/health", &[]).await.status, 200);
    house.close().await;
}

/// Sends a start, then something every second; answers when the server closed the connection.
async fn closed_after(house: &House, start: &str, then: Option<&str>) -> Duration {
    let (mut reader, mut writer) = TcpStream::connect(house.at).await.expect("it listens").into_split();
    let began = Instant::now();
    writer.write_all(start.as_bytes()).await.expect("it reads");
    let drip = async {
        while let Some(more) = then {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if writer.write_all(more.as_bytes()).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let closed = async {
        let mut bytes = [0; 1024];
        while !matches!(reader.read(&mut bytes).await, Ok(0) | Err(_)) {}
    };
    tokio::select! {
        () = drip => {}
        () = closed => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => {}
    }
    began.elapsed()
}
