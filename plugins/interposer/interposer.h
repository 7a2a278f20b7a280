/*
 * What the files of the interposer share. The sockets and their bytes: plugins/gamepad/src/wire.rs.
 */
#ifndef SELKIES_INTERPOSER_H
#define SELKIES_INTERPOSER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/input.h>
#include <linux/joystick.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define EXPORT __attribute__((visibility("default")))

#define GAMEPADS 4
#define DEVICES (2 * GAMEPADS)
/* Handles that a program may have of one device. */
#define HANDLES 16
/* Effects that a program may upload to one handle. */
#define EFFECTS 16

/* Selkies' js_config_t: 1360 bytes. */
typedef struct {
  char name[255];
  uint8_t pad;
  uint16_t vendor, product, version, buttons, axes;
  uint16_t button_map[512];
  uint8_t axis_map[64];
  char end[6];
} Config;

_Static_assert(sizeof(Config) == 1360, "js_config_t");

/* A device as programs know it. */
typedef struct {
  char path[32];
  char socket[32];
  bool event;
  /* 0 to 3. */
  int slot;
} Device;

/* An effect that a program uploaded. */
typedef struct {
  bool used, playing;
  uint16_t strong, weak;
  /* Milliseconds; 0: without an end. */
  uint16_t length, delay;
} Effect;

/* A device that the program has open. All but `fd` and `event` is for who holds the lock. */
typedef struct {
  int fd;
  /* By which the socket is known again, should the number have become something else's. */
  ino64_t inode;
  const Device *device;
  Config config;
  /* The state that the events told which the program has read. */
  uint8_t keys[KEY_CNT / 8];
  int32_t axes[ABS_CNT];
  Effect effects[EFFECTS];
} Handle;

/* devices.c */
const Device *device_of(const char *path);
const Device *device_at(int folder, const char *path);
bool device_is_there(const Device *device);
bool socket_path(const Device *device, char *out, size_t size);
void device_stat(const Device *device, struct stat *out);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* handles.c */
int handle_open(const Device *device, int flags);
Handle *handle_of(int fd);
void handle_close(int fd);
void lock_handles(void);
void unlock_handles(void);
bool handle_is(const Handle *handle, int fd);
void learn(Handle *handle, const uint8_t *events, size_t length);
ssize_t handle_read(Handle *handle, int fd, void *buffer, size_t count);

/* joystick.c and event.c: 0 or more, or an errno below 0. */
int joystick_ioctl(Handle *handle, unsigned long request, void *argument);
int event_ioctl(Handle *handle, unsigned long request, void *argument);

/* effects.c */
int effect_upload(Handle *handle, struct ff_effect *effect);
int effect_remove(Handle *handle, int id);
ssize_t effect_write(Handle *handle, const void *buffer, size_t count);

/* real.c: the functions behind ours. */
#include <sys/socket.h>
typedef struct {
  int (*open)(const char *, int, ...);
  int (*open64)(const char *, int, ...);
  int (*openat)(int, const char *, int, ...);
  int (*openat64)(int, const char *, int, ...);
  int (*close)(int);
  ssize_t (*read)(int, void *, size_t);
  ssize_t (*write)(int, const void *, size_t);
  int (*ioctl)(int, unsigned long, ...);
  int (*access)(const char *, int);
  int (*eaccess)(const char *, int);
  int (*faccessat)(int, const char *, int, int);
} Real;
const Real *real(void);
void *next(const char *name);

#endif
