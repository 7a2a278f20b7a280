//! Drives a transport.

use std::sync::Arc;

use super::{Failure, TestHost, instance::TestInstance};
use crate::{Message, PacketRef, Transport, abi, guard::size32, transport::split};

/// A transport instance, called through its table, from any thread.
#[derive(Clone, Debug)]
pub struct TestTransport {
    table: &'static abi::TransportV1,
    instance: Arc<TestInstance>,
}

impl TestTransport {
    /// An instance of an SDK plugin. `config` is JSON.
    ///
    /// # Errors
    /// When `create` fails.
    pub fn of<T: Transport>(host: &TestHost, config: &str) -> Result<Self, Failure> {
        // SAFETY: the SDK's tables keep the ABI's promises.
        unsafe { Self::from_table(crate::private::TransportTable::<T>::TABLE, host, config) }
    }

    /// An instance of any table.
    ///
    /// # Errors
    /// When `create` fails.
    ///
    /// # Safety
    /// The table is that of a plugin that keeps the ABI's promises.
    pub unsafe fn from_table(
        table: &'static abi::TransportV1,
        host: &TestHost,
        config: &str,
    ) -> Result<Self, Failure> {
        // SAFETY: the caller vouches for the table.
        let instance = unsafe { TestInstance::create(host, table.create, table.destroy, config) }?;
        Ok(Self { table, instance })
    }

    /// The instance, for tests that call the table themselves.
    #[must_use]
    pub fn raw(&self) -> *mut abi::Instance {
        self.instance.raw()
    }

    fn check(&self, answer: Option<abi::Status>) -> Result<(), Failure> {
        self.instance.host().check(answer).map(drop)
    }

    /// Describes the transport.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn info(&self) -> Result<abi::TransportInfo, Failure> {
        let mut out = abi::TransportInfo {
            struct_size: size32::<abi::TransportInfo>(),
            flags: 0,
            codec_mask: 0,
            stripes: 0,
            audio: 0,
            max_message: 0,
            reserved32: 0,
            reserved: [0; 4],
        };
        // SAFETY: the instance is alive and `out` writable; arguments live for the call, so below.
        self.check(self.table.info.map(|info| unsafe { info(self.raw(), &raw mut out) }))?;
        Ok(out)
    }

    /// A client arrives; `hello` is JSON.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn client_open(&self, client: u64, hello: &str) -> Result<(), Failure> {
        // SAFETY: as in `info`.
        self.check(
            self.table.client_open.map(|call| unsafe { call(self.raw(), client, abi::Str::new(hello)) }),
        )
    }

    /// A client goes.
    pub fn client_close(&self, client: u64, reason: &str) {
        if let Some(call) = self.table.client_close {
            // SAFETY: as in `info`.
            unsafe { call(self.raw(), client, abi::Str::new(reason)) }
        }
    }

    /// A message arrives on the host's connection.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn receive(&self, client: u64, message: Message<'_>) -> Result<(), Failure> {
        let (kind, payload) = split(message);
        // SAFETY: as in `info`.
        self.check(self.table.receive.map(|call| unsafe { call(self.raw(), client, kind, payload) }))
    }

    /// A signaling message arrives.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn signal(&self, client: u64, json: &str) -> Result<(), Failure> {
        // SAFETY: as in `info`.
        self.check(self.table.signal.map(|call| unsafe { call(self.raw(), client, abi::Str::new(json)) }))
    }

    /// ICE servers for the clients to come.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn rtc_config(&self, json: &str) -> Result<(), Failure> {
        // SAFETY: as in `info`.
        self.check(self.table.rtc_config.map(|call| unsafe { call(self.raw(), abi::Str::new(json)) }))
    }

    /// Sends a message to clients.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn send_message(&self, clients: &[u64], channel: u32, message: Message<'_>) -> Result<(), Failure> {
        let (kind, payload) = split(message);
        let count = u32::try_from(clients.len()).unwrap_or(u32::MAX);
        // SAFETY: as in `info`.
        self.check(
            self.table
                .send_message
                .map(|call| unsafe { call(self.raw(), clients.as_ptr(), count, channel, kind, payload) }),
        )
    }

    /// Sends a packet to clients.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn send_packet(&self, clients: &[u64], packet: PacketRef<'_>) -> Result<(), Failure> {
        let info = packet.info;
        let raw = abi::Packet {
            struct_size: size32::<abi::Packet>(),
            codec: info.codec,
            flags: info.flags,
            layer: info.layer,
            len: packet.payload.len(),
            frame_id: info.frame_id,
            reference_frame_id: info.reference_frame_id,
            timestamp_ns: info.timestamp_ns,
            duration_ns: info.duration_ns,
            area: info.area,
            stream: packet.stream,
            reserved32: 0,
            reserved: [0; 3],
        };
        let count = u32::try_from(clients.len()).unwrap_or(u32::MAX);
        // SAFETY: as in `info`.
        self.check(self.table.send_packet.map(|call| unsafe {
            call(self.raw(), clients.as_ptr(), count, &raw const raw, abi::Bytes::new(packet.payload))
        }))
    }
}
