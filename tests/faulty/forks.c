/* Makes a child process that stays. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define AFTER 300
#define AT_FRAME(encoder, frame) make_child()

static void make_child(void) {
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no test leaves it behind */
    for (;;) {
      pause();
    }
  }
}

#include "encoder.h"
