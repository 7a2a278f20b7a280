//! A studio with the real plugins, and clients that behave as a test wants.
#![allow(dead_code)] // each test file uses a part

pub(crate) mod canvas;

use std::{
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use selkies_config::{Loader, StreamSettings};
use selkies_media::{
    Backend, Backends, EncoderBackend, FaultVerdict, Observer, Outlet, PluginFault, Snapshot, Stream, Studio,
    StudioParts, Watermark,
};
use selkies_plugin_abi::PACKET_LAST;
use selkies_plugin_host::{EncodedPacket, PacketInfo, Plugin};
use selkies_session::{ClientId, ClipboardContent, Codec, Codecs, CursorShape, pacing::Priority};
use serde_json::json;

use crate::plugins::Plugins;

/// A patient limit for what must happen.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// After this long without a packet, a delivery is over: frames are further apart.
const PAUSE: Duration = Duration::from_millis(3);

/// A packet that the studio sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) info: PacketInfo,
    pub(crate) payload: Arc<[u8]>,
    clients: Vec<ClientId>,
}

#[derive(Debug, Default)]
struct Log {
    sent: Vec<Sent>,
    marks: Vec<(ClientId, u16)>,
}

/// Keeps what is sent.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    log: Mutex<Log>,
    changed: Condvar,
}

impl Recorder {
    /// Packets so far, for whomever.
    pub(crate) fn packets(&self) -> usize {
        self.log.lock().unwrap().sent.len()
    }

    /// Marks so far for a client.
    pub(crate) fn marks(&self, client: ClientId) -> Vec<u16> {
        let log = self.log.lock().unwrap();
        log.marks.iter().filter(|(to, _)| *to == client).map(|(_, id)| *id).collect()
    }

    /// The first packet for a client at `from` or later, waiting until `limit`.
    fn next(&self, client: ClientId, from: &mut usize, limit: Instant) -> Option<Sent> {
        let mut log = self.log.lock().unwrap();
        loop {
            while let Some(sent) = log.sent.get(*from) {
                *from += 1;
                if sent.clients.contains(&client) {
                    return Some(sent.clone());
                }
            }
            let left = limit.checked_duration_since(Instant::now())?;
            log = self.changed.wait_timeout(log, left).unwrap().0;
        }
    }
}

impl Outlet for Recorder {
    fn send(&self, clients: &[ClientId], packet: &EncodedPacket) {
        // The payload is copied: a kept packet would keep its slab.
        let sent =
            Sent { info: packet.info, payload: packet.data.payload().into(), clients: clients.to_vec() };
        self.log.lock().unwrap().sent.push(sent);
        self.changed.notify_all();
    }

    fn mark(&self, client: ClientId, frame_id: u16) {
        self.log.lock().unwrap().marks.push((client, frame_id));
    }
}

/// What the threads said.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    events: Mutex<Vec<String>>,
    changed: Condvar,
    /// Faults bar their plugin.
    pub(crate) bars: Mutex<bool>,
}

impl Heard {
    fn say(&self, event: String) {
        self.events.lock().unwrap().push(event);
        self.changed.notify_all();
    }

    /// Waits for an event that begins so, and answers all so far; panics when none comes in time.
    pub(crate) fn wait(&self, start: &str, limit: Duration) -> Vec<String> {
        let found = |events: &mut Vec<String>| !events.iter().any(|event| event.starts_with(start));
        let (events, timeout) =
            self.changed.wait_timeout_while(self.events.lock().unwrap(), limit, found).unwrap();
        assert!(!timeout.timed_out(), "no {start:?} within {limit:?} in {events:?}");
        events.clone()
    }

    /// Waits until the newest of the events that begin so is this one.
    pub(crate) fn wait_newest(&self, start: &str, event: &str, limit: Duration) {
        let differs = |events: &mut Vec<String>| {
            events.iter().rev().find(|event| event.starts_with(start)).is_none_or(|newest| newest != event)
        };
        let (events, timeout) =
            self.changed.wait_timeout_while(self.events.lock().unwrap(), limit, differs).unwrap();
        assert!(!timeout.timed_out(), "no {event:?} within {limit:?} in {:?}", events.last());
    }

    /// Events so far that begin so.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|event| event.starts_with(start)).count()
    }
}

impl Observer for Heard {
    fn clipboard(&self, content: Option<ClipboardContent>) {
        self.say(format!("clipboard {content:?}"));
    }

    fn cursor(&self, shape: CursorShape) {
        self.say(format!("cursor {}x{}", shape.width, shape.height));
    }
    fn display(&self, width: u32, height: u32) {
        self.say(format!("display {width}x{height}"));
    }
    fn video_failed(&self, reason: &str) {
        self.say(format!("failed {reason}"));
    }
    fn video_recovered(&self) {
        self.say("recovered".into());
    }
    fn plugin_fault(&self, fault: &PluginFault) -> FaultVerdict {
        let kind = if fault.counts { "fault" } else { "mention" };
        self.say(format!("{kind} {} {} {}", fault.plugin, fault.part, fault.code));
        if *self.bars.lock().unwrap() { FaultVerdict::Barred } else { FaultVerdict::Again }
    }
    fn encoder_used(&self, encoder: &str, codec: Option<Codec>, _striped: bool, among: Option<Codecs>) {
        let among = among.map_or_else(String::new, |among| format!(" among {among}"));
        self.say(format!("uses {encoder} {}{among}", codec.map_or("-", Codec::name)));
    }
    fn rumble(&self, slot: u8, strong: u16, weak: u16, duration_ms: u32) {
        self.say(format!("rumble {slot} {strong} {weak} {duration_ms}"));
    }
    fn encoder_replaced(&self, encoder: &str, reason: &str) {
        self.say(format!("replaced by {encoder}: {reason}"));
    }
}

/// What these tests stream with unless they say otherwise: nothing is sent twice.
pub(crate) fn settings() -> StreamSettings {
    let config = Loader::new().load().expect("the defaults are valid");
    StreamSettings { encoder: "jpeg".into(), use_paint_over_quality: false, ..config.stream_defaults() }
}

/// A running studio.
pub(crate) struct Bench {
    pub(crate) stream: Arc<Stream>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) studio: Studio,
    plugins: Plugins,
}

impl Bench {
    /// Films the test pattern; `fps` 0 is one picture that stands still.
    pub(crate) fn pattern(width: u32, height: u32, fps: u32, settings: StreamSettings) -> Self {
        Self::start(settings, |plugins| Backends {
            capture: plugins
                .backend("selkies.test-pattern", &json!({ "width": width, "height": height, "fps": fps })),
            display: None,
            cursor: None,
            clipboard: None,
            input: Vec::new(),
            gamepads: Vec::new(),
            encoders: plugins.encoders(),
        })
    }

    /// Films the test pattern with something over it.
    pub(crate) fn marked(width: u32, height: u32, fps: u32, watermark: Watermark) -> Self {
        let settings = StreamSettings { jpeg_quality: 95, ..settings() };
        Self::start_with(settings, false, Some(watermark), |plugins| Backends {
            capture: plugins
                .backend("selkies.test-pattern", &json!({ "width": width, "height": height, "fps": fps })),
            display: None,
            cursor: None,
            clipboard: None,
            input: Vec::new(),
            gamepads: Vec::new(),
            encoders: plugins.encoders(),
        })
    }

    /// Films the test pattern in H.264.
    pub(crate) fn h264(fps: u32, settings: StreamSettings) -> Self {
        Self::start(settings, |plugins| Backends {
            capture: plugins
                .backend("selkies.test-pattern", &json!({ "width": 640, "height": 192, "fps": fps })),
            display: None,
            cursor: None,
            clipboard: None,
            input: Vec::new(),
            gamepads: Vec::new(),
            encoders: plugins.h264(),
        })
    }

    /// Films the test pattern with other encoders than the usual ones.
    pub(crate) fn encoders(standby: bool, encoders: impl FnOnce(&Plugins) -> Vec<EncoderBackend>) -> Self {
        Self::start_with(settings(), standby, None, |plugins| Backends {
            capture: plugins
                .backend("selkies.test-pattern", &json!({ "width": 640, "height": 192, "fps": 60 })),
            display: None,
            cursor: None,
            clipboard: None,
            input: Vec::new(),
            gamepads: Vec::new(),
            encoders: encoders(plugins),
        })
    }

    /// Films a picture that stands still, and shows programs gamepads by the first way that works of these, which are
    /// configurations of the gamepad plugin.
    pub(crate) fn gamepads(ways: &[serde_json::Value]) -> Self {
        Self::start(settings(), |plugins| Backends {
            capture: plugins.backend("selkies.test-pattern", &json!({ "width": 64, "height": 64, "fps": 0 })),
            display: None,
            cursor: None,
            clipboard: None,
            input: Vec::new(),
            gamepads: ways.iter().map(|way| plugins.backend("selkies.gamepad", way)).collect(),
            encoders: plugins.encoders(),
        })
    }

    /// Everything that the X11 plugin does, on a display.
    pub(crate) fn display(display: &str, settings: StreamSettings) -> Self {
        Self::start(settings, |plugins| {
            let x11: Backend = plugins.backend("selkies.x11", &json!({ "display": display }));
            Backends {
                capture: x11.clone(),
                display: Some(x11.clone()),
                cursor: Some(x11.clone()),
                clipboard: Some(x11.clone()),
                input: vec![x11],
                gamepads: Vec::new(),
                encoders: plugins.encoders(),
            }
        })
    }

    fn start(settings: StreamSettings, backends: impl FnOnce(&Plugins) -> Backends) -> Self {
        Self::start_with(settings, false, None, backends)
    }

    fn start_with(
        settings: StreamSettings,
        standby: bool,
        watermark: Option<Watermark>,
        backends: impl FnOnce(&Plugins) -> Backends,
    ) -> Self {
        let plugins = Plugins::prepare();
        let recorder = Arc::new(Recorder::default());
        let stream = Arc::new(Stream::new(recorder.clone()));
        let heard = Arc::new(Heard::default());
        let studio = Studio::start(StudioParts {
            backends: backends(&plugins),
            services: plugins.services.clone(),
            settings,
            stream: stream.clone(),
            observer: heard.clone(),
            initial_size: None,
            standby,
            revive: None,
            watermark,
        })
        .expect("the studio starts");
        Self { stream, recorder, heard, studio, plugins }
    }

    /// Takes a new version of a plugin into use, as the host does; answers in how many places.
    pub(crate) fn renew(&self, plugin: &Plugin) -> usize {
        self.studio.renew(self.studio.newcomer(plugin).probe().expect("it probes"))
    }

    /// The plugins that it was made of.
    pub(crate) fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// What the video thread counted.
    pub(crate) fn figures(&self) -> Snapshot {
        self.studio.figures().snapshot()
    }

    /// A client that wants video.
    pub(crate) fn join(&self, number: u64, priority: Priority) -> Client<'_> {
        let id = ClientId(number);
        let read = self.recorder.packets();
        self.stream.start(id, priority);
        Client { bench: self, id, read }
    }

    /// Checks that nothing is grabbed, encoded or sent for a while.
    pub(crate) fn assert_idle(&self, time: Duration) {
        // What is under way may end.
        std::thread::sleep(Duration::from_millis(150));
        let before = (self.figures(), self.recorder.packets());
        std::thread::sleep(time);
        assert_eq!((self.figures(), self.recorder.packets()), before, "something ran");
    }
}

/// What arrives at once.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) packets: Vec<Sent>,
    /// The newest frame in it.
    pub(crate) frame_id: u16,
}

/// A client of a bench, whose socket is never full.
pub(crate) struct Client<'a> {
    bench: &'a Bench,
    pub(crate) id: ClientId,
    read: usize,
}

impl Client<'_> {
    /// The next delivery, not acknowledged.
    pub(crate) fn receive(&mut self, limit: Duration) -> Option<Delivery> {
        let limit = Instant::now() + limit;
        let mut packets = Vec::new();
        let next = |read: &mut usize, until| self.bench.recorder.next(self.id, read, until);
        while let Some(sent) =
            next(&mut self.read, if is_whole(&packets) { Instant::now() + PAUSE } else { limit })
        {
            packets.push(sent);
        }
        let frame_id = u16::try_from(packets.last()?.info.frame_id & 0xffff).expect("16 bits");
        self.bench.stream.drained(self.id);
        Some(Delivery { packets, frame_id })
    }

    /// The next delivery, acknowledged as drawn at once.
    pub(crate) fn draw(&mut self, limit: Duration) -> Option<Delivery> {
        let delivery = self.receive(limit)?;
        self.bench.stream.acknowledge(self.id, delivery.frame_id, Some(0));
        Some(delivery)
    }

    /// Draws whatever comes for a while; answers how many deliveries that were.
    pub(crate) fn draw_for(&mut self, time: Duration) -> usize {
        self.take_for(time, Self::draw)
    }

    /// Takes whatever comes for a while, without a word.
    pub(crate) fn receive_for(&mut self, time: Duration) -> usize {
        self.take_for(time, Self::receive)
    }

    fn take_for(&mut self, time: Duration, take: impl Fn(&mut Self, Duration) -> Option<Delivery>) -> usize {
        let end = Instant::now() + time;
        let mut count = 0;
        while take(self, end.saturating_duration_since(Instant::now())).is_some() {
            count += 1;
        }
        count
    }
}

fn is_whole(packets: &[Sent]) -> bool {
    packets.last().is_some_and(|sent| sent.info.flags & PACKET_LAST != 0)
}
