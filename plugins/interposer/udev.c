/*
 * A stand-in for libudev where no udev runs: it knows the gamepads whose sockets are there and nothing else. Preloaded, or
 * found before the real one, it lets programs that ask udev for gamepads (SDL, Wine) see them come and go.
 *
 * Each gamepad is four devices, as the kernel has them: the USB device, the input device, and its nodes jsN and event100N.
 * Functions and what they answer are those of libudev(3).
 */
#include "interposer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { USB, INPUT, JOYSTICK, EVENT, KINDS };

struct udev {
  int references;
};

struct udev_list_entry {
  struct udev_list_entry *next;
  char name[160];
  char value[64];
};

struct udev_device {
  int references;
  struct udev *udev;
  int kind, slot;
  const char *action;
  struct udev_device *parent;
  char syspath[160], node[32], answer[64];
};

struct udev_enumerate {
  int references;
  struct udev *udev;
  bool input, usb, any;
  struct udev_list_entry *list;
};

struct udev_monitor {
  int references;
  struct udev *udev;
  int fd;
  char folder[108];
};

static void syspath_of(int kind, int slot, char *out, size_t size) {
  const char *root = "/sys/devices/virtual/selkies";
  if (kind == USB) snprintf(out, size, "%s/usb%d", root, slot);
  else if (kind == INPUT) snprintf(out, size, "%s/usb%d/input/input%d", root, slot, 1000 + slot);
  else if (kind == JOYSTICK) snprintf(out, size, "%s/usb%d/input/input%d/js%d", root, slot, 1000 + slot, slot);
  else snprintf(out, size, "%s/usb%d/input/input%d/event%d", root, slot, 1000 + slot, 1000 + slot);
}

static const Device *node_of(int kind, int slot) {
  char path[32];
  if (kind == JOYSTICK) snprintf(path, sizeof path, "/dev/input/js%d", slot);
  else snprintf(path, sizeof path, "/dev/input/event%d", 1000 + slot);
  return device_of(path);
}

static bool is_there(int slot) {
  const Device *device = node_of(EVENT, slot);
  return device && device_is_there(device);
}

/* ---- the library ---- */

EXPORT struct udev *udev_new(void) {
  struct udev *udev = calloc(1, sizeof *udev);
  if (udev) udev->references = 1;
  return udev;
}

#define REFERENCES(type) \
  EXPORT struct type *type##_ref(struct type *it) { \
    if (it) it->references++; \
    return it; \
  }
REFERENCES(udev)
REFERENCES(udev_device)
REFERENCES(udev_enumerate)
REFERENCES(udev_monitor)

EXPORT struct udev *udev_unref(struct udev *udev) {
  if (udev && --udev->references <= 0) free(udev);
  return NULL;
}

EXPORT void *udev_get_userdata(struct udev *udev) { return NULL; }
EXPORT void udev_set_userdata(struct udev *udev, void *data) {}
EXPORT void udev_set_log_priority(struct udev *udev, int priority) {}
EXPORT int udev_get_log_priority(struct udev *udev) { return 0; }
EXPORT void udev_set_log_fn(struct udev *udev, void *function) {}

/* ---- lists ---- */

static bool append(struct udev_list_entry **list, const char *name, const char *value) {
  while (*list) list = &(*list)->next;
  struct udev_list_entry *made = calloc(1, sizeof *made);
  if (!made) return false;
  snprintf(made->name, sizeof made->name, "%s", name);
  snprintf(made->value, sizeof made->value, "%s", value);
  *list = made;
  return true;
}

static void clear(struct udev_list_entry **list) {
  while (*list) {
    struct udev_list_entry *next = (*list)->next;
    free(*list);
    *list = next;
  }
}

EXPORT struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *entry) { return entry ? entry->next : NULL; }
EXPORT const char *udev_list_entry_get_name(struct udev_list_entry *entry) { return entry ? entry->name : NULL; }
EXPORT const char *udev_list_entry_get_value(struct udev_list_entry *entry) { return entry ? entry->value : NULL; }
EXPORT struct udev_list_entry *udev_list_entry_get_by_name(struct udev_list_entry *entry, const char *name) {
  while (entry && strcmp(entry->name, name) != 0) entry = entry->next;
  return entry;
}

/* ---- devices ---- */

static struct udev_device *make(struct udev *udev, int kind, int slot, const char *action) {
  struct udev_device *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  *made = (struct udev_device){.references = 1, .udev = udev, .kind = kind, .slot = slot, .action = action};
  syspath_of(kind, slot, made->syspath, sizeof made->syspath);
  if (kind >= JOYSTICK) snprintf(made->node, sizeof made->node, "%s", node_of(kind, slot)->path);
  return made;
}

EXPORT struct udev_device *udev_device_unref(struct udev_device *device) {
  if (device && --device->references <= 0) {
    udev_device_unref(device->parent);
    free(device);
  }
  return NULL;
}

EXPORT struct udev_device *udev_device_new_from_syspath(struct udev *udev, const char *path) {
  char own[160];
  for (int slot = 0; path && slot < GAMEPADS; slot++)
    for (int kind = 0; kind < KINDS; kind++) {
      syspath_of(kind, slot, own, sizeof own);
      if (strcmp(own, path) == 0 && is_there(slot)) return make(udev, kind, slot, NULL);
    }
  errno = ENODEV;
  return NULL;
}

EXPORT struct udev_device *udev_device_new_from_devnum(struct udev *udev, char type, dev_t number) {
  struct stat node;
  for (int slot = 0; type == 'c' && slot < GAMEPADS; slot++)
    for (int kind = JOYSTICK; kind < KINDS; kind++) {
      device_stat(node_of(kind, slot), &node);
      if (node.st_rdev == number && is_there(slot)) return make(udev, kind, slot, NULL);
    }
  errno = ENODEV;
  return NULL;
}

EXPORT struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem, const char *name) {
  char path[160];
  for (int slot = 0; subsystem && name && slot < GAMEPADS; slot++)
    for (int kind = 0; kind < KINDS; kind++) {
      syspath_of(kind, slot, path, sizeof path);
      if (strcmp(strrchr(path, '/') + 1, name) == 0 && is_there(slot)) return make(udev, kind, slot, NULL);
    }
  errno = ENODEV;
  return NULL;
}

EXPORT struct udev *udev_device_get_udev(struct udev_device *device) { return device ? device->udev : NULL; }
EXPORT const char *udev_device_get_syspath(struct udev_device *device) { return device ? device->syspath : NULL; }
EXPORT const char *udev_device_get_devpath(struct udev_device *device) { return device ? device->syspath + 4 : NULL; }
EXPORT const char *udev_device_get_sysname(struct udev_device *device) { return device ? strrchr(device->syspath, '/') + 1 : NULL; }
EXPORT const char *udev_device_get_devnode(struct udev_device *device) { return device && device->node[0] ? device->node : NULL; }
EXPORT const char *udev_device_get_action(struct udev_device *device) { return device ? device->action : NULL; }
EXPORT const char *udev_device_get_subsystem(struct udev_device *device) { return !device ? NULL : device->kind == USB ? "usb" : "input"; }
EXPORT const char *udev_device_get_devtype(struct udev_device *device) { return device && device->kind == USB ? "usb_device" : NULL; }
EXPORT const char *udev_device_get_driver(struct udev_device *device) { return device && device->kind == USB ? "usb" : NULL; }
EXPORT const char *udev_device_get_sysnum(struct udev_device *device) {
  const char *name = udev_device_get_sysname(device);
  return name ? name + strcspn(name, "0123456789") : NULL;
}
EXPORT int udev_device_get_is_initialized(struct udev_device *device) { return 1; }
EXPORT unsigned long long udev_device_get_seqnum(struct udev_device *device) { return 0; }
EXPORT unsigned long long udev_device_get_usec_since_initialized(struct udev_device *device) { return 1; }
EXPORT int udev_device_has_tag(struct udev_device *device, const char *tag) { return 0; }
EXPORT struct udev_list_entry *udev_device_get_devlinks_list_entry(struct udev_device *device) { return NULL; }
EXPORT struct udev_list_entry *udev_device_get_properties_list_entry(struct udev_device *device) { return NULL; }
EXPORT struct udev_list_entry *udev_device_get_tags_list_entry(struct udev_device *device) { return NULL; }
EXPORT struct udev_list_entry *udev_device_get_sysattr_list_entry(struct udev_device *device) { return NULL; }

EXPORT dev_t udev_device_get_devnum(struct udev_device *device) {
  if (!device || device->kind < JOYSTICK) return 0;
  struct stat node;
  device_stat(node_of(device->kind, device->slot), &node);
  return node.st_rdev;
}

/* Belongs to its child, as in libudev. */
EXPORT struct udev_device *udev_device_get_parent(struct udev_device *device) {
  if (!device || device->kind == USB) return NULL;
  if (!device->parent) device->parent = make(device->udev, device->kind == INPUT ? USB : INPUT, device->slot, NULL);
  return device->parent;
}

EXPORT struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *device, const char *subsystem,
                                                                         const char *type) {
  for (device = udev_device_get_parent(device); device; device = udev_device_get_parent(device)) {
    const char *own = udev_device_get_devtype(device);
    if (subsystem && strcmp(udev_device_get_subsystem(device), subsystem) == 0 && (!type || (own && strcmp(own, type) == 0)))
      return device;
  }
  return NULL;
}

typedef struct {
  const char *name, *value;
} Fact;

static const char *fact(const Fact *facts, const char *name) {
  for (; name && facts->name; facts++)
    if (strcmp(facts->name, name) == 0) return facts->value;
  return NULL;
}

EXPORT const char *udev_device_get_property_value(struct udev_device *device, const char *name) {
  static const Fact NODE[] = {{"ID_INPUT", "1"},
                              {"ID_INPUT_JOYSTICK", "1"},
                              {"ID_BUS", "usb"},
                              {"ID_VENDOR_ID", "045e"},
                              {"ID_MODEL_ID", "028e"},
                              {"ID_REVISION", "0114"},
                              {"ID_MODEL", "Microsoft_X-Box_360_pad"},
                              {"SUBSYSTEM", "input"},
                              {NULL, NULL}};
  static const Fact PARENT[] = {{"ID_INPUT", "1"},
                                {"ID_INPUT_JOYSTICK", "1"},
                                {"NAME", "\"Microsoft X-Box 360 pad\""},
                                {"PRODUCT", "3/45e/28e/114"},
                                {"SUBSYSTEM", "input"},
                                {NULL, NULL}};
  static const Fact ROOT[] = {
      {"ID_VENDOR_ID", "045e"}, {"ID_MODEL_ID", "028e"}, {"PRODUCT", "45e/28e/114"}, {"SUBSYSTEM", "usb"}, {NULL, NULL}};
  if (!device || !name) return NULL;
  if (strcmp(name, "DEVNAME") == 0) return udev_device_get_devnode(device);
  if (strcmp(name, "DEVPATH") == 0) return udev_device_get_devpath(device);
  if (strcmp(name, "ACTION") == 0) return device->action;
  return fact(device->kind == USB ? ROOT : device->kind == INPUT ? PARENT : NODE, name);
}

EXPORT const char *udev_device_get_sysattr_value(struct udev_device *device, const char *name) {
  /* Bits of keys 0x130 to 0x13e, axes 0 to 5, 16 and 17, and effects, as the kernel prints them: words of a long, the highest
   * first. */
  static const Fact WIDE[] = {{"capabilities/ev", "20000b"},
                              {"capabilities/key", "7cdb000000000000 0 0 0 0"},
                              {"capabilities/abs", "3003f"},
                              {"capabilities/rel", "0"},
                              {"capabilities/ff", "107030000 0"},
                              {NULL, NULL}};
  static const Fact NARROW[] = {{"capabilities/ev", "20000b"},
                                {"capabilities/key", "7cdb0000 0 0 0 0 0 0 0 0 0"},
                                {"capabilities/abs", "3003f"},
                                {"capabilities/rel", "0"},
                                {"capabilities/ff", "1 7030000 0 0"},
                                {NULL, NULL}};
  static const Fact PARENT[] = {{"name", "Microsoft X-Box 360 pad"}, {"id/bustype", "0003"}, {"id/vendor", "045e"},
                                {"id/product", "028e"},              {"id/version", "0114"}, {"properties", "0"},
                                {NULL, NULL}};
  static const Fact ROOT[] = {{"idVendor", "045e"},       {"idProduct", "028e"},  {"bcdDevice", "0114"},
                              {"manufacturer", "Microsoft"}, {"product", "X-Box 360 pad"}, {NULL, NULL}};
  if (!device || !name) return NULL;
  if (device->kind == USB) {
    if (strcmp(name, "serial") != 0) return fact(ROOT, name);
  } else if (device->kind == INPUT) {
    const char *found = fact(sizeof(long) == 8 ? WIDE : NARROW, name);
    if (!found) found = fact(PARENT, name);
    if (found || strcmp(name, "uniq") != 0) return found;
  } else {
    if (strcmp(name, "dev") != 0) return NULL;
    dev_t number = udev_device_get_devnum(device);
    snprintf(device->answer, sizeof device->answer, "%u:%u", major(number), minor(number));
    return device->answer;
  }
  snprintf(device->answer, sizeof device->answer, "SGVP%04d", device->slot);
  return device->answer;
}

EXPORT int udev_device_set_sysattr_value(struct udev_device *device, const char *name, const char *value) { return -EPERM; }

/* ---- enumeration ---- */

EXPORT struct udev_enumerate *udev_enumerate_new(struct udev *udev) {
  struct udev_enumerate *made = calloc(1, sizeof *made);
  if (made) *made = (struct udev_enumerate){.references = 1, .udev = udev, .any = true};
  return made;
}

EXPORT struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *all) {
  if (all && --all->references <= 0) {
    clear(&all->list);
    free(all);
  }
  return NULL;
}

EXPORT struct udev *udev_enumerate_get_udev(struct udev_enumerate *all) { return all ? all->udev : NULL; }

EXPORT int udev_enumerate_add_match_subsystem(struct udev_enumerate *all, const char *subsystem) {
  if (!all || !subsystem) return -EINVAL;
  all->any = false;
  all->input |= strcmp(subsystem, "input") == 0;
  all->usb |= strcmp(subsystem, "usb") == 0;
  return 0;
}

/* Programs ask for joysticks by these; whatever is here is one. */
#define PASSES(name, ...) \
  EXPORT int udev_enumerate_add_##name(struct udev_enumerate *all, __VA_ARGS__) { return all ? 0 : -EINVAL; }
PASSES(nomatch_subsystem, const char *a)
PASSES(match_property, const char *a, const char *b)
PASSES(match_sysattr, const char *a, const char *b)
PASSES(nomatch_sysattr, const char *a, const char *b)
PASSES(match_sysname, const char *a)
PASSES(match_tag, const char *a)
PASSES(match_parent, struct udev_device *a)
PASSES(syspath, const char *a)
EXPORT int udev_enumerate_add_match_is_initialized(struct udev_enumerate *all) { return all ? 0 : -EINVAL; }
EXPORT int udev_enumerate_scan_subsystems(struct udev_enumerate *all) { return all ? 0 : -EINVAL; }

EXPORT int udev_enumerate_scan_devices(struct udev_enumerate *all) {
  if (!all) return -EINVAL;
  clear(&all->list);
  char path[160];
  for (int slot = 0; slot < GAMEPADS; slot++)
    for (int kind = 0; kind < KINDS && is_there(slot); kind++) {
      if (!all->any && !(kind == USB ? all->usb : all->input)) continue;
      syspath_of(kind, slot, path, sizeof path);
      if (!append(&all->list, path, "")) return -ENOMEM;
    }
  return 0;
}

EXPORT struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *all) { return all ? all->list : NULL; }

/* ---- hot-plug: sockets that come and go in their folder ---- */

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
      if (strcmp(name, node_of(kind, slot)->socket) == 0) return make(udev, kind, slot, came ? "add" : "remove");
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

/* ---- what else programs look for ---- */

EXPORT void *udev_hwdb_new(struct udev *udev) { return NULL; }
EXPORT void *udev_hwdb_unref(void *hwdb) { return NULL; }
EXPORT struct udev_list_entry *udev_hwdb_get_properties_list_entry(void *hwdb, const char *alias, unsigned flags) { return NULL; }
EXPORT void *udev_queue_new(struct udev *udev) { return NULL; }
EXPORT void *udev_queue_unref(void *queue) { return NULL; }
EXPORT int udev_queue_get_queue_is_empty(void *queue) { return 1; }
EXPORT int udev_queue_get_udev_is_active(void *queue) { return 1; }
EXPORT int udev_util_encode_string(const char *from, char *to, size_t size) {
  return snprintf(to, size, "%s", from) < (int)size ? 0 : -EINVAL;
}
