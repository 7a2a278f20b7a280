/* Hot-plug: sockets that come and go in their folder. */
#include "udev.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct udev_monitor {
  int references;
  struct udev *udev;
  int fd;
  char folder[108];
};

REFERENCES(udev_monitor)

EXPORT struct udev_monitor *udev_monitor_new_from_netlink(struct udev *udev, const char *name) {
  char path[108];
  struct udev_monitor *made = calloc(1, sizeof *made);
  if (!made || !socket_path(node_of(EVENT, 0), path, sizeof path)) {
    free(made);
    return NULL;
  }
  *strrchr(path, '/') = 0;
  made->references = 1;
  made->udev = udev;
  strcpy(made->folder, path[0] ? path : "/");
  made->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (made->fd < 0) {
    free(made);
    return NULL;
  }
  return made;
}

EXPORT struct udev_monitor *udev_monitor_unref(struct udev_monitor *monitor) {
  if (monitor && --monitor->references <= 0) {
    close(monitor->fd);
    free(monitor);
  }
  return NULL;
}

EXPORT struct udev *udev_monitor_get_udev(struct udev_monitor *monitor) { return monitor ? monitor->udev : NULL; }
EXPORT int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *monitor, const char *subsystem, const char *type) {
  return monitor ? 0 : -EINVAL;
}
EXPORT int udev_monitor_filter_add_match_tag(struct udev_monitor *monitor, const char *tag) { return monitor ? 0 : -EINVAL; }
EXPORT int udev_monitor_filter_update(struct udev_monitor *monitor) { return monitor ? 0 : -EINVAL; }
EXPORT int udev_monitor_filter_remove(struct udev_monitor *monitor) { return monitor ? 0 : -EINVAL; }
EXPORT int udev_monitor_set_receive_buffer_size(struct udev_monitor *monitor, int size) { return monitor ? 0 : -EINVAL; }
EXPORT int udev_monitor_get_fd(struct udev_monitor *monitor) { return monitor ? monitor->fd : -EINVAL; }

EXPORT int udev_monitor_enable_receiving(struct udev_monitor *monitor) {
  if (!monitor) return -EINVAL;
  /* A socket is made, and our host then gives it the mode by which programs may connect: whoever came too early comes again. */
  return inotify_add_watch(monitor->fd, monitor->folder, IN_CREATE | IN_ATTRIB | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM) < 0 ? -errno : 0;
}

/* The device that a socket's name stands for. */
static struct udev_device *told(struct udev *udev, const char *name, bool came) {
  for (int slot = 0; slot < GAMEPADS; slot++)
    for (int kind = JOYSTICK; kind < KINDS; kind++)
      if (strcmp(name, node_of(kind, slot)->socket) == 0) return make_device(udev, kind, slot, came ? "add" : "remove");
  return NULL;
}

/* Reads one event and leaves the others, since programs ask the descriptor whether there are more. A place that is too small
 * for the next event is refused; lengths are multiples of the event's own. */
static bool read_one(int fd, char *out, size_t size) {
  for (size_t place = sizeof(struct inotify_event); place <= size; place += sizeof(struct inotify_event)) {
    if (read(fd, out, place) > 0) return true;
    if (errno != EINVAL) return false;
  }
  return false;
}

EXPORT struct udev_device *udev_monitor_receive_device(struct udev_monitor *monitor) {
  if (!monitor) return NULL;
  struct inotify_event event;
  char bytes[sizeof event + NAME_MAX + 1 + sizeof event];
  while (read_one(monitor->fd, bytes, sizeof bytes)) {
    memcpy(&event, bytes, sizeof event);
    if (event.len == 0) continue;
    bool came = event.mask & (IN_CREATE | IN_ATTRIB | IN_MOVED_TO);
    struct udev_device *device = told(monitor->udev, bytes + sizeof event, came);
    if (device) return device;
  }
  return NULL;
}

