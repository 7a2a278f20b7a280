//! The plugin.

use std::{io, sync::Arc, thread::JoinHandle, time::Duration};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};
use schemars::JsonSchema;
use selkies_plugin_sdk::{
    Error, Gamepad, GamepadEvent, GamepadIdentity, GamepadRumble, Host, Result, Wake, abi,
};
use serde::Deserialize;

use crate::server::Server;

/// What makes devices.
const UINPUT: &str = "/dev/uinput";

/// Configuration of gamepads of the kernel: there is nothing to choose.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// Gamepads of the kernel.
#[derive(Debug)]
pub struct KernelPads {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Gamepad for KernelPads {
    type Config = Config;

    fn create(_: Host, _: Config) -> Result<Self> {
        // Whether this user may, before somebody plays.
        open(UINPUT, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).map_err(missing)?;
        let (server, thread) = Server::start().map_err(|error| failed(&error))?;
        Ok(Self { server, thread: Some(thread) })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.server.clone()
    }

    fn plug(&mut self, slot: u8, identity: GamepadIdentity) -> Result<()> {
        self.server.plug(slot, identity).map_err(|error| failed(&error))
    }

    fn unplug(&mut self, slot: u8) -> Result<()> {
        self.server.unplug(slot);
        Ok(())
    }

    fn inject(&mut self, events: &[GamepadEvent]) -> Result<()> {
        self.server.play(events).map_err(|error| failed(&error))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<GamepadRumble>> {
        Ok(self.server.wait(timeout))
    }
}

impl Drop for KernelPads {
    fn drop(&mut self) {
        self.server.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread of the kernel's gamepads ended by a panic");
        }
    }
}

/// Why there are no devices here.
fn missing(error: Errno) -> Error {
    let (what, detail) = match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => (
            format!(
                "{UINPUT} is not there; load the kernel's module uinput, and give the device to the container"
            ),
            abi::DETAIL_NOT_FOUND,
        ),
        Errno::ACCESS | Errno::PERM => (
            format!(
                "{UINPUT} may not be written by this user; a rule of udev or the group `input` can change that"
            ),
            abi::DETAIL_PERMISSION,
        ),
        error => (format!("{UINPUT}: {error}"), abi::DETAIL_IO),
    };
    Error::device_lost(what).with_detail(detail)
}

fn failed(error: &io::Error) -> Error {
    Error::device_lost(format!("a gamepad of the kernel: {error}")).with_detail(abi::DETAIL_IO)
}
