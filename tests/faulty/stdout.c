/* Writes to standard output. */
#include <unistd.h>

#define AFTER 300
#define AT_FRAME(encoder, frame) ((void)!write(1, "frame\n", 6))

#include "encoder.h"
