/* Writes behind its slab. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) ((slab).ptr[(slab).capacity] ^= 0xff)

#include "encoder.h"
