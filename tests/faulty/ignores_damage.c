/* Does not encode what changed. */
#define AFTER 300
#define TOUCHED(encoder, damaged) ((damaged) && (encoder)->frames < (encoder)->after)

#include "encoder.h"
