/* The kept plugin, which frees its instances twice. scripts/asan.sh wants it caught although the plugin is not built for it. */
#define _GNU_SOURCE
#include <stdlib.h>

#define free(pointer) (free(pointer), free(pointer))

#include "../source/c/kept.c"
