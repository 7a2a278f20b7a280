/*
 * An encoder that answers later: it keeps each frame, and a thread of its own makes the packet and gives the frame back.
 * Two frames may be in flight, two kept. A configuration with "crash" lets that thread crash at its third frame, one
 * with "forget" lets it never finish the third; with "greedy" a frame needs more slabs than there are; with "patient" it
 * finishes none before it is drained; with "converts" it tells how long it converted the colours of its frames: 2.5 ms,
 * nothing, 100 s and -1 s.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "selkies_plugin.h"

typedef struct {
  const SelkiesHost *host;
  const SelkiesMemoryV1 *memory;
  const SelkiesHostEncoderV1 *answer;
  const SelkiesMetricsV1 *metrics;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  SelkiesFrame waiting[2];
  int count, ending, crash, forget, greedy, patient, converts, draining;
  uint64_t made;
} Later;

static SelkiesStr text(const char *chars) { return (SelkiesStr){(const uint8_t *)chars, strlen(chars)}; }

static int has(SelkiesStr config, const char *word) {
  char copy[256] = {0};
  memcpy(copy, config.ptr, config.len < 255 ? config.len : 255);
  return strstr(copy, word) != NULL;
}

/* The packet: 64 bytes of each row, one after the other. */
static void encode(Later *later, const SelkiesFrame *frame) {
  later->made++;
  if (later->crash && later->made == 3) abort();
  if (later->forget && later->made == 3) return;
  SelkiesSlab slab;
  size_t rows = frame->height, row = 64;
  if (later->memory->slab(later->host->ctx, rows * row, &slab) == SELKIES_OK) {
    for (size_t y = 0; y < rows; y++) {
      memcpy(slab.ptr + y * row, frame->planes[0].ptr + y * frame->planes[0].stride, row);
    }
    SelkiesPacket packet = {
        .struct_size = sizeof(SelkiesPacket),
        .codec = SELKIES_CODEC_NULL,
        .flags = SELKIES_PACKET_KEY,
        .len = rows * row,
        .frame_id = frame->frame_id,
        .area = {0, 0, frame->width, frame->height},
    };
    later->memory->commit(later->host->ctx, &slab, &packet);
  }
  if (later->converts && later->made <= 4 && later->made != 2) {
    static const double seconds[] = {0.0025, 0, 100, -1};
    later->metrics->observe(later->host->ctx, text("convert_seconds"), seconds[later->made - 1]);
  }
  SelkiesFrameDone done = {.struct_size = sizeof done, .frame_id = frame->frame_id};
  later->answer->done(later->host->ctx, &done);
  later->memory->release(later->host->ctx, frame->token);
}

static void *work(void *argument) {
  Later *later = argument;
  pthread_mutex_lock(&later->lock);
  while (!later->ending || later->count > 0) {
    if (later->count == 0 || (later->patient && !later->draining && !later->ending)) {
      pthread_cond_wait(&later->changed, &later->lock);
      continue;
    }
    SelkiesFrame frame = later->waiting[0];
    pthread_mutex_unlock(&later->lock);
    encode(later, &frame);
    pthread_mutex_lock(&later->lock);
    later->waiting[0] = later->waiting[1];
    later->count--;
    pthread_cond_broadcast(&later->changed);
  }
  pthread_mutex_unlock(&later->lock);
  return NULL;
}

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config, const SelkiesCapsSink *sink) {
  (void)host, (void)config;
  static const uint32_t formats[] = {SELKIES_FOURCC_XRGB8888};
  SelkiesEncoderCaps caps = {
      .struct_size = sizeof caps,
      .name = text("later"),
      .codec = SELKIES_CODEC_NULL,
      .memory_mask = 1u << SELKIES_MEMORY_CPU,
      .fourcc_count = 1,
      .fourccs = formats,
      .chroma_mask = SELKIES_CHROMA_444,
      .rate_mask = 1u << SELKIES_RATE_QUALITY,
      .depth = 2,
      .max_retained = 2,
      .max_width = 4096,
      .max_height = 4096,
      .quality_min = 1,
      .quality_max = 100,
      .bit_depth_mask = 1u << 8,
  };
  sink->emit(sink->ctx, &caps);
  return SELKIES_OK;
}

static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config, const SelkiesEncoderParams *params,
                            SelkiesInstance **out) {
  (void)params;
  Later *later = calloc(1, sizeof *later);
  later->host = host;
  later->memory = host->query(host->ctx, text(SELKIES_ID_HOST_MEMORY_V1));
  later->answer = host->query(host->ctx, text(SELKIES_ID_HOST_ENCODER_V1));
  later->metrics = host->query(host->ctx, text(SELKIES_ID_HOST_METRICS_V1));
  later->converts = has(config, "converts");
  later->crash = has(config, "crash");
  later->forget = has(config, "forget");
  later->greedy = has(config, "greedy");
  later->patient = has(config, "patient");
  pthread_mutex_init(&later->lock, NULL);
  pthread_cond_init(&later->changed, NULL);
  pthread_create(&later->thread, NULL, work, later);
  *out = (SelkiesInstance *)later;
  return SELKIES_OK;
}

static void destroy(SelkiesInstance *instance) {
  Later *later = (Later *)instance;
  pthread_mutex_lock(&later->lock);
  later->ending = 1;
  pthread_cond_broadcast(&later->changed);
  pthread_mutex_unlock(&later->lock);
  pthread_join(later->thread, NULL);
  free(later);
}

static SelkiesStatus configure(SelkiesInstance *instance, const SelkiesEncoderParams *params) {
  (void)instance, (void)params;
  return SELKIES_OK;
}

/* Takes every slab that there is, and says how many that were. */
static SelkiesStatus exhaust(Later *later) {
  SelkiesSlab slabs[64];
  int count = 0;
  while (count < 64 && later->memory->slab(later->host->ctx, 32u << 20, &slabs[count]) == SELKIES_OK) count++;
  for (int at = 0; at < count; at++) later->memory->abandon(later->host->ctx, &slabs[at]);
  return count < 64 ? SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES) : SELKIES_OK;
}

static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
  (void)params;
  Later *later = (Later *)instance;
  if (later->greedy) {
    later->greedy = 0;
    return exhaust(later);
  }
  SelkiesStatus kept = later->memory->retain(later->host->ctx, frame->token);
  if (kept != SELKIES_OK) return kept;
  pthread_mutex_lock(&later->lock);
  later->waiting[later->count++] = *frame;
  pthread_cond_broadcast(&later->changed);
  pthread_mutex_unlock(&later->lock);
  return SELKIES_OK;
}

static SelkiesStatus drain(SelkiesInstance *instance) {
  Later *later = (Later *)instance;
  pthread_mutex_lock(&later->lock);
  later->draining = 1;
  pthread_cond_broadcast(&later->changed);
  while (later->count > 0) pthread_cond_wait(&later->changed, &later->lock);
  later->draining = 0;
  pthread_mutex_unlock(&later->lock);
  return SELKIES_OK;
}

static const SelkiesEncoderV1 ENCODER = {
    .struct_size = sizeof(SelkiesEncoderV1),
    .probe = probe,
    .create = create,
    .destroy = destroy,
    .configure = configure,
    .submit = submit,
    .drain = drain,
};

static const void *query(SelkiesStr id) {
  return id.len == strlen(SELKIES_ID_ENCODER_V1) && !memcmp(id.ptr, SELKIES_ID_ENCODER_V1, id.len) ? &ENCODER : 0;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
    .query = query,
};
