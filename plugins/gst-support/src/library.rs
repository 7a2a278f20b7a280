//! GStreamer itself: started once in a process, and asked for elements.

use std::{fmt, path::Path};

use gst::prelude::*;
use gstreamer as gst;
use selkies_plugin_sdk::{Error, Result};

use crate::{Description, Device, Tuning, Version};

/// Proof that GStreamer runs in this process.
#[derive(Clone, Copy, Debug)]
pub struct Library(());

/// Why an encoder is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    what: &'static str,
    found: String,
    remedy: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gst-missing: {}: {}; {}", self.what, self.found, self.remedy)
    }
}

impl Library {
    /// Starts GStreamer, if it does not run yet. It looks through its plugins, and writes what it found into the user's
    /// cache; without a place to write, it looks again in the next process.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> Result<Self> {
        gst::init()
            .map(|()| Self(()))
            .map_err(|error| Error::fatal_plugin(format!("gst-init: GStreamer does not start: {error}")))
    }

    /// The version that runs, which may be newer than the one that this was built for.
    #[must_use]
    pub fn version(self) -> Version {
        let (major, minor, ..) = gst::version();
        Version(major, minor)
    }

    /// The first element of a description that exists, or that of the operator.
    ///
    /// # Errors
    /// [`Missing`] says what is not there and what brings it.
    pub fn encoder(self, what: &Description, tuning: &Tuning) -> Result<gst::ElementFactory, Missing> {
        let own = [tuning.element.as_str()];
        let names = if tuning.element.is_empty() { what.elements } else { &own[..] };
        let found = names.iter().find_map(|name| gst::ElementFactory::find(name));
        found.ok_or_else(|| {
            let (major, minor, micro, _) = gst::version();
            Missing {
                what: what.name,
                found: [
                    lost_device(what.device, Path::new("/dev")),
                    format!("GStreamer {major}.{minor}.{micro} has no element {}", names.join(" or ")),
                ]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join(", and "),
                remedy: what.source.to_owned(),
            }
        })
    }

    /// Makes an element.
    ///
    /// # Errors
    /// [`Missing`] as above.
    pub fn element(self, what: &Description, name: &str) -> Result<gst::Element, Missing> {
        gst::ElementFactory::make(name).build().map_err(|_| Missing {
            what: what.name,
            found: format!("GStreamer has no element {name}"),
            remedy: "install gstreamer1.0-plugins-base and the package of the encoder".to_owned(),
        })
    }
}

/// Says that the device files of an encoder are not there; empty when they are, or it needs none.
fn lost_device(device: Device, folder: &Path) -> String {
    let has = |below: &str, beginning: &str| {
        std::fs::read_dir(folder.join(below)).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
        })
    };
    match device {
        Device::Nvidia if !has("", "nvidia") => "no NVIDIA GPU (/dev/nvidia*) is here".to_owned(),
        Device::Va if !has("dri", "renderD") => "no GPU with VA-API (/dev/dri/renderD*) is here".to_owned(),
        _ => String::new(),
    }
}

/// Makes the encoder's element.
pub(crate) fn build(factory: &gst::ElementFactory, what: &Description) -> Result<gst::Element> {
    factory.create().build().map_err(|error| {
        Error::device_lost(format!("{}: the element {} cannot be made: {error}", what.name, factory.name()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let folder = std::env::temp_dir().join(format!("selkies-gst-devices-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("dri")).expect("a folder");
        let lost = |device| lost_device(device, &folder);
        assert!(
            lost(Device::Va).contains("/dev/dri/renderD*") && lost(Device::Nvidia).contains("/dev/nvidia*")
        );
        std::fs::write(folder.join("dri/renderD128"), "").expect("a file");
        std::fs::write(folder.join("nvidia0"), "").expect("a file");
        assert_eq!([lost(Device::Va), lost(Device::Nvidia), lost(Device::Cpu)], ["", "", ""]);
        std::fs::remove_dir_all(folder).expect("the folder goes");
    }
}
