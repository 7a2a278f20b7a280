/* Commits packets without bytes. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet) ((packet).len = 0)

#include "encoder.h"
