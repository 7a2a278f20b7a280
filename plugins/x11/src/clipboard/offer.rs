//! What applications are given when they paste.

use std::sync::Arc;

use selkies_plugin_sdk::ClipboardOffer;
use x11rb::{
    protocol::xproto::{Atom, ConnectionExt as _},
    rust_connection::RustConnection,
};

use super::{
    atoms::Atoms,
    formats::{SECRET, TEXT, latin1},
};
use crate::error::Result;

/// One content in all the formats that it has.
#[derive(Debug)]
pub(super) struct Offer {
    /// Target, type of the answer, content.
    targets: Vec<(Atom, Atom, Arc<[u8]>)>,
}

impl Offer {
    pub(super) fn new(x: &RustConnection, atoms: &Atoms, offer: &ClipboardOffer<'_>) -> Result<Self> {
        let mut targets: Vec<(Atom, Atom, Arc<[u8]>)> = Vec::new();
        if offer.secret {
            targets.push((atoms.PASSWORD_HINT, atoms.STRING, SECRET.into()));
        }
        for item in offer.items {
            let data: Arc<[u8]> = item.data.into();
            if item.mime != TEXT {
                let atom = x.intern_atom(false, item.mime.as_bytes())?.reply()?.atom;
                targets.push((atom, atom, data));
                continue;
            }
            for atom in [atoms.UTF8_STRING, atoms.TEXT_UTF8, atoms.TEXT_PLAIN] {
                targets.push((atom, atom, data.clone()));
            }
            targets.push((atoms.TEXT, atoms.UTF8_STRING, data.clone()));
            if item.data.is_ascii() {
                targets.push((atoms.STRING, atoms.STRING, data));
            } else if let Some(latin1) = latin1(item.data) {
                targets.push((atoms.STRING, atoms.STRING, latin1.into()));
            }
        }
        Ok(Self { targets })
    }

    /// The targets by name.
    pub(super) fn targets(&self) -> impl Iterator<Item = Atom> {
        self.targets.iter().map(|&(target, ..)| target)
    }

    /// Type and content of a target.
    pub(super) fn get(&self, target: Atom) -> Option<(Atom, &Arc<[u8]>)> {
        self.targets.iter().find(|(known, ..)| *known == target).map(|(_, kind, data)| (*kind, data))
    }
}
