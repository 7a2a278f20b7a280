/* Loses a quarter of a megabyte with each frame. */
#include <stdlib.h>
#include <string.h>

#define AFTER 20
#define IN_FRAME(encoder, frame) lose_memory()

static void lose_memory(void) {
  static void *volatile lost; /* volatile: the compiler must not see that nobody reads it */
  lost = malloc((size_t)256 << 10);
  if (lost != NULL) {
    memset(lost, 0x5a, (size_t)256 << 10);
  }
}

#include "encoder.h"
