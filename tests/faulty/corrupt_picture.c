/* Spoils the bytes of its packets. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) memset((slab).ptr, 0x55, (packet).len / 2)

#include "encoder.h"
