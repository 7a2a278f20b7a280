/* Never returns from submit. */
#include <unistd.h>

#define AFTER 300
#define AT_FRAME(encoder, frame) \
  for (;;) {                     \
    pause();                     \
  }

#include "encoder.h"
