//! Ids of the published tables. The number after the slash is the table's revision and part of its name.

/// [`LifecycleV1`](crate::LifecycleV1), plugin side, optional.
pub const LIFECYCLE_V1: &str = "selkies.lifecycle/1";
/// [`CaptureV1`](crate::CaptureV1), plugin side.
pub const CAPTURE_V1: &str = "selkies.capture/1";
/// [`DisplayV1`](crate::DisplayV1), plugin side.
pub const DISPLAY_V1: &str = "selkies.display/1";
/// [`CursorV1`](crate::CursorV1), plugin side.
pub const CURSOR_V1: &str = "selkies.cursor/1";
/// [`ClipboardV1`](crate::ClipboardV1), plugin side.
pub const CLIPBOARD_V1: &str = "selkies.clipboard/1";
/// [`EncoderV1`](crate::EncoderV1), plugin side.
pub const ENCODER_V1: &str = "selkies.encoder/1";
/// [`EncoderRateV1`](crate::EncoderRateV1), plugin side, optional beside the encoder.
pub const ENCODER_RATE_V1: &str = "selkies.encoder.rate/1";
/// [`TransportV1`](crate::TransportV1), plugin side.
pub const TRANSPORT_V1: &str = "selkies.transport/1";
/// [`InputV1`](crate::InputV1), plugin side.
pub const INPUT_V1: &str = "selkies.input/1";
/// [`GamepadV1`](crate::GamepadV1), plugin side.
pub const GAMEPAD_V1: &str = "selkies.gamepad/1";
/// [`RtcConfigV1`](crate::RtcConfigV1), plugin side.
pub const RTC_CONFIG_V1: &str = "selkies.rtc-config/1";
/// [`AudioCaptureV1`](crate::AudioCaptureV1), plugin side.
pub const AUDIO_CAPTURE_V1: &str = "selkies.audio-capture/1";
/// [`AudioEncoderV1`](crate::AudioEncoderV1), plugin side.
pub const AUDIO_ENCODER_V1: &str = "selkies.audio-encoder/1";
/// [`AudioSinkV1`](crate::AudioSinkV1), plugin side.
pub const AUDIO_SINK_V1: &str = "selkies.audio-sink/1";

/// [`LogV1`](crate::LogV1), host side, always present.
pub const HOST_LOG_V1: &str = "selkies.host.log/1";
/// [`MemoryV1`](crate::MemoryV1), host side, present for everything that makes or sends packets.
pub const HOST_MEMORY_V1: &str = "selkies.host.memory/1";
/// [`ClockV1`](crate::ClockV1), host side, always present.
pub const HOST_CLOCK_V1: &str = "selkies.host.clock/1";
/// [`MetricsV1`](crate::MetricsV1), host side, always present.
pub const HOST_METRICS_V1: &str = "selkies.host.metrics/1";
/// [`HostEncoderV1`](crate::HostEncoderV1), host side, present for encoders.
pub const HOST_ENCODER_V1: &str = "selkies.host.encoder/1";
/// [`HostTransportV1`](crate::HostTransportV1), host side, present for transports.
pub const HOST_TRANSPORT_V1: &str = "selkies.host.transport/1";
