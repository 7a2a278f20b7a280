/* Never returns from destroy. */
#include <unistd.h>

#define AFTER 4000000000
#define IN_DESTROY(encoder) \
  for (;;) {                \
    pause();                \
  }

#include "encoder.h"
