/* The stat family: the nodes of devices that are not there, and descriptors that are sockets, are character devices. */
#include "interposer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

static void wide(const Device *device, struct stat64 *out) {
  struct stat narrow;
  device_stat(device, &narrow);
  memset(out, 0, sizeof *out);
  out->st_mode = narrow.st_mode;
  out->st_nlink = narrow.st_nlink;
  out->st_uid = narrow.st_uid;
  out->st_gid = narrow.st_gid;
  out->st_ino = narrow.st_ino;
  out->st_blksize = narrow.st_blksize;
  out->st_rdev = narrow.st_rdev;
}

static const Device *there(const Device *device) { return device && device_is_there(device) ? device : NULL; }

static const Device *opened(int fd) {
  Handle *handle = handle_of(fd);
  return handle ? handle->device : NULL;
}

/* `name(arguments)` with `struct kind *out` among them, filled by `fill` where `device` is one. */
#define STAT(name, device, fill, kind, types, names) \
  EXPORT int name types { \
    static int(*real_one) types; \
    const Device *found = device; \
    if (found) { \
      fill(found, out); \
      return 0; \
    } \
    if (!real_one) *(void **)&real_one = next(#name); \
    if (!real_one) { \
      errno = ENOSYS; \
      return -1; \
    } \
    return real_one names; \
  }

#define FAMILY(suffix, kind, fill) \
  STAT(stat##suffix, there(device_of(path)), fill, kind, (const char *path, struct kind *out), (path, out)) \
  STAT(lstat##suffix, there(device_of(path)), fill, kind, (const char *path, struct kind *out), (path, out)) \
  STAT(fstat##suffix, opened(fd), fill, kind, (int fd, struct kind *out), (fd, out)) \
  STAT(fstatat##suffix, there(device_at(folder, path)), fill, kind, \
       (int folder, const char *path, struct kind *out, int flags), (folder, path, out, flags)) \
  /* What programs call that were built with glibc before 2.33. */ \
  STAT(__xstat##suffix, there(device_of(path)), fill, kind, (int version, const char *path, struct kind *out), \
       (version, path, out)) \
  STAT(__lxstat##suffix, there(device_of(path)), fill, kind, (int version, const char *path, struct kind *out), \
       (version, path, out)) \
  STAT(__fxstat##suffix, opened(fd), fill, kind, (int version, int fd, struct kind *out), (version, fd, out)) \
  STAT(__fxstatat##suffix, there(device_at(folder, path)), fill, kind, \
       (int version, int folder, const char *path, struct kind *out, int flags), (version, folder, path, out, flags))

FAMILY(, stat, device_stat)
FAMILY(64, stat64, wide)

static void extended(const Device *device, struct statx *out) {
  struct stat narrow;
  device_stat(device, &narrow);
  memset(out, 0, sizeof *out);
  out->stx_mask = STATX_BASIC_STATS;
  out->stx_mode = (uint16_t)narrow.st_mode;
  out->stx_nlink = 1;
  out->stx_uid = narrow.st_uid;
  out->stx_gid = narrow.st_gid;
  out->stx_ino = narrow.st_ino;
  out->stx_blksize = 4096;
  out->stx_rdev_major = major(narrow.st_rdev);
  out->stx_rdev_minor = minor(narrow.st_rdev);
}

STAT(statx, there(path && path[0] ? device_at(folder, path) : opened(folder)), extended, statx,
     (int folder, const char *path, int flags, unsigned mask, struct statx *out), (folder, path, flags, mask, out))
