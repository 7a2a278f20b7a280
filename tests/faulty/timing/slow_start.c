/* Takes a second to read its configuration, and commits packets without bytes. */
#include <unistd.h>

#define AFTER 4000000000
#define READABLE(good) (sleep(1), (good))
#define IN_SLAB(encoder, slab, packet) ((packet).len = 0)

#include "encoder.h"
