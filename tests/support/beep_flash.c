/* Flashes a window white and beeps at the same moment, once a second, as long as it lives.
 *
 * Sound is given to PulseAudio ahead of time; its own word for the latency says when it is recorded from the sink, and the
 * window turns white just then. Each pair is printed as "pair N". Arguments: how many pairs. */

#include <X11/Xlib.h>
#include <math.h>
#include <pulse/error.h>
#include <pulse/simple.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RATE = 48000, BLOCK = 480, PERIOD = 100, BEEP = 10, FLASH = 15 };

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void wait_until(double time) {
  struct timespec at = {(time_t)time, (long)((time - (time_t)time) * 1e9)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) {
  }
}

static void fill(Display *display, Window window, unsigned long colour) {
  XSetWindowBackground(display, window, colour);
  XClearWindow(display, window);
  XFlush(display);
}

int main(int argc, char **argv) {
  int pairs = argc > 1 ? atoi(argv[1]) : 20;
  Display *display = XOpenDisplay(NULL);
  if (!display) return 2;
  int screen = DefaultScreen(display);
  unsigned long black = BlackPixel(display, screen), white = WhitePixel(display, screen);
  XSetWindowAttributes attributes = {.override_redirect = True, .background_pixel = black};
  Window window = XCreateWindow(display, RootWindow(display, screen), 0, 0, 320, 320, 0, CopyFromParent, InputOutput,
                                CopyFromParent, CWOverrideRedirect | CWBackPixel, &attributes);
  XMapRaised(display, window);
  XSync(display, False);

  pa_sample_spec format = {.format = PA_SAMPLE_S16LE, .rate = RATE, .channels = 1};
  pa_buffer_attr buffer = {.maxlength = (uint32_t)-1, .tlength = 4 * BLOCK * 2, .prebuf = 0, .minreq = BLOCK * 2};
  int error = 0;
  pa_simple *sound = pa_simple_new(NULL, "beep", PA_STREAM_PLAYBACK, "output", "beep", &format, NULL, &buffer, &error);
  if (!sound) {
    fprintf(stderr, "%s\n", pa_strerror(error));
    return 3;
  }
  int16_t block[BLOCK];
  double flash_at = 0, dark_at = 0;
  for (int n = 0, pair = 0; pair < pairs; n += 1) {
    int phase = n % PERIOD;
    for (int i = 0; i < BLOCK; i += 1) {
      block[i] = phase < BEEP ? (int16_t)(16000 * sin(2 * M_PI * 1000 * (phase * BLOCK + i) / RATE)) : 0;
    }
    if (phase == 0) {
      pa_usec_t latency = pa_simple_get_latency(sound, &error);
      flash_at = now() + latency / 1e6;
      dark_at = flash_at + FLASH * 0.01;
    }
    if (pa_simple_write(sound, block, sizeof block, &error) < 0) return 4;
    /* Writing blocks for a block at most, so the window is late by that at most: what is near is waited for. */
    if (flash_at > 0 && flash_at - now() < 0.01) {
      wait_until(flash_at);
      fill(display, window, white);
      flash_at = 0;
      printf("pair %d\n", pair += 1);
      fflush(stdout);
    } else if (flash_at == 0 && dark_at > 0 && now() >= dark_at) {
      fill(display, window, black);
      dark_at = 0;
    }
  }
  pa_simple_free(sound);
  XCloseDisplay(display);
  return 0;
}
