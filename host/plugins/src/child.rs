//! Processes that run plugins: how they are started, confined, talked to and ended.
//!
//! ```text
//! host                                             child (the same program again)
//! Child::spawn(Launch) --vfork, exec-------------> adopt(): dies with the host, descriptors 0 to 3, name
//!    orders wait in the socket ------------------> Adopted::restrict(): limits, Landlock, seccomp
//! channel() <======= messages, descriptors ======> channel; only now is a plugin's library opened
//! lines     <------- what it prints -------------- 1, 2
//! pidfd()   <------- its end, however it comes
//! drop      --SIGKILL to its process group-------> gone, reaped
//! ```
//!
//! # Threads of the host
//! `plugin-children` starts all children, because the kernel ties a child's life to the *thread* that started it.
//! `plugin-lines` reads what they print and reaps those that die slowly. Both begin with the first child and sleep
//! otherwise. Everything else happens on the caller's thread.
//!
//! # What a hostile plugin meets
//! * It has no descriptor of the host but the socket, a pipe for its lines and what it is sent, and no secret in its
//!   environment.
//! * It cannot read the host's memory or environment: Landlock forbids looking into processes outside its own domain.
//!   Nor can it signal them.
//! * It cannot start programs, open files, or make sockets, neither for the network nor for local services, unless its
//!   manifest asks for that, see [`Profile`].
//! * Its memory, descriptors and files are limited ([`Limits`]), and the kernel's memory killer takes it before the
//!   host.
//! * Messages, descriptors, lines and waits have limits on the host's side: a child that never reads, never answers,
//!   prints without end or does not die holds no thread of the host longer than the deadline that belongs to it.
//!
//! It is the same user, so a plugin that may open the X server's socket controls that desktop. What the kernel lacks,
//! old ones Landlock, is said in the log and done without.

mod blob;
mod channel;
mod ending;
mod entry;
mod environment;
mod home;
mod limits;
mod lines;
mod link;
mod options;
mod outbox;
mod process;
mod relay;
mod remote;
mod runner;
mod sandbox;
mod served;
mod shortage;
mod spawner;
mod spill;
mod voice;
mod wakes;
mod watch;
pub mod wire;

pub use crate::services::SlabPlace;
pub use blob::Blob;
pub use channel::{Channel, ChannelError, MAX_DESCRIPTORS, MAX_MESSAGE, SEND_DEADLINE};
pub use ending::Ending;
pub use entry::{Adopted, BY_HAND, EntryError, adopt};
pub(crate) use home::{ChildPlugin, Home};
pub use limits::{Limits, STARTUP_DEADLINE};
pub use lines::{LINES_PER_SECOND, MAX_LINE_BYTES};
pub(crate) use link::{Call, Fault, Link};
pub use options::{CHILD_ARGUMENT, ChildOptions, Deadlines};
pub use process::{Child, Launch, LaunchError};
pub(crate) use remote::{Remote, deaf};
pub use runner::run;
pub use sandbox::{Processes, Profile};
pub(crate) use spill::write as spilled;
pub(crate) use wakes::RemoteWake;
pub use watch::LineSink;
