//! One connection: a device that a program has open.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use selkies_gamepad_support::Record;

use crate::{
    pad::Pad,
    wire::{self, Change, Form, Moment, RECORD_BYTES},
};

/// How long the byte with the program's width may take.
const GREETING: Duration = Duration::from_secs(5);

/// A connection. Writing never blocks: a program that does not read gets the state as it is when it reads again.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Arc<UnixStream>,
    event_device: bool,
    stage: Stage,
    /// What did not go out of the last write; never more than one.
    rest: Vec<u8>,
    /// Changes were left out: the whole state is due once there is place.
    behind: bool,
    /// The beginning of a record.
    record: Vec<u8>,
    /// By which its effects are known.
    pub(crate) number: u64,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The configuration went out; the width is awaited until then.
    Greeting(Instant),
    Open(Form),
}

/// What a program said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Records, perhaps none.
    Records(Vec<Record>),
    /// It is gone, or said what nobody says.
    End,
}

impl Client {
    /// Greets a program.
    pub(crate) fn new(
        stream: UnixStream,
        event_device: bool,
        number: u64,
        pad: &Pad,
        now: Instant,
    ) -> Option<Self> {
        // The configuration fits an empty socket's buffer; where it does not, something is wrong.
        let config = wire::config(pad.identity());
        (&stream).write(&config).ok().filter(|sent| *sent == config.len())?;
        Some(Self {
            stream: Arc::new(stream),
            event_device,
            stage: Stage::Greeting(now + GREETING),
            rest: Vec::new(),
            behind: false,
            record: Vec::new(),
            number,
        })
    }

    /// A handle for polling that outlives this one.
    pub(crate) fn handle(&self) -> Arc<UnixStream> {
        self.stream.clone()
    }

    /// True while it waits for place in its socket.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// When it has waited too long for the width.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if let Stage::Greeting(until) = self.stage { Some(until) } else { None }
    }

    /// Tells changes. False when the program is gone.
    pub(crate) fn tell(&mut self, changes: &[Change], at: Moment) -> bool {
        let Stage::Open(form) = self.stage else { return true };
        if self.behind || changes.is_empty() {
            return true;
        }
        self.write(&bytes(form, changes, false, at))
    }

    /// Sends what is due, now that there is place. False when the program is gone.
    pub(crate) fn catch_up(&mut self, pad: &Pad, at: Moment) -> bool {
        let Stage::Open(form) = self.stage else { return true };
        if !self.behind {
            return true;
        }
        let rest = std::mem::take(&mut self.rest);
        self.behind = false;
        if !rest.is_empty() && !self.write(&rest) {
            return false;
        }
        self.behind || self.write(&bytes(form, &pad.state(), true, at))
    }

    /// Reads what came.
    pub(crate) fn hear(&mut self, pad: &Pad, at: Moment) -> Heard {
        let mut records = Vec::new();
        let mut space = [0; 256];
        // Not for ever: others have their turn, too.
        for _ in 0..16 {
            let count = match (&*self.stream).read(&mut space) {
                Ok(0) => return Heard::End,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Heard::End,
            };
            let mut said = &space[..count];
            if let Stage::Greeting(_) = self.stage {
                let form = match (self.event_device, said[0]) {
                    (false, 4 | 8) => Form::Joystick,
                    (true, 8) => Form::Event64,
                    (true, 4) => Form::Event32,
                    _ => return Heard::End,
                };
                self.stage = Stage::Open(form);
                if !self.write(&bytes(form, &pad.state(), true, at)) {
                    return Heard::End;
                }
                said = &said[1..];
            }
            for &byte in said {
                self.record.push(byte);
                if self.record.len() < RECORD_BYTES {
                    continue;
                }
                let record = std::mem::take(&mut self.record);
                let parsed = record.try_into().ok().and_then(wire::record).filter(|_| self.event_device);
                let Some(record) = parsed else { return Heard::End };
                records.push(record);
            }
        }
        Heard::Records(records)
    }

    /// Writes all of it, or keeps what has no place. False when the program is gone.
    fn write(&mut self, bytes: &[u8]) -> bool {
        let mut left = bytes;
        while !left.is_empty() {
            match (&*self.stream).write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.rest = left.to_vec();
                    self.behind = true;
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn bytes(form: Form, changes: &[Change], initial: bool, at: Moment) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &change in changes {
        wire::append(form, change, initial, at, &mut bytes);
    }
    bytes
}
