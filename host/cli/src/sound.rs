//! Starting the threads of sound.

use std::sync::Arc;

use selkies_config::Config;
use selkies_media::{Microphone, Sound, SoundParts};
use selkies_plugin_host::HostServices;
use selkies_server::{Hub, HubEar};

use crate::stage::SoundBackends;

/// Starts what was loaded and gives it to the hub, which ends it.
///
/// # Errors
/// A plugin that does not play its part, or a system that gives no threads.
pub(crate) fn start(
    backends: SoundBackends,
    config: &Config,
    services: &HostServices,
    hub: &Arc<Hub>,
) -> Result<(), String> {
    if let (Some(capture), Some(encoder)) = (backends.capture, backends.encoder) {
        let sound = Sound::start(SoundParts {
            capture,
            encoder,
            services: services.clone(),
            settings: config.sound(),
            sink: Arc::new(HubEar::new(hub)),
            observer: hub.clone(),
        });
        hub.attach_sound(Box::new(sound.map_err(|error| error.to_string())?));
    }
    if let Some(backend) = backends.microphone {
        let microphone = Microphone::start(backend, services.clone(), hub.clone());
        hub.attach_microphone(Box::new(microphone.map_err(|error| error.to_string())?));
    }
    Ok(())
}
