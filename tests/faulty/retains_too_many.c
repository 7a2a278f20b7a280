/* Keeps more frames than it announced. */
#define AFTER 300
#define IN_FRAME(encoder, frame) ((void)(encoder)->memory->retain((encoder)->host->ctx, (frame)->token))

#include "encoder.h"
