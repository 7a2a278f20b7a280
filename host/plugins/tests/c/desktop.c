/*
 * A desktop of numbers: a capture with memory of its own, a display, a cursor, a clipboard that gives back what is offered,
 * an input, gamepads and an RTC configuration. What a child must carry over: pictures that have to be copied, lists, a large
 * cursor, texts, and waits that are woken. The word "crash" in a configuration lets the wait of that instance crash.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manifest.h"
#include "selkies_plugin.h"

#define WIDTH 64
#define HEIGHT 32
#define CURSOR 300

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int woken, crash, waits;
  uint64_t grabs, events, lent;
  uint32_t width, height;
  uint8_t pixels[2][WIDTH * HEIGHT * 4];
  uint8_t cursor[CURSOR * CURSOR * 4];
  SelkiesRect damage;
  uint8_t *clip[2];
  size_t clip_len[2];
  char clip_mime[2][128];
  uint32_t clips;
} Desktop;

static SelkiesStr text(const char *chars) { return (SelkiesStr){(const uint8_t *)chars, strlen(chars)}; }

static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config, SelkiesInstance **out) {
  (void)host;
  char copy[256] = {0};
  memcpy(copy, config.ptr, config.len < 255 ? config.len : 255);
  Desktop *desktop = calloc(1, sizeof *desktop);
  pthread_mutex_init(&desktop->lock, NULL);
  pthread_cond_init(&desktop->changed, NULL);
  desktop->crash = strstr(copy, "crash") != NULL;
  desktop->width = WIDTH;
  desktop->height = HEIGHT;
  *out = (SelkiesInstance *)desktop;
  return SELKIES_OK;
}

static void destroy(SelkiesInstance *instance) {
  Desktop *desktop = (Desktop *)instance;
  for (int at = 0; at < 2; at++) free(desktop->clip[at]);
  free(desktop);
}

/* The first wait answers at once, the others when they are woken or the time has passed. */
static SelkiesStatus await(Desktop *desktop, uint64_t timeout_ns) {
  if (desktop->crash) abort();
  if (desktop->waits++ == 0) return SELKIES_OK;
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  uint64_t seconds = timeout_ns / 1000000000u;
  end.tv_sec += seconds > 1000000 ? 1000000 : (time_t)seconds;
  end.tv_nsec += (long)(timeout_ns % 1000000000u);
  if (end.tv_nsec >= 1000000000) end.tv_nsec -= 1000000000, end.tv_sec++;
  pthread_mutex_lock(&desktop->lock);
  while (!desktop->woken && pthread_cond_timedwait(&desktop->changed, &desktop->lock, &end) == 0) {
  }
  desktop->woken = 0;
  pthread_mutex_unlock(&desktop->lock);
  return SELKIES_NOTHING;
}

static void wake(SelkiesInstance *instance) {
  Desktop *desktop = (Desktop *)instance;
  pthread_mutex_lock(&desktop->lock);
  desktop->woken = 1;
  pthread_cond_broadcast(&desktop->changed);
  pthread_mutex_unlock(&desktop->lock);
}

/* ---- selkies.capture/1 ---- */

static SelkiesStatus info(SelkiesInstance *instance, SelkiesCaptureInfo *out) {
  (void)instance;
  out->flags = SELKIES_CAPTURE_DAMAGE;
  out->width = WIDTH;
  out->height = HEIGHT;
  out->fourcc = SELKIES_FOURCC_XRGB8888;
  return SELKIES_OK;
}

static SelkiesStatus start(SelkiesInstance *instance, const SelkiesCaptureParams *params) {
  (void)instance, (void)params;
  return SELKIES_OK;
}

static SelkiesStatus capture_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesCaptureEvent *out) {
  SelkiesStatus status = await((Desktop *)instance, timeout_ns);
  out->kind = SELKIES_CAPTURE_EVENT_DAMAGE;
  return status;
}

/* At most two frames may be out. */
static SelkiesStatus grab(SelkiesInstance *instance, uint32_t buffer, const SelkiesRect *refresh,
                          uint32_t refresh_count, SelkiesFrame *out) {
  (void)buffer, (void)refresh, (void)refresh_count;
  Desktop *desktop = (Desktop *)instance;
  if (desktop->lent == 2) return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES);
  desktop->lent++;
  uint8_t *pixels = desktop->pixels[desktop->grabs % 2];
  memset(pixels, (int)(100 + desktop->grabs), WIDTH * HEIGHT * 4);
  out->memory = SELKIES_MEMORY_CPU;
  out->width = WIDTH;
  out->height = HEIGHT;
  out->fourcc = SELKIES_FOURCC_XRGB8888;
  out->plane_count = 1;
  out->planes[0].ptr = pixels;
  out->planes[0].len = WIDTH * HEIGHT * 4;
  out->planes[0].stride = WIDTH * 4;
  desktop->damage = (SelkiesRect){1, 2, 3, 4};
  out->flags = desktop->grabs == 0 ? SELKIES_FRAME_FULL_DAMAGE : 0;
  out->damage = &desktop->damage;
  out->damage_count = desktop->grabs == 0 ? 0 : 1;
  desktop->grabs++;
  return SELKIES_OK;
}

static void done_with(SelkiesInstance *instance, const SelkiesFrame *frame) {
  (void)frame;
  ((Desktop *)instance)->lent--;
}

static SelkiesStatus stop(SelkiesInstance *instance) {
  (void)instance;
  return SELKIES_OK;
}

/* ---- selkies.display/1 ---- */

static SelkiesStatus outputs(SelkiesInstance *instance, const SelkiesOutputSink *sink) {
  Desktop *desktop = (Desktop *)instance;
  SelkiesDisplayOutput output = {
      .struct_size = sizeof output,
      .flags = SELKIES_OUTPUT_ENABLED | SELKIES_OUTPUT_PRIMARY,
      .name = text("screen"),
      .width = desktop->width,
      .height = desktop->height,
      .refresh_mhz = 60000,
      .dpi = 96,
      .max_width = 4096,
      .max_height = 4096,
  };
  sink->emit(sink->ctx, &output);
  sink->emit(sink->ctx, &output); /* a second one of that name */
  return SELKIES_OK;
}

static SelkiesStatus apply(SelkiesInstance *instance, const SelkiesDisplayRequest *requests, uint32_t count) {
  Desktop *desktop = (Desktop *)instance;
  for (uint32_t at = 0; at < count; at++) {
    if (requests[at].width > 4096) return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_UNSUPPORTED);
    desktop->width = requests[at].width;
    desktop->height = requests[at].height;
  }
  return SELKIES_OK;
}

/* ---- selkies.cursor/1 ---- */

static SelkiesStatus cursor_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesCursorImage *out) {
  Desktop *desktop = (Desktop *)instance;
  SelkiesStatus status = await(desktop, timeout_ns);
  for (size_t at = 0; at < sizeof desktop->cursor; at++) desktop->cursor[at] = (uint8_t)(at * 7 + at / 256);
  out->visible = 1;
  out->width = CURSOR;
  out->height = CURSOR;
  out->hot_x = 5;
  out->hot_y = 6;
  out->serial = 77;
  out->rgba = desktop->cursor;
  return status;
}

/* ---- selkies.clipboard/1 ---- */

static SelkiesStatus clip_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesClipboardChange *out) {
  Desktop *desktop = (Desktop *)instance;
  SelkiesStatus status = await(desktop, timeout_ns);
  out->selection = SELKIES_SELECTION_PRIMARY;
  out->filled = desktop->clips > 0;
  out->serial = 7;
  return status;
}

static SelkiesStatus clip_formats(SelkiesInstance *instance, const SelkiesClipboardRequest *request,
                                  SelkiesClipboardContentInfo *out, const SelkiesTextSink *sink) {
  Desktop *desktop = (Desktop *)instance;
  /* One bit that the host knows, one that it does not. */
  out->flags = SELKIES_CLIPBOARD_SECRET | 1u << 31;
  if (request->serial != 7) return await(desktop, 60000000000u);
  for (uint32_t at = 0; at < desktop->clips; at++) sink->emit(sink->ctx, text(desktop->clip_mime[at]));
  return SELKIES_OK;
}

static SelkiesStatus clip_read(SelkiesInstance *instance, const SelkiesClipboardRequest *request,
                               const SelkiesBytesSink *sink) {
  Desktop *desktop = (Desktop *)instance;
  for (uint32_t at = 0; at < desktop->clips; at++) {
    const char *mime = desktop->clip_mime[at];
    if (request->mime.len != strlen(mime) || memcmp(request->mime.ptr, mime, request->mime.len)) continue;
    /* It does not look at the limit. */
    sink->emit(sink->ctx, (SelkiesBytes){desktop->clip[at], desktop->clip_len[at]});
    return SELKIES_OK;
  }
  return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_NOT_FOUND);
}

static SelkiesStatus clip_offer(SelkiesInstance *instance, const SelkiesClipboardOffer *offer) {
  Desktop *desktop = (Desktop *)instance;
  const SelkiesClipboardItem *items = offer->items;
  if (offer->selection != SELKIES_SELECTION_CLIPBOARD || offer->count > 2)
    return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_UNSUPPORTED);
  for (uint32_t at = 0; at < offer->count; at++) {
    free(desktop->clip[at]);
    desktop->clip[at] = malloc(items[at].data.len + 1);
    desktop->clip_len[at] = items[at].data.len;
    if (items[at].data.len) memcpy(desktop->clip[at], items[at].data.ptr, items[at].data.len);
    memcpy(desktop->clip_mime[at], items[at].mime.ptr, items[at].mime.len);
    desktop->clip_mime[at][items[at].mime.len] = 0;
  }
  desktop->clips = offer->count;
  return SELKIES_OK;
}

/* ---- selkies.input/1 ---- */

static uint64_t kinds(SelkiesInstance *instance) {
  (void)instance;
  return 0xfe;
}

static SelkiesStatus inject(SelkiesInstance *instance, const SelkiesInputEvent *events, uint32_t count) {
  Desktop *desktop = (Desktop *)instance;
  for (uint32_t at = 0; at < count; at++) {
    if (events[at].kind == SELKIES_INPUT_RELEASE_ALL) {
      /* Says how many texts of which length came, by failing. */
      return desktop->events == 200 * 4000
                 ? SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_NOT_FOUND)
                 : SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_IO);
    }
    desktop->events += events[at].text.len;
  }
  return SELKIES_OK;
}

/* ---- selkies.gamepad/1 ---- */

/* Remembers what came as one number, which the next rumble tells. */
static void mix(Desktop *desktop, uint64_t value) { desktop->events = desktop->events * 31 + value; }

static SelkiesStatus plug(SelkiesInstance *instance, uint32_t slot, const SelkiesGamepadIdentity *identity) {
  Desktop *desktop = (Desktop *)instance;
  if (identity->vendor == 0xdead) return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES);
  mix(desktop, slot + identity->vendor + identity->product + identity->version + identity->bus + identity->flags);
  for (size_t i = 0; i < identity->name.len; i++) mix(desktop, identity->name.ptr[i]);
  for (uint32_t i = 0; i < identity->button_count; i++) mix(desktop, identity->buttons[i]);
  for (uint32_t i = 0; i < identity->axis_count; i++) {
    const SelkiesGamepadAxis *axis = &identity->axes[i];
    mix(desktop, axis->code + (uint32_t)axis->minimum + (uint32_t)axis->maximum * 3 + (uint32_t)axis->rest * 5 +
                     (uint32_t)axis->fuzz * 7 + (uint32_t)axis->flat * 11 + (uint32_t)axis->resolution * 13);
  }
  return SELKIES_OK;
}

static SelkiesStatus unplug(SelkiesInstance *instance, uint32_t slot) {
  mix((Desktop *)instance, slot + 1000);
  return SELKIES_OK;
}

static SelkiesStatus play(SelkiesInstance *instance, const SelkiesGamepadEvent *events, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    mix((Desktop *)instance, events[i].slot + events[i].kind * 3 + events[i].index * 5 + (uint32_t)events[i].value +
                                 events[i].timestamp_ns);
  return SELKIES_OK;
}

static SelkiesStatus gamepad_wait(SelkiesInstance *instance, uint64_t timeout_ns, SelkiesGamepadRumble *out) {
  Desktop *desktop = (Desktop *)instance;
  SelkiesStatus status = await(desktop, timeout_ns);
  if (status != SELKIES_OK) return status;
  out->slot = 3;
  out->strong = (uint16_t)desktop->events;
  out->weak = (uint16_t)(desktop->events >> 16);
  out->duration_ms = (uint32_t)(desktop->events >> 32);
  return SELKIES_OK;
}

/* ---- selkies.rtc-config/1 ---- */

static SelkiesStatus fetch(SelkiesInstance *instance, const SelkiesRtcConfigRequest *request,
                           const SelkiesTextSink *sink) {
  (void)instance, (void)request;
  /* Longer than a message. */
  static char json[65536];
  memset(json, ' ', sizeof json);
  memcpy(json, "{\"iceServers\":[]}", 17);
  sink->emit(sink->ctx, (SelkiesStr){(const uint8_t *)json, sizeof json});
  return SELKIES_OK;
}

static SelkiesStatus rtc_wait(SelkiesInstance *instance, uint64_t timeout_ns) {
  return await((Desktop *)instance, timeout_ns);
}

static const SelkiesCaptureV1 CAPTURE = {
    .struct_size = sizeof(SelkiesCaptureV1), .create = create, .destroy = destroy, .info = info, .start = start,
    .wait = capture_wait, .wake = wake, .grab = grab, .done_with = done_with, .stop = stop};
static const SelkiesDisplayV1 DISPLAY = {
    .struct_size = sizeof(SelkiesDisplayV1), .create = create, .destroy = destroy, .outputs = outputs, .apply = apply};
static const SelkiesCursorV1 CURSORS = {
    .struct_size = sizeof(SelkiesCursorV1), .create = create, .destroy = destroy, .wait = cursor_wait, .wake = wake};
static const SelkiesClipboardV1 CLIPBOARD = {
    .struct_size = sizeof(SelkiesClipboardV1), .create = create, .destroy = destroy, .wait = clip_wait,
    .formats = clip_formats, .read = clip_read, .offer = clip_offer, .wake = wake};
static const SelkiesInputV1 INPUT = {
    .struct_size = sizeof(SelkiesInputV1), .create = create, .destroy = destroy, .kinds = kinds, .inject = inject};
static const SelkiesGamepadV1 PADS = {
    .struct_size = sizeof(SelkiesGamepadV1), .create = create, .destroy = destroy, .plug = plug, .unplug = unplug,
    .inject = play, .wait = gamepad_wait, .wake = wake};
static const SelkiesRtcConfigV1 RTC = {
    .struct_size = sizeof(SelkiesRtcConfigV1), .create = create, .destroy = destroy, .fetch = fetch,
    .wait = rtc_wait, .wake = wake};

static int is(SelkiesStr id, const char *name) { return id.len == strlen(name) && !memcmp(id.ptr, name, id.len); }

static const void *query(SelkiesStr id) {
  if (is(id, SELKIES_ID_CAPTURE_V1)) return &CAPTURE;
  if (is(id, SELKIES_ID_DISPLAY_V1)) return &DISPLAY;
  if (is(id, SELKIES_ID_CURSOR_V1)) return &CURSORS;
  if (is(id, SELKIES_ID_CLIPBOARD_V1)) return &CLIPBOARD;
  if (is(id, SELKIES_ID_INPUT_V1)) return &INPUT;
  if (is(id, SELKIES_ID_GAMEPAD_V1)) return &PADS;
  if (is(id, SELKIES_ID_RTC_CONFIG_V1)) return &RTC;
  return 0;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
    .query = query,
};
