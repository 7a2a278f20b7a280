//! A process between a host and its child, which passes on what they say and, when a plugin is to be loaded, puts another
//! file in the place of one that the host has judged: `swapper CHILD NEW OLD LABEL`.

use std::{
    error::Error,
    fs,
    os::fd::{AsFd, OwnedFd},
    process::{Command, ExitCode, Stdio},
    thread,
};

use selkies_plugin_host::child::{
    Channel,
    wire::{Control, decode},
};

fn main() -> ExitCode {
    match relay() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn relay() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let mut argument = || arguments.next().ok_or("too few arguments");
    let (program, new, old, label) = (argument()?, argument()?, argument()?, argument()?);
    let host = Channel::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?);
    let (child, theirs) = Channel::pair()?;
    let mut process = Command::new(program).arg(label).stdin(Stdio::from(theirs.into_fd())).spawn()?;
    thread::scope(|scope| {
        let (from_child, to_host) = (&child, &host);
        scope.spawn(move || {
            let mut message = Vec::new();
            while let Ok(fds) = from_child.receive(&mut message, None) {
                let _ = pass(to_host, &message, &fds);
            }
        });
        let mut message = Vec::new();
        let mut orders = true;
        while let Ok(fds) = host.receive(&mut message, None) {
            if !std::mem::take(&mut orders) && matches!(decode(&message), Ok(Control::Load { .. })) {
                fs::rename(&new, &old)?;
            }
            pass(&child, &message, &fds)?;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    process.wait()?;
    Ok(())
}

fn pass(to: &Channel, message: &[u8], fds: &[OwnedFd]) -> Result<(), Box<dyn Error>> {
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    Ok(to.send(message, &fds)?)
}
