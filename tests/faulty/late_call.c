/* Calls the host after destroy, by what it kept of an earlier instance. */
#include <stddef.h>

#include "selkies_plugin.h"

#define AFTER 30
#define IN_DESTROY(encoder) (old.log = (encoder)->log, old.ctx = (encoder)->host->ctx)
#define IN_CREATE(encoder) call_late()

static struct {
  const SelkiesLogV1 *log;
  void *ctx;
} old; /* of the last instance that was destroyed */

static void call_late(void) {
  static const uint8_t words[] = "I am late";
  if (old.log != NULL) {
    old.log->log(old.ctx, SELKIES_LEVEL_INFO, (SelkiesStr){words, 4}, (SelkiesStr){words, 9}, (SelkiesStr){words, 0});
  }
}

#include "encoder.h"
