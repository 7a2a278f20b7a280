//! Files that browsers put into one folder and take from it, and nothing beside it.
//!
//! * [`RelativePath`] is what may be named at all.
//! * [`Folder`] opens, lists and makes what is in the folder. The kernel holds every path below it (`openat2` with
//!   `RESOLVE_BENEATH` and without links), so that no race with the desktop's programs leads out.
//! * [`Uploads`] writes beside what is there and puts a file in place when it is whole; what was interrupted goes on
//!   where it stopped.
//! * [`Selection`] is what a `Range` asks for, [`Pace`] how fast transfers may be, [`Patience`] how slow.
//!
//! Everything here may wait for a disk and belongs on a thread that may block; nothing is asynchronous.
//!
//! ```
//! use selkies_files::{Folder, RelativePath};
//!
//! let place = std::env::temp_dir();
//! let folder = Folder::at(&place);
//! assert!(RelativePath::parse("../etc/passwd").is_err());
//! let listing = folder.list(&RelativePath::default())?;
//! println!("{} entries", listing.entries.len());
//! # Ok::<(), selkies_files::FileError>(())
//! ```
#![forbid(unsafe_code)]

mod beneath;
mod error;
mod folder;
mod list;
mod name;
mod pace;
mod parts;
mod places;
mod range;
mod upload;

pub use error::FileError;
pub use folder::{Folder, Found, OpenFile};
pub use list::{Entry, EntryKind, Listing, MAX_ENTRIES};
pub use name::{MAX_DEPTH, MAX_NAME, MAX_PATH, NameError, RelativePath};
pub use pace::{Pace, Patience};
pub use range::Selection;
pub use upload::{Limits, Upload, UploadRequest, Uploads};
