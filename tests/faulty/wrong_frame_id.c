/* Names another frame in its packets. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) ((packet).frame_id += 7)

#include "encoder.h"
