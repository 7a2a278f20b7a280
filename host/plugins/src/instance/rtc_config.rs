//! `selkies.rtc-config/1`.

use core::ffi::c_void;
use std::time::Duration;

use selkies_plugin_abi::{self as abi, Instance, MAX_RTC_CONFIG_BYTES, RtcConfigV1, Status, Str, TextSink};
use serde::{Deserialize, Serialize};

use super::arm::{Arm, Gated};
use super::collector::{collect, deliver};
use super::core::{Core, is_nothing, required, sized_table, timeout_ns};
use super::wake::{WakeGate, Waker};
use super::{Origin, PluginError};
use crate::child::wire::{Create, Reply, Task};
use crate::services::{Role, foreign_text, guarded, now_ns};
use crate::size::size_field;

/// For whom a configuration is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcConfigRequest {
    /// The user the credentials are for.
    pub user: String,
    /// TURN over TLS is wanted.
    pub tls: bool,
    /// TURN over TCP instead of UDP.
    pub tcp: bool,
    /// When the answer is given up, nanoseconds of `CLOCK_MONOTONIC`.
    pub deadline_ns: u64,
}

/// A source of ICE servers and their credentials.
#[derive(Debug)]
pub struct RtcConfigInstance {
    arm: Arm<Here>,
}

#[derive(Debug)]
struct Here {
    gate: WakeGate,
    core: Core,
    fetch: unsafe extern "C" fn(*mut Instance, *const abi::RtcConfigRequest, *const TextSink) -> Status,
    wait: unsafe extern "C" fn(*mut Instance, u64) -> Status,
}

impl RtcConfigInstance {
    /// Makes the source. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        if let Some(arm) = Arm::in_child(origin, Create::RtcConfig, "rtc-config.create")? {
            return Ok(Self { arm });
        }
        let plugin = origin.plugin.id();
        let table: &RtcConfigV1 = origin.plugin.table("rtc-config")?;
        sized_table::<RtcConfigV1>(plugin, "rtc-config", table.struct_size)?;
        let create = required(plugin, "rtc-config.create", table.create)?;
        let destroy = required(plugin, "rtc-config.destroy", table.destroy)?;
        let fetch = required(plugin, "rtc-config.fetch", table.fetch)?;
        let wait = required(plugin, "rtc-config.wait", table.wait)?;
        let wake = required(plugin, "rtc-config.wake", table.wake)?;
        let core = Core::plain(origin, Role::Plain, "rtc-config.create", create, destroy)?;
        Ok(Self { arm: Arm::Here(Here { gate: WakeGate::new(&core, wake), core, fetch, wait }) })
    }

    /// A configuration: the JSON object of the W3C `RTCConfiguration` with `lifetimeDuration`, at most 64 KiB. Blocks
    /// up to the deadline. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract: no text, several, or one that is no such JSON.
    pub fn fetch(&mut self, request: &RtcConfigRequest) -> Result<String, PluginError> {
        const FETCH: &str = "rtc-config.fetch";
        match &mut self.arm {
            Arm::Here(here) => here.fetch(request),
            Arm::Child { remote, .. } => {
                let allowed = Duration::from_nanos(request.deadline_ns.saturating_sub(now_ns()));
                let deadline = allowed + remote.link().deadlines().call;
                let task = Task::Fetch(request.clone());
                match remote.call(FETCH, task, deadline, &mut crate::child::deaf)?.reply {
                    Reply::RtcConfig(text) if wrong(&text).is_none() => Ok(text),
                    _ => Err(remote.wrong_reply(FETCH)),
                }
            }
        }
    }

    /// Blocks until the configuration changed (true), `timeout` passed (`None`: no limit) or a waker was used.
    /// `[control]`
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, PluginError> {
        const WAIT: &str = "rtc-config.wait";
        match &mut self.arm {
            Arm::Here(here) => here.wait(timeout),
            Arm::Child { remote, wake } => {
                match remote.wait(WAIT, |timeout_ns| Task::RtcWait { timeout_ns }, timeout, wake)? {
                    Reply::Changed(changed) => Ok(changed),
                    _ => Err(remote.wrong_reply(WAIT)),
                }
            }
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.arm.waker()
    }
}

impl Gated for Here {
    fn gate(&self) -> &WakeGate {
        &self.gate
    }
}

impl Here {
    fn fetch(&mut self, request: &RtcConfigRequest) -> Result<String, PluginError> {
        let raw = abi::RtcConfigRequest {
            struct_size: size_field::<abi::RtcConfigRequest>(),
            tls: request.tls.into(),
            user: Str::new(&request.user),
            protocol: Str::new(if request.tcp { "tcp" } else { "udp" }),
            deadline_ns: request.deadline_ns,
            reserved: [0; 2],
        };
        let (answer, mut texts) = collect::<String, _>(self.core.account(), 1, |ctx| {
            let sink = TextSink { ctx, emit: Some(emit) };
            self.core.call("rtc-config.fetch", |instance| {
                // SAFETY: a live instance; request and sink are valid for the call.
                unsafe { (self.fetch)(instance, &raw const raw, &raw const sink) }
            })
        });
        answer?;
        match texts.pop() {
            Some(text) => Ok(text),
            None => Err(self.core.contract("rtc-config.fetch", "succeeded without a usable configuration")),
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, PluginError> {
        let status = self.core.call("rtc-config.wait", |instance| {
            // SAFETY: a live instance.
            unsafe { (self.wait)(instance, timeout_ns(timeout)) }
        })?;
        Ok(!is_nothing(status))
    }
}

/// Why a text is no configuration. It carries credentials and does not appear in the reason.
fn wrong(text: &str) -> Option<&'static str> {
    if text.len() > MAX_RTC_CONFIG_BYTES {
        return Some("the configuration is over 64 KiB");
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(_) => Some("the configuration is not JSON"),
        Ok(value) if value.get("iceServers").is_some_and(serde_json::Value::is_array) => None,
        Ok(_) => Some("the configuration has no array `iceServers`"),
    }
}

unsafe extern "C" fn emit(ctx: *mut c_void, text: Str) {
    guarded((), || {
        deliver(ctx, "rtc-config.fetch", || {
            // SAFETY: texts of a call are readable for the call.
            let text = unsafe { foreign_text(text, MAX_RTC_CONFIG_BYTES) };
            let text = text.ok_or("the configuration is NULL, not UTF-8 or over 64 KiB")?;
            match wrong(text) {
                None => Ok(text.to_owned()),
                Some(what) => Err(what.to_owned()),
            }
        });
    });
}
