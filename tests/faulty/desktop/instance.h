/* What every instance of desktop.c is: one value for all tables, which waits for nothing until it is woken. */
#ifndef INSTANCE_H
#define INSTANCE_H

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

#endif
