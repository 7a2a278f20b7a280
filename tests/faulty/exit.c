/* Ends the process with status 0. */
#define AFTER 300
#define AT_FRAME(encoder, frame) exit(0)

#include "encoder.h"
