//! What an encoder offers, and parameters that fit it.

use std::time::Duration;

use selkies_plugin_abi as abi;

use super::Tables;
use crate::{
    call::{self, Failure, Site, opening},
    fence::Backing,
    host::{Context, Role, size32},
    journal,
    picture::color_of,
    rules::encoder::ENC_001,
};

static PROBE: Site = opening("encoder.probe");

/// Most caps entries that are looked at.
const MAX_OFFERS: usize = 64;

/// A caps entry, copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) flags: u32,
    pub(crate) codec: u32,
    pub(crate) memory_mask: u32,
    pub(crate) fourccs: Vec<u32>,
    pub(crate) chroma_mask: u32,
    pub(crate) rate_mask: u32,
    pub(crate) depth: u32,
    pub(crate) max_retained: u32,
    pub(crate) max_width: u32,
    pub(crate) max_height: u32,
    pub(crate) quality_min: u32,
    pub(crate) quality_max: u32,
    pub(crate) bit_depth_mask: u32,
}

impl Offer {
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The memory that the kit can make for it, best first.
    pub(crate) fn backings(&self) -> Vec<Backing> {
        let kinds = [(abi::MEMORY_MEMFD, Backing::Memfd), (abi::MEMORY_CPU, Backing::Private)];
        kinds
            .iter()
            .filter(|(kind, _)| self.memory_mask & (1 << kind) != 0)
            .map(|&(_, backing)| backing)
            .collect()
    }

    /// The middle of the quality scale.
    pub(crate) fn middle(&self) -> u32 {
        self.quality_min + self.quality_max.saturating_sub(self.quality_min) / 2
    }

    /// Parameters for frames of this size, by the first of everything that is offered.
    pub(crate) fn params(&self, width: u32, height: u32) -> Params {
        let fourcc = self.fourccs.iter().copied().find(|&fourcc| crate::picture::can_make(fourcc));
        let first =
            |mask: u32, wanted: &[u32]| wanted.iter().copied().find(|&bit| mask & bit != 0).unwrap_or(0);
        let rates = [abi::RATE_QUALITY, abi::RATE_CBR, abi::RATE_VBR];
        let rate = rates.into_iter().find(|rate| self.rate_mask & (1 << rate) != 0).unwrap_or(0);
        let chroma = first(self.chroma_mask, &[abi::CHROMA_420, abi::CHROMA_444, abi::CHROMA_422]);
        let depth =
            [8, 10, 12].into_iter().find(|depth| self.bit_depth_mask & (1 << depth) != 0).unwrap_or(8);
        let backing = self.backings().first().copied().unwrap_or(Backing::Private);
        let fourcc = fourcc.unwrap_or(abi::FOURCC_XRGB8888);
        let mut raw = abi::EncoderParams {
            struct_size: size32::<abi::EncoderParams>(),
            codec: self.codec,
            name: abi::Str::EMPTY,
            width,
            height,
            fourcc,
            memory: 0,
            fps_num: 60,
            fps_den: 1,
            chroma,
            bit_depth: depth,
            rate,
            quality: self.middle(),
            refine_quality: abi::UNSET,
            refine_frames: 0,
            bitrate_kbps: 0,
            max_bitrate_kbps: 0,
            vbv_ms: 0,
            keyframe_interval: 0,
            threads: 0,
            stripe_height: 0,
            min_qp: abi::UNSET,
            max_qp: abi::UNSET,
            ignore_damage: 0,
            reserved32: 0,
            color: color_of(fourcc),
            out_width: 0,
            out_height: 0,
            reserved: [0; 5],
        };
        if rate != abi::RATE_QUALITY {
            (raw.bitrate_kbps, raw.max_bitrate_kbps) = (8000, 12_000);
        }
        let mut params = Params { name: self.name.clone(), raw, backing };
        params.set_backing(backing);
        params
    }
}

/// Parameters and the name that goes with them.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) name: String,
    pub(crate) raw: abi::EncoderParams,
    pub(crate) backing: Backing,
}

impl Params {
    pub(crate) fn set_backing(&mut self, backing: Backing) {
        self.backing = backing;
        self.raw.memory = if backing == Backing::Memfd { abi::MEMORY_MEMFD } else { abi::MEMORY_CPU };
    }

    pub(crate) fn set_fourcc(&mut self, fourcc: u32) {
        self.raw.fourcc = fourcc;
        self.raw.color = color_of(fourcc);
    }
}

/// Asks what the plugin offers.
pub(crate) fn probe(tables: Tables, config: &str) -> Result<Vec<Offer>, Failure> {
    let context = Context::new(Role::Encoder);
    let mut found: Vec<Offer> = Vec::new();
    let sink = abi::CapsSink { ctx: (&raw mut found).cast(), emit: Some(emit) };
    let Some(probe) = tables.encoder.probe else { return Ok(Vec::new()) };
    // SAFETY: host, configuration and sink live for the call.
    let call = || unsafe { probe(context.raw(), abi::Str::new(config), &raw const sink) };
    let answer = call::status(&PROBE, &context, Duration::ZERO, call);
    // What it says when it offers nothing.
    let reason = context.take_any_reason();
    context.end();
    answer?;
    if found.is_empty() {
        let text = reason.unwrap_or_default();
        return Err(Failure { call: PROBE.name, status: abi::OK, text, explained: false });
    }
    Ok(found)
}

unsafe extern "C" fn emit(ctx: *mut std::ffi::c_void, caps: *const abi::EncoderCaps) {
    // SAFETY: `probe` passes its own list.
    let found = unsafe { &mut *ctx.cast::<Vec<Offer>>() };
    // SAFETY: the entry lives for the call.
    let Some(caps) = (unsafe { crate::host::sized(caps) }) else {
        return journal::fail(&ENC_001, "an entry is NULL or smaller than EncoderCaps");
    };
    // SAFETY: as above.
    let name = unsafe { crate::host::text(caps.name) }.unwrap_or("(not UTF-8)").to_owned();
    let count = usize::try_from(caps.fourcc_count).unwrap_or(usize::MAX);
    let fourccs = if caps.fourccs.is_null() || !caps.fourccs.is_aligned() || !(1..=32).contains(&count) {
        journal::fail(&ENC_001, format!("{name}: fourcc_count is {count}, allowed 1 to 32"));
        Vec::new()
    } else {
        // SAFETY: not NULL, aligned and of bounded length; readable as the plugin says.
        unsafe { std::slice::from_raw_parts(caps.fourccs, count) }.to_vec()
    };
    if found.len() < MAX_OFFERS {
        found.push(Offer {
            name,
            flags: caps.flags,
            codec: caps.codec,
            memory_mask: caps.memory_mask,
            fourccs,
            chroma_mask: caps.chroma_mask,
            rate_mask: caps.rate_mask,
            depth: caps.depth,
            max_retained: caps.max_retained,
            max_width: caps.max_width,
            max_height: caps.max_height,
            quality_min: caps.quality_min,
            quality_max: caps.quality_max,
            bit_depth_mask: caps.bit_depth_mask,
        });
    }
}
