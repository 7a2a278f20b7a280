/* Keeps as many frames as it may, and never gives them back. */
#define AFTER 300
#define MAX_RETAINED 2
#define IN_FRAME(encoder, frame)                                                  \
  if ((encoder)->frames < (uint64_t)(encoder)->after + MAX_RETAINED) {            \
    (void)(encoder)->memory->retain((encoder)->host->ctx, (frame)->token);        \
  }

#include "encoder.h"
