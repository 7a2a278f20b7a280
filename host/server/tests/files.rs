//! Files to the desktop and from it, by requests and over the socket.

mod house;

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use futures_util::{FutureExt, SinkExt, StreamExt};
use house::{House, SMALL, SOON, page::Page};
use selkies_files::Limits;
use selkies_server::FileOptions;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::tungstenite::Message;

struct Desk {
    house: House,
    place: TempDir,
}

impl Desk {
    async fn new(change: impl FnOnce(&mut FileOptions)) -> Self {
        let (house, place) = (House::open(SMALL).await, tempfile::tempdir().expect("a folder"));
        let limits = Limits { max_file: 4 << 20, max_open: 4, max_each: 3, keep_free: 0 };
        let folder = place.path().join("Desktop");
        let mut options = FileOptions { folder, upload: true, download: true, limit_mbps: 0, limits };
        change(&mut options);
        house.hub.attach_files(options).expect("a thread");
        Self { house, place }
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("Desktop")
    }

    async fn upload(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        let answer = self.house.request("POST /api/upload", headers, body).await;
        (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
    }

    /// Waits until a file is there and has this content.
    async fn settles(&self, name: &str, content: &[u8]) {
        let at = self.root().join(name);
        let there = async {
            while fs::read(&at).ok().as_deref() != Some(content) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, there).await.expect("the file is there in time");
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|at| ((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 29) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_file_there_and_back() {
    let desk = Desk::new(|_| {}).await;
    let bytes = noise(1_300_000);
    let (status, said) = desk.upload(&[("X-Upload-Path", "Meine%20Dateien/%C3%BC.bin")], &bytes).await;
    assert_eq!(
        (status, &said["complete"], &said["offset"]),
        (200, &true.into(), &1_300_000.into()),
        "{said}"
    );
    assert!(fs::read(desk.root().join("Meine Dateien/ü.bin")).expect("there") == bytes);

    let got = desk.house.ask("GET /api/files/Meine%20Dateien/%C3%BC.bin", &[]).await;
    assert_eq!(got.status, 200);
    assert!(got.body == bytes, "byte by byte the same");
    for (name, value) in [
        ("content-length", "1300000"),
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("accept-ranges", "bytes"),
        ("content-disposition", "attachment; filename=\"_.bin\"; filename*=UTF-8''%C3%BC.bin"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    let tag = got.header("etag").expect("a tag").to_owned();
    let part = desk
        .house
        .ask("GET /api/files/Meine%20Dateien/%C3%BC.bin", &[("Range", "bytes=1299990-"), ("If-Range", &tag)])
        .await;
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 1299990-1299999/1300000")));
    assert_eq!(part.body, bytes[1_299_990..]);
    let stale = desk
        .house
        .ask("GET /api/files/Meine%20Dateien/%C3%BC.bin", &[("Range", "bytes=5-"), ("If-Range", "\"x\"")])
        .await;
    assert_eq!((stale.status, stale.body.len()), (200, bytes.len()));
    let past =
        desk.house.ask("GET /api/files/Meine%20Dateien/%C3%BC.bin", &[("Range", "bytes=1300000-")]).await;
    assert_eq!((past.status, past.header("content-range")), (416, Some("bytes */1300000")));
    let head = desk.house.ask("HEAD /api/files/Meine%20Dateien/%C3%BC.bin", &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("1300000"), 0));
    desk.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_go_on_where_a_lost_connection_ended() {
    let desk = Desk::new(|_| {}).await;
    let bytes = noise(3_000_000);
    let total = bytes.len().to_string();
    let named = [("X-Upload-Path", "big"), ("X-Upload-Id", "t-1"), ("X-Upload-Total", total.as_str())];
    let slice = |offset: &'static str| [named.as_slice(), &[("X-Upload-Offset", offset)]].concat();
    let (status, said) = desk.upload(&slice("0"), &bytes[..1_000_000]).await;
    assert_eq!((status, &said["complete"], &said["offset"]), (200, &false.into(), &1_000_000.into()));

    // Half of the next slice comes, then the connection breaks.
    let mut socket = TcpStream::connect(desk.house.at).await.expect("it listens");
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nHost: {}\r\nX-Upload-Path: big\r\nX-Upload-Id: t-1\r\nX-Upload-Total: {total}\r\n\
         X-Upload-Offset: 1000000\r\nContent-Length: 1000000\r\n\r\n",
        desk.house.at
    );
    socket.write_all(head.as_bytes()).await.expect("it reads");
    socket.write_all(&bytes[1_000_000..1_700_000]).await.expect("it reads");
    drop(socket);

    let banked = async {
        loop {
            let answer = desk.house.ask("GET /api/upload", &named).await;
            let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let offset = said["offset"].as_u64().expect("a place");
            assert_eq!(answer.header("x-upload-offset"), Some(offset.to_string().as_str()));
            if offset > 1_000_000 {
                // Wait until the request that was cut has ended.
                let wrong = desk.upload(&slice("1"), b"").await;
                if wrong.0 == 409 && wrong.1["offset"] == offset {
                    return usize::try_from(offset).expect("small");
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let offset = tokio::time::timeout(SOON, banked).await.expect("bytes are kept");
    assert!((1_000_001..=1_700_000).contains(&offset), "{offset}");
    // The cut request may hold its lock for a moment more, and write what has come.
    let mut offset = offset;
    let answer = async {
        loop {
            let place = offset.to_string();
            let last =
                [named.as_slice(), &[("X-Upload-Offset", place.as_str()), ("X-Upload-Final", "1")]].concat();
            let answer = desk.upload(&last, &bytes[offset..]).await;
            if answer.0 != 409 {
                return answer;
            }
            if let Some(banked) = answer.1["offset"].as_u64() {
                offset = usize::try_from(banked).expect("small");
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let answer = tokio::time::timeout(SOON, answer).await.expect("it goes on");
    assert_eq!((answer.0, &answer.1["complete"]), (200, &true.into()), "{}", answer.1);
    assert!(fs::read(desk.root().join("big")).expect("there") == bytes, "byte by byte the same");

    let given_up = slice("0");
    assert_eq!(desk.upload(&given_up, b"some").await.0, 200);
    assert_eq!(desk.house.ask("DELETE /api/upload", &named).await.status, 200);
    let left = desk.house.ask("GET /api/upload", &named).await;
    assert_eq!(left.header("x-upload-offset"), Some("0"));
    desk.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_upload_is_refused_and_leaves_nothing() {
    let desk = Desk::new(|_| {}).await;
    let outside = desk.place.path().join("outside");
    fs::create_dir_all(&outside).expect("made");
    fs::create_dir_all(desk.root().join("folder")).expect("made");
    symlink(&outside, desk.root().join("link")).expect("linked");
    let long = "x".repeat(300);
    for (path, status) in [
        ("", 400),
        ("/", 400),
        ("../../.bashrc", 400),
        ("%2e%2e%2fx", 400),
        ("..%5cx", 400),
        ("a%00b", 400),
        (".ssh/authorized_keys", 400),
        ("%E2%80%AEgpj.exe", 400),
        (long.as_str(), 400),
        ("folder", 409),
        ("link/x", 409),
        ("link", 409),
    ] {
        let (said, body) = desk.upload(&[("X-Upload-Path", path)], b"evil").await;
        assert_eq!((said, &body["status"]), (status, &"error".into()), "{path}: {body}");
    }
    let (status, _) = desk.upload(&[("X-Upload-Path", "f"), ("X-Upload-Offset", "0")], b"x").await;
    assert_eq!(status, 400);
    let (status, _) = desk.upload(&[("X-Upload-Path", "f"), ("X-Upload-Total", "9")], b"x").await;
    assert_eq!(status, 400, "fewer bytes than announced");
    let (status, _) = desk.upload(&[("X-Upload-Path", "f")], &noise((4 << 20) + 1)).await;
    assert_eq!(status, 413);
    // Sites of others, and those who only look on.
    let (status, _) = desk.upload(&[("X-Upload-Path", "f"), ("Origin", "https://evil.example")], b"x").await;
    assert_eq!(status, 403);
    let looker = desk.house.request("POST /api/upload?role=viewer", &[("X-Upload-Path", "f")], b"x").await;
    assert_eq!(looker.status, 403);
    assert_eq!(desk.house.request("PUT /api/upload", &[], b"").await.status, 405);
    assert_eq!(fs::read_dir(&outside).expect("read").count(), 0);
    let left: Vec<_> =
        fs::read_dir(desk.root()).expect("read").map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(fs::read_dir(desk.root().join(".selkies-uploads")).expect("read").count(), 0);
    assert_eq!(desk.upload(&[("X-Upload-Path", "f")], b"good").await.0, 200);
    desk.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_for_people_and_programs_and_nothing_beside_the_folder() {
    let desk = Desk::new(|_| {}).await;
    // Before anybody has put anything there.
    let empty = desk.house.ask("GET /api/files/", &[]).await;
    assert_eq!((empty.status, empty.text().as_str()), (200, r#"{"path":"","entries":[],"cut":false}"#));
    fs::create_dir_all(desk.root().join("sub dir")).expect("made");
    fs::write(desk.root().join("sub dir/<b>.txt"), "1").expect("written");
    fs::write(desk.root().join(".secret"), "secret").expect("written");
    fs::write(desk.place.path().join("secret"), "secret").expect("written");
    symlink(desk.place.path().join("secret"), desk.root().join("link")).expect("linked");

    let list: Value =
        serde_json::from_slice(&desk.house.ask("GET /api/files/", &[]).await.body).expect("JSON");
    assert_eq!(list["entries"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(
        (&list["entries"][0]["name"], &list["entries"][0]["kind"]),
        (&"sub dir".into(), &"folder".into())
    );
    let page = desk.house.ask("GET /api/files/sub%20dir/", &[("Accept", "text/html,*/*;q=0.8")]).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("&lt;b&gt;.txt") && !page.text().contains("<b>"), "{}", page.text());
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    for (asked, to) in [("/api/files", "./files/"), ("/api/files/sub%20dir", "./sub%20dir/")] {
        let moved = desk.house.ask(&format!("GET {asked}"), &[]).await;
        assert_eq!((moved.status, moved.header("location")), (301, Some(to)), "{asked}");
    }
    for hidden in [
        "link",
        ".secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "sub%20dir/..%2f..%2fsecret",
        "nothing",
        "a%00b",
        "%ff",
    ] {
        let answer = desk.house.ask(&format!("GET /api/files/{hidden}"), &[]).await;
        assert_eq!(answer.status, 404, "{hidden}");
        assert!(!answer.text().contains("secret"), "{hidden}");
    }
    let foreign = desk.house.ask("GET /api/files/", &[("Sec-Fetch-Site", "cross-site")]).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(desk.house.ask("GET /api/files/?role=viewer", &[]).await.status, 403);
    assert_eq!(desk.house.ask("DELETE /api/files/sub%20dir", &[]).await.status, 405);
    desk.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_switched_off_is_off() {
    let up = Desk::new(|options| options.download = false).await;
    assert_eq!(up.upload(&[("X-Upload-Path", "f")], b"x").await.0, 200);
    for path in ["/api/files", "/api/files/", "/api/files/f"] {
        assert_eq!(up.house.ask(&format!("GET {path}"), &[]).await.status, 403, "{path}");
    }
    up.house.close().await;
    let down = Desk::new(|options| options.upload = false).await;
    assert_eq!(down.upload(&[("X-Upload-Path", "f")], b"x").await.0, 403);
    assert_eq!(down.house.ask("GET /api/files/", &[]).await.status, 200);
    assert!(!down.root().exists(), "nothing was made");
    down.house.close().await;
    let none = House::open(SMALL).await;
    assert_eq!(none.request("POST /api/upload", &[("X-Upload-Path", "f")], b"x").await.status, 403);
    assert_eq!(none.ask("GET /api/files/", &[]).await.status, 403);
    none.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_keep_to_their_rate() {
    let desk = Desk::new(|options| options.limit_mbps = 16).await;
    let bytes = noise(2_000_000);
    let began = std::time::Instant::now();
    assert_eq!(desk.upload(&[("X-Upload-Path", "f")], &bytes).await.0, 200);
    let got = desk.house.ask("GET /api/files/f", &[]).await;
    assert!(got.body == bytes);
    // 4 MB at 2 MB/s, but for the last blocks and the burst.
    let took = began.elapsed().as_secs_f64();
    assert!(took > 1.2, "{took}");
    desk.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_over_the_socket_as_in_the_seed_era() {
    let desk = Desk::new(|_| {}).await;
    let mut page = Page::enter(&desk.house, "").await;
    page.settle_in("tab").await;
    page.say("STOP_VIDEO").await;
    let bytes = noise(3_500_000);
    page.say(&format!("FILE_UPLOAD_START:folder/a:b.bin:{}", bytes.len())).await;
    for piece in bytes.chunks(1024 * 1024 - 1) {
        let message = [&[1], piece].concat();
        page.socket.send(Message::binary(message)).await.expect("it reads");
    }
    page.say("FILE_UPLOAD_END:folder/a:b.bin").await;
    assert_eq!(page.text("FILE_UPLOAD_").await, "FILE_UPLOAD_END:folder/a:b.bin");
    desk.settles("folder/a:b.bin", &bytes).await;

    page.say("FILE_UPLOAD_START:../x:3").await;
    assert!(page.text("FILE_UPLOAD_").await.starts_with("FILE_UPLOAD_ERROR:../x:FI003"));
    page.say("FILE_UPLOAD_START:y:3").await;
    page.socket.send(Message::binary(vec![1, 0, 0, 0, 0])).await.expect("it reads");
    assert!(page.text("FILE_UPLOAD_").await.starts_with("FILE_UPLOAD_ERROR:y:FI017"));
    page.say("FILE_UPLOAD_START:z:3").await;
    page.say("FILE_UPLOAD_END:z").await;
    assert!(page.text("FILE_UPLOAD_").await.starts_with("FILE_UPLOAD_ERROR:z:FI018"));

    // Of one that is gone in the middle nothing is left; a viewer sends nothing.
    page.say("FILE_UPLOAD_START:w:9").await;
    page.socket.send(Message::binary(vec![1, 0, 0])).await.expect("it reads");
    drop(page);
    let parts = desk.root().join(".selkies-uploads");
    let gone = async {
        while fs::read_dir(&parts).expect("read").count() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("removed in time");
    let mut viewer = Page::enter(&desk.house, "?role=viewer").await;
    viewer.say("FILE_UPLOAD_START:v:0").await;
    viewer.say("FILE_UPLOAD_END:v").await;
    viewer.say("_ping,7").await;
    assert_eq!(viewer.text("pong,").await, "pong,7", "it was heard");
    let mut names: Vec<_> =
        fs::read_dir(desk.root()).expect("read").map(|entry| entry.expect("read").file_name()).collect();
    names.sort();
    assert_eq!(names, [".selkies-uploads", "folder"]);
    desk.house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_begins_uploads_without_end_holds_nobody_else() {
    let desk = Desk::new(|options| options.limit_mbps = 1).await;
    let mut flood = Page::enter(&desk.house, "").await;
    flood.settle_in("flood").await;
    flood.say("STOP_VIDEO").await;
    let mut other = Page::enter(&desk.house, "").await;
    other.settle_in("other").await;
    other.say("STOP_VIDEO").await;
    // Each counts as some bytes: at this rate they take minutes.
    let texts = (0..200).flat_map(|n| [format!("FILE_UPLOAD_START:f{n}:5"), "FILE_UPLOAD_END:f".to_owned()]);
    for text in texts.chain(["_ping,77".to_owned()]) {
        flood.socket.feed(Message::text(text)).await.expect("it fits");
    }
    flood.socket.flush().await.expect("it fits");
    assert!(flood.text("FILE_UPLOAD_").await.contains("FI018"), "they are carried out");

    other.say("FILE_UPLOAD_START:mine:3").await;
    other.socket.send(Message::binary(vec![1, 7, 8, 9])).await.expect("it reads");
    other.say("FILE_UPLOAD_END:mine").await;
    assert_eq!(other.text("FILE_UPLOAD_").await, "FILE_UPLOAD_END:mine");
    desk.settles("mine", &[7, 8, 9]).await;
    // Whoever floods is not even read on, behind what waits.
    while let Some(Some(message)) = flood.socket.next().now_or_never() {
        let message = message.expect("it is connected");
        assert!(!message.to_text().is_ok_and(|text| text.starts_with("pong,")), "it was read");
    }
    desk.house.close().await;
}
