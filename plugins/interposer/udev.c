/* The library itself, lists of devices, and what programs look for besides. */
#include "udev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct udev_list_entry {
  struct udev_list_entry *next;
  char name[160];
  char value[64];
};

struct udev_enumerate {
  int references;
  struct udev *udev;
  bool input, usb, any;
  struct udev_list_entry *list;
};

/* ---- the library ---- */

EXPORT struct udev *udev_new(void) {
  struct udev *udev = calloc(1, sizeof *udev);
  if (udev) udev->references = 1;
  return udev;
}

REFERENCES(udev)
REFERENCES(udev_enumerate)

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
    for (int kind = 0; kind < KINDS && gamepad_is_there(slot); kind++) {
      if (!all->any && !(kind == USB ? all->usb : all->input)) continue;
      syspath_of(kind, slot, path, sizeof path);
      if (!append(&all->list, path, "")) return -ENOMEM;
    }
  return 0;
}

EXPORT struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *all) { return all ? all->list : NULL; }

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
