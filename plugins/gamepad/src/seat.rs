//! One slot: a gamepad, the two sockets in the place of its devices, and who is connected.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use selkies_gamepad_support::Mixer;
use selkies_plugin_sdk::{GamepadChange, GamepadIdentity, GamepadRumble};

use crate::{
    client::{Client, Heard},
    listener::Listener,
    pad::Pad,
    wire::Moment,
};

/// Connections to one socket, as many as Selkies' interposer has handles.
const MAX_CLIENTS: usize = 16;
/// How long a socket rests from which the system gave out no connection: it would be ready again at once.
const REST: Duration = Duration::from_millis(250);

/// A slot with its sockets.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: u8,
    pad: Pad,
    ports: [Port; 2],
    mixer: Mixer,
    /// The number of the newest connection.
    newest: u64,
}

/// A socket and its connections.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) listener: Listener,
    event_device: bool,
    pub(crate) clients: Vec<Client>,
    /// No connection is taken until then.
    rests: Option<Instant>,
    /// That connections are not given out was said.
    complained: bool,
}

impl Port {
    fn new(path: PathBuf, event_device: bool, open: bool) -> Result<Self, String> {
        Ok(Self {
            listener: Listener::new(path, open)?,
            event_device,
            clients: Vec::new(),
            rests: None,
            complained: false,
        })
    }

    /// True while connections are not taken.
    pub(crate) fn is_resting(&self) -> bool {
        self.rests.is_some()
    }

    /// The next connection, if there is one.
    fn accept(&mut self, slot: u8, now: Instant) -> Option<UnixStream> {
        if self.rests.is_some_and(|until| now < until) {
            return None;
        }
        match self.listener.accept() {
            Ok(stream) => {
                self.rests = None;
                self.complained &= stream.is_none();
                stream
            }
            Err(error) => {
                self.rests = Some(now + REST);
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(%error, slot, "programs that open the gamepad wait");
                }
                None
            }
        }
    }
}

impl Seat {
    /// Makes the sockets of a slot.
    pub(crate) fn new(
        folder: &Path,
        slot: u8,
        identity: GamepadIdentity,
        open: bool,
    ) -> Result<Self, String> {
        let joystick = folder.join(format!("selkies_js{slot}.sock"));
        let event = folder.join(format!("selkies_event{}.sock", 1000 + u16::from(slot)));
        // The event device first: who sees the joystick finds it.
        let event = Port::new(event, true, open)?;
        let joystick = Port::new(joystick, false, open)?;
        Ok(Self {
            slot,
            pad: Pad::new(identity),
            ports: [joystick, event],
            mixer: Mixer::default(),
            newest: 0,
        })
    }

    pub(crate) fn identity(&self) -> &GamepadIdentity {
        self.pad.identity()
    }

    pub(crate) fn ports(&self) -> &[Port; 2] {
        &self.ports
    }

    /// Applies changes and tells them.
    pub(crate) fn play(&mut self, change: GamepadChange, at: Moment) {
        let changes = self.pad.apply(change);
        let Self { ports, mixer, .. } = self;
        for port in ports {
            port.clients.retain_mut(|client| client.tell(&changes, at) || leave(client, mixer));
        }
    }

    /// Accepts, reads and writes whatever is possible. Answers what the motors are to do now, if that is new.
    pub(crate) fn serve(&mut self, at: Moment, now: Instant) -> Option<GamepadRumble> {
        let Self { slot, pad, ports, mixer, newest } = self;
        for port in ports {
            for _ in 0..2 * MAX_CLIENTS {
                let Some(stream) = port.accept(*slot, now) else { break };
                if port.clients.len() >= MAX_CLIENTS {
                    tracing::debug!(slot, "a program opened the gamepad that {MAX_CLIENTS} have open");
                    continue;
                }
                *newest += 1;
                port.clients.extend(Client::new(stream, port.event_device, *newest, pad, now));
            }
            port.clients.retain_mut(|client| {
                let stays = match client.hear(pad, at) {
                    Heard::Records(records) => {
                        records.into_iter().for_each(|record| mixer.take(client.number, record, now));
                        client.deadline().is_none_or(|until| now < until)
                    }
                    Heard::End => false,
                };
                stays && client.catch_up(pad, at) || leave(client, mixer)
            });
        }
        let motors = mixer.mix(now)?;
        let (strong, weak, duration_ms) = (motors.strong, motors.weak, motors.duration_ms);
        Some(GamepadRumble { slot: *slot, strong, weak, duration_ms })
    }

    /// When there is something to do that nobody announces: a connection has not said its width, or an effect ends.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let clients = self.ports.iter().flat_map(|port| &port.clients);
        let rests = self.ports.iter().filter_map(|port| port.rests);
        clients.filter_map(Client::deadline).chain(rests).chain(self.mixer.deadline(now)).min()
    }
}

/// What a program that is gone let the gamepad do ends. False, for it does not stay.
fn leave(client: &Client, mixer: &mut Mixer) -> bool {
    mixer.forget(client.number);
    false
}
