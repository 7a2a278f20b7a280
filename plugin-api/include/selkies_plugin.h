/*
 * selkies_plugin.h - the C ABI of selkies-host plugins, epoch 1.
 *
 * Generated from plugin-api/abi; do not edit. A plugin exports one data symbol,
 * `const SelkiesPluginEntry selkies_plugin_entry`, and answers tables through its `query`.
 * Unused fields and `reserved` are zero; function pointers that a table offers are never NULL
 * unless their text says so. See docs/plugin-abi.md.
 */

#ifndef SELKIES_PLUGIN_H
#define SELKIES_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

// Ids of the published tables.
#define SELKIES_ID_LIFECYCLE_V1 "selkies.lifecycle/1"
#define SELKIES_ID_CAPTURE_V1 "selkies.capture/1"
#define SELKIES_ID_DISPLAY_V1 "selkies.display/1"
#define SELKIES_ID_CURSOR_V1 "selkies.cursor/1"
#define SELKIES_ID_CLIPBOARD_V1 "selkies.clipboard/1"
#define SELKIES_ID_ENCODER_V1 "selkies.encoder/1"
#define SELKIES_ID_ENCODER_RATE_V1 "selkies.encoder.rate/1"
#define SELKIES_ID_TRANSPORT_V1 "selkies.transport/1"
#define SELKIES_ID_INPUT_V1 "selkies.input/1"
#define SELKIES_ID_GAMEPAD_V1 "selkies.gamepad/1"
#define SELKIES_ID_RTC_CONFIG_V1 "selkies.rtc-config/1"
#define SELKIES_ID_AUDIO_CAPTURE_V1 "selkies.audio-capture/1"
#define SELKIES_ID_AUDIO_ENCODER_V1 "selkies.audio-encoder/1"
#define SELKIES_ID_AUDIO_SINK_V1 "selkies.audio-sink/1"
#define SELKIES_ID_HOST_LOG_V1 "selkies.host.log/1"
#define SELKIES_ID_HOST_MEMORY_V1 "selkies.host.memory/1"
#define SELKIES_ID_HOST_CLOCK_V1 "selkies.host.clock/1"
#define SELKIES_ID_HOST_METRICS_V1 "selkies.host.metrics/1"
#define SELKIES_ID_HOST_ENCODER_V1 "selkies.host.encoder/1"
#define SELKIES_ID_HOST_TRANSPORT_V1 "selkies.host.transport/1"

// Sample format: 32 bit floating point of this machine, full scale from -1.0 to 1.0. Every plugin of sound takes it.
#define SELKIES_AUDIO_SAMPLE_F32 1

// Speaker, as a bit of a channel mask (those of WAVE_FORMAT_EXTENSIBLE): front left.
#define SELKIES_SPEAKER_FRONT_LEFT 1

// Speaker: front right.
#define SELKIES_SPEAKER_FRONT_RIGHT (1 << 1)

// Speaker: front center; alone, it is mono.
#define SELKIES_SPEAKER_FRONT_CENTER (1 << 2)

// Speaker: low frequencies.
#define SELKIES_SPEAKER_LOW_FREQUENCY (1 << 3)

// Speaker: back left.
#define SELKIES_SPEAKER_BACK_LEFT (1 << 4)

// Speaker: back right.
#define SELKIES_SPEAKER_BACK_RIGHT (1 << 5)

// Speaker: side left.
#define SELKIES_SPEAKER_SIDE_LEFT (1 << 9)

// Speaker: side right.
#define SELKIES_SPEAKER_SIDE_RIGHT (1 << 10)

// Channels of mono.
#define SELKIES_CHANNELS_MONO 4

// Channels of stereo.
#define SELKIES_CHANNELS_STEREO 3

// Channels of 5.1: front left, front right, center, low frequencies, back left, back right.
#define SELKIES_CHANNELS_5_1 63

// Channels of 7.1: those of 5.1, then side left, side right.
#define SELKIES_CHANNELS_7_1 1599

// Most channels of a format.
#define SELKIES_MAX_AUDIO_CHANNELS 8

// Highest sample rate of a format in Hz.
#define SELKIES_MAX_AUDIO_RATE 192000

// Most samples of a block, of all channels together: 40 ms of eight channels at 48 kHz.
#define SELKIES_MAX_AUDIO_BLOCK_SAMPLES 15360

// Block flag: samples are missing before this block; it does not continue the one before.
#define SELKIES_AUDIO_BLOCK_GAP 1

// Flag of sound encoders: can leave out packets of silence (AUDIO_ENCODE_DTX).
#define SELKIES_AUDIO_ENCODER_DTX 1

// Flag of sound encoders: can repair losses from the packet after (AUDIO_ENCODE_FEC).
#define SELKIES_AUDIO_ENCODER_FEC (1 << 1)

// Parameter flag: mark packets of silence (AUDIO_PACKET_DTX).
#define SELKIES_AUDIO_ENCODE_DTX 1

// Parameter flag: packets carry what repairs the one before, as far as the loss that is expected asks for it.
#define SELKIES_AUDIO_ENCODE_FEC (1 << 1)

// Packet flag of sound: nothing but silence; it need not be sent, and a decoder goes on without it.
#define SELKIES_AUDIO_PACKET_DTX 1

// Longest packet of sound in bytes.
#define SELKIES_MAX_AUDIO_PACKET_BYTES (16 * 1024)

// Longest description of a stream of sound in bytes.
#define SELKIES_MAX_AUDIO_DESCRIPTION_BYTES 1024

// Most entries of each list in AudioEncoderCaps.
#define SELKIES_MAX_AUDIO_CHOICES 16

// In fields whose text names it, and for which 0 is a value: not set. A literal, so that it means the same in C.
#define SELKIES_UNSET 4294967295

// Capture flag: writes into buffers of the host (`memfd`). Otherwise frames carry the plugin's own memory.
#define SELKIES_CAPTURE_HOST_BUFFERS 1

// Capture flag: damage lists are exact enough to encode by; without it every frame is full.
#define SELKIES_CAPTURE_DAMAGE (1 << 1)

// Capture flag: the pointer is drawn into the frame and `selkies.cursor/1` need not be used.
#define SELKIES_CAPTURE_DRAWS_CURSOR (1 << 2)

// Event of CaptureV1::wait: something changed since the last grab.
#define SELKIES_CAPTURE_EVENT_DAMAGE 1

// Event of CaptureV1::wait: the source has a new size (`width`, `height`); the host stops and starts anew.
#define SELKIES_CAPTURE_EVENT_RESIZED 2

// The clipboard: what copying fills and pasting takes.
#define SELKIES_SELECTION_CLIPBOARD 0

// The primary selection: what was marked last, where a desktop has one.
#define SELKIES_SELECTION_PRIMARY 1

// Bit of a content: it is a password or the like, which is not to be shown or kept longer than it is needed.
#define SELKIES_CLIPBOARD_SECRET 1

// Most bytes of one format, both ways.
#define SELKIES_MAX_CLIPBOARD_BYTES ((64 * 1024) * 1024)

// Most bytes of all formats of one offer together.
#define SELKIES_MAX_CLIPBOARD_TOTAL ((128 * 1024) * 1024)

// Most formats of one content, both ways.
#define SELKIES_MAX_CLIPBOARD_FORMATS 64

// Longest MIME type in bytes.
#define SELKIES_MAX_CLIPBOARD_MIME 128

// Largest edge of a cursor image in pixels.
#define SELKIES_MAX_CURSOR_EDGE 512

// Output flag: part of the picture now.
#define SELKIES_OUTPUT_ENABLED 1

// Output flag: the primary one.
#define SELKIES_OUTPUT_PRIMARY (1 << 1)

// Encoder flag: runs on a device, not on the CPU.
#define SELKIES_ENCODER_HARDWARE 1

// Encoder flag: a frame becomes several packets, each a stripe with its own `area`.
#define SELKIES_ENCODER_STRIPES (1 << 1)

// Encoder flag: encodes only what the damage list names; unchanged areas make no packets.
#define SELKIES_ENCODER_DAMAGE (1 << 2)

// Encoder flag: every packet stands alone; losing one harms no other (JPEG).
#define SELKIES_ENCODER_INTRA_ONLY (1 << 3)

// Encoder flag: makes use of refining submits (SUBMIT_REFINE).
#define SELKIES_ENCODER_REFINES (1 << 4)

// Encoder flag: honours SubmitParams::roi.
#define SELKIES_ENCODER_ROI (1 << 5)

// Encoder flag: keeps long-term references (PACKET_ANCHOR).
#define SELKIES_ENCODER_ANCHORS (1 << 6)

// Encoder flag: codes a picture of another size than the frame's (EncoderParams::out_width).
#define SELKIES_ENCODER_SCALES (1 << 7)

// Chroma sampling 4:2:0, as a bit of a mask and as a value.
#define SELKIES_CHROMA_420 1

// Chroma sampling 4:2:2.
#define SELKIES_CHROMA_422 (1 << 1)

// Chroma sampling 4:4:4.
#define SELKIES_CHROMA_444 (1 << 2)

// Rate control: constant quality, `quality` in the codec's own scale.
#define SELKIES_RATE_QUALITY 1

// Rate control: constant bit rate.
#define SELKIES_RATE_CBR 2

// Rate control: variable bit rate under a maximum.
#define SELKIES_RATE_VBR 3

// Submit flag: answer with a keyframe that covers the whole frame.
#define SELKIES_SUBMIT_KEYFRAME 1

// Submit flag: nothing changed; the frame is the one before, sent again because the encoder asked for it with
// FrameDone::refine_at_ns. It may make packets of higher quality, or none.
#define SELKIES_SUBMIT_REFINE (1 << 1)

// First eight bytes of PluginEntry: `SELKPLUG` read as a little-endian number.
#define SELKIES_PLUGIN_MAGIC 5140098457457673555

// The epoch of this ABI. It is independent of the host's version and moves only if the entry itself must change.
#define SELKIES_ABI_EPOCH 1

// Longest manifest text, in bytes.
#define SELKIES_MAX_MANIFEST_BYTES (256 * 1024)

// Memory kind: plain memory, `planes[].ptr` is readable.
#define SELKIES_MEMORY_CPU 1

// Memory kind: a sealed memfd; `planes[].fd` with `offset`, and `ptr` where it is mapped already.
#define SELKIES_MEMORY_MEMFD 2

// Memory kind: Linux dma-buf, `planes[].fd` with `offset` and the frame's `modifier`.
#define SELKIES_MEMORY_DMABUF 3

// Memory kind: a device address of CUDA in `planes[].handle`, usable only in the process that made it.
#define SELKIES_MEMORY_CUDA 4

// 32-bit B, G, R, unused in memory order (`DRM_FORMAT_XRGB8888`, "XR24").
#define SELKIES_FOURCC_XRGB8888 875713112

// 32-bit B, G, R, A in memory order (`DRM_FORMAT_ARGB8888`, "AR24").
#define SELKIES_FOURCC_ARGB8888 875713089

// 30-bit colour (`DRM_FORMAT_XRGB2101010`, "XR30").
#define SELKIES_FOURCC_XRGB2101010 808669784

// Y plane, then interleaved CbCr at half resolution ("NV12").
#define SELKIES_FOURCC_NV12 842094158

// Y, Cb, Cr planes, chroma at half resolution ("YU12").
#define SELKIES_FOURCC_YUV420 842093913

// Y, Cb, Cr planes at full resolution ("YU24").
#define SELKIES_FOURCC_YUV444 875713881

// 10-bit NV12 ("P010").
#define SELKIES_FOURCC_P010 808530000

// `DRM_FORMAT_MOD_LINEAR`.
#define SELKIES_MODIFIER_LINEAR 0

// Frame flag: the damage list is not known; treat the whole frame as changed.
#define SELKIES_FRAME_FULL_DAMAGE 1

// Most rectangles in one damage list; a producer merges before it exceeds this.
#define SELKIES_MAX_DAMAGE_RECTS 64

// Slots of a gamepad instance, 0 to 3.
#define SELKIES_MAX_GAMEPADS 4

// Longest name of a gamepad, in bytes.
#define SELKIES_MAX_GAMEPAD_NAME 254

// Most buttons of a gamepad.
#define SELKIES_MAX_GAMEPAD_BUTTONS 512

// Most axes of a gamepad.
#define SELKIES_MAX_GAMEPAD_AXES 64

// Identity flag: what drives the pad can rumble.
#define SELKIES_GAMEPAD_RUMBLES 1

// Event: button `index` of the identity's list; `value` 1 pressed, 0 released.
#define SELKIES_GAMEPAD_BUTTON 1

// Event: axis `index` of the identity's list moves to `value`, within its range.
#define SELKIES_GAMEPAD_AXIS 2

// Event: every button is released and every axis goes to its rest; `index` and `value` are zero.
#define SELKIES_GAMEPAD_REST 3

// Log level: something is broken and it is a defect.
#define SELKIES_LEVEL_ERROR 1

// Log level: bad, but possible.
#define SELKIES_LEVEL_WARN 2

// Log level: for the operator; must not annoy.
#define SELKIES_LEVEL_INFO 3

// Log level: hidden by default.
#define SELKIES_LEVEL_DEBUG 4

// Log level: the most verbose.
#define SELKIES_LEVEL_TRACE 5

// Log level: the host broke the contract. Shown as an error that names the host.
#define SELKIES_LEVEL_HOST_MISBEHAVING 6

// Log level: the SDK caught the plugin breaking the contract. Shown as an error that names the plugin.
#define SELKIES_LEVEL_PLUGIN_MISBEHAVING 7

// Event: a key by X keysym (`code`), `value` 1 pressed, 0 released.
#define SELKIES_INPUT_KEYSYM 1

// Event: a key by evdev code (`code`), `value` 1 pressed, 0 released.
#define SELKIES_INPUT_KEYCODE 2

// Event: the pointer moves to `x`, `y` (pixels of the display).
#define SELKIES_INPUT_POINTER_ABSOLUTE 3

// Event: the pointer moves by `x`, `y` (device units).
#define SELKIES_INPUT_POINTER_RELATIVE 4

// Event: a button of `BUTTON_*` (`code`), `value` 1 pressed, 0 released.
#define SELKIES_INPUT_BUTTON 5

// Event: the wheel turns by `x` right and `y` down, in 1/120 of a notch.
#define SELKIES_INPUT_SCROLL 6

// Event: `text` is typed.
#define SELKIES_INPUT_TEXT 7

// Event: everything held by this instance is released.
#define SELKIES_INPUT_RELEASE_ALL 8

// Event: a touch point (`code` is its number) at `x`, `y`; `value` 1 down, 2 moved, 0 up.
#define SELKIES_INPUT_TOUCH 9

// Button: left.
#define SELKIES_BUTTON_LEFT 1

// Button: middle.
#define SELKIES_BUTTON_MIDDLE 2

// Button: right.
#define SELKIES_BUTTON_RIGHT 3

// Button: back.
#define SELKIES_BUTTON_BACK 8

// Button: forward.
#define SELKIES_BUTTON_FORWARD 9

// Longest text of one event, in bytes.
#define SELKIES_MAX_INPUT_TEXT 4096

// Codec: JPEG (`jpeg` in texts), one complete image per packet.
#define SELKIES_CODEC_JPEG 1

// Codec: H.264 (`h264`), Annex B, one access unit per packet.
#define SELKIES_CODEC_H264 2

// Codec: H.265 (`h265`), Annex B, one access unit per packet.
#define SELKIES_CODEC_H265 3

// Codec: VP8 (`vp8`), one frame per packet.
#define SELKIES_CODEC_VP8 4

// Codec: VP9 (`vp9`), one superframe per packet.
#define SELKIES_CODEC_VP9 5

// Codec: AV1 (`av1`), one temporal unit (low-overhead OBU format) per packet.
#define SELKIES_CODEC_AV1 6

// Codec: Opus (`opus`), one packet.
#define SELKIES_CODEC_OPUS 64

// Codec of the null encoder: the payload means nothing. Never offered to browsers.
#define SELKIES_CODEC_NULL 255

// Packet flag: decoding may start here.
#define SELKIES_PACKET_KEY 1

// Packet flag: all intra, but not a point to start at (H.264 I slices without IDR).
#define SELKIES_PACKET_INTRA (1 << 1)

// Packet flag: a long-term reference that later frames may name (`reference_frame_id`).
#define SELKIES_PACKET_ANCHOR (1 << 2)

// Packet flag: nothing refers to it; it may be dropped without harm.
#define SELKIES_PACKET_DISCARDABLE (1 << 3)

// Packet flag: repeats unchanged content at a higher quality.
#define SELKIES_PACKET_REFINEMENT (1 << 4)

// Packet flag: the lowest packet of its frame; none of the same frame follows. Set by the host for transports, zero
// from encoders.
#define SELKIES_PACKET_LAST (1 << 5)

// Bytes before Slab::ptr that belong to the host, where a transport's header goes without moving the payload.
#define SELKIES_SLAB_HEADROOM 64

// Longest answer in bytes.
#define SELKIES_MAX_RTC_CONFIG_BYTES (64 * 1024)

// Class: this call failed, the next may succeed. The host retries with the next frame.
#define SELKIES_CLASS_RETRY 1

// Class: the parameters no longer fit. The host destroys the instance and creates one with fresh parameters.
#define SELKIES_CLASS_RECONFIGURE 2

// Class: this instance is unusable. The host destroys it and falls back.
#define SELKIES_CLASS_FATAL_INSTANCE 3

// Class: the plugin is unusable in this process. The host creates nothing from it again.
#define SELKIES_CLASS_FATAL_PLUGIN 4

// Class: the device behind it is gone (GPU reset, X server ended). The host falls back and may return later.
#define SELKIES_CLASS_DEVICE_LOST 5

// Detail: nothing more to say than the text.
#define SELKIES_DETAIL_UNSPECIFIED 0

// Detail: an argument was out of its documented range.
#define SELKIES_DETAIL_INVALID_ARGUMENT 1

// Detail: the request is valid, this plugin cannot do it.
#define SELKIES_DETAIL_UNSUPPORTED 2

// Detail: memory, descriptors or slabs ran out.
#define SELKIES_DETAIL_OUT_OF_RESOURCES 3

// Detail: a deadline passed.
#define SELKIES_DETAIL_TIMEOUT 4

// Detail: the plugin panicked; the instance is poisoned and may only be destroyed.
#define SELKIES_DETAIL_PANIC 5

// Detail: the function was called in a state that does not allow it.
#define SELKIES_DETAIL_WRONG_STATE 6

// Detail: the operating system refused access.
#define SELKIES_DETAIL_PERMISSION 7

// Detail: a named thing does not exist.
#define SELKIES_DETAIL_NOT_FOUND 8

// Detail: reading, writing or a peer failed.
#define SELKIES_DETAIL_IO 9

// Detail: the plugin's configuration is not usable.
#define SELKIES_DETAIL_CONFIG 10

// Transport flag: the host owns the connection (a WebSocket); the plugin sees messages and frames packets.
#define SELKIES_TRANSPORT_HOST_CONNECTION 1

// Transport flag: the plugin owns its sockets and needs signaling messages to set them up (WebRTC).
#define SELKIES_TRANSPORT_SIGNALING (1 << 1)

// Transport flag: reports congestion through HostTransportV1::feedback.
#define SELKIES_TRANSPORT_FEEDBACK (1 << 2)

// Message kind: UTF-8 text.
#define SELKIES_MESSAGE_TEXT 1

// Message kind: bytes.
#define SELKIES_MESSAGE_BINARY 2

// Channel: ordered and reliable.
#define SELKIES_CHANNEL_CONTROL 0

// Channel: newest wins, may be lost (pointer echoes).
#define SELKIES_CHANNEL_POINTER 1

// Client state: being set up.
#define SELKIES_CLIENT_CONNECTING 1

// Client state: packets flow.
#define SELKIES_CLIENT_CONNECTED 2

// Client state: gone; the host calls `client_close`.
#define SELKIES_CLIENT_FAILED 3

// What a plugin function answers.
typedef int32_t SelkiesStatus;

// Samples of one stretch of time.
typedef struct SelkiesAudioBlock {
  // `sizeof(AudioBlock)`.
  uint32_t struct_size;
  // `AUDIO_BLOCK_*` bits.
  uint32_t flags;
  // The samples, in the format that was agreed on, aligned to 4 bytes. Valid for the call, or from a capture until the
  // next call on the instance.
  const void *samples;
  // Samples of each channel, at least 1; times the channels, at most MAX_AUDIO_BLOCK_SAMPLES.
  uint32_t frames;
  // Zero.
  uint32_t reserved32;
  // When the first sample was captured or is to be heard, nanoseconds; 0 when unknown.
  uint64_t timestamp_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesAudioBlock;

// UTF-8 text, not NUL-terminated. Borrowed for the call unless the function's text says otherwise.
typedef struct SelkiesStr {
  // First byte; may be NULL only when `len` is 0.
  const uint8_t *ptr;
  // Length in bytes.
  size_t len;
} SelkiesStr;

// One thing that a sound encoder can produce. Reported by `probe`.
//
// It takes each of its rates with each of its channel masks and each of its lengths of a block; what is over
// MAX_AUDIO_BLOCK_SAMPLES is not asked for. An encoder whose lengths are others at another
// rate reports an entry for each rate, under one name, the best first: Opus has 480 samples of a channel in 10 ms at 48000 Hz
// and 240 at 24000 Hz, AAC 1024 at every rate.
typedef struct SelkiesAudioEncoderCaps {
  // `sizeof(AudioEncoderCaps)`.
  uint32_t struct_size;
  // `AUDIO_ENCODER_*` flags.
  uint32_t flags;
  // Name that configuration uses (`opus`), `[a-z0-9-]{1,32}`.
  struct SelkiesStr name;
  // One of `CODEC_*`.
  uint32_t codec;
  // Mask of `1 << AUDIO_SAMPLE_*` that it reads, AUDIO_SAMPLE_F32 among them.
  uint32_t sample_mask;
  // Sample rates in Hz, at most MAX_AUDIO_RATE, each once, the best first.
  const uint32_t *rates;
  // Masks of `SPEAKER_*` bits, each of 1 to MAX_AUDIO_CHANNELS channels and each once.
  const uint32_t *channel_masks;
  // Samples of each channel in a block and a packet, ascending.
  const uint32_t *block_frames;
  // Entries in `rates`, 1 to MAX_AUDIO_CHOICES.
  uint32_t rate_count;
  // Entries in `channel_masks`, 1 to MAX_AUDIO_CHOICES.
  uint32_t channel_mask_count;
  // Entries in `block_frames`, 1 to MAX_AUDIO_CHOICES.
  uint32_t block_frames_count;
  // Lowest bit rate, bit/s, of all channels together.
  uint32_t min_bitrate;
  // Highest bit rate, bit/s, of all channels together.
  uint32_t max_bitrate;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioEncoderCaps;

// Where AudioEncoderV1::probe delivers, within its call.
typedef struct SelkiesAudioCapsSink {
  // First argument of `emit`.
  void *ctx;
  // Receives one entry, which is valid for the call only.
  void (*emit)(void *ctx, const struct SelkiesAudioEncoderCaps *caps);
} SelkiesAudioCapsSink;

// The form of samples. Blocks are interleaved: one sample of each channel, in the ascending order of the mask's bits.
typedef struct SelkiesAudioFormat {
  // One of `AUDIO_SAMPLE_*`.
  uint32_t sample;
  // Samples of a channel in a second, at most MAX_AUDIO_RATE.
  uint32_t rate;
  // `SPEAKER_*` bits, 1 to MAX_AUDIO_CHANNELS of them.
  uint32_t channel_mask;
  // Zero.
  uint32_t reserved;
} SelkiesAudioFormat;

// What a source of sound is like.
typedef struct SelkiesAudioCaptureInfo {
  // `sizeof(AudioCaptureInfo)`.
  uint32_t struct_size;
  // Mask of `1 << AUDIO_SAMPLE_*` that it can deliver, AUDIO_SAMPLE_F32 among them.
  uint32_t sample_mask;
  // What the device itself has; what differs from it, the plugin converts.
  struct SelkiesAudioFormat native;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioCaptureInfo;

// What to capture.
typedef struct SelkiesAudioCaptureParams {
  // `sizeof(AudioCaptureParams)`.
  uint32_t struct_size;
  // Samples of each channel in every block.
  uint32_t block_frames;
  // The form of the samples. Rates of 48000 Hz are always served; another that cannot be, and channels that cannot, are
  // answered with class reconfigure, detail unsupported.
  struct SelkiesAudioFormat format;
  // The plugin's name of the device, or empty for what the desktop plays.
  struct SelkiesStr device;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioCaptureParams;

// The host as one instance sees it. Passed to every `create`; valid until that instance's `destroy` returned.
typedef struct SelkiesHost {
  // `sizeof(Host)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // First argument of every function of the host's tables.
  void *ctx;
  // `[any]` Answers the host's table with this id, or NULL. Tables live as long as the process.
  const void *(*query)(void *ctx, struct SelkiesStr id);
} SelkiesHost;

// An opaque plugin instance. Only the plugin looks inside.
typedef void SelkiesInstance;

// `selkies.audio-capture/1`.
//
// Order: `create`, `info`, (`start`, `read`*, `stop`)*, `destroy`. A server or device that is not there, or goes away, is
// class device-lost from any of them, detail not-found when it is a device that was named: the host destroys the instance
// and creates another one after a pause, again and again. A plugin neither starts a server nor waits for one to come.
typedef struct SelkiesAudioCaptureV1 {
  // `sizeof(AudioCaptureV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Connects with the source of sound, within two seconds. `config_json` is the plugin's configuration, an
  // object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the instance; `start`ed or not.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Describes what `start` without a device would capture.
  SelkiesStatus (*info)(SelkiesInstance *instance, struct SelkiesAudioCaptureInfo *out);
  // `[media]` Begins to capture, within two seconds. Class reconfigure from `read`: the host stops and starts anew.
  SelkiesStatus (*start)(SelkiesInstance *instance, const struct SelkiesAudioCaptureParams *params);
  // `[media]` Blocks until there is a block, which has exactly `block_frames` samples of each channel, `timeout_ns`
  // passed (`u64::MAX`: no limit) or `wake` was called; the last two answer NOTHING. Blocks follow
  // each other without a gap, or say that there is one (AUDIO_BLOCK_GAP). Of what nobody
  // reads, the newest 200 ms are kept. A source at rest may give silence, or nothing.
  SelkiesStatus (*read)(SelkiesInstance *instance, uint64_t timeout_ns, struct SelkiesAudioBlock *out);
  // `[any]` Ends the current or next `read`.
  void (*wake)(SelkiesInstance *instance);
  // `[media]` Ends `start`.
  SelkiesStatus (*stop)(SelkiesInstance *instance);
} SelkiesAudioCaptureV1;

// What to produce. A field that the caps do not allow is answered with class reconfigure, detail unsupported.
typedef struct SelkiesAudioEncoderParams {
  // `sizeof(AudioEncoderParams)`.
  uint32_t struct_size;
  // `AUDIO_ENCODE_*` flags.
  uint32_t flags;
  // Name of the caps entry chosen.
  struct SelkiesStr name;
  // The form of the samples.
  struct SelkiesAudioFormat format;
  // Samples of each channel in every block and packet, one of the caps'.
  uint32_t block_frames;
  // Bit rate of all channels together, bit/s.
  uint32_t bitrate;
  // Effort from 0 to 10; UNSET leaves it to the plugin.
  uint32_t complexity;
  // Packets that are expected to be lost, parts per million.
  uint32_t loss_ppm;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioEncoderParams;

// Borrowed bytes, valid for the call.
typedef struct SelkiesBytes {
  // First byte; may be NULL only when `len` is 0.
  const uint8_t *ptr;
  // Length in bytes.
  size_t len;
} SelkiesBytes;

// What a decoder must know of a stream.
typedef struct SelkiesAudioStreamInfo {
  // `sizeof(AudioStreamInfo)`.
  uint32_t struct_size;
  // Samples of each channel that come out of a decoder before the first that went in.
  uint32_t lookahead_frames;
  // The codec's own description: of Opus, the identification header of RFC 7845, section 5.1. At most
  // MAX_AUDIO_DESCRIPTION_BYTES; valid until the next call on the instance.
  struct SelkiesBytes description;
  // Zero.
  uint64_t reserved[2];
} SelkiesAudioStreamInfo;

// Changes that need no new encoder.
typedef struct SelkiesAudioRate {
  // `sizeof(AudioRate)`.
  uint32_t struct_size;
  // Bit rate of all channels together, bit/s; 0 leaves it.
  uint32_t bitrate;
  // Packets that are expected to be lost, parts per million; UNSET leaves it.
  uint32_t loss_ppm;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[2];
} SelkiesAudioRate;

// One packet, in the memory that the host named.
typedef struct SelkiesAudioPacket {
  // `sizeof(AudioPacket)`.
  uint32_t struct_size;
  // `AUDIO_PACKET_*` bits.
  uint32_t flags;
  // Bytes that were written, at least 1.
  size_t len;
  // When the first sample that went into this packet was captured, nanoseconds. What a decoder makes of it is
  // `lookahead_frames` older.
  uint64_t timestamp_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesAudioPacket;

// `selkies.audio-encoder/1`. Synchronous: sound is encoded in a fraction of its duration.
//
// Order: `probe`*, `create`, (`info` | `adjust` | `encode`)*, `destroy`.
typedef struct SelkiesAudioEncoderV1 {
  // `sizeof(AudioEncoderV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Reports each caps entry through `sink`. No entry, with success, means "not on this machine"; say why
  // with `fail`.
  SelkiesStatus (*probe)(const struct SelkiesHost *host,
                         struct SelkiesStr config_json,
                         const struct SelkiesAudioCapsSink *sink);
  // `[control]` Makes an encoder. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host,
                          struct SelkiesStr config_json,
                          const struct SelkiesAudioEncoderParams *params,
                          SelkiesInstance **out);
  // `[control]` Ends the encoder.
  void (*destroy)(SelkiesInstance *instance);
  // `[media]` What a decoder must know.
  SelkiesStatus (*info)(SelkiesInstance *instance, struct SelkiesAudioStreamInfo *out);
  // `[media]` Takes effect with the next block. A bit rate that the caps do not allow is refused with class retry, detail
  // invalid-argument.
  SelkiesStatus (*adjust)(SelkiesInstance *instance, const struct SelkiesAudioRate *rate);
  // `[media]` Encodes a block of the agreed length into `out`, where there are `capacity` bytes, at least
  // MAX_AUDIO_PACKET_BYTES. NOTHING: the block was taken in, and there is no packet for it.
  SelkiesStatus (*encode)(SelkiesInstance *instance,
                          const struct SelkiesAudioBlock *block,
                          uint8_t *out,
                          size_t capacity,
                          struct SelkiesAudioPacket *packet);
} SelkiesAudioEncoderV1;

// What a sink of sound is like.
typedef struct SelkiesAudioSinkInfo {
  // `sizeof(AudioSinkInfo)`.
  uint32_t struct_size;
  // Mask of `1 << AUDIO_SAMPLE_*` that it takes, AUDIO_SAMPLE_F32 among them.
  uint32_t sample_mask;
  // What the device itself has; what differs from it, the plugin converts.
  struct SelkiesAudioFormat native;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioSinkInfo;

// What will be written.
typedef struct SelkiesAudioSinkParams {
  // `sizeof(AudioSinkParams)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved32;
  // The form of the samples. Mono and stereo at 24000 and 48000 Hz are always served; what cannot be is answered with
  // class reconfigure, detail unsupported.
  struct SelkiesAudioFormat format;
  // How much the plugin is to keep against an uneven arrival, nanoseconds; 0 leaves it to the plugin, which keeps as little as
  // the arrival lets it.
  uint64_t buffer_ns;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioSinkParams;

// How a sink of sound is used.
typedef struct SelkiesAudioSinkState {
  // `sizeof(AudioSinkState)`, set by the host.
  uint32_t struct_size;
  // How many record from the source now; UNSET where that cannot be told.
  uint32_t recorders;
  // What was written and was not heard yet, nanoseconds; 0 also where that cannot be told.
  uint64_t queued_ns;
  // Zero.
  uint64_t reserved[4];
} SelkiesAudioSinkState;

// `selkies.audio-sink/1`.
//
// Order: `create`, `info`, (`start`, `write`*, `stop`)*, `destroy`, with `wait` anywhere between. The source that applications
// record from is there from `create` to `destroy`, silent while nothing is written. A server that is not there, or goes away, is class device-lost from
// any of them: the host destroys the instance and creates another one after a pause. A plugin neither starts a server nor
// waits for one to come.
typedef struct SelkiesAudioSinkV1 {
  // `sizeof(AudioSinkV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Makes the source, within two seconds. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the instance and removes what it made; `start`ed or not.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Describes the device.
  SelkiesStatus (*info)(SelkiesInstance *instance, struct SelkiesAudioSinkInfo *out);
  // `[media]` Begins to play, within two seconds.
  SelkiesStatus (*start)(SelkiesInstance *instance, const struct SelkiesAudioSinkParams *params);
  // `[media]` Takes samples, any number within the limits of a block, and does not wait until they are heard. Where more
  // is written than is recorded, what is over the buffer's measure is dropped, the oldest first. What is written too late
  // is heard after a gap.
  SelkiesStatus (*write)(SelkiesInstance *instance, const struct SelkiesAudioBlock *block);
  // `[media]` Ends `start`: what was not heard yet is dropped.
  SelkiesStatus (*stop)(SelkiesInstance *instance);
  // `[media]` Blocks until `recorders` is another number than the last answer said, `timeout_ns` passed (`u64::MAX`: no
  // limit) or `wake` was called; the last two answer NOTHING. The first call is answered at once, and so is
  // one with a timeout of 0, changed or not.
  SelkiesStatus (*wait)(SelkiesInstance *instance, uint64_t timeout_ns, struct SelkiesAudioSinkState *out);
  // `[any]` Ends the current or next `wait`.
  void (*wake)(SelkiesInstance *instance);
} SelkiesAudioSinkV1;

// Where a function delivers bytes, within its call.
typedef struct SelkiesBytesSink {
  // First argument of `emit`.
  void *ctx;
  // Receives bytes, which are valid for the call only.
  void (*emit)(void *ctx, struct SelkiesBytes bytes);
} SelkiesBytesSink;

// One thing an encoder can produce on this machine. Reported by `probe`.
typedef struct SelkiesEncoderCaps {
  // `sizeof(EncoderCaps)`.
  uint32_t struct_size;
  // `ENCODER_*` flags.
  uint32_t flags;
  // Name that configuration uses (`jpeg`, `x264enc`), `[a-z0-9-]{1,32}`.
  struct SelkiesStr name;
  // One of `CODEC_*`.
  uint32_t codec;
  // Mask of `1 << MEMORY_*` that it reads.
  uint32_t memory_mask;
  // Formats it reads, best first.
  const uint32_t *fourccs;
  // Entries in `fourccs`, 1 to 32.
  uint32_t fourcc_count;
  // Mask of `CHROMA_*`.
  uint32_t chroma_mask;
  // Mask of `1 << RATE_*`.
  uint32_t rate_mask;
  // Frames it holds before the first packet, 1 for low latency. The host keeps no more in flight.
  uint32_t depth;
  // Frames it may `retain` at once; 0 when it never does.
  uint32_t max_retained;
  // Widest frame.
  uint32_t max_width;
  // Highest frame.
  uint32_t max_height;
  // Lowest value of the quality scale (best or worst, as the codec has it).
  uint32_t quality_min;
  // Highest value of the quality scale, below UNSET.
  uint32_t quality_max;
  // Bit depths as a mask of `1 << bits`; 8 bits is `1 << 8`.
  uint32_t bit_depth_mask;
  // Zero.
  uint64_t reserved[4];
} SelkiesEncoderCaps;

// Where EncoderV1::probe delivers, within its call.
typedef struct SelkiesCapsSink {
  // First argument of `emit`.
  void *ctx;
  // Receives one entry, which is valid for the call only.
  void (*emit)(void *ctx, const struct SelkiesEncoderCaps *caps);
} SelkiesCapsSink;

// What ended a wait.
typedef struct SelkiesCaptureEvent {
  // `sizeof(CaptureEvent)`.
  uint32_t struct_size;
  // One of `CAPTURE_EVENT_*`.
  uint32_t kind;
  // New width for CAPTURE_EVENT_RESIZED.
  uint32_t width;
  // New height for CAPTURE_EVENT_RESIZED.
  uint32_t height;
  // Zero.
  uint64_t reserved[2];
} SelkiesCaptureEvent;

// What a capture instance can do and how large its source is now.
typedef struct SelkiesCaptureInfo {
  // `sizeof(CaptureInfo)`.
  uint32_t struct_size;
  // `CAPTURE_*` flags.
  uint32_t flags;
  // Width of the source in pixels.
  uint32_t width;
  // Height of the source in pixels.
  uint32_t height;
  // The format of its frames.
  uint32_t fourcc;
  // Row alignment in bytes that host buffers need.
  uint32_t stride_align;
  // Zero.
  uint64_t reserved[4];
} SelkiesCaptureInfo;

// A rectangle in pixels, origin top left, within the frame or display it belongs to.
typedef struct SelkiesRect {
  // Left edge.
  uint32_t x;
  // Top edge.
  uint32_t y;
  // Width; a rectangle of width 0 is empty.
  uint32_t width;
  // Height; a rectangle of height 0 is empty.
  uint32_t height;
} SelkiesRect;

// A buffer of the host into which a capture plugin writes frames.
typedef struct SelkiesFrameBuffer {
  // `sizeof(FrameBuffer)`.
  uint32_t struct_size;
  // MEMORY_MEMFD today.
  uint32_t memory;
  // Mapped and writable, page aligned.
  uint8_t *ptr;
  // Bytes of the mapping.
  uint64_t len;
  // Borrowed descriptor of the memory; the plugin duplicates it to keep it.
  int32_t fd;
  // Bytes from one row to the next.
  uint32_t stride;
  // Format that is to be written.
  uint32_t fourcc;
  // Zero.
  uint32_t reserved;
} SelkiesFrameBuffer;

// What to capture.
typedef struct SelkiesCaptureParams {
  // `sizeof(CaptureParams)`.
  uint32_t struct_size;
  // Buffers in `buffers`, at most 16; 0 without CAPTURE_HOST_BUFFERS.
  uint32_t buffer_count;
  // The part of the source to capture; frames have this size.
  struct SelkiesRect area;
  // Buffers of the host; each fits `area` at the information's format and alignment. They outlive `stop`.
  const struct SelkiesFrameBuffer *buffers;
  // Name of the output (`selkies.display/1`), or empty for the whole source.
  struct SelkiesStr output;
  // Zero.
  uint64_t reserved[4];
} SelkiesCaptureParams;

// Colour description as ITU-T H.273 code points; 2 is "unspecified".
typedef struct SelkiesColor {
  // `colour_primaries`, 1 = BT.709.
  uint8_t primaries;
  // `transfer_characteristics`, 13 = sRGB.
  uint8_t transfer;
  // `matrix_coefficients`, 0 = RGB.
  uint8_t matrix;
  // 1 = full range, 0 = limited.
  uint8_t full_range;
} SelkiesColor;

// One plane of a frame.
typedef struct SelkiesPlane {
  // First byte, or NULL when the memory is not mapped.
  const uint8_t *ptr;
  // Device address or handle for kinds that have one, else 0.
  uint64_t handle;
  // Offset of the plane in `fd`.
  uint64_t offset;
  // Bytes of the plane.
  uint64_t len;
  // Bytes from one row to the next.
  uint32_t stride;
  // Borrowed descriptor, or -1. The reader duplicates it to keep it.
  int32_t fd;
} SelkiesPlane;

// A raw video frame. Borrowed for the call, or kept with MemoryV1::retain.
// Its memory does not change before the call returned and every `retain` was released.
typedef struct SelkiesFrame {
  // `sizeof(Frame)`.
  uint32_t struct_size;
  // One of `MEMORY_*`.
  uint32_t memory;
  // Width in pixels.
  uint32_t width;
  // Height in pixels.
  uint32_t height;
  // One of `FOURCC_*` (or another code of `drm_fourcc.h`).
  uint32_t fourcc;
  // Planes in use, 1 to 4.
  uint32_t plane_count;
  // Format modifier of `drm_fourcc.h`.
  uint64_t modifier;
  // Colour description.
  struct SelkiesColor color;
  // `FRAME_*` bits.
  uint32_t flags;
  // When the picture was taken, nanoseconds.
  uint64_t timestamp_ns;
  // Counts up by one per frame of a pipeline, starting at 1.
  uint64_t frame_id;
  // The host's name for the frame, for `retain` and `release`.
  uint64_t token;
  // Planes; those past `plane_count` are zero with `fd` -1.
  struct SelkiesPlane planes[4];
  // A sync_file to wait on before reading, or -1. Borrowed.
  int32_t acquire_fence_fd;
  // Rectangles in `damage`; 0 without FRAME_FULL_DAMAGE means that nothing changed.
  uint32_t damage_count;
  // What changed since the frame with the `frame_id` before.
  const struct SelkiesRect *damage;
  // Zero.
  uint64_t reserved[4];
} SelkiesFrame;

// `selkies.capture/1`.
//
// Order: `create`, `info`, (`start`, (`wait` | `grab`)*, `stop`)*, `destroy`.
typedef struct SelkiesCaptureV1 {
  // `sizeof(CaptureV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens the source. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the instance; `start`ed or not.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Describes the source as it is now.
  SelkiesStatus (*info)(SelkiesInstance *instance, struct SelkiesCaptureInfo *out);
  // `[media]` Begins to watch for damage. The first wait reports damage at once.
  SelkiesStatus (*start)(SelkiesInstance *instance, const struct SelkiesCaptureParams *params);
  // `[media]` Blocks until there is something to grab, `timeout_ns` passed (`u64::MAX`: no limit) or `wake` was
  // called; the last two answer NOTHING. Does not lose damage that arrives while nobody waits.
  SelkiesStatus (*wait)(SelkiesInstance *instance, uint64_t timeout_ns, struct SelkiesCaptureEvent *out);
  // `[any]` Ends the current or next `wait`.
  void (*wake)(SelkiesInstance *instance);
  // `[media]` Takes a picture. With host buffers it goes into `buffers[buffer]`, where only the new damage and the
  // `refresh` rectangles (at most 64: what the buffer missed while others were used) are written. `out` is filled except for
  // `frame_id` and `token`; its damage list stays valid until the next call on the instance.
  SelkiesStatus (*grab)(SelkiesInstance *instance,
                        uint32_t buffer,
                        const struct SelkiesRect *refresh,
                        uint32_t refresh_count,
                        struct SelkiesFrame *out);
  // `[any]` The host has no more use for a frame of the plugin's own memory, which it names by `planes[0]`, unchanged
  // since `grab`. Not called with host buffers.
  void (*done_with)(SelkiesInstance *instance, const struct SelkiesFrame *frame);
  // `[media]` Ends `start`. After it the host's buffers are not written any more.
  SelkiesStatus (*stop)(SelkiesInstance *instance);
} SelkiesCaptureV1;

// A selection got another content, or lost its content.
typedef struct SelkiesClipboardChange {
  // `sizeof(ClipboardChange)`.
  uint32_t struct_size;
  // One of `SELECTION_*`.
  uint32_t selection;
  // 1 when there is a content, 0 when there is none any more.
  uint32_t filled;
  // Zero.
  uint32_t reserved32;
  // Names the content of this selection; greater than that of every content before it.
  uint64_t serial;
  // Zero.
  uint64_t reserved[2];
} SelkiesClipboardChange;

// What is known of a content beside its formats.
typedef struct SelkiesClipboardContentInfo {
  // `sizeof(ClipboardContentInfo)`.
  uint32_t struct_size;
  // Bits of `CLIPBOARD_*`; the host ignores those that it does not know.
  uint32_t flags;
  // Zero.
  uint64_t reserved[2];
} SelkiesClipboardContentInfo;

// A content in one format.
typedef struct SelkiesClipboardItem {
  // `sizeof(ClipboardItem)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved32;
  // MIME type, at most MAX_CLIPBOARD_MIME bytes. `text/plain` is UTF-8 whose lines end with LF.
  struct SelkiesStr mime;
  // The content, at most MAX_CLIPBOARD_BYTES.
  struct SelkiesBytes data;
  // Zero.
  uint64_t reserved[2];
} SelkiesClipboardItem;

// A content that is to be pasted.
typedef struct SelkiesClipboardOffer {
  // `sizeof(ClipboardOffer)`.
  uint32_t struct_size;
  // Bits of `CLIPBOARD_*`; a plugin ignores those that it does not know.
  uint32_t flags;
  // One of `SELECTION_*`.
  uint32_t selection;
  // Number of items, at most MAX_CLIPBOARD_FORMATS; 0 when nothing is offered any more.
  uint32_t count;
  // The content in each of its formats, best first, all of them at most MAX_CLIPBOARD_TOTAL bytes. May be NULL when
  // `count` is 0.
  const struct SelkiesClipboardItem *items;
  // Zero.
  uint64_t reserved[2];
} SelkiesClipboardOffer;

// What is wanted of a content.
typedef struct SelkiesClipboardRequest {
  // `sizeof(ClipboardRequest)`.
  uint32_t struct_size;
  // One of `SELECTION_*`.
  uint32_t selection;
  // The content that was reported with this serial; another one is not wanted.
  uint64_t serial;
  // The format that is to be read, as the plugin named it; empty for `formats`.
  struct SelkiesStr mime;
  // Most bytes that are wanted, at most MAX_CLIPBOARD_BYTES; 0 for `formats`.
  uint64_t limit;
  // When the answer is given up, nanoseconds.
  uint64_t deadline_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesClipboardRequest;

// Where a function delivers texts, within its call.
typedef struct SelkiesTextSink {
  // First argument of `emit`.
  void *ctx;
  // Receives one text, which is valid for the call only.
  void (*emit)(void *ctx, struct SelkiesStr text);
} SelkiesTextSink;

// `selkies.clipboard/1`.
//
// What was offered is given to applications within `wait`, `formats` and `read`: while it has nothing else to do, the
// host is in `wait`.
//
// Texts are `text/plain`, in UTF-8, and their lines end with LF, both ways: a plugin whose desktop has it otherwise
// converts. The host takes CR LF for what it is, and does not offer it.
typedef struct SelkiesClipboardV1 {
  // `sizeof(ClipboardV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens the clipboard. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the instance, and with it what it offers.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Blocks until a selection has another content than the one reported last, `timeout_ns` passed or
  // `wake` was called; the last two answer NOTHING. The first calls report what is there already.
  // What this instance offers is not reported, nor are selections that the plugin does not have.
  SelkiesStatus (*wait)(SelkiesInstance *instance, uint64_t timeout_ns, struct SelkiesClipboardChange *out);
  // `[control]` Gives the MIME types of a content through `sink`, within the call, best first, at most
  // MAX_CLIPBOARD_FORMATS, and in `out` what else is known of it. Texts are `text/plain`, whatever the application
  // calls them. Blocks until the deadline at most; `wake` ends it as it ends `wait`. A content that is gone is a failure
  // (retry, not-found).
  SelkiesStatus (*formats)(SelkiesInstance *instance,
                           const struct SelkiesClipboardRequest *request,
                           struct SelkiesClipboardContentInfo *out,
                           const struct SelkiesTextSink *sink);
  // `[control]` Gives a content in one format through `sink`, in one piece within the call; `text/plain` in UTF-8.
  // Blocks until the deadline at most; `wake` ends it as it ends `wait`. More than `limit` bytes are a failure (retry,
  // out-of-resources), as are a content or a format that is gone (retry, not-found).
  SelkiesStatus (*read)(SelkiesInstance *instance,
                        const struct SelkiesClipboardRequest *request,
                        const struct SelkiesBytesSink *sink);
  // `[control]` Makes one content that of a selection; applications that paste get it from then on, until another one
  // copies. The plugin keeps a copy. No items: nothing is offered any more. A selection that the plugin does not have is
  // a failure (retry, unsupported).
  SelkiesStatus (*offer)(SelkiesInstance *instance, const struct SelkiesClipboardOffer *offer);
  // `[any]` Ends the current or next `wait`, `formats` or `read`.
  void (*wake)(SelkiesInstance *instance);
} SelkiesClipboardV1;

// `selkies.host.clock/1`.
typedef struct SelkiesClockV1 {
  // `sizeof(ClockV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[any]` `CLOCK_MONOTONIC` in nanoseconds. Every timestamp of this ABI is in this clock.
  uint64_t (*now_ns)(void *ctx);
} SelkiesClockV1;

// A cursor image.
typedef struct SelkiesCursorImage {
  // `sizeof(CursorImage)`.
  uint32_t struct_size;
  // 1 when the pointer is shown, 0 when it is hidden.
  uint32_t visible;
  // Width in pixels, at most MAX_CURSOR_EDGE.
  uint32_t width;
  // Height in pixels, at most MAX_CURSOR_EDGE.
  uint32_t height;
  // The pixel of the image that points.
  uint32_t hot_x;
  // The pixel of the image that points.
  uint32_t hot_y;
  // Names the shape; equal serials have equal images.
  uint64_t serial;
  // R, G, B, A bytes, not premultiplied, `width * 4` a row. Valid until the next call on the instance.
  const uint8_t *rgba;
  // Zero.
  uint64_t reserved[2];
} SelkiesCursorImage;

// `selkies.cursor/1`.
typedef struct SelkiesCursorV1 {
  // `sizeof(CursorV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens the source. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the instance.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Blocks until the shape differs from the last one reported, `timeout_ns` passed or `wake` was called;
  // the last two answer NOTHING. The first call answers at once.
  SelkiesStatus (*wait)(SelkiesInstance *instance, uint64_t timeout_ns, struct SelkiesCursorImage *out);
  // `[any]` Ends the current or next `wait`.
  void (*wake)(SelkiesInstance *instance);
} SelkiesCursorV1;

// One output of the display.
typedef struct SelkiesDisplayOutput {
  // `sizeof(DisplayOutput)`.
  uint32_t struct_size;
  // `OUTPUT_*` flags.
  uint32_t flags;
  // Its name, unique on the display.
  struct SelkiesStr name;
  // Left edge in the display.
  int32_t x;
  // Top edge in the display.
  int32_t y;
  // Width in pixels.
  uint32_t width;
  // Height in pixels.
  uint32_t height;
  // Refresh rate in millihertz, 0 when it has none.
  uint32_t refresh_mhz;
  // Dots per inch.
  uint32_t dpi;
  // Widest mode that can be set.
  uint32_t max_width;
  // Highest mode that can be set.
  uint32_t max_height;
  // Zero.
  uint64_t reserved[4];
} SelkiesDisplayOutput;

// What one output is to become.
typedef struct SelkiesDisplayRequest {
  // `sizeof(DisplayRequest)`.
  uint32_t struct_size;
  // `OUTPUT_*` flags wanted.
  uint32_t flags;
  // The output's name; empty for the primary one. A name that does not exist asks for a virtual output.
  struct SelkiesStr name;
  // Left edge wanted.
  int32_t x;
  // Top edge wanted.
  int32_t y;
  // Width wanted in pixels.
  uint32_t width;
  // Height wanted in pixels.
  uint32_t height;
  // Refresh rate wanted in millihertz; 0 leaves it to the plugin.
  uint32_t refresh_mhz;
  // Dots per inch; 0 leaves it as it is.
  uint32_t dpi;
  // Zero.
  uint64_t reserved[4];
} SelkiesDisplayRequest;

// Where DisplayV1::outputs delivers, within its call.
typedef struct SelkiesOutputSink {
  // First argument of `emit`.
  void *ctx;
  // Receives one output, which is valid for the call only.
  void (*emit)(void *ctx, const struct SelkiesDisplayOutput *output);
} SelkiesOutputSink;

// `selkies.display/1`.
typedef struct SelkiesDisplayV1 {
  // `sizeof(DisplayV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens the display. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the instance.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Reports every output through `sink`, within the call.
  SelkiesStatus (*outputs)(SelkiesInstance *instance, const struct SelkiesOutputSink *sink);
  // `[control]` Applies all requests (at most 32) together, or none. Outputs that no request names stay. A size over the limits
  // fails with class retry, detail invalid-argument, and a text that names the limit.
  SelkiesStatus (*apply)(SelkiesInstance *instance,
                         const struct SelkiesDisplayRequest *requests,
                         uint32_t count);
} SelkiesDisplayV1;

// What to produce. A field that the caps do not allow is answered with class reconfigure, detail unsupported.
typedef struct SelkiesEncoderParams {
  // `sizeof(EncoderParams)`.
  uint32_t struct_size;
  // One of `CODEC_*`.
  uint32_t codec;
  // Name of the caps entry chosen.
  struct SelkiesStr name;
  // Frame width in pixels.
  uint32_t width;
  // Frame height in pixels.
  uint32_t height;
  // Format of the frames.
  uint32_t fourcc;
  // One of `MEMORY_*`.
  uint32_t memory;
  // Frames per second, numerator. The most that will come; damage decides how many do.
  uint32_t fps_num;
  // Frames per second, denominator.
  uint32_t fps_den;
  // One of `CHROMA_*`.
  uint32_t chroma;
  // Bits per sample.
  uint32_t bit_depth;
  // One of `RATE_*`.
  uint32_t rate;
  // Quality in the caps' scale: JPEG 1-100, H.26x CRF.
  uint32_t quality;
  // Quality of refinements in the same scale; UNSET switches them off.
  uint32_t refine_quality;
  // Frames a refinement is spread over (codecs that predict); 0 leaves it to the plugin.
  uint32_t refine_frames;
  // Target bit rate, kbit/s; 0 when the rate control has none.
  uint32_t bitrate_kbps;
  // Maximum bit rate, kbit/s; 0 leaves it to the plugin.
  uint32_t max_bitrate_kbps;
  // Buffer of the rate control in milliseconds; 0 leaves it to the plugin.
  uint32_t vbv_ms;
  // Frames from one keyframe to the next; 0 for none but those asked for.
  uint32_t keyframe_interval;
  // Threads it may use; 0 leaves it to the plugin.
  uint32_t threads;
  // Rows of a stripe; 0 leaves it to the plugin.
  uint32_t stripe_height;
  // Lowest quantiser; UNSET leaves it to the plugin.
  uint32_t min_qp;
  // Highest quantiser; UNSET leaves it to the plugin.
  uint32_t max_qp;
  // 1: encode every frame whole, whatever the damage says ("streaming mode").
  uint32_t ignore_damage;
  // Zero.
  uint32_t reserved32;
  // Colour description of the frames.
  struct SelkiesColor color;
  // Width of the coded picture; 0 for the frame's, always 0 without ENCODER_SCALES.
  uint32_t out_width;
  // Height of the coded picture; 0 for the frame's, always 0 without ENCODER_SCALES.
  uint32_t out_height;
  // Zero.
  uint32_t reserved[5];
} SelkiesEncoderParams;

// Changes of rate that need no new encoder.
typedef struct SelkiesEncoderRate {
  // `sizeof(EncoderRate)`.
  uint32_t struct_size;
  // Target, kbit/s; 0 leaves it.
  uint32_t bitrate_kbps;
  // Maximum, kbit/s; 0 leaves it.
  uint32_t max_bitrate_kbps;
  // Quality in the caps' scale; UNSET leaves it.
  uint32_t quality;
  // Frames per second, numerator; 0 leaves it.
  uint32_t fps_num;
  // Frames per second, denominator.
  uint32_t fps_den;
  // Buffer of the rate control, milliseconds; 0 leaves it.
  uint32_t vbv_ms;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[2];
} SelkiesEncoderRate;

// `selkies.encoder.rate/1`, on instances of `selkies.encoder/1`.
typedef struct SelkiesEncoderRateV1 {
  // `sizeof(EncoderRateV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[media]` Takes effect with the next frame.
  SelkiesStatus (*set)(SelkiesInstance *instance, const struct SelkiesEncoderRate *rate);
} SelkiesEncoderRateV1;

// A region that deserves more or fewer bits.
typedef struct SelkiesRoiRect {
  // The region.
  struct SelkiesRect rect;
  // Quantiser offset, negative for better.
  int32_t qp_delta;
  // Zero.
  uint32_t reserved;
} SelkiesRoiRect;

// How one frame is to be encoded.
typedef struct SelkiesSubmitParams {
  // `sizeof(SubmitParams)`.
  uint32_t struct_size;
  // `SUBMIT_*` flags.
  uint32_t flags;
  // When the host gives the frame up, nanoseconds; 0 for never.
  uint64_t deadline_ns;
  // A `frame_id` known to have arrived; predict from it or an older anchor. 0 when unknown.
  uint64_t known_frame_id;
  // Regions of interest.
  const struct SelkiesRoiRect *roi;
  // Entries in `roi`, at most 64.
  uint32_t roi_count;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[4];
} SelkiesSubmitParams;

// `selkies.encoder/1`.
//
// Order: `probe`* , `create`, (`configure` | `submit`)*, `drain`, `destroy`.
typedef struct SelkiesEncoderV1 {
  // `sizeof(EncoderV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens what it needs, reports each caps entry through `sink` and closes it again. No entry, with
  // success, means "not on this machine"; say why with `fail`. May take seconds.
  SelkiesStatus (*probe)(const struct SelkiesHost *host,
                         struct SelkiesStr config_json,
                         const struct SelkiesCapsSink *sink);
  // `[control]` Makes an encoder. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host,
                          struct SelkiesStr config_json,
                          const struct SelkiesEncoderParams *params,
                          SelkiesInstance **out);
  // `[control]` Ends the encoder; frames in flight are dropped without `done`.
  void (*destroy)(SelkiesInstance *instance);
  // `[media]` Changes parameters between frames. Class reconfigure: the host creates anew.
  SelkiesStatus (*configure)(SelkiesInstance *instance, const struct SelkiesEncoderParams *params);
  // `[media]` Encodes a frame. May return before its packets exist, if the frame was retained. A failure means that
  // the frame will not be `done`.
  SelkiesStatus (*submit)(SelkiesInstance *instance,
                          const struct SelkiesFrame *frame,
                          const struct SelkiesSubmitParams *params);
  // `[media]` Finishes every frame in flight before it returns.
  SelkiesStatus (*drain)(SelkiesInstance *instance);
} SelkiesEncoderV1;

// What a transport learned about the path to one client.
typedef struct SelkiesFeedback {
  // `sizeof(Feedback)`.
  uint32_t struct_size;
  // Loss in parts per million of the last interval.
  uint32_t loss_ppm;
  // Round trip, microseconds; 0 when unknown.
  uint64_t rtt_us;
  // Estimated capacity, kbit/s; 0 when unknown.
  uint32_t estimate_kbps;
  // Bytes waiting in the transport for this client.
  uint32_t queued_bytes;
  // Newest `frame_id` of `stream` known to have arrived whole; 0 when unknown.
  uint64_t arrived_frame_id;
  // The stream (Packet::stream) that `arrived_frame_id` counts in. The other fields
  // describe the whole path.
  uint32_t stream;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[3];
} SelkiesFeedback;

// A frame is finished: all its packets were committed. Exactly one for each successful `submit`.
typedef struct SelkiesFrameDone {
  // `sizeof(FrameDone)`.
  uint32_t struct_size;
  // How it went. A failure's class decides what follows.
  SelkiesStatus status;
  // The frame.
  uint64_t frame_id;
  // When the encoder would like to see this frame again with SUBMIT_REFINE if nothing changes, nanoseconds;
  // 0 for never.
  uint64_t refine_at_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesFrameDone;

// An axis of a gamepad, as in Linux' `struct input_absinfo`.
typedef struct SelkiesGamepadAxis {
  // The evdev code, `ABS_*`.
  uint32_t code;
  // Least value.
  int32_t minimum;
  // Greatest value.
  int32_t maximum;
  // The value when nobody touches it.
  int32_t rest;
  // Noise that is to be ignored.
  int32_t fuzz;
  // Values around the rest that count as rest.
  int32_t flat;
  // Units per millimetre or radian; 0 when unknown.
  int32_t resolution;
  // Zero.
  uint32_t reserved;
} SelkiesGamepadAxis;

// One change of a gamepad.
typedef struct SelkiesGamepadEvent {
  // `sizeof(GamepadEvent)`.
  uint32_t struct_size;
  // Below MAX_GAMEPADS.
  uint32_t slot;
  // One of `GAMEPAD_BUTTON`, `GAMEPAD_AXIS`, `GAMEPAD_REST`.
  uint32_t kind;
  // See the kind.
  uint32_t index;
  // See the kind.
  int32_t value;
  // Zero.
  uint32_t reserved32;
  // When the host received it, nanoseconds; 0 when unknown.
  uint64_t timestamp_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesGamepadEvent;

// What a gamepad is to programs.
typedef struct SelkiesGamepadIdentity {
  // `sizeof(GamepadIdentity)`.
  uint32_t struct_size;
  // `GAMEPAD_RUMBLES` or 0.
  uint32_t flags;
  // At most MAX_GAMEPAD_NAME bytes without a NUL.
  struct SelkiesStr name;
  // The bus, as in Linux' `struct input_id` (`BUS_*`), 16 bits.
  uint32_t bus;
  // USB vendor, 16 bits.
  uint32_t vendor;
  // USB product, 16 bits.
  uint32_t product;
  // Version, 16 bits.
  uint32_t version;
  // Evdev codes (`BTN_*`) in the order of their indices.
  const uint16_t *buttons;
  // Axes in the order of their indices.
  const struct SelkiesGamepadAxis *axes;
  // At most MAX_GAMEPAD_BUTTONS.
  uint32_t button_count;
  // At most MAX_GAMEPAD_AXES.
  uint32_t axis_count;
  // Zero.
  uint64_t reserved[2];
} SelkiesGamepadIdentity;

// What a program lets a gamepad do.
typedef struct SelkiesGamepadRumble {
  // `sizeof(GamepadRumble)`, set by the host.
  uint32_t struct_size;
  // Below MAX_GAMEPADS.
  uint32_t slot;
  // The heavy motor, 0 to 65535.
  uint32_t strong;
  // The light motor, 0 to 65535; both 0: stop.
  uint32_t weak;
  // Milliseconds; 0 with both motors at 0.
  uint32_t duration_ms;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[2];
} SelkiesGamepadRumble;

// `selkies.gamepad/1`.
typedef struct SelkiesGamepadV1 {
  // `sizeof(GamepadV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens the way to programs, with no gamepad plugged. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Unplugs everything and ends the instance.
  void (*destroy)(SelkiesInstance *instance);
  // `[media]` Plugs a gamepad, at rest, into a slot; one that is there already is replaced.
  SelkiesStatus (*plug)(SelkiesInstance *instance,
                        uint32_t slot,
                        const struct SelkiesGamepadIdentity *identity);
  // `[media]` Brings a slot's gamepad to rest and unplugs it. Success when there is none.
  SelkiesStatus (*unplug)(SelkiesInstance *instance, uint32_t slot);
  // `[media]` Applies events (at most 4096) in order and hands them to programs before it returns. Those of a slot without a
  // gamepad are left out; programs that do not read are not waited for.
  SelkiesStatus (*inject)(SelkiesInstance *instance, const struct SelkiesGamepadEvent *events, uint32_t count);
  // `[media]` Blocks until a program lets a gamepad rumble, `timeout_ns` passed or `wake` was called; the last two
  // answer NOTHING.
  SelkiesStatus (*wait)(SelkiesInstance *instance, uint64_t timeout_ns, struct SelkiesGamepadRumble *out);
  // `[any]` Ends the current or next `wait`.
  void (*wake)(SelkiesInstance *instance);
} SelkiesGamepadV1;

// `selkies.host.encoder/1`: how an encoder answers.
typedef struct SelkiesHostEncoderV1 {
  // `sizeof(HostEncoderV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[any]` Reports a finished frame; from within `submit` or later.
  void (*done)(void *ctx, const struct SelkiesFrameDone *done);
} SelkiesHostEncoderV1;

// `selkies.host.transport/1`.
typedef struct SelkiesHostTransportV1 {
  // `sizeof(HostTransportV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[any]` A message of the session's protocol arrived from a client, on one of `CHANNEL_*`; those of one channel
  // in the order in which they were sent.
  void (*message)(void *ctx, uint64_t client, uint32_t channel, uint32_t kind, struct SelkiesBytes payload);
  // `[any]` Sends on the connections that the host owns: `header` (at most
  // SLAB_HEADROOM bytes) and `payload` as one message. Inside `send_packet`, a `payload`
  // that is the packet's own is not copied.
  SelkiesStatus (*emit)(void *ctx,
                        const uint64_t *clients,
                        uint32_t client_count,
                        uint32_t kind,
                        struct SelkiesBytes header,
                        struct SelkiesBytes payload);
  // `[any]` Sends a signaling message (JSON) to a client.
  void (*signal)(void *ctx, uint64_t client, struct SelkiesStr json);
  // `[any]` Reports what was learned about a path.
  void (*feedback)(void *ctx, uint64_t client, const struct SelkiesFeedback *feedback);
  // `[any]` A client cannot decode a stream (Packet::stream) and asks for a keyframe. The
  // host limits the rate.
  void (*request_keyframe)(void *ctx, uint64_t client, uint32_t stream);
  // `[any]` Signaling came to a codec (one of `CODEC_*`) for a stream of a client: packets of it are wanted from now
  // on, those of another codec are dropped. Once for the picture, once for the sound, before
  // CLIENT_CONNECTED; again when it changes. Without signaling it is never called, and every codec of the
  // client's hello is welcome.
  void (*client_codec)(void *ctx, uint64_t client, uint32_t stream, uint32_t codec);
  // `[any]` A client's state changed; one of `CLIENT_*`.
  void (*client_state)(void *ctx, uint64_t client, uint32_t state, struct SelkiesStr reason);
} SelkiesHostTransportV1;

// One input event. Fields that a kind does not name are zero.
typedef struct SelkiesInputEvent {
  // `sizeof(InputEvent)`.
  uint32_t struct_size;
  // One of `INPUT_*`.
  uint32_t kind;
  // See the kind.
  uint32_t code;
  // See the kind.
  uint32_t value;
  // See the kind.
  int32_t x;
  // See the kind.
  int32_t y;
  // For INPUT_TEXT, at most MAX_INPUT_TEXT bytes.
  struct SelkiesStr text;
  // When the host received it, nanoseconds; 0 when unknown.
  uint64_t timestamp_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesInputEvent;

// `selkies.input/1`.
typedef struct SelkiesInputV1 {
  // `sizeof(InputV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Opens the device. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Releases everything held and ends the instance.
  void (*destroy)(SelkiesInstance *instance);
  // `[any]` The kinds it understands, as a mask of `1 << INPUT_*`. The host routes others to the next input plugin.
  uint64_t (*kinds)(SelkiesInstance *instance);
  // `[media]` Injects events (at most 4096) in order and flushes them before it returns.
  SelkiesStatus (*inject)(SelkiesInstance *instance, const struct SelkiesInputEvent *events, uint32_t count);
} SelkiesInputV1;

// `selkies.lifecycle/1`: what a library wants to know once, independent of instances.
typedef struct SelkiesLifecycleV1 {
  // `sizeof(LifecycleV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Called once, before any `probe` or `create`, with a host that lives as long as the process.
  SelkiesStatus (*init)(const struct SelkiesHost *host);
  // `[any]` The most verbose level that the host keeps, see LEVEL_ERROR. Called after `init` and on change.
  void (*set_log_level)(uint32_t level);
} SelkiesLifecycleV1;

// `selkies.host.log/1`.
typedef struct SelkiesLogV1 {
  // `sizeof(LogV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[any]` The most verbose level that the host keeps.
  uint32_t (*max_level)(void *ctx);
  // `[any]` Logs one line. `target` is at most 128 bytes, `message` 8 KiB, `fields_json` 8 KiB (an object, or
  // empty); more is cut. The host limits the rate per plugin.
  void (*log)(void *ctx,
              uint32_t level,
              struct SelkiesStr target,
              struct SelkiesStr message,
              struct SelkiesStr fields_json);
  // `[any]` Says why the function running on this thread is about to answer `status`. At most 1 KiB.
  void (*fail)(void *ctx, SelkiesStatus status, struct SelkiesStr text);
} SelkiesLogV1;

// Writable memory of the host for one packet.
typedef struct SelkiesSlab {
  // First writable byte, 64-byte aligned.
  uint8_t *ptr;
  // Writable bytes.
  size_t capacity;
  // The host's name for it.
  uint64_t token;
} SelkiesSlab;

// What a slab contains.
typedef struct SelkiesPacket {
  // `sizeof(Packet)`.
  uint32_t struct_size;
  // One of `CODEC_*`.
  uint32_t codec;
  // `PACKET_*` bits.
  uint32_t flags;
  // Quality layer for streams with several (simulcast, SVC); 0 is the base.
  uint32_t layer;
  // Bytes written to the slab; 1 up to its capacity.
  size_t len;
  // The frame's `frame_id` (video), or a running number (audio). Counts per stream: ids of two streams say nothing
  // about each other.
  uint64_t frame_id;
  // The `frame_id` of the anchor this packet predicts from; 0 when it predicts from the frame before.
  uint64_t reference_frame_id;
  // The frame's timestamp (video), or that of the first sample (audio), nanoseconds.
  uint64_t timestamp_ns;
  // Duration in nanoseconds; 0 when unknown. Audio must give it.
  uint64_t duration_ns;
  // The area of the frame that the picture covers; the whole frame or a stripe. In pixels of the frame, also when the
  // coded picture has another size. Zero for audio.
  struct SelkiesRect area;
  // Which of a client's streams it belongs to (its displays, counted from 0), for transports. Zero from encoders.
  uint32_t stream;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[3];
} SelkiesPacket;

// `selkies.host.memory/1`: packet slabs and the life of frames.
//
// A plugin writes a packet once, into memory of the host; from there it goes to the socket, or to the host's
// process when the plugin runs in a child.
typedef struct SelkiesMemoryV1 {
  // `sizeof(MemoryV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[any]` Gives a slab of at least `min_len` bytes. The slab stays the caller's until `commit` or `abandon`.
  // Fails with class retry, detail out-of-resources when `min_len` is over 64 MiB or too many slabs are out.
  SelkiesStatus (*slab)(void *ctx, size_t min_len, struct SelkiesSlab *out);
  // `[any]` Hands a filled slab over as a packet. After the call the slab belongs to the host, whatever the status.
  // Packets of one frame may be committed from several threads, before the frame's `done`.
  SelkiesStatus (*commit)(void *ctx, const struct SelkiesSlab *slab, const struct SelkiesPacket *packet);
  // `[any]` Gives a slab back unused.
  void (*abandon)(void *ctx, const struct SelkiesSlab *slab);
  // `[media]` Keeps the frame of the current call (its `token`) past the call. At most the caps' `max_retained`.
  SelkiesStatus (*retain)(void *ctx, uint64_t token);
  // `[any]` Ends one `retain`.
  void (*release)(void *ctx, uint64_t token);
} SelkiesMemoryV1;

// `selkies.host.metrics/1`. Names match `[a-z][a-z0-9_]{0,63}`; a plugin may use 64 of them. Others are dropped
// with one warning. The host adds the plugin's id as a label.
typedef struct SelkiesMetricsV1 {
  // `sizeof(MetricsV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[any]` Adds to a counter.
  void (*counter_add)(void *ctx, struct SelkiesStr name, uint64_t value);
  // `[any]` Sets a gauge. Values that are not finite are dropped.
  void (*gauge_set)(void *ctx, struct SelkiesStr name, double value);
  // `[any]` Adds one observation to a histogram, in seconds for durations. Values that are not finite are dropped.
  void (*observe)(void *ctx, struct SelkiesStr name, double value);
} SelkiesMetricsV1;

// The exported data symbol `selkies_plugin_entry`. Constant for the life of the process.
typedef struct SelkiesPluginEntry {
  // PLUGIN_MAGIC.
  uint64_t magic;
  // ABI_EPOCH the plugin was built with.
  uint32_t abi_epoch;
  // `sizeof(PluginEntry)` the plugin was built with.
  uint32_t struct_size;
  // The manifest as JSON; must agree with `selkies-plugin.json` beside the library. Static.
  struct SelkiesStr manifest_json;
  // `[any]` Answers the table with this id, or NULL. The table is static and never changes.
  // Must be callable before anything else and must not have side effects.
  const void *(*query)(struct SelkiesStr id);
} SelkiesPluginEntry;

// For whom a configuration is wanted.
typedef struct SelkiesRtcConfigRequest {
  // `sizeof(RtcConfigRequest)`.
  uint32_t struct_size;
  // 1 when TURN over TLS is wanted.
  uint32_t tls;
  // The user the credentials are for.
  struct SelkiesStr user;
  // `udp` or `tcp`.
  struct SelkiesStr protocol;
  // When the answer is given up, nanoseconds.
  uint64_t deadline_ns;
  // Zero.
  uint64_t reserved[2];
} SelkiesRtcConfigRequest;

// `selkies.rtc-config/1`.
typedef struct SelkiesRtcConfigV1 {
  // `sizeof(RtcConfigV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Makes the source. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the source.
  void (*destroy)(SelkiesInstance *instance);
  // `[control]` Gives a configuration through `sink`, within the call: the JSON of the W3C `RTCConfiguration` with
  // `lifetimeDuration` ("86400s"). May block until the deadline.
  SelkiesStatus (*fetch)(SelkiesInstance *instance,
                         const struct SelkiesRtcConfigRequest *request,
                         const struct SelkiesTextSink *sink);
  // `[control]` Blocks until the configuration changed, `timeout_ns` passed or `wake` was called; the last two
  // answer NOTHING.
  SelkiesStatus (*wait)(SelkiesInstance *instance, uint64_t timeout_ns);
  // `[any]` Ends the current or next `wait`.
  void (*wake)(SelkiesInstance *instance);
} SelkiesRtcConfigV1;

// What a transport can carry.
typedef struct SelkiesTransportInfo {
  // `sizeof(TransportInfo)`.
  uint32_t struct_size;
  // `TRANSPORT_*` flags.
  uint32_t flags;
  // Codecs it carries, as a mask of `1 << CODEC_*` for codecs below 64.
  uint64_t codec_mask;
  // 1 when it carries stripes, 0 when it needs whole frames.
  uint32_t stripes;
  // 1 when it carries audio packets.
  uint32_t audio;
  // Largest message it accepts from a client, in bytes.
  uint32_t max_message;
  // Zero.
  uint32_t reserved32;
  // Zero.
  uint64_t reserved[4];
} SelkiesTransportInfo;

// `selkies.transport/1`. One instance serves all its clients.
//
// For one client the host calls each function from one thread at a time, in order: the packets of a stream with rising
// `frame_id`, messages and signals as they came. Different functions may run at the same time, and so may calls for
// different clients. `client_open` returns before anything else is said of its client.
typedef struct SelkiesTransportV1 {
  // `sizeof(TransportV1)`.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // `[control]` Makes the transport. `config_json` is the plugin's configuration, an object.
  SelkiesStatus (*create)(const struct SelkiesHost *host, struct SelkiesStr config_json, SelkiesInstance **out);
  // `[control]` Ends the transport and every client on it.
  void (*destroy)(SelkiesInstance *instance);
  // `[any]` Describes the transport.
  SelkiesStatus (*info)(SelkiesInstance *instance, struct SelkiesTransportInfo *out);
  // `[any]` A client arrived: one viewer's connection. `hello_json` is an object with `codecs`: what the host may send
  // it, best first, of `jpeg`, `h264`, `h265`, `vp8`, `vp9`, `av1`, `opus` (names not known here are skipped). It may
  // have `displays`: names, in the order of Packet::stream, one display without it; and
  // `viewer`: a text, the same for all connections of one viewer, who has this one only without it. Unknown members
  // are ignored.
  SelkiesStatus (*client_open)(SelkiesInstance *instance, uint64_t client, struct SelkiesStr hello_json);
  // `[any]` A client is gone or must go. Nothing follows for it but calls that had begun.
  void (*client_close)(SelkiesInstance *instance, uint64_t client, struct SelkiesStr reason);
  // `[any]` A message arrived on the host's connection of this client, which is one ordered channel.
  SelkiesStatus (*receive)(SelkiesInstance *instance,
                           uint64_t client,
                           uint32_t kind,
                           struct SelkiesBytes payload);
  // `[any]` A signaling message (JSON) arrived from this client.
  SelkiesStatus (*signal)(SelkiesInstance *instance, uint64_t client, struct SelkiesStr json);
  // `[any]` ICE servers for the clients to come, as the JSON of the W3C `RTCConfiguration`.
  SelkiesStatus (*rtc_config)(SelkiesInstance *instance, struct SelkiesStr json);
  // `[any]` Sends a message of the session's protocol to clients on one of `CHANNEL_*`.
  SelkiesStatus (*send_message)(SelkiesInstance *instance,
                                const uint64_t *clients,
                                uint32_t client_count,
                                uint32_t channel,
                                uint32_t kind,
                                struct SelkiesBytes payload);
  // `[any]` Sends one packet, encoded once, to clients (at most 65536). Must not block; what cannot be sent is dropped and shows in
  // the feedback. `payload` is valid for the call.
  SelkiesStatus (*send_packet)(SelkiesInstance *instance,
                               const uint64_t *clients,
                               uint32_t client_count,
                               const struct SelkiesPacket *packet,
                               struct SelkiesBytes payload);
} SelkiesTransportV1;

// Success.
#define SELKIES_OK 0

// Success, but nothing happened: a wait ended by its timeout or by `wake`.
#define SELKIES_NOTHING 1

#endif  /* SELKIES_PLUGIN_H */

/* What a plugin defines: SELKIES_PLUGIN_ENTRY = { ... }; see the top of this file. */
#if defined(__GNUC__)
#define SELKIES_EXPORT __attribute__((visibility("default")))
#else
#define SELKIES_EXPORT
#endif
/* Builds a failure: SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_IO). */
#define SELKIES_FAILURE(status_class, detail) (-(((status_class) << 8) | ((detail) & 0xff)))
#ifdef __cplusplus
#define SELKIES_PLUGIN_ENTRY extern "C" { extern SELKIES_EXPORT const SelkiesPluginEntry selkies_plugin_entry; } \
  const SelkiesPluginEntry selkies_plugin_entry
#else
#define SELKIES_PLUGIN_ENTRY extern SELKIES_EXPORT const SelkiesPluginEntry selkies_plugin_entry; \
  const SelkiesPluginEntry selkies_plugin_entry
#endif
