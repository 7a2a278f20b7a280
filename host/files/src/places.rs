//! Who may write at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::FileError;

/// The places, of which each sender gets some. Clones are of one.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    most: usize,
    each: usize,
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// A place, which is free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    sender: String,
}

impl Places {
    /// So many in all, and so many of them for each sender.
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self { most, each, taken: Arc::default() }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`FileError::TooMany`] when there is none for this sender.
    pub(crate) fn take(&self, sender: &str) -> Result<Place, FileError> {
        let mut taken = self.taken();
        let own = taken.get(sender).copied().unwrap_or_default();
        if own >= self.each || taken.values().sum::<usize>() >= self.most {
            return Err(FileError::TooMany);
        }
        taken.insert(sender.to_owned(), own + 1);
        Ok(Place { places: self.clone(), sender: sender.to_owned() })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(own) = taken.get_mut(&self.sender) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.sender);
            }
        }
    }
}
