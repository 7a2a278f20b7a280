//! The threads that keep ICE servers ready, with the real plugins.

mod plugins;

use std::{
    fs::{self, Permissions},
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use plugins::Plugins;
use selkies_media::{
    Backend, FaultVerdict, Observer, PluginFault, RtcConfigs, RtcOptions, RtcThreads, fetch_once,
};
use selkies_session::{ClipboardContent, Codec, Codecs, CursorShape};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// Hears of faults only.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn cursor(&self, _: CursorShape) {}
    fn clipboard(&self, _: Option<ClipboardContent>) {}
    fn display(&self, _: u32, _: u32) {}
    fn video_failed(&self, _: &str) {}
    fn video_recovered(&self) {}
    fn plugin_fault(&self, fault: &PluginFault) -> FaultVerdict {
        self.0.lock().expect("no panic").push(format!("{} {}", fault.part, fault.code));
        FaultVerdict::Again
    }
    fn encoder_used(&self, _: &str, _: Option<Codec>, _: bool, _: Option<Codecs>) {}
    fn rumble(&self, _: u8, _: u16, _: u16, _: u32) {}
    fn encoder_replaced(&self, _: &str, _: &str) {}
}

/// Every line that is logged, for what shows nowhere else.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes it.
struct Logged;

impl tracing::Subscriber for Logged {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            line.push_str(&format!("{}={value:?} ", field.name()));
        });
        LOG.lock().expect("no panic").push(line);
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}

/// Does something, and waits until a line with both texts was logged since.
fn logged(one: &str, other: &str, cause: impl FnOnce()) {
    let seen = LOG.lock().expect("no panic").len();
    cause();
    until(other, || {
        let log = LOG.lock().expect("no panic");
        log.iter().skip(seen).any(|line| line.contains(one) && line.contains(other)).then_some(())
    });
}

fn options() -> RtcOptions {
    RtcOptions { user: "house".into(), tcp: false, tls: false, force_relay: false, in_use: true }
}

fn start(plugins: &Plugins, backends: Vec<Backend>, options: RtcOptions) -> (RtcThreads, Arc<Heard>) {
    let heard: Arc<Heard> = Arc::default();
    let threads = RtcThreads::start(backends, &plugins.services, options, heard.clone());
    (threads.expect("the threads start"), heard)
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The newest answer, once it has this text.
fn answer(configs: &RtcConfigs, text: &str) -> Value {
    until(text, || {
        let json = configs.current().filter(|json| json.contains(text))?;
        Some(serde_json::from_str(&json).expect("JSON"))
    })
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("mode");
}

#[test]
fn the_first_source_that_answers_serves_and_its_last_good_answer_is_kept() {
    // No other test of this file reads the log; whoever is first makes it.
    let _ = tracing::subscriber::set_global_default(Logged);
    let plugins = Plugins::prepare();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rtc.json");
    let backends = vec![
        plugins.backend("selkies.static-rtc", &json!({ "path": file })),
        plugins.backend("selkies.turn-hmac", &json!({ "host": "relay.example", "secret": "north" })),
    ];
    let (threads, heard) = start(&plugins, backends, options());
    let configs = threads.configs();
    assert!(configs.has_sources() && configs.in_use());
    let given = answer(&configs, "turn:relay.example:3478?transport=udp");
    assert!(given["iceServers"][1]["username"].as_str().expect("a name").ends_with(":house"));

    put(&file, r#"{"iceServers":[{"urls":"stun:first.example"}]}"#);
    answer(&configs, "stun:first.example");
    let mut told = configs.watch();
    assert!(told.borrow_and_update().as_ref().is_some_and(|json| json.contains("first.example")));
    put(&file, r#"{"iceServers":[{"urls":"st"#);
    put(&file, r#"{"iceServers":[{"urls":"stun:second.example"}]}"#);
    answer(&configs, "stun:second.example");
    until("connected clients hear of it", || {
        told.borrow_and_update().as_ref().filter(|json| json.contains("second.example")).map(drop)
    });
    // What is broken or gone changes nothing once it was looked at, and does not keep the next one out.
    let place = file.display().to_string();
    logged(&place, "no JSON object", || put(&file, "nonsense"));
    assert!(configs.current().is_some_and(|json| json.contains("stun:second.example")));
    logged(&place, "symbolic link", || {
        fs::remove_file(&file).expect("removed");
        std::os::unix::fs::symlink("/etc/passwd", &file).expect("a link");
    });
    assert!(configs.current().is_some_and(|json| json.contains("stun:second.example")));
    assert!(told.borrow_and_update().as_ref().is_some_and(|json| json.contains("stun:second.example")));
    let other = folder.path().join("other");
    put(&other, r#"{"iceServers":[{"urls":"stun:third.example"}]}"#);
    fs::rename(&other, &file).expect("replaced");
    answer(&configs, "stun:third.example");
    assert_eq!(heard.0.lock().expect("no panic").as_slice(), [] as [&str; 0], "a missing file is no fault");
}

#[test]
fn each_user_gets_credentials_of_his_own() {
    let plugins = Plugins::prepare();
    let backend = plugins.backend("selkies.turn-hmac", &json!({ "host": "a", "secret": "north" }));
    let (threads, _) = start(&plugins, vec![backend.clone()], RtcOptions { force_relay: true, ..options() });
    let configs = threads.configs();
    assert_eq!(answer(&configs, "turn:a")["iceTransportPolicy"], "relay");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let of = |user: &str| {
        let json = runtime.block_on(configs.for_user(user)).expect("an answer");
        let json: Value = serde_json::from_str(&json).expect("JSON");
        json["iceServers"][1]["username"].as_str().expect("a name").to_owned()
    };
    assert!(of("ada").ends_with(":ada") && of("bob").ends_with(":bob") && of("").ends_with(":house"));
    assert_eq!(of("ada"), of("ada"), "the answer of a moment ago");
    assert!(answer(&configs, "house")["iceServers"][1]["username"].is_string(), "the host's own stays");
    let once = fetch_once(&backend, &plugins.services, &options(), "eve").expect("an answer");
    assert!(once.json().contains(":eve"));
}

#[test]
fn a_service_that_is_gone_is_passed_over_and_comes_back() {
    let plugins = Plugins::prepare();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let uri = format!("http://{}/", listener.local_addr().expect("an address"));
    let backends = vec![
        plugins.backend("selkies.coturn-rest", &json!({ "uri": uri })),
        plugins.backend("selkies.stun-list", &json!({ "urls": ["stun:last.example"] })),
    ];
    let service = std::thread::spawn(move || {
        for (status, body) in [("500 No", ""), ("200 OK", r#"{"ttl":600,"uris":["stun:back.example"]}"#)] {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 4096];
            let read = stream.read(&mut request).expect("a request");
            assert!(read > 0);
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
        }
    });
    let (threads, _) = start(&plugins, backends, options());
    let configs = threads.configs();
    answer(&configs, "stun:last.example");
    answer(&configs, "stun:back.example");
    service.join().expect("asked twice");
}

#[test]
fn a_silent_source_does_not_hold_the_end_up() {
    let plugins = Plugins::prepare();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let uri = format!("http://{}/", listener.local_addr().expect("an address"));
    let backend = plugins.backend("selkies.coturn-rest", &json!({ "uri": uri }));
    let (threads, _) = start(&plugins, vec![backend], options());
    let (_open, _) = listener.accept().expect("it is asked");
    assert_eq!(threads.configs().current(), None);
    let began = Instant::now();
    drop(threads);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn a_plugin_of_another_kind_is_refused() {
    let plugins = Plugins::prepare();
    let wrong = plugins.backend("selkies.test-pattern", &json!({}));
    let refused = RtcThreads::start(vec![wrong], &plugins.services, options(), Arc::<Heard>::default());
    assert!(refused.expect_err("no source").to_string().starts_with("MD017"));
}
