//! Starting the host and running it until a signal.

use std::{
    io::Write,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use clap::ArgMatches;
use selkies_config::Config;
use selkies_media::{Backend, Backends, RtcThreads, Studio, StudioParts, Watermark, WatermarkPlace};
use selkies_plugin_host::{HostServices, Inventory, Origin, SlabPool, TransportInstance, environment};
use selkies_server::{BasicAuth, Hub, HubSink, Listening, ServerOptions, offer_through_relay};
use selkies_session::{Policy, Session};
use selkies_signaling::{NodeOptions, Relay};
use tracing::warn;

use crate::{
    commands,
    control::Control,
    defaults,
    desktop::Desktop,
    failure::Failure,
    files, logging, programs, rtc, serving, signaling, sound,
    stage::{self, SoundBackends, Stage},
    stop::Stop,
    supervision::Supervision,
    trust,
    xvfb::Xvfb,
};

/// Runs the host.
///
/// # Errors
/// What kept it from starting, one line each.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let (mut config, inventory) = commands::load(matches)?;
    logging::start(&config);
    for inactive in config.not_active() {
        warn!("{inactive}");
    }
    for name in config.unknown_env() {
        warn!("{name} is not a setting of this version");
    }
    for notice in trust::notices(&inventory) {
        warn!("{notice}");
    }
    for refusal in inventory.refusals() {
        warn!("{refusal}");
    }
    for refusal in inventory.entries().iter().filter_map(|entry| entry.verdict().err()) {
        warn!("{refusal}");
    }

    let watermark = watermark(&config)?;
    let node = signaling::node_options(&config)?;
    let listening = Listening::bind(ServerOptions {
        addresses: config.addr().map(str::to_owned).collect(),
        port: config.port(),
        web_root: config.web_root(),
        auth: config.basic_auth().map(|auth| BasicAuth::new(&auth.user, auth.password.expose())),
        any_host: config.allow_unauthenticated(),
    })
    .map_err(|error| error.to_string())?;
    let judged = inventory.clone();
    let listening = listening.with_plugins(move || judged.listing().to_json());
    let listening = if config.socketio().enabled {
        let relay = Relay::new(signaling::relay_options(&config));
        listening.with_signaling(relay, signaling::origins(&config))
    } else {
        listening
    };

    // The environment can be changed only while this is the only thread.
    let needs_own = config.display().is_none() && stage::wants_display(&config, &inventory);
    let own = needs_own.then(Xvfb::prepare).transpose()?;
    if let Some(own) = &own
        && !environment::set("XAUTHORITY", own.access_file().as_os_str())
    {
        return Err("CL023 XAUTHORITY could not be set: other threads run already. Report this defect".into());
    }
    let runtime = serving::runtime()?;
    let stop = {
        let _entered = runtime.enter();
        serving::listen()?
    };
    let desktop: Arc<Mutex<Option<Desktop>>> = Arc::default();
    stop.cleans_up(desktop.clone(), own.as_ref().map(|own| own.access_file().to_owned()));

    let own = own.map(|own| own.start(config.xvfb_max_size())).transpose()?;
    let display = match (&own, config.display()) {
        (Some(own), _) => own.display().to_owned(),
        (None, named) => named.unwrap_or_default().to_owned(),
    };
    let services = HostServices::new(SlabPool::default());
    services.set_log_level(logging::abi_level(config.log_level()));
    let stage = stage::set(&config, &inventory, &services, &display)?;
    let names: Vec<&str> =
        stage.backends.encoders.iter().map(|encoder| encoder.offer.name.as_str()).collect();
    for dropped in config.offer_encoders(&names) {
        warn!("encoder {dropped} is not available here: no plugin offers it");
    }
    let command = matches.get_one::<String>("desktop").cloned();
    if command.is_some() && display.is_empty() {
        return Err("CL032 --desktop has no display to run on; name one with --display".into());
    }
    let supervision = Supervision::new(&inventory, matches, config.plugin_rules(), &services);
    let rtc_sources = rtc_sources(&config, &inventory, &services)?;
    let sound = stage::sound(&config, &inventory, &services)?;
    let parts = Parts {
        listening,
        config,
        stage,
        services,
        own,
        command,
        desktop,
        stop,
        supervision,
        rtc_sources,
        sound,
        node,
        watermark,
    };
    Ok(runtime.block_on(serve(parts, &display))?)
}

/// The parts of a start, each used once.
struct Parts {
    listening: Listening,
    config: Config,
    stage: Stage,
    services: HostServices,
    own: Option<Xvfb>,
    command: Option<String>,
    desktop: Arc<Mutex<Option<Desktop>>>,
    stop: Stop,
    supervision: Supervision,
    /// `None` where WebRTC cannot be used.
    rtc_sources: Option<Vec<Backend>>,
    sound: SoundBackends,
    /// The relay to whose peer the stream is offered.
    node: Option<NodeOptions>,
    watermark: Option<Watermark>,
}

async fn serve(parts: Parts, display: &str) -> Result<ExitCode, String> {
    let Parts {
        listening,
        config,
        stage,
        services,
        own,
        command,
        desktop,
        stop,
        supervision,
        rtc_sources,
        sound,
        node,
        watermark,
    } = parts;
    let hub = Hub::new(config.clone(), session(&config, &stage.backends, &sound));
    attach_transports(&stage, &services, &hub)?;
    hub.offer_codecs(stage.backends.whole_frame_codecs());
    files::attach(&config, &hub)?;
    programs::attach(&config, &hub, display);
    let judge = supervision.clone();
    hub.judge_faults(move |fault| judge.judge(fault));
    let _rtc = rtc_sources.map(|sources| start_rtc(sources, &config, &services, &hub)).transpose()?;
    sound::start(sound, &config, &services, &hub)?;
    let server = listening.serve(hub.clone());

    let access_file = own.as_ref().map(|own| own.access_file().to_owned());
    let initial_size = initial_size(&config, own.is_some());
    // The display ends after every thread that uses it.
    let own = own.map(|own| Arc::new(Mutex::new(own)));
    let studio = Studio::start(StudioParts {
        backends: stage.backends,
        services,
        settings: config.stream_defaults(),
        stream: hub.stream(),
        observer: hub.clone(),
        initial_size,
        standby: config.plugin_rules().standby,
        watermark,
        revive: own.clone().map(|own| revive(own, desktop.clone())),
    })
    .map_err(|error| error.to_string())?;
    if config.get("scaling_dpi").is_some_and(|dpi| dpi.is_explicit()) {
        studio.scale(config.stream_defaults().scaling_dpi);
    }
    hub.attach_studio(studio);

    if let Some(command) = command {
        let started = Desktop::start(&command, display, access_file.as_deref())
            .map_err(|error| format!("CL030 --desktop: {error}. Name a command that exists"))?;
        *lock(&desktop) = Some(started);
    }
    supervision.attend(&hub);
    let _control = control(server.local(), &hub, &supervision);
    reload_on_hangup(&stop, &hub, supervision.clone());
    announce(server.local());
    let outpost = node.map(|node| tokio::spawn(offer_through_relay(hub.clone(), node)));
    let served = server.run(stop.asked()).await;
    outpost.inspect(|outpost| outpost.abort());
    serving::served(served)?;
    // Applications end while their display is still there.
    drop(lock(&desktop).take());
    drop(own);
    // The studio has ended: there are no more faults. Last, because the file may be another host's for a while.
    supervision.finish();
    Ok(ExitCode::SUCCESS)
}

/// The sources of ICE servers, where WebRTC can be used. One that the file names and that cannot be loaded is a mistake.
fn rtc_sources(
    config: &Config,
    inventory: &Inventory,
    services: &HostServices,
) -> Result<Option<Vec<Backend>>, String> {
    if !config.uses_webrtc() {
        return Ok(None);
    }
    for warning in config.rtc_servers().warnings {
        warn!("{warning}");
    }
    let is_named = !config.file().rtc_config.is_empty();
    let mut loaded = Vec::new();
    for source in stage::rtc_sources(config, inventory, services) {
        match source {
            Ok(source) => loaded.push(source),
            Err(text) if is_named => return Err(text),
            Err(text) => warn!("{text}"),
        }
    }
    Ok(Some(loaded))
}

/// Keeps ICE servers ready for pages and transports.
fn start_rtc(
    sources: Vec<Backend>,
    config: &Config,
    services: &HostServices,
    hub: &Arc<Hub>,
) -> Result<RtcThreads, String> {
    let threads = RtcThreads::start(sources, services, rtc::options(config), hub.clone());
    let threads = threads.map_err(|error| error.to_string())?;
    hub.attach_rtc(threads.configs());
    Ok(threads)
}

/// Brings our own display back, and what ran on it.
fn revive(own: Arc<Mutex<Xvfb>>, desktop: Arc<Mutex<Option<Desktop>>>) -> Box<dyn FnMut() -> bool + Send> {
    Box::new(move || {
        match lock(&own).revive() {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                warn!("{error}");
                return false;
            }
        }
        if let Some(Err(error)) = lock(&desktop).as_mut().map(Desktop::restart) {
            warn!("the desktop could not be started again: {error}");
        }
        true
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the transports. One that does not work here is only missed where it alone would do.
fn attach_transports(stage: &Stage, services: &HostServices, hub: &Arc<Hub>) -> Result<(), String> {
    let mut failed = None;
    for backend in &stage.transports {
        let origin = Origin { services, plugin: &backend.plugin, config_json: &backend.config };
        match TransportInstance::create(&origin, Arc::new(HubSink::new(hub))) {
            Ok(transport) => hub.attach_transport(transport),
            Err(error) => {
                warn!(plugin = backend.plugin.id(), %error, "a transport does not work on this machine");
                failed = Some(error.to_string());
            }
        }
    }
    if hub.serves_its_mode() {
        return Ok(());
    }
    let mode = hub.mode();
    Err(failed.unwrap_or_else(|| {
        format!(
            "CL052 no transport for the mode {mode} is configured; name one under transports, or another mode"
        )
    }))
}

/// The session as the operator allows it; what this version cannot do is off.
fn session(config: &Config, backends: &Backends, sound: &SoundBackends) -> Session {
    let has_gamepads = !backends.gamepads.is_empty();
    let (sharing, clipboard) = (config.sharing(), config.clipboard());
    let (aligned, aligned_locked) = config.aligned_resolution();
    let (can_resize, can_copy) = (backends.display.is_some(), backends.clipboard.is_some());
    let policy = Policy {
        sharing: sharing.enabled,
        shared: sharing.view_only,
        players: if has_gamepads { sharing.players } else { [false; 3] },
        collab: false,
        audio: sound.encoder.is_some(),
        microphone: sound.microphone.is_some(),
        command: config.command_lines().enabled,
        upload: files::takes_uploads(config),
        clipboard_in: clipboard.inward && can_copy,
        clipboard_out: clipboard.outward && can_copy,
        clipboard_binary: clipboard.binary,
        clipboard_binary_locked: clipboard.binary_locked,
        gamepad: has_gamepads,
        resize: config.enable_resize() && can_resize,
        aligned,
        aligned_locked,
        max_clients: 256,
        finger_scroll: !backends.input.is_empty(),
        ..Policy::default()
    };
    let settings = match config.server_settings() {
        serde_json::Value::Object(mut message) => message.remove("settings"),
        _ => None,
    };
    let settings = settings.and_then(|settings| settings.as_object().cloned()).unwrap_or_default();
    Session::new(policy, settings)
}

/// The size that the display gets before the first browser comes: the operator's, or a usual one on our own display.
fn initial_size(config: &Config, own: bool) -> Option<(u32, u32)> {
    let stream = config.stream_defaults();
    if stream.is_manual_resolution_mode {
        return Some((stream.manual_width, stream.manual_height));
    }
    own.then_some(defaults::OWN_DISPLAY_SIZE)
}

/// What lies over the picture. A file that is named and is none is a mistake.
fn watermark(config: &Config) -> Result<Option<Watermark>, String> {
    let Some((path, number)) = config.watermark() else { return Ok(None) };
    let Some(place) = WatermarkPlace::from_number(number) else { return Ok(None) };
    Watermark::open(&path, place).map(Some).map_err(|error| error.to_string())
}

/// The socket for commands. Without one the host runs, and commands cannot reach it.
fn control(local: &[SocketAddr], hub: &Arc<Hub>, supervision: &Supervision) -> Option<Control> {
    let (hub, supervision) = (Arc::downgrade(hub), supervision.clone());
    let handler = move |request| match hub.upgrade() {
        Some(hub) => supervision.carry_out(&hub, request),
        None => Err("CL046 the host is ending".to_owned()),
    };
    Control::serve(*local.first()?, Arc::new(handler)).inspect_err(|error| warn!("{error}")).ok()
}

/// A hangup that does not end the host makes it look for new versions of its plugins.
fn reload_on_hangup(stop: &Stop, hub: &Arc<Hub>, supervision: Supervision) {
    let (hangups, hub) = (stop.hangups(), Arc::downgrade(hub));
    tokio::spawn(async move {
        loop {
            hangups.notified().await;
            let Some(hub) = hub.upgrade() else { return };
            let supervision = supervision.clone();
            let reload = tokio::task::spawn_blocking(move || supervision.reload_changed(&hub));
            if reload.await.is_err() {
                warn!("plugins could not be reloaded; this is a defect of the host");
            }
        }
    });
}

/// Prints the address to open, on standard output, for people and scripts.
fn announce(local: &[SocketAddr]) {
    let mut out = std::io::stdout().lock();
    for at in local {
        let host = match at.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        // A closed standard output is no reason to end.
        let _ = writeln!(out, "http://{host}:{}/", at.port());
    }
    let _ = out.flush();
}
