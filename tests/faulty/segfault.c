/* Writes through NULL while it encodes. */
#define AFTER 300
#define AT_FRAME(encoder, frame) (*nowhere = 1)
static volatile int *volatile nowhere;

#include "encoder.h"
