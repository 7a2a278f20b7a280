/* Says that a packet is longer than its slab. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) ((packet).len = (slab).capacity + 1)

#include "encoder.h"
