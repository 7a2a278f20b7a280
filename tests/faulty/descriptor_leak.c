/* Opens a file with each instance and never closes it. */
#define _GNU_SOURCE
#include <fcntl.h>

#define AFTER 20
#define IN_CREATE(encoder) ((void)open("/dev/null", O_RDONLY | O_CLOEXEC))

#include "encoder.h"
