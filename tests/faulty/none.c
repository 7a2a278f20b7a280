/* No fault. */
#define AFTER 300

#include "encoder.h"
