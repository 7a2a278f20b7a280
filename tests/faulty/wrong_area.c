/* Names an area outside of the frame. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) ((packet).area.x += 16)

#include "encoder.h"
