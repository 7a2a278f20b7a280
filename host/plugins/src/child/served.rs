//! Instances as a child serves them: tasks become calls of the instance that is in this process.

mod encoder;

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    outbox::Outbox,
    wire::{Create, Reply, Task},
};
use crate::{
    FaultClass, FaultDetail, HostServices, Origin, Plugin, PluginError, SharedBuffer,
    instance::BufferShape,
    services::{Arena, PacketBuf},
};

use encoder::ServedEncoder;

/// Packets that the host has, by the place of their slab.
#[derive(Default)]
pub(super) struct Packets {
    out: Mutex<BTreeMap<u32, PacketBuf>>,
}

impl Packets {
    fn keep(&self, unit: u32, packet: PacketBuf) {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).insert(unit, packet);
    }

    /// The host does not need these any more.
    pub(super) fn give_back(&self, units: &[u32]) {
        if !units.is_empty() {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            units.iter().for_each(|unit| drop(out.remove(unit)));
        }
    }
}

/// What an instance is made from and talks to.
pub(super) struct Place {
    pub(super) services: HostServices,
    pub(super) plugin: Plugin,
    pub(super) config: String,
    pub(super) arena: Arena,
    pub(super) packets: Arc<Packets>,
    pub(super) outbox: Arc<Outbox>,
}

impl Place {
    fn origin(&self) -> Origin<'_> {
        Origin { services: &self.services, plugin: &self.plugin, config_json: &self.config }
    }
}

/// Any instance, with the buffers that it knows.
pub(super) struct Instance {
    served: Served,
    buffers: BTreeMap<u32, Arc<SharedBuffer>>,
    place: Place,
}

enum Served {
    Encoder(ServedEncoder),
}

impl Instance {
    pub(super) fn create(place: Place, what: Create) -> Result<Self, PluginError> {
        let served = match what {
            Create::Encoder { offer, settings } => {
                Served::Encoder(ServedEncoder::create(&place, &offer, settings)?)
            }
        };
        Ok(Self { served, buffers: BTreeMap::new(), place })
    }

    /// Maps a buffer: for captures to write, for encoders to read.
    pub(super) fn buffer(&mut self, slot: u32, shape: BufferShape, fds: Vec<OwnedFd>) -> io::Result<()> {
        let fd = fds.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
        let writable = !matches!(self.served, Served::Encoder(_));
        self.buffers.insert(slot, SharedBuffer::of_fd(fd, shape, writable)?);
        Ok(())
    }

    pub(super) fn forget(&mut self, slot: u32) {
        self.buffers.remove(&slot);
    }

    /// Calls the instance.
    pub(super) fn serve(&mut self, task: Task) -> Result<Reply, PluginError> {
        match (&mut self.served, task) {
            (Served::Encoder(encoder), task) => encoder.serve(task, &self.buffers, &self.place),
        }
    }
}

/// The host asked for what this instance cannot do; a defect of the host.
fn misdirected(place: &Place) -> PluginError {
    let account = place.services.account(place.plugin.id());
    let (class, detail) = (FaultClass::FatalInstance, FaultDetail::Unsupported);
    PluginError::caller(&account, "encoder", class, detail, "the host asked another kind of instance")
}
