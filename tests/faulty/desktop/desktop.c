/*
 * A capture, a display, a cursor, an input, a transport and a source of RTC configurations, all correct and as small as
 * can be. FAULT names what is wrong with them; tests/faulty/desktop/faults lists the names. TABLE is the table that
 * this library offers.
 */
#define _GNU_SOURCE
#include "capture.h"
#include "transport.h"

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
