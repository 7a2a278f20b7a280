//! The thread that starts all children.
//!
//! A child asks the kernel to be killed when its parent dies, and the kernel means the parent *thread*: a child that
//! was started from a tokio worker or a pipeline's thread would die with that thread. So one thread starts them all
//! and lives as long as the process.

use std::{
    io,
    process::{Child, Command},
    sync::{
        Mutex, PoisonError,
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

struct Request {
    command: Command,
    reply: SyncSender<io::Result<Child>>,
}

static REQUESTS: Mutex<Option<Sender<Request>>> = Mutex::new(None);

/// Starts `command` from the thread that starts children. Its descriptors of this process are closed on return.
///
/// # Errors
/// What starting it or the thread says.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = sync_channel(1);
    {
        let mut requests = REQUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*requests {
            Some(sender) => sender,
            None => requests.insert(begin()?),
        };
        sender.send(Request { command, reply }).map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
    answer.recv().map_err(|_| io::ErrorKind::BrokenPipe)?
}

fn begin() -> io::Result<Sender<Request>> {
    let (sender, requests) = channel::<Request>();
    thread::Builder::new().name("plugin-children".into()).stack_size(128 * 1024).spawn(move || {
        for Request { mut command, reply } in requests {
            let started = command.spawn();
            drop(command); // its ends of the pipes, else the child's end would not be theirs
            if let Err(lost) = reply.send(started)
                && let Ok(mut child) = lost.0
            {
                // The caller is gone (its thread panicked), nobody will ever end this child.
                _ = child.kill();
                _ = child.wait();
            }
        }
    })?;
    Ok(sender)
}
