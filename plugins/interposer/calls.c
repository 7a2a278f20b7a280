/*
 * The functions of the C library that programs open and use devices by. Each does what the real one does, except for the
 * eight paths of devices.c while their sockets are there, and for descriptors of handles.c.
 */
#include "interposer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A descriptor; or -1 with errno; or -2: not ours. */
static int open_ours(const Device *device, int flags) {
  if (!device || !device_is_there(device)) return -2;
  int fd = handle_open(device, flags);
  if (fd >= 0) return fd;
  say("%s cannot be opened: error %d", device->path, -fd);
  errno = -fd;
  return -1;
}

/* `open` reads a mode only where there is one. */
#define MODE(flags, last) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { \
    va_list arguments; \
    va_start(arguments, last); \
    mode = va_arg(arguments, mode_t); \
    va_end(arguments); \
  }

#define OPEN(name) \
  EXPORT int name(const char *path, int flags, ...) { \
    MODE(flags, flags) \
    int fd = open_ours(device_of(path), flags); \
    return fd != -2 ? fd : real()->name(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
  EXPORT int name(int folder, const char *path, int flags, ...) { \
    MODE(flags, flags) \
    int fd = open_ours(device_at(folder, path), flags); \
    return fd != -2 ? fd : real()->name(folder, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

/* What programs call that were built with _FORTIFY_SOURCE. */
EXPORT int __open_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __open64_2(const char *path, int flags) { return open64(path, flags); }
EXPORT int __openat_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
EXPORT int __openat64_2(int folder, const char *path, int flags) { return openat64(folder, path, flags); }

EXPORT int close(int fd) {
  handle_close(fd);
  return real()->close(fd);
}

EXPORT ssize_t read(int fd, void *buffer, size_t count) {
  Handle *handle = handle_of(fd);
  return handle ? handle_read(handle, fd, buffer, count) : real()->read(fd, buffer, count);
}

EXPORT ssize_t __read_chk(int fd, void *buffer, size_t count, size_t space) {
  if (count > space) __builtin_trap();
  return read(fd, buffer, count);
}

EXPORT ssize_t write(int fd, const void *buffer, size_t count) {
  Handle *handle = handle_of(fd);
  if (!handle) return real()->write(fd, buffer, count);
  lock_handles();
  bool open = handle_is(handle, fd);
  ssize_t written = open ? effect_write(handle, buffer, count) : -1;
  unlock_handles();
  if (!open) errno = EBADF;
  return written;
}

EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  Handle *handle = handle_of(fd);
  /* What is no device's own, such as FIONREAD, a socket answers as well. */
  if (!handle || (_IOC_TYPE(request) != 'j' && _IOC_TYPE(request) != 'E')) return real()->ioctl(fd, request, argument);
  lock_handles();
  int answer = !handle_is(handle, fd) ? -EBADF : handle->device->event ? event_ioctl(handle, request, argument) : joystick_ioctl(handle, request, argument);
  unlock_handles();
  if (answer >= 0) return answer;
  errno = -answer;
  return -1;
}

/* 32-bit programs with 64-bit times. */
EXPORT int __ioctl_time64(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }

/* Whether the mode is one that the node has: read and write. */
static int access_ours(int mode) {
  if (!(mode & X_OK)) return 0;
  errno = EACCES;
  return -1;
}

EXPORT int access(const char *path, int mode) {
  const Device *device = device_of(path);
  return device && device_is_there(device) ? access_ours(mode) : real()->access(path, mode);
}

EXPORT int eaccess(const char *path, int mode) {
  const Device *device = device_of(path);
  return device && device_is_there(device) ? access_ours(mode) : real()->eaccess(path, mode);
}

EXPORT int euidaccess(const char *path, int mode) { return eaccess(path, mode); }

EXPORT int faccessat(int folder, const char *path, int mode, int flags) {
  const Device *device = device_at(folder, path);
  return device && device_is_there(device) ? access_ours(mode) : real()->faccessat(folder, path, mode, flags);
}
