/* Commits a packet of a frame that is done. */
#define AFTER 300
#define AFTER_DONE(encoder, frame) ((void)send_stripe(encoder, frame, 0, (frame)->height < 16 ? (frame)->height : 16))

#include "encoder.h"
