/* Encodes black instead of the picture that it was given. */
#define AFTER 300
#define IN_SLAB(encoder, slab, packet)                                                                    \
  do {                                                                                                    \
    static const uint8_t black[MAX_EDGE * 4];                                                             \
    JpegImage nothing = {black, 0, (packet).area.width, (packet).area.height};                            \
    (packet).len = jpeg_write(&(encoder)->jpeg, &nothing, false, (slab).ptr, (slab).capacity);            \
  } while (0)

#include "encoder.h"
