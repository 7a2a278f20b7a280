//! Command lines of clients, and those that the operator has run when clients come and go.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use selkies_commands::{CommandError, Commands, Exit, Occasion, Options, Report};
use selkies_session::{
    ClientId,
    wire::{CommandEnded, RoleName, ServerMessage},
};
use tracing::{info, warn};

use super::Hub;

/// How long a line of the operator may take.
const HOOK_LIMIT: Duration = Duration::from_secs(30);
/// How long the host's end waits for them.
const LAST_HOOK: Duration = Duration::from_millis(500);

/// What command lines there are.
#[derive(Clone, Debug)]
pub struct CommandOptions {
    /// How lines are run.
    pub lines: Options,
    /// Run when a client comes while there is no other; empty for none.
    pub after_connect: String,
    /// Run when the last client has left; empty for none.
    pub after_disconnect: String,
}

#[derive(Debug)]
pub(super) struct CommandDesk {
    commands: Commands,
    after_connect: String,
    after_disconnect: String,
    present: Mutex<BTreeSet<ClientId>>,
}

impl Hub {
    /// Lets command lines be run; which clients may send them, the session says. Called once, before clients come.
    pub fn attach_commands(&self, options: CommandOptions) {
        let CommandOptions { lines, after_connect, after_disconnect } = options;
        let present = Mutex::default();
        let desk = CommandDesk { commands: Commands::new(lines), after_connect, after_disconnect, present };
        if self.commands.set(desk).is_err() {
            warn!("second options for commands were ignored");
        }
    }

    pub(super) fn run_command(&self, client: ClientId, line: String) {
        let Some(desk) = self.commands.get() else { return };
        let (post, told) = (self.post.clone(), line.clone());
        let answer = move |answer: Result<Report, CommandError>| {
            post.send_text(&[client], &message(&told, answer).render());
        };
        if let Err(error) = desk.commands.run(client.0, &line, answer) {
            self.post.send_text(&[client], &message(&line, Err(error)).render());
        }
    }

    /// A client came, and the session may have let it in.
    pub(super) fn arrived(&self, client: ClientId, role: RoleName) {
        let Some(desk) = self.commands.get() else { return };
        if self.session().standing(client).is_none() {
            return;
        }
        let mut present = desk.present.lock().unwrap_or_else(PoisonError::into_inner);
        let first = present.is_empty();
        if present.insert(client) && first {
            desk.hook(Occasion::FirstCame, client, Some(role));
        }
    }

    /// A client is gone.
    pub(super) fn went(&self, client: ClientId) {
        let Some(desk) = self.commands.get() else { return };
        desk.commands.client_left(client.0);
        let mut present = desk.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.remove(&client) && present.is_empty() {
            desk.hook(Occasion::LastLeft, client, None);
        }
    }

    /// Ends what runs. Blocks until it has ended, three seconds at most.
    pub(super) fn end_commands(&self) {
        let Some(desk) = self.commands.get() else { return };
        // All of them: their sockets close in a moment, and none of those is the last one then.
        let present = std::mem::take(&mut *desk.present.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(&last) = present.last() {
            desk.hook(Occasion::LastLeft, last, None);
        }
        desk.commands.end(LAST_HOOK);
    }
}

impl CommandDesk {
    fn hook(&self, occasion: Occasion, client: ClientId, role: Option<RoleName>) {
        let line = match occasion {
            Occasion::FirstCame => &self.after_connect,
            Occasion::LastLeft => &self.after_disconnect,
        };
        if line.is_empty() {
            return;
        }
        let role = match role {
            Some(RoleName::Controller) => "controller",
            Some(RoleName::Viewer) => "viewer",
            None => "",
        };
        let set = [("SELKIES_CLIENT", client.0.to_string()), ("SELKIES_ROLE", role.to_owned())];
        let set = set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let told = |answer: Result<Report, CommandError>| match answer {
            Ok(Report { exit: Exit::Code(0), .. }) => info!("the operator's command has ended"),
            Ok(Report { exit, output, .. }) => warn!(%exit, output, "the operator's command failed"),
            Err(error) => warn!(%error, "the operator's command failed"),
        };
        if let Err(error) = self.commands.hook(occasion, line, set, HOOK_LIMIT, told) {
            warn!(%error, "the operator's command was not run");
        }
    }
}

/// What the client hears of its line: `action` is what pages of 2.1.0 read.
fn message(line: &str, answer: Result<Report, CommandError>) -> ServerMessage {
    let shown: String = line.chars().take(200).collect();
    let ended = match answer {
        Ok(Report { exit, output, cut }) => CommandEnded {
            action: match exit {
                Exit::Code(0) => format!("command_done,{line}"),
                exit => format!("command_error,{shown}: {exit}"),
            },
            status: if let Exit::Code(code) = exit { Some(code) } else { None },
            output,
            cut,
        },
        Err(error) => CommandEnded {
            action: format!("command_error,{shown}: {error}"),
            status: None,
            output: String::new(),
            cut: false,
        },
    };
    ServerMessage::CommandEnded(ended)
}
