/* Keeps as many frames as it may, fails then, and never returns from destroy. */
#include <unistd.h>

#define AFTER 4000000000
#define MAX_RETAINED 2
#define IN_FRAME(encoder, frame)                                                            \
  if ((encoder)->frames >= (uint64_t)(encoder)->after + MAX_RETAINED) {                     \
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_IO);                \
  }                                                                                         \
  (void)(encoder)->memory->retain((encoder)->host->ctx, (frame)->token)
#define IN_DESTROY(encoder) \
  for (;;) {                \
    pause();                \
  }

#include "encoder.h"
