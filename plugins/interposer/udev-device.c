/* What a gamepad's four devices are to programs. */
#include "udev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

struct udev_device {
  int references;
  struct udev *udev;
  int kind, slot;
  const char *action;
  struct udev_device *parent;
  char syspath[160], node[32], answer[64];
};

void syspath_of(int kind, int slot, char *out, size_t size) {
  const char *root = "/sys/devices/virtual/selkies";
  if (kind == USB) snprintf(out, size, "%s/usb%d", root, slot);
  else if (kind == INPUT) snprintf(out, size, "%s/usb%d/input/input%d", root, slot, 1000 + slot);
  else if (kind == JOYSTICK) snprintf(out, size, "%s/usb%d/input/input%d/js%d", root, slot, 1000 + slot, slot);
  else snprintf(out, size, "%s/usb%d/input/input%d/event%d", root, slot, 1000 + slot, 1000 + slot);
}

const Device *node_of(int kind, int slot) {
  char path[32];
  if (kind == JOYSTICK) snprintf(path, sizeof path, "/dev/input/js%d", slot);
  else snprintf(path, sizeof path, "/dev/input/event%d", 1000 + slot);
  return device_of(path);
}

bool gamepad_is_there(int slot) {
  const Device *device = node_of(EVENT, slot);
  return device && device_is_there(device);
}

REFERENCES(udev_device)

struct udev_device *make_device(struct udev *udev, int kind, int slot, const char *action) {
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
      if (strcmp(own, path) == 0 && gamepad_is_there(slot)) return make_device(udev, kind, slot, NULL);
    }
  errno = ENODEV;
  return NULL;
}

EXPORT struct udev_device *udev_device_new_from_devnum(struct udev *udev, char type, dev_t number) {
  struct stat node;
  for (int slot = 0; type == 'c' && slot < GAMEPADS; slot++)
    for (int kind = JOYSTICK; kind < KINDS; kind++) {
      device_stat(node_of(kind, slot), &node);
      if (node.st_rdev == number && gamepad_is_there(slot)) return make_device(udev, kind, slot, NULL);
    }
  errno = ENODEV;
  return NULL;
}

EXPORT struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem, const char *name) {
  char path[160];
  for (int slot = 0; subsystem && name && slot < GAMEPADS; slot++)
    for (int kind = 0; kind < KINDS; kind++) {
      syspath_of(kind, slot, path, sizeof path);
      if (strcmp(strrchr(path, '/') + 1, name) == 0 && gamepad_is_there(slot)) return make_device(udev, kind, slot, NULL);
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
  if (!device->parent) device->parent = make_device(device->udev, device->kind == INPUT ? USB : INPUT, device->slot, NULL);
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

