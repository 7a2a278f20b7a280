/* Keeps each frame until the next one comes. */
#include <stdint.h>

/* The frame of the one instance that has frames. */
static uint64_t kept;

#define AFTER 1
#define MAX_RETAINED 2
#define IN_FRAME(encoder, frame)                                    \
  release_last(encoder);                                            \
  (void)(encoder)->memory->retain((encoder)->host->ctx, (frame)->token); \
  kept = (frame)->token
#define IN_DESTROY(encoder) release_last(encoder)
#define release_last(encoder)                                       \
  if (kept != 0) {                                                  \
    (void)(encoder)->memory->release((encoder)->host->ctx, kept);   \
    kept = 0;                                                       \
  }

#include "encoder.h"
