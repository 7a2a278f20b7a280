/* The kept plugin, whose instances are a word too small: it writes behind them. scripts/asan.sh wants it caught. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>

#define calloc(count, size) calloc(count, (size) - sizeof(uint64_t))

#include "../source/c/kept.c"
