/* Answers its table for ids that it does not know. */
#define AFTER 0
#define ANSWERS(id) \
  (same(id, SELKIES_ID_LIFECYCLE_V1) || same(id, SELKIES_ID_ENCODER_RATE_V1) ? NULL : (const void *)&ENCODER)

#include "encoder.h"
