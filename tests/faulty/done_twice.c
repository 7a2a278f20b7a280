/* Reports a frame twice. */
#define AFTER 300
#define AFTER_DONE(encoder, frame) \
  (encoder)->answer->done((encoder)->host->ctx, \
                          &(SelkiesFrameDone){.struct_size = sizeof(SelkiesFrameDone), .frame_id = (frame)->frame_id})

#include "encoder.h"
