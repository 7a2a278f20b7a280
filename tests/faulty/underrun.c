/* Writes into the host's bytes before its slab. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) ((slab).ptr[-1] ^= 0xff)

#include "encoder.h"
