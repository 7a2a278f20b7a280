/* Which paths are devices of ours, and where their sockets are. */
#include "interposer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* linux/major.h */
#define INPUT_MAJOR 13

static Device devices[DEVICES];
static bool logs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void name_devices(void) {
  const char *variable = getenv("JS_LOG");
  logs = variable && variable[0] && strcmp(variable, "0") != 0;
  for (int slot = 0; slot < GAMEPADS; slot++) {
    Device *joystick = &devices[slot], *event = &devices[GAMEPADS + slot];
    snprintf(joystick->path, sizeof joystick->path, "/dev/input/js%d", slot);
    snprintf(joystick->socket, sizeof joystick->socket, "selkies_js%d.sock", slot);
    snprintf(event->path, sizeof event->path, "/dev/input/event%d", 1000 + slot);
    snprintf(event->socket, sizeof event->socket, "selkies_event%d.sock", 1000 + slot);
    event->event = true;
    joystick->slot = event->slot = slot;
  }
}

void say(const char *format, ...) {
  pthread_once(&once, name_devices);
  if (!logs) return;
  int before = errno;
  char line[256];
  int length = snprintf(line, sizeof line, "selkies interposer %d: ", (int)getpid());
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line + length, sizeof line - (size_t)length - 1, format, arguments);
  va_end(arguments);
  strcat(line, "\n");
  ssize_t written = real()->write(STDERR_FILENO, line, strlen(line));
  (void)written;
  errno = before;
}

/* The device with this path, or NULL. */
const Device *device_of(const char *path) {
  /* Every path that a program opens comes by here. */
  if (!path || strncmp(path, "/dev/input/", 11) != 0) return NULL;
  pthread_once(&once, name_devices);
  for (int i = 0; i < DEVICES; i++)
    if (strcmp(path, devices[i].path) == 0) return &devices[i];
  return NULL;
}

/* The same for a path beginning at a folder that is open. */
const Device *device_at(int folder, const char *path) {
  if (!path || path[0] == '/' || folder == AT_FDCWD) return device_of(path);
  if (strncmp(path, "js", 2) != 0 && strncmp(path, "event", 5) != 0 && strncmp(path, "input/", 6) != 0) return NULL;
  char link[64], full[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  ssize_t length = readlink(link, full, sizeof full - 1);
  if (length <= 0 || (size_t)length + strlen(path) + 2 > sizeof full) return NULL;
  full[length] = '/';
  strcpy(full + length + 1, path);
  return device_of(full);
}

/* Where the sockets are: what SELKIES_JS_SOCKET_PATH says, or where both sides look without it. */
bool socket_path(const Device *device, char *out, size_t size) {
  const char *folder = getenv("SELKIES_JS_SOCKET_PATH");
  if (!folder || !folder[0]) folder = getenv("XDG_RUNTIME_DIR");
  struct stat found;
  if (!folder || folder[0] != '/' || stat(folder, &found) != 0 || !S_ISDIR(found.st_mode)) folder = "/tmp";
  int length = snprintf(out, size, "%s/%s", folder, device->socket);
  return length > 0 && (size_t)length < size;
}

bool device_is_there(const Device *device) {
  char path[108];
  int before = errno;
  bool there = socket_path(device, path, sizeof path) && real()->access(path, R_OK | W_OK) == 0;
  errno = before;
  return there;
}

/* What the device's node is to a program. */
void device_stat(const Device *device, struct stat *out) {
  memset(out, 0, sizeof *out);
  out->st_mode = S_IFCHR | 0660;
  out->st_nlink = 1;
  out->st_uid = geteuid();
  out->st_gid = getegid();
  out->st_ino = (ino_t)(0x5e1c0000 + (device->event ? 1000 : 0) + device->slot);
  out->st_blksize = 4096;
  /* Numbers that the kernel gives to joysticks and, of the extended ones, to no other event device. */
  out->st_rdev = makedev(INPUT_MAJOR, (unsigned)(device->event ? 1064 + device->slot : device->slot));
}
