/* Does not report its frames as finished. */
#define AFTER 300
#define REPORTED(encoder) ((encoder)->frames < (encoder)->after)

#include "encoder.h"
