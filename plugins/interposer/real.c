/* The functions that ours stand before. */
#include "interposer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static Real functions;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

/* POSIX lets dlsym answer functions; ISO C has no cast for that. */
#define FIND(name) *(void **)&functions.name = next(#name)

static void find(void) {
  FIND(open);
  FIND(open64);
  FIND(openat);
  FIND(openat64);
  FIND(close);
  FIND(read);
  FIND(write);
  FIND(ioctl);
  FIND(access);
  FIND(eaccess);
  FIND(faccessat);
}

const Real *real(void) {
  pthread_once(&once, find);
  return &functions;
}
