//! Plugins that fail too often are not used again until their library changes or the operator clears them.
//!
//! [`FaultRecord`] decides, with time as an argument; [`Quarantine`] keeps the records of all plugins in a small file;
//! [`Ledger`] shares it between threads.

mod identity;
mod ledger;
mod record;
mod store;

pub use identity::LibraryIdentity;
pub use ledger::Ledger;
pub use record::{FAULT_LIMIT, FAULT_WINDOW, FaultNote, FaultRecord, LastFault, Moment, Sentence, Verdict};
pub use store::{MAX_RECORDS, MAX_STORE_BYTES, Quarantine};
