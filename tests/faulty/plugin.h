/* What every plugin here needs: texts, failures, tables of the host. */
#ifndef FAULTY_PLUGIN_H
#define FAULTY_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "selkies_plugin.h"

static SelkiesStr text(const char *chars) {
  return (SelkiesStr){.ptr = (const uint8_t *)chars, .len = strlen(chars)};
}

static bool same(SelkiesStr id, const char *chars) {
  return id.ptr != NULL && id.len == strlen(chars) && memcmp(id.ptr, chars, id.len) == 0;
}

static SelkiesStatus fail(const SelkiesHost *host, const SelkiesLogV1 *log, int32_t status_class, int32_t detail,
                          const char *why) {
  SelkiesStatus status = SELKIES_FAILURE(status_class, detail);
  log->fail(host->ctx, status, text(why));
  return status;
}

/* A table of the host that is as large as this library needs, or NULL. */
static const void *host_table(const SelkiesHost *host, const char *id, size_t size) {
  const uint32_t *table = host->query(host->ctx, text(id));
  return table != NULL && *table >= size ? table : NULL;
}

#endif
