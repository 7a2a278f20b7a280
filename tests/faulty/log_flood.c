/* Logs a thousand lines a frame. */
#define AFTER 300
#define IN_FRAME(encoder, frame)                                                                             \
  for (int line = 0; line < 1000; line++) {                                                                  \
    (encoder)->log->log((encoder)->host->ctx, SELKIES_LEVEL_WARN, text("faulty"), text("again"), text(""));  \
  }

#include "encoder.h"
