/* Takes a configuration of a wrong type. */
#define AFTER 0
#define READABLE(good) ((good) || true)

#include "encoder.h"
