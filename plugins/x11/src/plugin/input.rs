//! `selkies.input/1`.

use selkies_plugin_sdk::{Host, Input, InputEvent, InputKinds, Result, abi};

use super::Config;
use crate::input::Injector;

/// Keyboard and pointer as an input plugin.
#[derive(Debug)]
pub struct X11Input(Injector);

impl Input for X11Input {
    type Config = Config;

    fn create(_host: Host, config: Config) -> Result<Self> {
        Ok(Self(Injector::open(config.display())?))
    }

    fn kinds(&self) -> InputKinds {
        InputKinds::of(&[
            abi::INPUT_KEYSYM,
            abi::INPUT_KEYCODE,
            abi::INPUT_POINTER_ABSOLUTE,
            abi::INPUT_POINTER_RELATIVE,
            abi::INPUT_BUTTON,
            abi::INPUT_SCROLL,
            abi::INPUT_TEXT,
            abi::INPUT_RELEASE_ALL,
        ])
    }

    fn inject(&mut self, events: &[InputEvent<'_>]) -> Result<()> {
        Ok(self.0.inject(events)?)
    }
}
