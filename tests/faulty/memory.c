/* Takes a gigabyte and uses it. */
#include <stdlib.h>
#include <string.h>

#define AFTER 300
#define AT_FRAME(encoder, frame) take_memory()

static void take_memory(void) {
  static void *volatile taken; /* volatile: the compiler must not see that nobody reads it */
  taken = malloc((size_t)1 << 30);
  if (taken != NULL) {
    memset(taken, 0x5a, (size_t)1 << 30);
  }
}

#include "encoder.h"
