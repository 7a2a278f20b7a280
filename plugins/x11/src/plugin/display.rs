//! `selkies.display/1`.

use selkies_plugin_sdk::{Display, Host, Output, OutputRequest, Result};

use super::Config;
use crate::display::Outputs;

/// The outputs as a display plugin.
#[derive(Debug)]
pub struct X11Display(Outputs);

impl Display for X11Display {
    type Config = Config;

    fn create(_host: Host, config: Config) -> Result<Self> {
        Ok(Self(Outputs::open(config.display())?.with_ownership(config.xsettings)))
    }

    fn outputs(&mut self) -> Result<Vec<Output>> {
        Ok(self.0.list()?)
    }

    fn apply(&mut self, requests: &[OutputRequest]) -> Result<()> {
        Ok(self.0.apply(requests)?)
    }
}
