//! Commands that serve sockets until a signal ends them.

use std::{io, io::Write, net::SocketAddr};

use tokio::runtime::{Builder, Runtime};

use crate::stop::Stop;

/// The runtime of a command that serves.
///
/// # Errors
/// When the system gives no threads.
pub(crate) fn runtime() -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .enable_all()
        .thread_name("tokio")
        .build()
        .map_err(|error| format!("CL024 no runtime: {error}. Raise the limits of the host"))
}

/// Listens for the signals that end the process; within a runtime.
///
/// # Errors
/// When the system does not deliver them.
pub(crate) fn listen() -> Result<Stop, String> {
    Stop::listen().map_err(|error| format!("CL025 signals: {error}. Report this defect"))
}

/// What serving came to.
///
/// # Errors
/// When sockets could not be served.
pub(crate) fn served(outcome: io::Result<()>) -> Result<(), String> {
    outcome.map_err(|error| format!("CL026 the sockets could not be served: {error}. Report this defect"))
}

/// Prints where `what` is, and runs a server until a signal; `run` is given the stop.
///
/// # Errors
/// What kept it from serving.
pub(crate) fn serve<Served: Future<Output = io::Result<()>>>(
    what: &str,
    local: &[SocketAddr],
    run: impl FnOnce(Stop) -> Served,
) -> Result<(), String> {
    runtime()?.block_on(async {
        let stop = listen()?;
        for at in local {
            // Where standard output is closed, the log is what is left.
            let _ = writeln!(io::stdout(), "{what} at http://{at}/");
        }
        served(run(stop).await)
    })
}
