/*
 * Sound of numbers: a capture of ramps, an encoder that writes what it was given as text, a sink that counts. A word in the
 * configuration has the instance break a rule: "short" blocks, a sample that is "nan", "huge" packets, "deaf" devices.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manifest.h"
#include "selkies_plugin.h"

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int woken, blocks, told;
  char act[256];
  uint32_t frames, channels, bitrate;
  uint64_t written;
  float samples[SELKIES_MAX_AUDIO_BLOCK_SAMPLES];
} Sound;

static int does(const Sound *sound, const char *word) { return strstr(sound->act, word) != NULL; }

static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config, SelkiesInstance **out) {
  (void)host;
  Sound *sound = calloc(1, sizeof *sound);
  memcpy(sound->act, config.ptr, config.len < 255 ? config.len : 255);
  pthread_mutex_init(&sound->lock, NULL);
  pthread_cond_init(&sound->changed, NULL);
  *out = (SelkiesInstance *)sound;
  return SELKIES_OK;
}

static void destroy(SelkiesInstance *instance) { free(instance); }

static uint32_t count(uint32_t mask) {
  uint32_t bits = 0;
  for (; mask; mask >>= 1) bits += mask & 1;
  return bits;
}

static SelkiesAudioFormat native(void) {
  return (SelkiesAudioFormat){.sample = SELKIES_AUDIO_SAMPLE_F32, .rate = 44100, .channel_mask = SELKIES_CHANNELS_5_1};
}

/* ---- selkies.audio-capture/1 ---- */

static SelkiesStatus capture_info(SelkiesInstance *instance, SelkiesAudioCaptureInfo *out) {
  out->sample_mask = does((Sound *)instance, "deaf") ? 0 : 1 << SELKIES_AUDIO_SAMPLE_F32;
  out->native = native();
  return SELKIES_OK;
}

static SelkiesStatus capture_start(SelkiesInstance *instance, const SelkiesAudioCaptureParams *params) {
  Sound *sound = (Sound *)instance;
  if (params->device.len) return SELKIES_FAILURE(SELKIES_CLASS_DEVICE_LOST, SELKIES_DETAIL_NOT_FOUND);
  sound->frames = params->block_frames;
  sound->channels = count(params->format.channel_mask);
  return SELKIES_OK;
}

/* Until it is woken or the time has passed. */
static SelkiesStatus rest(Sound *sound, uint64_t timeout_ns) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  uint64_t seconds = timeout_ns / 1000000000u;
  end.tv_sec += seconds > 1000000 ? 1000000 : (time_t)seconds;
  end.tv_nsec += (long)(timeout_ns % 1000000000u);
  if (end.tv_nsec >= 1000000000) end.tv_nsec -= 1000000000, end.tv_sec++;
  pthread_mutex_lock(&sound->lock);
  while (!sound->woken && pthread_cond_timedwait(&sound->changed, &sound->lock, &end) == 0) {
  }
  sound->woken = 0;
  pthread_mutex_unlock(&sound->lock);
  return SELKIES_NOTHING;
}

/* Three blocks, then nothing. */
static SelkiesStatus read_block(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesAudioBlock *out) {
  Sound *sound = (Sound *)instance;
  if (sound->blocks++ >= 3) return rest(sound, timeout_ns);
  for (uint32_t at = 0; at < sound->frames * sound->channels; at++) {
    sound->samples[at] = (float)(sound->blocks * 1000 + (int)at);
  }
  if (does(sound, "nan")) sound->samples[0] = NAN;
  out->struct_size = sizeof *out;
  out->flags = sound->blocks == 2 ? SELKIES_AUDIO_BLOCK_GAP : 0;
  out->samples = sound->samples;
  out->frames = sound->frames - (does(sound, "short") ? 1 : 0);
  out->timestamp_ns = does(sound, "nan") ? UINT64_MAX : (uint64_t)sound->blocks;
  return SELKIES_OK;
}

static void wake(SelkiesInstance *instance) {
  Sound *sound = (Sound *)instance;
  pthread_mutex_lock(&sound->lock);
  sound->woken = 1;
  pthread_cond_signal(&sound->changed);
  pthread_mutex_unlock(&sound->lock);
}

static SelkiesStatus stop(SelkiesInstance *instance) {
  ((Sound *)instance)->blocks = 0;
  return SELKIES_OK;
}

/* ---- selkies.audio-encoder/1 ---- */

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config, const SelkiesAudioCapsSink *sink) {
  (void)host, (void)config;
  static const uint32_t frames[] = {480, 1024}, backwards[] = {1024, 480}, twice[] = {480, 480}, far[] = {480, 8193};
  static const uint32_t rates[] = {48000, 44100}, fast[] = {48000, 192001};
  static const uint32_t masks[] = {SELKIES_CHANNELS_STEREO, SELKIES_CHANNELS_7_1}, crowd[] = {SELKIES_CHANNELS_STEREO, 0x1ff};
  SelkiesAudioEncoderCaps caps = {
      .struct_size = sizeof caps, .flags = SELKIES_AUDIO_ENCODER_DTX,
      .name = {(const uint8_t *)"text", 4}, .codec = SELKIES_CODEC_OPUS,
      .sample_mask = 1 << SELKIES_AUDIO_SAMPLE_F32, .rates = rates, .channel_masks = masks, .block_frames = frames,
      .rate_count = 2, .channel_mask_count = 2, .block_frames_count = 2, .min_bitrate = 6000, .max_bitrate = 510000};
  sink->emit(sink->ctx, &caps);
  /* These are none. */
  caps.block_frames = backwards;
  sink->emit(sink->ctx, &caps);
  caps.block_frames = twice;
  sink->emit(sink->ctx, &caps);
  caps.block_frames = far;
  sink->emit(sink->ctx, &caps);
  caps.block_frames = frames, caps.block_frames_count = 0;
  sink->emit(sink->ctx, &caps);
  caps.block_frames_count = SELKIES_MAX_AUDIO_CHOICES + 1;
  sink->emit(sink->ctx, &caps);
  caps.block_frames_count = 2, caps.channel_masks = crowd;
  sink->emit(sink->ctx, &caps);
  caps.channel_masks = masks, caps.rates = fast;
  sink->emit(sink->ctx, &caps);
  caps.rates = NULL;
  sink->emit(sink->ctx, &caps);
  caps.rates = rates, caps.codec = SELKIES_CODEC_H264;
  sink->emit(sink->ctx, &caps);
  caps.codec = SELKIES_CODEC_OPUS, caps.sample_mask = 0;
  sink->emit(sink->ctx, &caps);
  sink->emit(sink->ctx, NULL);
  return SELKIES_OK;
}

static SelkiesStatus encoder_create(const SelkiesHost *host, SelkiesStr config, const SelkiesAudioEncoderParams *params,
                                    SelkiesInstance **out) {
  if (params->complexity != SELKIES_UNSET) return SELKIES_FAILURE(SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_UNSUPPORTED);
  create(host, config, out);
  Sound *sound = *(Sound **)out;
  sound->bitrate = params->bitrate;
  sound->channels = count(params->format.channel_mask);
  return SELKIES_OK;
}

static SelkiesStatus encoder_info(SelkiesInstance *instance, SelkiesAudioStreamInfo *out) {
  static const uint8_t long_text[SELKIES_MAX_AUDIO_DESCRIPTION_BYTES + 1];
  out->lookahead_frames = 312;
  out->description = (SelkiesBytes){(const uint8_t *)"head", 4};
  if (does((Sound *)instance, "huge")) out->description = (SelkiesBytes){long_text, sizeof long_text};
  return SELKIES_OK;
}

static SelkiesStatus adjust(SelkiesInstance *instance, const SelkiesAudioRate *rate) {
  if (rate->bitrate == 1) return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT);
  if (rate->bitrate) ((Sound *)instance)->bitrate = rate->bitrate;
  return SELKIES_OK;
}

static SelkiesStatus encode(SelkiesInstance *instance, const SelkiesAudioBlock *block, uint8_t *out, size_t capacity,
                            SelkiesAudioPacket *packet) {
  Sound *sound = (Sound *)instance;
  if (block->flags & SELKIES_AUDIO_BLOCK_GAP) return SELKIES_NOTHING;
  const float *samples = block->samples;
  int len = snprintf((char *)out, capacity, "%u: %u x %u, %.1f to %.1f", sound->bitrate, block->frames, sound->channels,
                     (double)samples[0], (double)samples[block->frames * sound->channels - 1]);
  packet->struct_size = sizeof *packet;
  packet->flags = samples[0] == 0 ? SELKIES_AUDIO_PACKET_DTX : 0;
  packet->len = does(sound, "huge") ? capacity + 1 : (size_t)len;
  packet->timestamp_ns = block->timestamp_ns;
  return SELKIES_OK;
}

/* ---- selkies.audio-sink/1 ---- */

static SelkiesStatus sink_info(SelkiesInstance *instance, SelkiesAudioSinkInfo *out) {
  out->sample_mask = does((Sound *)instance, "deaf") ? 0 : 1 << SELKIES_AUDIO_SAMPLE_F32;
  out->native = native();
  return SELKIES_OK;
}

static SelkiesStatus sink_start(SelkiesInstance *instance, const SelkiesAudioSinkParams *params) {
  ((Sound *)instance)->channels = count(params->format.channel_mask);
  return params->buffer_ns == 50000000 ? SELKIES_OK : SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT);
}

static SelkiesStatus write_block(SelkiesInstance *instance, const SelkiesAudioBlock *block) {
  Sound *sound = (Sound *)instance;
  const float *samples = block->samples;
  sound->written += block->frames;
  /* Says by failing what came. */
  if (samples[0] < 0) {
    return SELKIES_FAILURE(SELKIES_CLASS_RETRY, sound->written == 961 ? SELKIES_DETAIL_NOT_FOUND : SELKIES_DETAIL_IO);
  }
  return SELKIES_OK;
}

/* Two record, then nothing changes any more. */
static SelkiesStatus sink_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesAudioSinkState *out) {
  Sound *sound = (Sound *)instance;
  if (sound->told && timeout_ns) return rest(sound, timeout_ns);
  sound->told = 1;
  out->struct_size = does(sound, "short") ? 0 : sizeof *out;
  out->recorders = does(sound, "deaf") ? SELKIES_UNSET : 2;
  out->queued_ns = 7000000;
  return SELKIES_OK;
}

static const SelkiesAudioCaptureV1 CAPTURE = {
    .struct_size = sizeof(SelkiesAudioCaptureV1), .create = create, .destroy = destroy, .info = capture_info,
    .start = capture_start, .read = read_block, .wake = wake, .stop = stop};
static const SelkiesAudioEncoderV1 ENCODER = {
    .struct_size = sizeof(SelkiesAudioEncoderV1), .probe = probe, .create = encoder_create, .destroy = destroy,
    .info = encoder_info, .adjust = adjust, .encode = encode};
static const SelkiesAudioSinkV1 SINK = {
    .struct_size = sizeof(SelkiesAudioSinkV1), .create = create, .destroy = destroy, .info = sink_info,
    .start = sink_start, .write = write_block, .stop = stop, .wait = sink_wait, .wake = wake};

static int is(SelkiesStr id, const char *name) { return id.len == strlen(name) && !memcmp(id.ptr, name, id.len); }

static const void *query(SelkiesStr id) {
  if (is(id, SELKIES_ID_AUDIO_CAPTURE_V1)) return &CAPTURE;
  if (is(id, SELKIES_ID_AUDIO_ENCODER_V1)) return &ENCODER;
  if (is(id, SELKIES_ID_AUDIO_SINK_V1)) return &SINK;
  return 0;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
    .query = query,
};
