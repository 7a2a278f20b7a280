//! What encoders of a plugin can do on this machine.

use core::ffi::c_void;

use selkies_plugin_abi::{self as abi, CapsSink, EncoderCaps, EncoderV1, Str};
use serde::{Deserialize, Serialize};

use super::buffer::MAX_FRAME_EDGE;
use super::collector::{collect, deliver};
use super::core::{required, sized_table};
use super::{Origin, PluginError};
use crate::child::{
    Call, ChildPlugin, Fault,
    wire::{Control, ControlAnswer},
};
use crate::services::{Role, foreign_sized, foreign_slice, foreign_text, guarded, said};

/// Caps entries of one plugin.
const MAX_OFFERS: usize = 64;
/// Formats of one entry.
const MAX_FOURCCS: usize = 32;
/// Deepest pipeline, and most retained frames, that make sense.
const MAX_FRAMES: u32 = 64;

/// One thing an encoder plugin can produce on this machine; the checked copy of the ABI's `EncoderCaps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderOffer {
    /// Name that configuration uses, `[a-z0-9-]{1,32}`.
    pub name: String,
    /// The ABI's `ENCODER_*` flags.
    pub flags: u32,
    /// One of the ABI's `CODEC_*`.
    pub codec: u32,
    /// Mask of `1 << MEMORY_*` that it reads.
    pub memory_mask: u32,
    /// Formats it reads, best first, 1 to 32.
    pub fourccs: Vec<u32>,
    /// Mask of the ABI's `CHROMA_*`.
    pub chroma_mask: u32,
    /// Mask of `1 << RATE_*`.
    pub rate_mask: u32,
    /// Frames that it may have in flight, 1 to 64.
    pub depth: u32,
    /// Frames that it may retain at once, up to 64.
    pub max_retained: u32,
    /// Widest frame, up to 16384.
    pub max_width: u32,
    /// Highest frame, up to 16384.
    pub max_height: u32,
    /// Lowest value of the quality scale.
    pub quality_min: u32,
    /// Highest value of the quality scale.
    pub quality_max: u32,
    /// Bit depths as a mask of `1 << bits`.
    pub bit_depth_mask: u32,
}

/// Asks a plugin what it can encode on this machine; may take seconds. `[control]` An empty answer means "nothing
/// here". Entries that break the contract are reported and left out.
///
/// # Errors
/// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
pub fn probe_encoder(origin: &Origin<'_>) -> Result<Vec<EncoderOffer>, PluginError> {
    if let Some(child) = origin.plugin.child() {
        return probe_child(origin, child);
    }
    let plugin = origin.plugin.id();
    let table: &EncoderV1 = origin.plugin.table("encoder")?;
    sized_table::<EncoderV1>(plugin, "encoder", table.struct_size)?;
    let probe = required(plugin, "encoder.probe", table.probe)?;
    let context = origin.services.context(plugin, Role::Plain);
    said::forget();
    let (status, offers) = collect::<EncoderOffer, _>(context.account(), MAX_OFFERS, |ctx| {
        let sink = CapsSink { ctx, emit: Some(emit) };
        // SAFETY: host, text and sink are valid for the call.
        unsafe { probe(context.as_ptr(), Str::new(origin.config_json), &raw const sink) }
    });
    if status < 0 {
        return Err(PluginError::from_call(context.account(), "encoder.probe", status));
    }
    Ok(offers)
}

fn probe_child(origin: &Origin<'_>, child: &ChildPlugin) -> Result<Vec<EncoderOffer>, PluginError> {
    const PROBE: &str = "encoder.probe";
    let account = origin.services.account(child.id());
    let (link, plugin) = child.link(origin.services)?;
    let failed = |fault: Fault| fault.error(&account, child.version(), PROBE);
    let order = Control::Probe { plugin, config: origin.config_json.to_owned() };
    let deadline = link.deadlines().start_up;
    let call = Call { function: PROBE, plugin: Some(&account.id) };
    let (answer, misbehaved) = link.ask(&order, &[], deadline, call).map_err(failed)?;
    account.misbehaved(misbehaved);
    match answer {
        ControlAnswer::Offers(Ok(offers))
            if offers.len() <= MAX_OFFERS && offers.iter().all(|offer| offer.wrong().is_none()) =>
        {
            Ok(offers)
        }
        ControlAnswer::Offers(Err(error)) => Err(error.into_error(&account, PROBE)),
        _ => Err(failed(link.broken(call, "its process answered with offers that are none"))),
    }
}

unsafe extern "C" fn emit(ctx: *mut c_void, caps: *const EncoderCaps) {
    guarded((), || {
        // SAFETY: NULL, alignment and size are checked; the plugin's entry is readable for the call.
        deliver(ctx, "encoder.probe", || unsafe { read(caps) });
    });
}

/// # Safety
/// As [`foreign_sized`].
unsafe fn read(caps: *const EncoderCaps) -> Result<EncoderOffer, String> {
    // SAFETY: the caller's promise.
    let caps = unsafe { foreign_sized(caps) };
    let caps: EncoderCaps = caps.ok_or("a caps entry is NULL, not aligned, or its struct_size is wrong")?;
    // SAFETY: texts and arrays of a call are readable for the call.
    let (name, fourccs) = unsafe {
        (foreign_text(caps.name, 32), foreign_slice(caps.fourccs, caps.fourcc_count as usize, MAX_FOURCCS))
    };
    let name = name.ok_or("an encoder's name does not match [a-z0-9-]{1,32}")?;
    let fourccs =
        fourccs.ok_or_else(|| format!("the encoder {name}: its formats are NULL or more than 32"))?;
    let offer = EncoderOffer {
        name: name.to_owned(),
        flags: caps.flags,
        codec: caps.codec,
        memory_mask: caps.memory_mask,
        fourccs: fourccs.to_vec(),
        chroma_mask: caps.chroma_mask,
        rate_mask: caps.rate_mask,
        depth: caps.depth,
        max_retained: caps.max_retained,
        max_width: caps.max_width.min(MAX_FRAME_EDGE),
        max_height: caps.max_height.min(MAX_FRAME_EDGE),
        quality_min: caps.quality_min,
        quality_max: caps.quality_max,
        bit_depth_mask: caps.bit_depth_mask,
    };
    match offer.wrong() {
        None => Ok(offer),
        Some(what) if is_name(name) => Err(format!("the encoder {name}: {what}")),
        Some(what) => Err(what.to_owned()),
    }
}

impl EncoderOffer {
    /// Which rule for offers it breaks.
    fn wrong(&self) -> Option<&'static str> {
        let codecs = abi::CODEC_JPEG..=abi::CODEC_AV1;
        let one_of = |mask: u32, known: u32| mask & known != 0 && mask & !known == 0;
        let edges = 1..=MAX_FRAME_EDGE;
        let rules = [
            (is_name(&self.name), "an encoder's name does not match [a-z0-9-]{1,32}"),
            (
                (1..=MAX_FOURCCS).contains(&self.fourccs.len()) && !self.fourccs.contains(&0),
                "its formats are none, more than 32 or 0",
            ),
            (codecs.contains(&self.codec) || self.codec == abi::CODEC_NULL, "its codec is unknown"),
            (one_of(self.memory_mask, 0b1_1110), "its memory mask names no memory kind, or an unknown one"),
            (
                one_of(self.chroma_mask, 0b111) && one_of(self.rate_mask, 0b1110),
                "its chroma or rate mask is empty or has unknown bits",
            ),
            (one_of(self.bit_depth_mask, 0xffff << 1), "its bit depths are not within 1 to 16"),
            (
                (1..=MAX_FRAMES).contains(&self.depth) && self.max_retained <= MAX_FRAMES,
                "its depth is not within 1 to 64, or it retains more than 64 frames",
            ),
            (
                edges.contains(&self.max_width)
                    && edges.contains(&self.max_height)
                    && self.quality_min <= self.quality_max,
                "its largest size is 0, or its quality scale is reversed",
            ),
            (self.quality_max != abi::UNSET, "its quality scale has the value that means `not set`"),
        ];
        rules.into_iter().find_map(|(kept, what)| (!kept).then_some(what))
    }
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
