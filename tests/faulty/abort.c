/* Aborts while it encodes. */
#define AFTER 300
#define AT_FRAME(encoder, frame) abort()

#include "encoder.h"
