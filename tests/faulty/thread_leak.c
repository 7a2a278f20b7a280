/* Leaves a thread behind. */
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#define AFTER 300
#define AT_FRAME(encoder, frame) start_thread()

static void *sleep_for_ever(void *nothing) {
  for (;;) {
    pause();
  }
  return nothing;
}

static void start_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0) {
    pthread_detach(thread);
  }
}

#include "encoder.h"
