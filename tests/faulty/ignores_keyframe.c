/* Gives no keyframe when it is asked for one. */
#define AFTER 2
#define KEYFRAME(encoder, wanted) ((wanted) && (encoder)->frames < (encoder)->after)

#include "encoder.h"
