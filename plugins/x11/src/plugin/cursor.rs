//! `selkies.cursor/1`.

use std::{sync::Arc, time::Duration};

use selkies_plugin_sdk::{Cursor, CursorImage, Host, Result, Wake};

use super::{Config, shared};
use crate::cursor::Pointer;

/// The pointer's shape as a cursor plugin.
#[derive(Debug)]
pub struct X11Cursor(Pointer);

impl Cursor for X11Cursor {
    type Config = Config;

    fn create(_host: Host, config: Config) -> Result<Self> {
        Ok(Self(Pointer::open(config.display())?))
    }

    fn waker(&self) -> Arc<dyn Wake> {
        shared(self.0.waker())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<CursorImage>> {
        Ok(self.0.wait(timeout)?)
    }
}
