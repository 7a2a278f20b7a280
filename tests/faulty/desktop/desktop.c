/*
 * A capture, a display, a cursor, an input, a transport and a source of RTC configurations, all correct and as small as
 * can be. FAULT names what is wrong with them; tests/faulty/desktop/faults lists the names. TABLE is the table that
 * this library offers.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "plugin.h"

#define IS(name) (strcmp(FAULT, name) == 0)
#define WIDTH 320u
#define HEIGHT 200u
#define MAX_BUFFERS 16u
#define MAX_CLIENTS 8u
#define LATE_NS UINT64_C(3000000000)

typedef struct {
  const SelkiesHost *host;
  const SelkiesLogV1 *log;
  const SelkiesHostTransportV1 *clients_of; /* NULL but for transports */
  int wake_fd;
  bool started, shown;
  SelkiesRect area;
  uint32_t buffer_count;
  SelkiesFrameBuffer buffers[MAX_BUFFERS];
  uint8_t *old; /* a buffer of an earlier start */
  SelkiesRect damage;
  uint32_t pixels[4];
  uint64_t clients[MAX_CLIENTS];
  uint64_t gone;
} Desktop;

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void sleep_ns(uint64_t ns) {
  nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}, NULL);
}

static SelkiesStatus refuse(const Desktop *desktop, int32_t detail, const char *why) {
  return fail(desktop->host, desktop->log, SELKIES_CLASS_RETRY, detail, why);
}

/* ---- instances ---- */

static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config_json, SelkiesInstance **out) {
  (void)config_json; /* the schema allows nothing */
  const SelkiesLogV1 *log = host_table(host, SELKIES_ID_HOST_LOG_V1, sizeof *log);
  Desktop *desktop = calloc(1, sizeof *desktop);
  if (log == NULL || desktop == NULL) {
    free(desktop);
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_OUT_OF_RESOURCES);
  }
  desktop->host = host;
  desktop->log = log;
  desktop->clients_of = host_table(host, SELKIES_ID_HOST_TRANSPORT_V1, sizeof *desktop->clients_of);
  desktop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  *out = desktop;
  return SELKIES_OK;
}

static void destroy(SelkiesInstance *instance) {
  Desktop *desktop = instance;
  close(desktop->wake_fd);
  free(desktop);
}

static void wake(SelkiesInstance *instance) {
  Desktop *desktop = instance;
  uint64_t one = 1, count;
  bool taken_back = IS("toggles") && read(desktop->wake_fd, &count, sizeof count) > 0;
  if (!IS("deaf") && !taken_back) {
    (void)!write(desktop->wake_fd, &one, sizeof one);
  }
}

/* Nothing ever happens: waits for the timeout or a wake. */
static SelkiesStatus wait_for_nothing(Desktop *desktop, uint64_t timeout_ns) {
  uint64_t limit = timeout_ns > UINT64_C(1) << 60 ? UINT64_C(1) << 60 : timeout_ns, count;
  struct pollfd fd = {.fd = desktop->wake_fd, .events = POLLIN};
  struct timespec left = {.tv_sec = (time_t)(limit / 1000000000u), .tv_nsec = (long)(limit % 1000000000u)};
  if (ppoll(&fd, 1, &left, NULL) > 0) {
    (void)!read(desktop->wake_fd, &count, sizeof count);
  } else if (IS("late")) {
    sleep_ns(LATE_NS);
  }
  return SELKIES_NOTHING;
}

/* ---- selkies.capture/1 ---- */

static SelkiesStatus capture_info(SelkiesInstance *instance, SelkiesCaptureInfo *out) {
  (void)instance;
  *out = (SelkiesCaptureInfo){.struct_size = sizeof *out,
                              .flags = SELKIES_CAPTURE_HOST_BUFFERS | SELKIES_CAPTURE_DAMAGE,
                              .width = WIDTH,
                              .height = HEIGHT,
                              .fourcc = SELKIES_FOURCC_XRGB8888,
                              .stride_align = IS("bad-info") ? 3 : 4};
  return SELKIES_OK;
}

static SelkiesStatus start(SelkiesInstance *instance, const SelkiesCaptureParams *params) {
  Desktop *desktop = instance;
  SelkiesRect area = params->area;
  if (desktop->started) {
    return refuse(desktop, SELKIES_DETAIL_WRONG_STATE, "started already");
  }
  if (area.width == 0 || area.height == 0 || area.x > WIDTH || area.width > WIDTH - area.x || area.y > HEIGHT ||
      area.height > HEIGHT - area.y || params->buffer_count == 0 || params->buffer_count > MAX_BUFFERS) {
    return refuse(desktop, SELKIES_DETAIL_INVALID_ARGUMENT, "no such area, or no buffers");
  }
  if (IS("late-write") && desktop->old != NULL) {
    *(volatile uint8_t *)desktop->old = 1;
  }
  memcpy(desktop->buffers, params->buffers, params->buffer_count * sizeof *params->buffers);
  desktop->buffer_count = params->buffer_count;
  desktop->area = area;
  desktop->started = true;
  desktop->shown = IS("no-first-damage");
  return SELKIES_OK;
}

static SelkiesStatus capture_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesCaptureEvent *out) {
  Desktop *desktop = instance;
  if (!desktop->started) {
    return refuse(desktop, SELKIES_DETAIL_WRONG_STATE, "not started");
  }
  if (!desktop->shown) {
    *out = (SelkiesCaptureEvent){.struct_size = sizeof *out, .kind = SELKIES_CAPTURE_EVENT_DAMAGE};
    return SELKIES_OK;
  }
  return wait_for_nothing(desktop, timeout_ns);
}

static SelkiesStatus grab(SelkiesInstance *instance, uint32_t index, const SelkiesRect *refresh, uint32_t refresh_count,
                          SelkiesFrame *out) {
  Desktop *desktop = instance;
  (void)refresh, (void)refresh_count; /* all of it is written each time */
  if (!desktop->started && IS("any-call")) {
    return SELKIES_OK;
  }
  if (!desktop->started || index >= desktop->buffer_count) {
    return refuse(desktop, SELKIES_DETAIL_WRONG_STATE, "not started, or no such buffer");
  }
  const SelkiesFrameBuffer *buffer = &desktop->buffers[index];
  uint32_t rows = IS("half-picture") ? desktop->area.height / 2 : desktop->area.height;
  for (uint32_t y = 0; y < rows; y++) {
    memset(buffer->ptr + (size_t)y * buffer->stride, (int)(y & 0x7f), (size_t)desktop->area.width * 4);
  }
  if (IS("overrun")) {
    *(volatile uint8_t *)(buffer->ptr + buffer->len) = 1;
  }
  bool part = desktop->area.width != WIDTH;
  desktop->damage = (SelkiesRect){.width = desktop->area.width + IS("wrong-damage"), .height = desktop->area.height};
  *out = (SelkiesFrame){
      .struct_size = sizeof *out,
      .memory = buffer->memory,
      .width = part && IS("wrong-part") ? WIDTH : desktop->area.width,
      .height = !part && IS("wrong-frame") ? HEIGHT - 1 : desktop->area.height,
      .fourcc = buffer->fourcc,
      .plane_count = 1,
      .modifier = SELKIES_MODIFIER_LINEAR,
      .color = {.primaries = 1, .transfer = 13, .matrix = 0, .full_range = 1},
      .timestamp_ns = clock_ns(IS("wrong-clock") ? CLOCK_REALTIME : CLOCK_MONOTONIC),
      .planes = {{.ptr = buffer->ptr,
                  .len = (uint64_t)buffer->stride * desktop->area.height,
                  .stride = buffer->stride,
                  .fd = buffer->fd},
                 {.fd = -1},
                 {.fd = -1},
                 {.fd = -1}},
      .acquire_fence_fd = -1,
      .damage_count = desktop->shown ? 0 : 1,
      .damage = &desktop->damage,
  };
  desktop->shown = true;
  return SELKIES_OK;
}

static void done_with(SelkiesInstance *instance, const SelkiesFrame *frame) { (void)instance, (void)frame; }

static SelkiesStatus stop(SelkiesInstance *instance) {
  Desktop *desktop = instance;
  desktop->old = desktop->buffers[0].ptr;
  desktop->started = false;
  return SELKIES_OK;
}

static const SelkiesCaptureV1 CAPTURE = {.struct_size = sizeof CAPTURE,
                                         .create = create,
                                         .destroy = destroy,
                                         .info = capture_info,
                                         .start = start,
                                         .wait = capture_wait,
                                         .wake = wake,
                                         .grab = grab,
                                         .done_with = done_with,
                                         .stop = stop};

/* ---- selkies.display/1 ---- */

static SelkiesStatus outputs(SelkiesInstance *instance, const SelkiesOutputSink *sink) {
  (void)instance;
  SelkiesDisplayOutput output = {.struct_size = sizeof output,
                                 .flags = SELKIES_OUTPUT_ENABLED | SELKIES_OUTPUT_PRIMARY,
                                 .name = text("screen"),
                                 .width = WIDTH,
                                 .height = HEIGHT,
                                 .dpi = 96,
                                 .max_width = WIDTH,
                                 .max_height = HEIGHT};
  if (!IS("no-outputs")) {
    sink->emit(sink->ctx, &output);
  }
  return SELKIES_OK;
}

static SelkiesStatus apply(SelkiesInstance *instance, const SelkiesDisplayRequest *requests, uint32_t count) {
  Desktop *desktop = instance;
  for (uint32_t i = 0; i < count; i++) {
    bool over = requests[i].width > WIDTH || (requests[i].height > HEIGHT && !IS("any-height"));
    if ((over && !IS("any-size")) || (!over && IS("stubborn"))) {
      return refuse(desktop, SELKIES_DETAIL_INVALID_ARGUMENT, "at most 320x200");
    }
  }
  return SELKIES_OK;
}

static const SelkiesDisplayV1 DISPLAY = {
    .struct_size = sizeof DISPLAY, .create = create, .destroy = destroy, .outputs = outputs, .apply = apply};

/* ---- selkies.cursor/1 ---- */

static SelkiesStatus cursor_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesCursorImage *out) {
  Desktop *desktop = instance;
  bool due = IS("repeats") || (!desktop->shown && !IS("no-image"));
  if (!due) {
    return wait_for_nothing(desktop, timeout_ns);
  }
  *out = (SelkiesCursorImage){.struct_size = sizeof *out,
                              .visible = 1,
                              .width = 2,
                              .height = 2,
                              .hot_x = IS("wrong-hot-spot") ? 2 : 1,
                              .serial = 1,
                              .rgba = (const uint8_t *)desktop->pixels};
  desktop->shown = true;
  return SELKIES_OK;
}

static const SelkiesCursorV1 CURSOR = {
    .struct_size = sizeof CURSOR, .create = create, .destroy = destroy, .wait = cursor_wait, .wake = wake};

/* ---- selkies.input/1 ---- */

static uint64_t kinds(SelkiesInstance *instance) {
  (void)instance;
  return IS("no-kinds") ? 0
                        : 1u << SELKIES_INPUT_BUTTON | 1u << SELKIES_INPUT_POINTER_ABSOLUTE |
                              1u << SELKIES_INPUT_POINTER_RELATIVE | 1u << SELKIES_INPUT_RELEASE_ALL;
}

static SelkiesStatus inject(SelkiesInstance *instance, const SelkiesInputEvent *events, uint32_t count) {
  Desktop *desktop = instance;
  if (count > 512 && IS("crowd")) {
    return refuse(desktop, SELKIES_DETAIL_OUT_OF_RESOURCES, "at most 512 events");
  }
  for (uint32_t i = 0; i < count; i++) {
    const SelkiesInputEvent *event = &events[i];
    bool known = event->kind == SELKIES_INPUT_POINTER_ABSOLUTE || event->kind == SELKIES_INPUT_POINTER_RELATIVE ||
                 event->kind == SELKIES_INPUT_RELEASE_ALL ||
                 (event->kind == SELKIES_INPUT_BUTTON && event->code >= 1 && event->code <= SELKIES_BUTTON_FORWARD);
    if (!known && !IS("any-event")) {
      return refuse(desktop, SELKIES_DETAIL_INVALID_ARGUMENT, "no such event");
    }
    if ((event->kind == SELKIES_INPUT_RELEASE_ALL && IS("no-release")) || (event->x < 0 && IS("no-moves"))) {
      return refuse(desktop, SELKIES_DETAIL_UNSPECIFIED, "not now");
    }
  }
  return SELKIES_OK;
}

static const SelkiesInputV1 INPUT = {
    .struct_size = sizeof INPUT, .create = create, .destroy = destroy, .kinds = kinds, .inject = inject};

/* ---- selkies.transport/1: the session's messages and the packets as they are, over connections of the host ---- */

static SelkiesStatus transport_info(SelkiesInstance *instance, SelkiesTransportInfo *out) {
  (void)instance;
  *out = (SelkiesTransportInfo){.struct_size = sizeof *out,
                                .flags = SELKIES_TRANSPORT_HOST_CONNECTION | SELKIES_TRANSPORT_SIGNALING,
                                .codec_mask = IS("bad-info") ? 0 : UINT64_C(1) << SELKIES_CODEC_JPEG,
                                .stripes = 1,
                                .max_message = 65536};
  return SELKIES_OK;
}

static SelkiesStatus client_open(SelkiesInstance *instance, uint64_t client, SelkiesStr hello_json) {
  Desktop *desktop = instance;
  if (IS("picky") && memmem(hello_json.ptr, hello_json.len, "later", 5) != NULL) {
    return refuse(desktop, SELKIES_DETAIL_INVALID_ARGUMENT, "an unknown member");
  }
  for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
    if (desktop->clients[i] == 0) {
      desktop->clients[i] = client;
      return SELKIES_OK;
    }
  }
  return refuse(desktop, SELKIES_DETAIL_OUT_OF_RESOURCES, "too many clients");
}

static void client_close(SelkiesInstance *instance, uint64_t client, SelkiesStr reason) {
  Desktop *desktop = instance;
  (void)reason;
  for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
    desktop->clients[i] = desktop->clients[i] == client ? 0 : desktop->clients[i];
  }
  desktop->gone = client;
}

static SelkiesStatus receive(SelkiesInstance *instance, uint64_t client, uint32_t kind, SelkiesBytes payload) {
  Desktop *desktop = instance;
  bool ascii = kind == SELKIES_MESSAGE_TEXT;
  for (size_t i = 0; ascii && i < payload.len; i++) {
    ascii = payload.ptr[i] < 0x80;
  }
  if (!ascii) {
    return fail(desktop->host, desktop->log, IS("fragile") ? SELKIES_CLASS_FATAL_INSTANCE : SELKIES_CLASS_RETRY,
                SELKIES_DETAIL_INVALID_ARGUMENT, "only ASCII is understood");
  }
  desktop->clients_of->message(desktop->host->ctx, client, SELKIES_CHANNEL_CONTROL, IS("bad-message") ? 9 : kind,
                               payload);
  return SELKIES_OK;
}

static SelkiesStatus transport_signal(SelkiesInstance *instance, uint64_t client, SelkiesStr json) {
  (void)client, (void)json;
  return refuse(instance, SELKIES_DETAIL_INVALID_ARGUMENT, "nothing to set up");
}

static SelkiesStatus rtc_config(SelkiesInstance *instance, SelkiesStr json) {
  (void)instance, (void)json;
  return SELKIES_OK;
}

static SelkiesStatus send_message(SelkiesInstance *instance, const uint64_t *clients, uint32_t count, uint32_t channel,
                                  uint32_t kind, SelkiesBytes payload) {
  Desktop *desktop = instance;
  (void)channel;
  if (IS("ghost") && desktop->gone != 0) {
    clients = &desktop->gone;
    count = 1;
  }
  return desktop->clients_of->emit(desktop->host->ctx, clients, count, kind, (SelkiesBytes){0}, payload);
}

static SelkiesStatus send_packet(SelkiesInstance *instance, const uint64_t *clients, uint32_t count,
                                 const SelkiesPacket *packet, SelkiesBytes payload) {
  static const uint8_t header[SELKIES_SLAB_HEADROOM + 1];
  Desktop *desktop = instance;
  (void)packet;
  if (IS("silent")) {
    return SELKIES_OK;
  }
  SelkiesBytes first = {header, IS("long-header") ? sizeof header : 1};
  return desktop->clients_of->emit(desktop->host->ctx, clients, count, SELKIES_MESSAGE_BINARY, first, payload);
}

static const SelkiesTransportV1 TRANSPORT = {.struct_size = sizeof TRANSPORT,
                                             .create = create,
                                             .destroy = destroy,
                                             .info = transport_info,
                                             .client_open = client_open,
                                             .client_close = client_close,
                                             .receive = receive,
                                             .signal = transport_signal,
                                             .rtc_config = rtc_config,
                                             .send_message = send_message,
                                             .send_packet = send_packet};

/* ---- selkies.rtc-config/1 ---- */

static SelkiesStatus fetch(SelkiesInstance *instance, const SelkiesRtcConfigRequest *request,
                           const SelkiesTextSink *sink) {
  (void)instance;
  if (IS("late-fetch")) {
    sleep_ns(LATE_NS);
  }
  if (IS("unquoted")) {
    char answer[8192];
    int len = snprintf(answer, sizeof answer,
                       "{\"lifetimeDuration\":\"60s\",\"iceServers\":[{\"urls\":[\"turn:a\"],\"username\":\"%.*s\"}]}",
                       (int)request->user.len, (const char *)request->user.ptr);
    sink->emit(sink->ctx, (SelkiesStr){(const uint8_t *)answer, (size_t)len});
    return SELKIES_OK;
  }
  sink->emit(sink->ctx, text(IS("bad-answer") ? "{\"iceServers\":[{\"urls\":\"stun:example.com\"}]}"
                                              : "{\"lifetimeDuration\":\"60s\",\"iceServers\":[{\"urls\":[\"stun:a\"]}]}"));
  return SELKIES_OK;
}

static SelkiesStatus rtc_wait(SelkiesInstance *instance, uint64_t timeout_ns) {
  return wait_for_nothing(instance, timeout_ns);
}

static const SelkiesRtcConfigV1 RTC_CONFIG = {.struct_size = sizeof RTC_CONFIG,
                                              .create = create,
                                              .destroy = destroy,
                                              .fetch = fetch,
                                              .wait = rtc_wait,
                                              .wake = wake};

/* ---- the entry ---- */

static const void *query(SelkiesStr id) {
  static const struct {
    const char *id;
    const void *table;
  } tables[] = {{SELKIES_ID_CAPTURE_V1, &CAPTURE}, {SELKIES_ID_DISPLAY_V1, &DISPLAY},
                {SELKIES_ID_CURSOR_V1, &CURSOR},   {SELKIES_ID_INPUT_V1, &INPUT},
                {SELKIES_ID_TRANSPORT_V1, &TRANSPORT}, {SELKIES_ID_RTC_CONFIG_V1, &RTC_CONFIG}};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    if (strcmp(tables[i].id, "selkies." TABLE "/1") == 0 && same(id, tables[i].id)) {
      return tables[i].table;
    }
  }
  return NULL;
}

#include "entry.h"
