/*
 * A plugin whose binary is kept, so that every later host is tried with it. It uses as much of the ABI as a capture and
 * an encoder can, and does what host/plugins/tests/kept.rs asks of every kept plugin:
 *
 * capture   32x16 pixels. Every byte of the picture of the n-th grab is `first` + n - 1. Damage once after start; then
 *           a wait ends by its timeout or by wake.
 * encoder   one packet per frame: the frame's number, the sum of the picture's bytes and the quality, 8 bytes each,
 *           little endian. Quality by `create`, `configure` and `selkies.encoder.rate/1`. Counts "frames".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "selkies_plugin.h"

#define WIDTH 32u
#define HEIGHT 16u
#define MAX_EDGE 4096u
#define MAX_BUFFERS 16u
#define PAYLOAD 24u

static const uint32_t FORMATS[] = {SELKIES_FOURCC_XRGB8888};

/* ---- what both kinds need ---- */

typedef struct {
  const SelkiesHost *host;
  const SelkiesLogV1 *log;
  const SelkiesClockV1 *clock;
  const SelkiesMetricsV1 *metrics;
} Services;

static SelkiesStr text(const char *chars) {
  return (SelkiesStr){.ptr = (const uint8_t *)chars, .len = strlen(chars)};
}

static bool same(SelkiesStr id, const char *chars) {
  return id.len == strlen(chars) && memcmp(id.ptr, chars, id.len) == 0;
}

static SelkiesStatus fail(const Services *services, int32_t status_class, int32_t detail, const char *why) {
  SelkiesStatus status = SELKIES_FAILURE(status_class, detail);
  services->log->fail(services->host->ctx, status, text(why));
  return status;
}

/* A table of the host, NULL when it is missing or smaller than this plugin knows it. */
static const void *offered(const SelkiesHost *host, const char *id, size_t size) {
  const uint32_t *table = host->query(host->ctx, text(id));
  return table != NULL && *table >= size ? table : NULL;
}

static bool open_services(Services *services, const SelkiesHost *host) {
  if (host == NULL || host->struct_size < sizeof *host || host->query == NULL) {
    return false;
  }
  *services = (Services){
      .host = host,
      .log = offered(host, SELKIES_ID_HOST_LOG_V1, sizeof(SelkiesLogV1)),
      .clock = offered(host, SELKIES_ID_HOST_CLOCK_V1, sizeof(SelkiesClockV1)),
      .metrics = offered(host, SELKIES_ID_HOST_METRICS_V1, sizeof(SelkiesMetricsV1)),
  };
  return services->log != NULL && services->clock != NULL && services->metrics != NULL;
}

/* ---- selkies.lifecycle/1 ---- */

static SelkiesStatus init(const SelkiesHost *host) {
  Services services;
  if (!open_services(&services, host)) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_PLUGIN, SELKIES_DETAIL_UNSUPPORTED);
  }
  services.log->log(host->ctx, SELKIES_LEVEL_INFO, text("kept"), text("kept plugin begins"), text("{\"kept\":1}"));
  return SELKIES_OK;
}

static void set_log_level(uint32_t level) {
  (void)level; /* it logs one line */
}

static const SelkiesLifecycleV1 LIFECYCLE = {
    .struct_size = sizeof LIFECYCLE,
    .init = init,
    .set_log_level = set_log_level,
};

/* ---- selkies.capture/1 ---- */

typedef struct {
  Services services;
  int wake_fd;
  bool running;
  bool seen;
  uint8_t next;
  SelkiesRect area;
  uint32_t buffer_count;
  SelkiesFrameBuffer buffers[MAX_BUFFERS];
} Source;

/* The number `first` of the configuration, which the host has checked against the schema. */
static uint8_t first_of(SelkiesStr config) {
  static const char NAME[] = "\"first\"";
  const uint8_t *at = config.len == 0 ? NULL : memmem(config.ptr, config.len, NAME, sizeof NAME - 1);
  if (at == NULL) {
    return 1;
  }
  unsigned value = 0;
  for (at += sizeof NAME - 1; at < config.ptr + config.len && *at != ',' && *at != '}'; at++) {
    if (*at >= '0' && *at <= '9') {
      value = value * 10 + (*at - '0');
    }
  }
  return (uint8_t)value;
}

static SelkiesStatus capture_create(const SelkiesHost *host, SelkiesStr config, SelkiesInstance **out) {
  Services services;
  if (!open_services(&services, host)) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
  }
  Source *source = calloc(1, sizeof *source);
  int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (source == NULL || wake_fd < 0) {
    free(source);
    if (wake_fd >= 0) {
      close(wake_fd);
    }
    return fail(&services, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "create: no memory or descriptor");
  }
  source->services = services;
  source->wake_fd = wake_fd;
  source->next = first_of(config);
  *out = source;
  return SELKIES_OK;
}

static void capture_destroy(SelkiesInstance *instance) {
  Source *source = instance;
  close(source->wake_fd);
  free(source);
}

static SelkiesStatus info(SelkiesInstance *instance, SelkiesCaptureInfo *out) {
  (void)instance;
  *out = (SelkiesCaptureInfo){
      .struct_size = sizeof *out,
      .flags = SELKIES_CAPTURE_HOST_BUFFERS | SELKIES_CAPTURE_DAMAGE,
      .width = WIDTH,
      .height = HEIGHT,
      .fourcc = SELKIES_FOURCC_XRGB8888,
      .stride_align = 64,
  };
  return SELKIES_OK;
}

static SelkiesStatus start(SelkiesInstance *instance, const SelkiesCaptureParams *params) {
  Source *source = instance;
  SelkiesRect area = params->area;
  if (source->running) {
    return fail(&source->services, SELKIES_CLASS_RETRY, SELKIES_DETAIL_WRONG_STATE, "start: it runs already");
  }
  if (area.width == 0 || area.height == 0 || area.x > WIDTH || area.width > WIDTH - area.x || area.y > HEIGHT ||
      area.height > HEIGHT - area.y) {
    return fail(&source->services, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_UNSUPPORTED, "start: outside of it");
  }
  if (params->buffer_count == 0 || params->buffer_count > MAX_BUFFERS) {
    return fail(&source->services, SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT, "start: 1 to 16 buffers");
  }
  memcpy(source->buffers, params->buffers, params->buffer_count * sizeof *params->buffers);
  source->buffer_count = params->buffer_count;
  source->area = area;
  source->seen = false;
  source->running = true;
  return SELKIES_OK;
}

static SelkiesStatus wait_damage(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesCaptureEvent *out) {
  Source *source = instance;
  if (!source->seen) {
    *out = (SelkiesCaptureEvent){.struct_size = sizeof *out, .kind = SELKIES_CAPTURE_EVENT_DAMAGE};
    return SELKIES_OK;
  }
  struct timespec limit = {.tv_sec = (time_t)(timeout_ns / 1000000000u), .tv_nsec = (long)(timeout_ns % 1000000000u)};
  struct pollfd poll_fd = {.fd = source->wake_fd, .events = POLLIN};
  if (ppoll(&poll_fd, 1, timeout_ns == UINT64_MAX ? NULL : &limit, NULL) < 0 && errno != EINTR) {
    return fail(&source->services, SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_IO, "wait: ppoll");
  }
  uint64_t count;
  ssize_t got = read(source->wake_fd, &count, sizeof count);
  (void)got; /* not rung: the time passed */
  return SELKIES_NOTHING;
}

static void wake(SelkiesInstance *instance) {
  uint64_t one = 1;
  ssize_t written = write(((Source *)instance)->wake_fd, &one, sizeof one);
  (void)written; /* rung already */
}

static SelkiesStatus grab(SelkiesInstance *instance, uint32_t buffer, const SelkiesRect *refresh,
                          uint32_t refresh_count, SelkiesFrame *out) {
  Source *source = instance;
  (void)refresh, (void)refresh_count; /* all of it is drawn each time */
  if (!source->running || buffer >= source->buffer_count) {
    return fail(&source->services, SELKIES_CLASS_RETRY, SELKIES_DETAIL_WRONG_STATE, "grab: no such buffer now");
  }
  const SelkiesFrameBuffer *target = &source->buffers[buffer];
  for (uint32_t y = 0; y < source->area.height; y++) {
    memset(target->ptr + (size_t)y * target->stride, source->next, (size_t)source->area.width * 4);
  }
  source->next++;
  source->seen = true;
  *out = (SelkiesFrame){
      .struct_size = sizeof *out,
      .memory = SELKIES_MEMORY_MEMFD,
      .width = source->area.width,
      .height = source->area.height,
      .fourcc = target->fourcc,
      .plane_count = 1,
      .modifier = SELKIES_MODIFIER_LINEAR,
      .color = {.primaries = 1, .transfer = 13, .matrix = 0, .full_range = 1},
      .flags = SELKIES_FRAME_FULL_DAMAGE,
      .timestamp_ns = source->services.clock->now_ns(source->services.host->ctx),
      .planes = {{.ptr = target->ptr,
                  .len = (uint64_t)target->stride * source->area.height,
                  .stride = target->stride,
                  .fd = target->fd},
                 {.fd = -1},
                 {.fd = -1},
                 {.fd = -1}},
      .acquire_fence_fd = -1,
  };
  return SELKIES_OK;
}

static void done_with(SelkiesInstance *instance, const SelkiesFrame *frame) {
  (void)instance, (void)frame; /* it has no memory of its own */
}

static SelkiesStatus stop(SelkiesInstance *instance) {
  Source *source = instance;
  source->running = false;
  source->buffer_count = 0;
  return SELKIES_OK;
}

static const SelkiesCaptureV1 CAPTURE = {
    .struct_size = sizeof CAPTURE,
    .create = capture_create,
    .destroy = capture_destroy,
    .info = info,
    .start = start,
    .wait = wait_damage,
    .wake = wake,
    .grab = grab,
    .done_with = done_with,
    .stop = stop,
};

/* ---- selkies.encoder/1 and selkies.encoder.rate/1 ---- */

typedef struct {
  Services services;
  const SelkiesMemoryV1 *memory;
  const SelkiesHostEncoderV1 *answers;
  uint64_t quality;
} Encoder;

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config, const SelkiesCapsSink *sink) {
  (void)host, (void)config;
  SelkiesEncoderCaps caps = {
      .struct_size = sizeof caps,
      .flags = SELKIES_ENCODER_INTRA_ONLY,
      .name = text("kept"),
      .codec = SELKIES_CODEC_NULL,
      .memory_mask = 1u << SELKIES_MEMORY_CPU | 1u << SELKIES_MEMORY_MEMFD,
      .fourccs = FORMATS,
      .fourcc_count = 1,
      .chroma_mask = SELKIES_CHROMA_444,
      .rate_mask = 1u << SELKIES_RATE_QUALITY,
      .depth = 1,
      .max_width = MAX_EDGE,
      .max_height = MAX_EDGE,
      .quality_min = 1,
      .quality_max = 100,
      .bit_depth_mask = 1u << 8,
  };
  sink->emit(sink->ctx, &caps);
  return SELKIES_OK;
}

static SelkiesStatus configure(SelkiesInstance *instance, const SelkiesEncoderParams *params) {
  Encoder *encoder = instance;
  if (params->width > MAX_EDGE || params->height > MAX_EDGE || params->codec != SELKIES_CODEC_NULL) {
    return fail(&encoder->services, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_UNSUPPORTED, "configure: not these");
  }
  encoder->quality = params->quality;
  return SELKIES_OK;
}

static SelkiesStatus encoder_create(const SelkiesHost *host, SelkiesStr config, const SelkiesEncoderParams *params,
                                    SelkiesInstance **out) {
  (void)config;
  Services services;
  if (!open_services(&services, host)) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
  }
  Encoder *encoder = calloc(1, sizeof *encoder);
  if (encoder == NULL) {
    return fail(&services, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "create: no memory");
  }
  encoder->services = services;
  encoder->memory = offered(host, SELKIES_ID_HOST_MEMORY_V1, sizeof *encoder->memory);
  encoder->answers = offered(host, SELKIES_ID_HOST_ENCODER_V1, sizeof *encoder->answers);
  SelkiesStatus status = SELKIES_OK;
  if (encoder->memory == NULL || encoder->answers == NULL) {
    status = fail(&services, SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED, "create: no memory table");
  } else {
    status = configure(encoder, params);
  }
  if (status != SELKIES_OK) {
    free(encoder);
    return status;
  }
  *out = encoder;
  return SELKIES_OK;
}

static void encoder_destroy(SelkiesInstance *instance) { free(instance); }

static void put(uint8_t *to, uint64_t value) {
  for (int i = 0; i < 8; i++) {
    to[i] = (uint8_t)(value >> (8 * i));
  }
}

static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
  Encoder *encoder = instance;
  void *ctx = encoder->services.host->ctx;
  (void)params; /* every packet is a keyframe */
  const SelkiesPlane *plane = &frame->planes[0];
  if (plane->ptr == NULL || plane->len < (uint64_t)plane->stride * (frame->height - 1) + (uint64_t)frame->width * 4) {
    return fail(&encoder->services, SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT, "submit: no such memory");
  }
  uint64_t sum = 0;
  for (uint32_t y = 0; y < frame->height; y++) {
    for (uint32_t x = 0; x < frame->width * 4; x++) {
      sum += plane->ptr[plane->offset + (uint64_t)y * plane->stride + x];
    }
  }
  /* One slab too many, to give it back. */
  SelkiesSlab slab;
  SelkiesStatus status = encoder->memory->slab(ctx, 1, &slab);
  if (status != SELKIES_OK) {
    return status;
  }
  encoder->memory->abandon(ctx, &slab);
  status = encoder->memory->slab(ctx, PAYLOAD, &slab);
  if (status != SELKIES_OK) {
    return status;
  }
  put(slab.ptr, frame->frame_id);
  put(slab.ptr + 8, sum);
  put(slab.ptr + 16, encoder->quality);
  SelkiesPacket packet = {
      .struct_size = sizeof packet,
      .codec = SELKIES_CODEC_NULL,
      .flags = SELKIES_PACKET_KEY | SELKIES_PACKET_INTRA | SELKIES_PACKET_LAST,
      .len = PAYLOAD,
      .frame_id = frame->frame_id,
      .timestamp_ns = frame->timestamp_ns,
      .area = {.width = frame->width, .height = frame->height},
  };
  status = encoder->memory->commit(ctx, &slab, &packet);
  if (status != SELKIES_OK) {
    return status;
  }
  encoder->services.metrics->counter_add(ctx, text("frames"), 1);
  encoder->services.metrics->gauge_set(ctx, text("quality"), (double)encoder->quality);
  SelkiesFrameDone done = {.struct_size = sizeof done, .status = SELKIES_OK, .frame_id = frame->frame_id};
  encoder->answers->done(ctx, &done);
  return SELKIES_OK;
}

static SelkiesStatus drain(SelkiesInstance *instance) {
  (void)instance;
  return SELKIES_OK; /* nothing is ever in flight */
}

static SelkiesStatus set_rate(SelkiesInstance *instance, const SelkiesEncoderRate *rate) {
  Encoder *encoder = instance;
  if (rate->quality != SELKIES_UNSET) {
    encoder->quality = rate->quality;
  }
  return SELKIES_OK;
}

static const SelkiesEncoderV1 ENCODER = {
    .struct_size = sizeof ENCODER,
    .probe = probe,
    .create = encoder_create,
    .destroy = encoder_destroy,
    .configure = configure,
    .submit = submit,
    .drain = drain,
};

static const SelkiesEncoderRateV1 RATE = {.struct_size = sizeof RATE, .set = set_rate};

/* ---- the entry ---- */

static const char MANIFEST[] =
#include "manifest.inc" /* made from selkies-plugin.json by the build */
    ;

static const void *query(SelkiesStr id) {
  if (same(id, SELKIES_ID_CAPTURE_V1)) return &CAPTURE;
  if (same(id, SELKIES_ID_ENCODER_V1)) return &ENCODER;
  if (same(id, SELKIES_ID_ENCODER_RATE_V1)) return &RATE;
  if (same(id, SELKIES_ID_LIFECYCLE_V1)) return &LIFECYCLE;
  return NULL;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {.ptr = (const uint8_t *)MANIFEST, .len = sizeof MANIFEST - 1},
    .query = query,
};
