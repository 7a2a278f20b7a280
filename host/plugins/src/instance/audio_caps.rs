//! What encoders of sound of a plugin can do.

use core::ffi::c_void;

use selkies_plugin_abi::{
    self as abi, AudioCapsSink, AudioEncoderCaps, AudioEncoderV1, MAX_AUDIO_CHANNELS, MAX_AUDIO_CHOICES,
    MAX_AUDIO_RATE, Str,
};
use serde::{Deserialize, Serialize};

use super::caps::is_name;
use super::collector::{collect, deliver};
use super::core::{required, sized_table};
use super::{Origin, PluginError};
use crate::child::{
    Call, ChildPlugin, Fault,
    wire::{Control, ControlAnswer},
};
use crate::services::{Role, foreign_sized, foreign_slice, foreign_text, guarded, said};

const PROBE: &str = "audio-encoder.probe";
/// Caps entries of one plugin.
const MAX_OFFERS: usize = 64;
/// Most samples of each channel in a packet that makes sense: 170 ms at 48 kHz.
const MAX_BLOCK_FRAMES: u32 = 8192;

/// One thing that an encoder of sound can produce; the checked copy of the ABI's `AudioEncoderCaps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioEncoderOffer {
    /// Name that configuration uses, `[a-z0-9-]{1,32}`.
    pub name: String,
    /// The ABI's `AUDIO_ENCODER_*` flags.
    pub flags: u32,
    /// One of the ABI's `CODEC_*`, from 64 up.
    pub codec: u32,
    /// Sample rates in Hz, 1 to 16 of them, the best first.
    pub rates: Vec<u32>,
    /// Masks of the ABI's `SPEAKER_*` bits, 1 to 16 of them.
    pub channel_masks: Vec<u32>,
    /// Samples of each channel in a block and a packet, 1 to 16 numbers, ascending.
    pub block_frames: Vec<u32>,
    /// Lowest bit rate, bit/s.
    pub min_bitrate: u32,
    /// Highest bit rate, bit/s.
    pub max_bitrate: u32,
}

/// Asks a plugin what sound it can encode. `[control]` An empty answer means "nothing here". Entries that break the
/// contract are reported and left out.
///
/// # Errors
/// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
pub fn probe_audio_encoder(origin: &Origin<'_>) -> Result<Vec<AudioEncoderOffer>, PluginError> {
    if let Some(child) = origin.plugin.child() {
        return probe_child(origin, child);
    }
    let plugin = origin.plugin.id();
    let table: &AudioEncoderV1 = origin.plugin.table("audio-encoder")?;
    sized_table::<AudioEncoderV1>(plugin, "audio-encoder", table.struct_size)?;
    let probe = required(plugin, PROBE, table.probe)?;
    let context = origin.services.context(plugin, Role::Plain);
    said::forget();
    let (status, offers) = collect::<AudioEncoderOffer, _>(context.account(), MAX_OFFERS, |ctx| {
        let sink = AudioCapsSink { ctx, emit: Some(emit) };
        // SAFETY: host, text and sink are valid for the call.
        unsafe { probe(context.as_ptr(), Str::new(origin.config_json), &raw const sink) }
    });
    if status < 0 {
        return Err(PluginError::from_call(context.account(), PROBE, status));
    }
    Ok(offers)
}

fn probe_child(origin: &Origin<'_>, child: &ChildPlugin) -> Result<Vec<AudioEncoderOffer>, PluginError> {
    let account = origin.services.account(child.id());
    let (link, plugin) = child.link(origin.services)?;
    let failed = |fault: Fault| fault.error(&account, child.version(), PROBE);
    let order = Control::ProbeAudio { plugin, config: origin.config_json.to_owned() };
    let deadline = link.deadlines().start_up;
    let call = Call { function: PROBE, plugin: Some(&account.id) };
    let (answer, misbehaved) = link.ask(&order, &[], deadline, call).map_err(failed)?;
    account.misbehaved(misbehaved);
    match answer {
        ControlAnswer::AudioOffers(Ok(offers))
            if offers.len() <= MAX_OFFERS && offers.iter().all(|offer| offer.wrong().is_none()) =>
        {
            Ok(offers)
        }
        ControlAnswer::AudioOffers(Err(error)) => Err(error.into_error(&account, PROBE)),
        _ => Err(failed(link.broken(call, "its process answered with offers that are none"))),
    }
}

unsafe extern "C" fn emit(ctx: *mut c_void, caps: *const AudioEncoderCaps) {
    guarded((), || {
        // SAFETY: NULL, alignment and size are checked; the plugin's entry is readable for the call.
        deliver(ctx, PROBE, || unsafe { read(caps) });
    });
}

/// # Safety
/// As [`foreign_sized`].
unsafe fn read(caps: *const AudioEncoderCaps) -> Result<AudioEncoderOffer, String> {
    // SAFETY: the caller's promise.
    let caps = unsafe { foreign_sized(caps) };
    let caps: AudioEncoderCaps =
        caps.ok_or("a caps entry is NULL, not aligned, or its struct_size is wrong")?;
    // SAFETY: texts of a call are readable for the call.
    let name = unsafe { foreign_text(caps.name, 32) };
    let name = name.ok_or("an encoder's name does not match [a-z0-9-]{1,32}")?;
    let list = |what: &str, at, count: u32| {
        // SAFETY: arrays of a call are readable for the call.
        let list = unsafe { foreign_slice(at, count as usize, MAX_AUDIO_CHOICES) };
        list.map(<[u32]>::to_vec)
            .ok_or_else(|| format!("the encoder {name}: its {what} are NULL or more than 16"))
    };
    if caps.sample_mask & (1 << abi::AUDIO_SAMPLE_F32) == 0 {
        return Err(format!("the encoder {name}: it does not take floating point samples"));
    }
    let offer = AudioEncoderOffer {
        name: name.to_owned(),
        flags: caps.flags,
        codec: caps.codec,
        rates: list("rates", caps.rates, caps.rate_count)?,
        channel_masks: list("channel masks", caps.channel_masks, caps.channel_mask_count)?,
        block_frames: list("lengths of a block", caps.block_frames, caps.block_frames_count)?,
        min_bitrate: caps.min_bitrate,
        max_bitrate: caps.max_bitrate,
    };
    match offer.wrong() {
        None => Ok(offer),
        Some(what) if is_name(name) => Err(format!("the encoder {name}: {what}")),
        Some(what) => Err(what.to_owned()),
    }
}

impl AudioEncoderOffer {
    /// Which rule for offers it breaks.
    fn wrong(&self) -> Option<&'static str> {
        let Self { rates, channel_masks, block_frames, .. } = self;
        let count = |list: &[u32]| (1..=MAX_AUDIO_CHOICES).contains(&list.len());
        let rules = [
            (is_name(&self.name), "an encoder's name does not match [a-z0-9-]{1,32}"),
            (self.codec >= abi::CODEC_OPUS, "its codec is none of sound"),
            (
                count(rates) && differ(rates) && rates.iter().all(|rate| (1..=MAX_AUDIO_RATE).contains(rate)),
                "its rates are none, more than 16, twice the same or not within 1 to 192000 Hz",
            ),
            (
                count(channel_masks)
                    && differ(channel_masks)
                    && channel_masks.iter().all(|mask| (1..=MAX_AUDIO_CHANNELS).contains(&mask.count_ones())),
                "its channel masks are none, more than 16, twice the same or not of 1 to 8 channels",
            ),
            (
                count(block_frames)
                    && differ(block_frames)
                    && block_frames.is_sorted()
                    && block_frames.iter().all(|frames| (1..=MAX_BLOCK_FRAMES).contains(frames)),
                "its lengths of a block are none, more than 16, not ascending or over 8192 samples",
            ),
            (
                self.min_bitrate > 0 && self.min_bitrate <= self.max_bitrate,
                "its bit rates are none or reversed",
            ),
        ];
        rules.into_iter().find_map(|(kept, what)| (!kept).then_some(what))
    }
}

/// Whether no entry of a short list is there twice.
fn differ(list: &[u32]) -> bool {
    list.iter().enumerate().all(|(at, entry)| !list[..at].contains(entry))
}
