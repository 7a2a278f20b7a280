/* Never returns from create. */
#include <unistd.h>

#define AFTER 40
#define IN_CREATE(encoder) \
  for (;;) {               \
    pause();               \
  }

#include "encoder.h"
