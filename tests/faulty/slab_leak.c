/* Takes a slab and never gives it back. */
#define AFTER 300
#define AT_FRAME(encoder, frame) ((void)(encoder)->memory->slab((encoder)->host->ctx, 64, &(SelkiesSlab){0}))

#include "encoder.h"
