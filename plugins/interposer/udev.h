/*
 * A stand-in for libudev where no udev runs: it knows the gamepads whose sockets are there and nothing else. Preloaded, or
 * found before the real one, it lets programs that ask udev for gamepads (SDL, Wine) see them come and go.
 *
 * Each gamepad is four devices, as the kernel has them: the USB device, the input device, and its nodes jsN and event100N.
 * Functions and what they answer are those of libudev(3).
 */
#ifndef SELKIES_UDEV_H
#define SELKIES_UDEV_H

#include "interposer.h"

enum { USB, INPUT, JOYSTICK, EVENT, KINDS };

struct udev {
  int references;
};

#define REFERENCES(type) \
  EXPORT struct type *type##_ref(struct type *it) { \
    if (it) it->references++; \
    return it; \
  }

/* udev-device.c */
void syspath_of(int kind, int slot, char *out, size_t size);
const Device *node_of(int kind, int slot);
bool gamepad_is_there(int slot);
struct udev_device *make_device(struct udev *udev, int kind, int slot, const char *action);

#endif
