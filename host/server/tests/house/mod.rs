//! A whole server with the real plugins, and clients for it.
#![allow(dead_code)] // each test file uses a part

pub(crate) mod page;
#[path = "../../../media/tests/plugins/mod.rs"]
mod plugins;
pub(crate) mod signals;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use plugins::Plugins;
use selkies_config::Loader;
use selkies_media::{Backends, EncoderBackend, Studio, StudioParts};
use selkies_plugin_host::{Origin, TransportInstance};
use selkies_server::{BasicAuth, Hub, HubSink, Listening, ServerOptions};
use selkies_session::{Policy, Session};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

/// A patient limit for what must happen.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The pattern that a house streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: u32,
}

/// Small, restless.
pub(crate) const SMALL: Pattern = Pattern { width: 640, height: 192, fps: 60 };

/// What a house is made of.
struct Plan<'a> {
    pattern: Pattern,
    web_root: Option<PathBuf>,
    auth: Option<(&'a str, &'a str)>,
    webrtc: bool,
    commands: bool,
    settings: Vec<(&'static str, String)>,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            pattern: SMALL,
            web_root: None,
            auth: None,
            webrtc: false,
            commands: false,
            settings: Vec::new(),
        }
    }
}

/// A running server.
pub(crate) struct House {
    pub(crate) at: SocketAddr,
    pub(crate) hub: Arc<Hub>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<io::Result<()>>,
    plugins: Plugins,
}

impl House {
    /// Without password, with the page inside the host.
    pub(crate) async fn open(pattern: Pattern) -> Self {
        Self::with(pattern, None, None).await
    }

    /// With a folder as the page, and user and password.
    pub(crate) async fn with(
        pattern: Pattern,
        web_root: Option<PathBuf>,
        auth: Option<(&str, &str)>,
    ) -> Self {
        Self::furnished(Plan { pattern, web_root, auth, ..Plan::default() }, |_| Vec::new()).await
    }

    /// With a transport that signals, H.264 beside JPEG, in this mode, serving both or one.
    pub(crate) async fn with_webrtc(mode: &str, dual: bool) -> Self {
        let settings = vec![("mode", mode.to_owned()), ("enable_dual_mode", dual.to_string())];
        Self::furnished(Plan { webrtc: true, settings, ..Plan::default() }, Plugins::h264).await
    }

    /// The same in mode webrtc, with user and password.
    pub(crate) async fn with_webrtc_and_password(user: &str, password: &str) -> Self {
        let settings = vec![("mode", "webrtc".to_owned())];
        let plan = Plan { webrtc: true, settings, auth: Some((user, password)), ..Plan::default() };
        Self::furnished(plan, Plugins::h264).await
    }

    /// With the operator's leave to run command lines, or without.
    pub(crate) async fn that_runs_commands(pattern: Pattern, commands: bool) -> Self {
        Self::furnished(Plan { pattern, commands, ..Plan::default() }, |_| Vec::new()).await
    }

    /// With more encoders than the usual ones.
    pub(crate) async fn with_encoders(more: impl FnOnce(&Plugins) -> Vec<EncoderBackend>) -> Self {
        Self::furnished(Plan::default(), more).await
    }

    async fn furnished(plan: Plan<'_>, more: impl FnOnce(&Plugins) -> Vec<EncoderBackend>) -> Self {
        let Plan { pattern, web_root, auth, webrtc, commands, settings } = plan;
        // Building the plugins blocks.
        let plugins = tokio::task::spawn_blocking(Plugins::prepare).await.expect("the plugins");
        let given =
            settings.into_iter().map(|(name, value)| (format!("SELKIES_{}", name.to_uppercase()), value));
        let mut config = Loader::new().env(given).load().expect("the settings are valid");
        config.offer_encoders(&["jpeg"]);
        let settings = match config.server_settings() {
            Value::Object(mut message) => message.remove("settings").expect("settings"),
            other => panic!("{other}"),
        };
        let policy = Policy { microphone: true, resize: false, command: commands, ..Policy::default() };
        let session = Session::new(policy, settings.as_object().expect("an object").clone());
        let hub = Hub::new(config.clone(), session);
        let backend = plugins.backend("selkies.websocket", &json!({}));
        let origin =
            Origin { services: &plugins.services, plugin: &backend.plugin, config_json: &backend.config };
        let transport = TransportInstance::create(&origin, Arc::new(HubSink::new(&hub)));
        hub.attach_transport(transport.expect("a transport"));
        if webrtc {
            let backend = plugins.loopback();
            let origin =
                Origin { services: &plugins.services, plugin: &backend.plugin, config_json: &backend.config };
            let transport = TransportInstance::create(&origin, Arc::new(HubSink::new(&hub)));
            hub.attach_transport(transport.expect("a transport"));
        }
        let options = ServerOptions {
            addresses: vec!["127.0.0.1".into()],
            port: 0,
            web_root,
            auth: auth.map(|(user, password)| BasicAuth::new(user, password)),
            any_host: false,
        };
        let listening = Listening::bind(options).expect("a free port");
        let server = listening.with_plugins(|| json!({ "plugins": ["told"] })).serve(hub.clone());
        let capture = json!({ "width": pattern.width, "height": pattern.height, "fps": pattern.fps });
        let backends = Backends {
            capture: plugins.backend("selkies.test-pattern", &capture),
            display: None,
            cursor: None,
            clipboard: None,
            input: Vec::new(),
            gamepads: Vec::new(),
            encoders: [plugins.encoders(), more(&plugins)].concat(),
        };
        hub.offer_codecs(backends.whole_frame_codecs());
        let studio = Studio::start(StudioParts {
            backends,
            services: plugins.services.clone(),
            settings: config.stream_defaults(),
            stream: hub.stream(),
            observer: hub.clone(),
            initial_size: None,
            standby: false,
            revive: None,
            watermark: None,
        });
        hub.attach_studio(studio.expect("the studio starts"));
        let at = server.local()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { at, hub, stop, running, plugins }
    }

    /// The plugins that it was made of.
    pub(crate) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Asks it to end; the handle ends when `run` returns.
    pub(crate) fn ask_to_end(self) -> JoinHandle<io::Result<()>> {
        self.stop.send(()).expect("it runs");
        self.running
    }

    /// Ends it.
    pub(crate) async fn close(self) {
        ended(self.ask_to_end()).await;
    }

    /// Asks for another mode.
    pub(crate) async fn switch(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("POST /api/switch", headers, body.as_bytes()).await
    }

    /// Sends a request line and headers as they are, and reads the answer to its end.
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(line, headers, b"").await
    }

    /// The same with a body.
    pub(crate) async fn request(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.at);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if line.starts_with("POST") {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        let mut socket = TcpStream::connect(self.at).await.expect("it listens");
        socket.write_all(&[request.as_bytes(), body].concat()).await.expect("it reads");
        let mut bytes = Vec::new();
        let read = socket.read_to_end(&mut bytes);
        tokio::time::timeout(SOON, read).await.expect("an answer in time").expect("an answer");
        Answer::parse(&bytes)
    }

    /// What `/api/status` says.
    pub(crate) async fn status(&self) -> Value {
        let answer = self.ask("GET /api/status", &[]).await;
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).expect("JSON")
    }
}

/// Waits until `run` returns.
pub(crate) async fn ended(running: JoinHandle<io::Result<()>>) {
    let ended = tokio::time::timeout(SOON, running).await.expect("it ends");
    ended.expect("without a panic").expect("it served");
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
