//! The plugin.

use std::{env, path::PathBuf, sync::Arc, thread::JoinHandle, time::Duration};

use schemars::JsonSchema;
use selkies_plugin_sdk::{
    Error, Gamepad, GamepadChange, GamepadEvent, GamepadIdentity, GamepadRumble, Host, Result, Wake, abi,
};
use serde::Deserialize;

use crate::{identity, server::Server};

/// Configuration of gamepads through the interposer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the sockets; without it `XDG_RUNTIME_DIR`, and `/tmp` where that is not set. The interposer looks where
    /// `SELKIES_JS_SOCKET_PATH` says, and then in the same places.
    #[schemars(length(min = 1, max = 80))]
    pub js_socket_path: Option<PathBuf>,
    /// Programs of other users may connect, too.
    pub other_users: bool,
    /// So many slots, from the first on, have a gamepad all the time, at rest while nobody plays: programs that look for
    /// gamepads only when they start find it.
    #[schemars(range(max = 4))]
    pub always: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self { js_socket_path: None, other_users: false, always: 1 }
    }
}

/// Gamepads through the interposer.
#[derive(Debug)]
pub struct InterposerPads {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    always: u8,
}

impl Gamepad for InterposerPads {
    type Config = Config;

    fn create(_: Host, config: Config) -> Result<Self> {
        if u32::from(config.always) > abi::MAX_GAMEPADS {
            return Err(Error::config(format!("always is {}, there are four slots", config.always)));
        }
        let folder = config.js_socket_path.unwrap_or_else(usual_folder);
        if !folder.is_dir() {
            let text = format!("the folder for gamepads' sockets is not there: {}", folder.display());
            return Err(Error::device_lost(text).with_detail(abi::DETAIL_NOT_FOUND));
        }
        let (server, thread) = Server::start(folder, config.other_users)
            .map_err(|error| Error::fatal(format!("no thread for gamepads' sockets: {error}")))?;
        // From here on, dropping it ends the thread.
        let mut pads = Self { server, thread: Some(thread), always: config.always };
        for slot in 0..config.always {
            pads.plug(slot, identity::xbox360())
                .map_err(|error| Error::device_lost(error.text()).with_detail(abi::DETAIL_IO))?;
        }
        Ok(pads)
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.server.clone()
    }

    fn plug(&mut self, slot: u8, identity: GamepadIdentity) -> Result<()> {
        self.server.seat(slot, identity).map_err(|text| Error::retry(text).with_detail(abi::DETAIL_IO))
    }

    fn unplug(&mut self, slot: u8) -> Result<()> {
        self.server.play(&[GamepadEvent { slot, change: GamepadChange::Rest }]);
        if slot >= self.always {
            self.server.clear(slot);
        }
        Ok(())
    }

    fn inject(&mut self, events: &[GamepadEvent]) -> Result<()> {
        self.server.play(events);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>> {
        Ok(self.server.wait(timeout))
    }
}

impl Drop for InterposerPads {
    fn drop(&mut self) {
        self.server.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread of the gamepads' sockets ended by a panic");
        }
    }
}

fn usual_folder() -> PathBuf {
    let usual = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    usual.filter(|folder| folder.is_absolute() && folder.is_dir()).unwrap_or_else(|| "/tmp".into())
}
