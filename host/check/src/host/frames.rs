//! Frames that are lent, and what came of them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use selkies_plugin_abi as abi;

use crate::{fence::Fenced, rules::encoder::ENC_028};

/// Frames that stay fenced after they were given back.
const MAX_BURIED: usize = 8;
/// Frames whose records are kept.
const MAX_RECORDS: usize = 64;

/// A packet that was committed.
#[derive(Clone, Debug)]
pub(crate) struct PacketRecord {
    pub(crate) flags: u32,
    pub(crate) layer: u32,
    pub(crate) area: abi::Rect,
    pub(crate) payload: Vec<u8>,
}

/// One submitted frame.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) timestamp_ns: u64,
    /// What came of it.
    pub(crate) packets: Vec<PacketRecord>,
    /// Its status, and when it was reported.
    pub(crate) done: Option<(abi::Status, Instant)>,
    /// `submit` failed: nothing may come of it.
    pub(crate) refused: bool,
    pub(crate) submitted: Instant,
}

#[derive(Debug)]
struct Lent {
    memory: Arc<Fenced>,
    in_call: bool,
    retains: usize,
}

/// Frames of one context.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    lent: HashMap<u64, Lent>,
    buried: VecDeque<Arc<Fenced>>,
    pub(crate) flights: BTreeMap<u64, Flight>,
    next_token: u64,
    /// The newest frame that has packets.
    pub(crate) newest_with_packets: u64,
}

impl Frames {
    /// Lends memory for a call and names it.
    pub(crate) fn lend(&mut self, memory: Arc<Fenced>) -> u64 {
        self.next_token += 0x101;
        self.lent.insert(self.next_token, Lent { memory, in_call: true, retains: 0 });
        self.next_token
    }

    /// Notes a frame before it is submitted.
    pub(crate) fn begin(&mut self, frame_id: u64, flight: Flight) {
        self.flights.insert(frame_id, flight);
        while self.flights.len() > MAX_RECORDS {
            let oldest = self.flights.iter().find(|(_, flight)| flight.done.is_some() || flight.refused);
            let Some(oldest) = oldest.map(|(&id, _)| id) else { break };
            self.flights.remove(&oldest);
        }
    }

    /// `submit` returned.
    pub(crate) fn call_ended(&mut self, token: u64) {
        if let Some(lent) = self.lent.get_mut(&token) {
            lent.in_call = false;
        }
        self.sweep(token);
    }

    pub(crate) fn retain(&mut self, token: u64, limit: usize) -> Result<(), String> {
        let retained = self.retained();
        let lent = self.lent.get_mut(&token).filter(|lent| lent.in_call);
        let lent = lent.ok_or_else(|| format!("retain: {token} is not the token of the current call"))?;
        if retained >= limit {
            return Err(format!("retain: {} frames would be kept, announced are {limit}", retained + 1));
        }
        lent.retains += 1;
        Ok(())
    }

    pub(crate) fn release(&mut self, token: u64) -> Result<(), String> {
        let lent = self.lent.get_mut(&token).filter(|lent| lent.retains > 0);
        lent.ok_or_else(|| format!("release: the frame {token} is not retained"))?.retains -= 1;
        self.sweep(token);
        Ok(())
    }

    pub(crate) fn retained(&self) -> usize {
        self.lent.values().map(|lent| lent.retains).sum()
    }

    /// Frames that were neither refused nor reported.
    pub(crate) fn pending(&self) -> usize {
        self.flights.values().filter(|flight| flight.done.is_none() && !flight.refused).count()
    }

    fn sweep(&mut self, token: u64) {
        if self.lent.get(&token).is_some_and(|lent| lent.retains == 0 && !lent.in_call)
            && let Some(lent) = self.lent.remove(&token)
        {
            self.bury(lent.memory);
        }
    }

    fn bury(&mut self, memory: Arc<Fenced>) {
        memory.bury(&ENC_028);
        self.buried.push_back(memory);
        if self.buried.len() > MAX_BURIED {
            self.buried.pop_front();
        }
    }
}
