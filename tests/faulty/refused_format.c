/* Offers a format that it refuses. */
#define AFTER 0
#define FORMATS SELKIES_FOURCC_XRGB8888, SELKIES_FOURCC_ARGB8888, SELKIES_FOURCC_NV12

#include "encoder.h"
