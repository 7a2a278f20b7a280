/*
 * A capture plugin to start from: a picture of one colour that changes every second.
 *
 * `source_*` is what you replace. Tags say who calls: [control] and [media] functions never run at the same time on one
 * instance, [any] functions may run at any time between create and destroy.
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

#define WIDTH 640u
#define HEIGHT 360u
#define PERIOD_NS UINT64_C(1000000000)
#define MAX_BUFFERS 16u

/* The colours in turn: unused, R, G, B from the highest byte down. */
static const uint32_t COLOURS[] = {0xffc02020u, 0xff20c020u, 0xff2020c0u};

typedef struct {
  const SelkiesHost *host;
  const SelkiesLogV1 *log; /* never NULL after create */
  int wake_fd;             /* eventfd; the only field that other threads touch */
  bool running;
  bool shown;              /* whether a colour was grabbed since start */
  uint64_t shown_number;
  uint64_t started_ns;
  SelkiesRect area;
  uint32_t buffer_count;
  SelkiesFrameBuffer buffers[MAX_BUFFERS];
} Source;

/* ---- texts, time and failures ---- */

static SelkiesStr text(const char *chars) {
  return (SelkiesStr){.ptr = (const uint8_t *)chars, .len = strlen(chars)};
}

static bool same(SelkiesStr id, const char *chars) {
  return id.ptr != NULL && id.len == strlen(chars) && memcmp(id.ptr, chars, id.len) == 0;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now); /* the clock of every timestamp of the ABI; cannot fail */
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Tells the host why the calling function fails, and gives the status to return. */
static SelkiesStatus fail(const Source *source, int32_t status_class, int32_t detail, const char *why) {
  SelkiesStatus status = SELKIES_FAILURE(status_class, detail);
  source->log->fail(source->host->ctx, status, text(why));
  return status;
}

/* ---- the source ---- */

/* The number of the colour that is due now. */
static uint64_t source_due(const Source *source) {
  return (now_ns() - source->started_ns) / PERIOD_NS;
}

static void source_draw(const Source *source, const SelkiesFrameBuffer *buffer, uint64_t number) {
  uint32_t pixel = COLOURS[number % (sizeof COLOURS / sizeof COLOURS[0])];
  for (uint32_t y = 0; y < source->area.height; y++) {
    uint8_t *row = buffer->ptr + (size_t)y * buffer->stride;
    for (uint32_t x = 0; x < source->area.width; x++) {
      memcpy(row + (size_t)x * 4, &pixel, sizeof pixel); /* B, G, R, unused in memory (little endian) */
    }
  }
}

/* ---- selkies.capture/1 ---- */

/* [control] The configuration's schema allows no settings, and the host has checked it. */
static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config_json, SelkiesInstance **out) {
  (void)config_json;
  if (host == NULL || host->struct_size < sizeof *host || host->query == NULL || out == NULL) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_INVALID_ARGUMENT);
  }
  const SelkiesLogV1 *log = host->query(host->ctx, text(SELKIES_ID_HOST_LOG_V1));
  if (log == NULL || log->struct_size < sizeof *log || log->log == NULL || log->fail == NULL) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
  }
  Source *source = calloc(1, sizeof *source);
  if (source == NULL) {
    return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES);
  }
  source->host = host;
  source->log = log;
  source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (source->wake_fd < 0) {
    SelkiesStatus status =
        fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "eventfd: no descriptor left");
    free(source);
    return status;
  }
  log->log(host->ctx, SELKIES_LEVEL_INFO, text("example.c-capture"), text("solid colour opened"), text(""));
  *out = source;
  return SELKIES_OK;
}

/* [control] */
static void destroy(SelkiesInstance *instance) {
  Source *source = instance;
  if (source != NULL) {
    close(source->wake_fd);
    free(source);
  }
}

/* [control] */
static SelkiesStatus info(SelkiesInstance *instance, SelkiesCaptureInfo *out) {
  (void)instance;
  *out = (SelkiesCaptureInfo){
      .struct_size = sizeof *out,
      .flags = SELKIES_CAPTURE_HOST_BUFFERS | SELKIES_CAPTURE_DAMAGE,
      .width = WIDTH,
      .height = HEIGHT,
      .fourcc = SELKIES_FOURCC_XRGB8888,
      .stride_align = 4,
  };
  return SELKIES_OK;
}

/* [media] */
static SelkiesStatus start(SelkiesInstance *instance, const SelkiesCaptureParams *params) {
  Source *source = instance;
  if (source->running) {
    return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_WRONG_STATE, "start: the capture runs already");
  }
  SelkiesRect area = params->area;
  if (area.width == 0 || area.height == 0 || area.x > WIDTH || area.width > WIDTH - area.x || area.y > HEIGHT ||
      area.height > HEIGHT - area.y) {
    return fail(source, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_UNSUPPORTED,
                "start: the area is not inside the source");
  }
  if (params->buffer_count == 0 || params->buffer_count > MAX_BUFFERS) {
    return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT, "start: 1 to 16 buffers are needed");
  }
  for (uint32_t i = 0; i < params->buffer_count; i++) {
    const SelkiesFrameBuffer *buffer = &params->buffers[i];
    if (buffer->ptr == NULL || buffer->stride / 4 < area.width ||
        buffer->len < (uint64_t)buffer->stride * area.height) {
      return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT,
                  "start: a buffer is too small for the area");
    }
    source->buffers[i] = *buffer;
  }
  source->buffer_count = params->buffer_count;
  source->area = area;
  source->started_ns = now_ns();
  source->shown = false;
  source->running = true;
  return SELKIES_OK;
}

/* [media] Blocks on the eventfd, so that wake() ends it from any thread, and a wake before it is not lost. */
static SelkiesStatus wait_damage(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesCaptureEvent *out) {
  Source *source = instance;
  if (!source->running) {
    return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_WRONG_STATE, "wait: the capture was not started");
  }
  uint64_t began = now_ns();
  uint64_t give_up = timeout_ns > UINT64_MAX - began ? UINT64_MAX : began + timeout_ns;
  for (;;) {
    if (!source->shown || source_due(source) > source->shown_number) {
      *out = (SelkiesCaptureEvent){.struct_size = sizeof *out, .kind = SELKIES_CAPTURE_EVENT_DAMAGE};
      return SELKIES_OK;
    }
    uint64_t now = now_ns();
    if (now >= give_up) {
      return SELKIES_NOTHING;
    }
    uint64_t until = source->started_ns + (source->shown_number + 1) * PERIOD_NS;
    if (until > give_up) {
      until = give_up;
    }
    uint64_t left = until > now ? until - now : 0;
    struct timespec limit = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
    struct pollfd poll_fd = {.fd = source->wake_fd, .events = POLLIN};
    int ready = ppoll(&poll_fd, 1, &limit, NULL);
    if (ready < 0 && errno != EINTR) {
      return fail(source, SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_IO, "wait: ppoll failed");
    }
    uint64_t count;
    if (ready > 0 && read(source->wake_fd, &count, sizeof count) == (ssize_t)sizeof count) {
      return SELKIES_NOTHING;
    }
  }
}

/* [any] Writing to an eventfd is safe from every thread and does not block. */
static void wake(SelkiesInstance *instance) {
  Source *source = instance;
  uint64_t one = 1;
  ssize_t written = write(source->wake_fd, &one, sizeof one);
  (void)written; /* it fails only when it is rung already */
}

/* [media] */
static SelkiesStatus grab(SelkiesInstance *instance, uint32_t buffer, const SelkiesRect *refresh,
                          uint32_t refresh_count, SelkiesFrame *out) {
  Source *source = instance;
  /* All of it is new with each colour. A source that changes in parts draws the new damage and `refresh`. */
  (void)refresh;
  (void)refresh_count;
  if (!source->running) {
    return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_WRONG_STATE, "grab: the capture was not started");
  }
  if (buffer >= source->buffer_count) {
    return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_INVALID_ARGUMENT, "grab: there is no such buffer");
  }
  const SelkiesFrameBuffer *target = &source->buffers[buffer];
  uint64_t number = source_due(source);
  bool changed = !source->shown || number != source->shown_number;
  source_draw(source, target, number);
  source->shown = true;
  source->shown_number = number;
  *out = (SelkiesFrame){
      .struct_size = sizeof *out,
      .memory = SELKIES_MEMORY_MEMFD,
      .width = source->area.width,
      .height = source->area.height,
      .fourcc = target->fourcc,
      .plane_count = 1,
      .modifier = SELKIES_MODIFIER_LINEAR,
      .color = {.primaries = 1, .transfer = 13, .matrix = 0, .full_range = 1},
      .flags = changed ? SELKIES_FRAME_FULL_DAMAGE : 0, /* no flag and no rectangles: nothing changed */
      .timestamp_ns = now_ns(),
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

/* [media] Only for frames in the plugin's own memory, of which there are none. */
static void done_with(SelkiesInstance *instance, const SelkiesFrame *frame) {
  (void)instance;
  (void)frame;
}

/* [media] */
static SelkiesStatus stop(SelkiesInstance *instance) {
  Source *source = instance;
  if (!source->running) {
    return fail(source, SELKIES_CLASS_RETRY, SELKIES_DETAIL_WRONG_STATE, "stop: the capture was not started");
  }
  source->running = false;
  source->buffer_count = 0;
  return SELKIES_OK;
}

/* Every function of a table must be there. */
static const SelkiesCaptureV1 CAPTURE = {
    .struct_size = sizeof CAPTURE,
    .create = create,
    .destroy = destroy,
    .info = info,
    .start = start,
    .wait = wait_damage,
    .wake = wake,
    .grab = grab,
    .done_with = done_with,
    .stop = stop,
};

/* ---- the entry ---- */

static const char MANIFEST[] =
#include "manifest.inc" /* made from selkies-plugin.json by CMake */
    ;

/* [any] The table with this id, or NULL. No side effects. */
static const void *query(SelkiesStr id) {
  return same(id, SELKIES_ID_CAPTURE_V1) ? &CAPTURE : NULL;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {.ptr = (const uint8_t *)MANIFEST, .len = sizeof MANIFEST - 1},
    .query = query,
};
