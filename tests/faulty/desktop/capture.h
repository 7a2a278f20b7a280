/* selkies.capture/1 of desktop.c. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "instance.h"

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

#endif
