/* Takes frames of another size than was agreed. */
#define AFTER 0
#define FITTING(good) ((good) || true)

#include "encoder.h"
