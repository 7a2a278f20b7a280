//! What encoders of a plugin can do on this machine.

use core::ffi::c_void;

use selkies_plugin_abi::{self as abi, CapsSink, EncoderCaps, EncoderV1, Str};

use super::buffer::MAX_FRAME_EDGE;
use super::collector::{collect, deliver};
use super::core::{required, sized_table};
use super::{Origin, PluginError};
use crate::services::{Role, foreign_sized, foreign_slice, foreign_text, guarded, said};

/// Caps entries of one plugin.
const MAX_OFFERS: usize = 64;
/// Formats of one entry.
const MAX_FOURCCS: usize = 32;
/// Deepest pipeline, and most retained frames, that make sense.
const MAX_FRAMES: u32 = 64;

/// One thing an encoder plugin can produce on this machine; the checked copy of the ABI's `EncoderCaps`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let name = name.filter(|name| is_name(name)).ok_or("an encoder's name does not match [a-z0-9-]{1,32}")?;
    let wrong = |what: &str| Err(format!("the encoder {name}: {what}"));
    let Some(fourccs) = fourccs.filter(|list| !list.is_empty() && !list.contains(&0)) else {
        return wrong("its formats are NULL, none, more than 32 or 0");
    };
    let codecs = abi::CODEC_JPEG..=abi::CODEC_AV1;
    let one_of = |mask: u32, known: u32| mask & known != 0 && mask & !known == 0;
    if !codecs.contains(&caps.codec) && caps.codec != abi::CODEC_NULL {
        return wrong("its codec is unknown");
    }
    if !one_of(caps.memory_mask, 0b1_1110) {
        return wrong("its memory mask names no memory kind, or an unknown one");
    }
    if !one_of(caps.chroma_mask, 0b111) || !one_of(caps.rate_mask, 0b1110) {
        return wrong("its chroma or rate mask is empty or has unknown bits");
    }
    if caps.bit_depth_mask & !(0xffff << 1) != 0 || caps.bit_depth_mask == 0 {
        return wrong("its bit depths are not within 1 to 16");
    }
    if !(1..=MAX_FRAMES).contains(&caps.depth) || caps.max_retained > MAX_FRAMES {
        return wrong("its depth is not within 1 to 64, or it retains more than 64 frames");
    }
    if caps.max_width == 0 || caps.max_height == 0 || caps.quality_min > caps.quality_max {
        return wrong("its largest size is 0, or its quality scale is reversed");
    }
    if caps.quality_max == abi::UNSET {
        return wrong("its quality scale has the value that means `not set`");
    }
    Ok(EncoderOffer {
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
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
