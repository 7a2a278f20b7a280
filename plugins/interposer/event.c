/* ioctls of /dev/input/eventN (linux/input.h), as the kernel's evdev answers them. */
#include "interposer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define BIT(list, at) ((list)[(at) / 8] |= (uint8_t)(1u << ((at) % 8)))

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Answers so many bytes as there is place for. */
static int give(void *argument, size_t size, const void *bytes, size_t length) {
  length = least(size, length);
  memcpy(argument, bytes, length);
  return (int)length;
}

/* Bits go with zeros behind them, as many as the program has place for. */
static int give_bits(void *argument, size_t size, const uint8_t *bits, size_t length) {
  memset(argument, 0, size);
  give(argument, size, bits, length);
  return (int)least(size, length);
}

/* The state with what the program has not read yet: the kernel answers what the device is now. */
static void present(const Handle *handle, Handle *now) {
  *now = *handle;
  uint8_t waiting[16384];
  ssize_t length = recv(handle->fd, waiting, sizeof waiting, MSG_PEEK | MSG_DONTWAIT);
  if (length > 0) learn(now, waiting, (size_t)length);
}

static int kinds_of(const Handle *handle, unsigned kind, void *argument, size_t size) {
  const Config *config = &handle->config;
  uint8_t bits[KEY_CNT / 8] = {0};
  size_t count = 0;
  switch (kind) {
    case 0:
      BIT(bits, EV_SYN), BIT(bits, EV_KEY), BIT(bits, EV_ABS), BIT(bits, EV_FF);
      count = EV_CNT;
      break;
    case EV_KEY:
      for (int i = 0; i < config->buttons; i++)
        if (config->button_map[i] < KEY_CNT) BIT(bits, config->button_map[i]);
      count = KEY_CNT;
      break;
    case EV_ABS:
      for (int i = 0; i < config->axes; i++)
        if (config->axis_map[i] < ABS_CNT) BIT(bits, config->axis_map[i]);
      count = ABS_CNT;
      break;
    case EV_FF:
      BIT(bits, FF_RUMBLE), BIT(bits, FF_GAIN), BIT(bits, FF_PERIODIC);
      BIT(bits, FF_SQUARE), BIT(bits, FF_TRIANGLE), BIT(bits, FF_SINE);
      count = FF_CNT;
      break;
    default: count = least(size * 8, sizeof bits * 8);
  }
  return give_bits(argument, size, bits, (count + 7) / 8);
}

static int axis_of(const Handle *handle, unsigned code, void *argument, size_t size) {
  bool known = false;
  for (int i = 0; i < handle->config.axes; i++) known |= handle->config.axis_map[i] == code;
  if (!known) return -EINVAL;
  Handle now;
  present(handle, &now);
  /* The ranges of Selkies' gamepads. */
  bool hat = code >= ABS_HAT0X && code <= ABS_HAT3Y;
  struct input_absinfo axis = {.value = now.axes[code],
                               .minimum = hat ? -1 : -32767,
                               .maximum = hat ? 1 : 32767,
                               .fuzz = hat ? 0 : 16,
                               .flat = hat ? 0 : 128,
                               .resolution = hat ? 0 : 1};
  give(argument, size, &axis, sizeof axis);
  return 0;
}

int event_ioctl(Handle *handle, unsigned long request, void *argument) {
  const Config *config = &handle->config;
  if (_IOC_TYPE(request) != 'E') return -ENOTTY;
  unsigned number = _IOC_NR(request);
  size_t size = _IOC_SIZE(request);
  int slot = handle->device->slot;
  /* Those whose argument is a number. */
  if (request == EVIOCRMFF) return effect_remove(handle, (int)(intptr_t)argument);
  if (request == EVIOCGRAB || request == EVIOCREVOKE) return 0;
  if (!argument) return -EFAULT;
  if (number >= 0x20 && number < 0x20 + EV_CNT && _IOC_DIR(request) == _IOC_READ)
    return kinds_of(handle, number - 0x20, argument, size);
  if (number >= 0x40 && number < 0x40 + ABS_CNT && _IOC_DIR(request) == _IOC_READ)
    return axis_of(handle, number - 0x40, argument, size);
  char text[64];
  switch (number) {
    case _IOC_NR(EVIOCGVERSION): {
      int version = EV_VERSION;
      give(argument, size, &version, sizeof version);
      return 0;
    }
    case _IOC_NR(EVIOCGID): {
      struct input_id id = {BUS_USB, config->vendor, config->product, config->version};
      give(argument, size, &id, sizeof id);
      return 0;
    }
    case _IOC_NR(EVIOCGNAME(0)): return give(argument, size, config->name, strlen(config->name) + 1);
    case _IOC_NR(EVIOCGPHYS(0)):
      snprintf(text, sizeof text, "virtual/input/selkies_ev%d/phys", slot);
      return give(argument, size, text, strlen(text) + 1);
    case _IOC_NR(EVIOCGUNIQ(0)):
      snprintf(text, sizeof text, "SGVP%04d", slot);
      return give(argument, size, text, strlen(text) + 1);
    case _IOC_NR(EVIOCGPROP(0)): return give_bits(argument, size, (uint8_t[INPUT_PROP_CNT / 8]){0}, INPUT_PROP_CNT / 8);
    case _IOC_NR(EVIOCGKEY(0)): {
      Handle now;
      present(handle, &now);
      return give_bits(argument, size, now.keys, sizeof now.keys);
    }
    case _IOC_NR(EVIOCGLED(0)): return give_bits(argument, size, (uint8_t[LED_CNT / 8]){0}, LED_CNT / 8);
    case _IOC_NR(EVIOCGSND(0)): return give_bits(argument, size, (uint8_t[SND_CNT / 8]){0}, SND_CNT / 8);
    case _IOC_NR(EVIOCGSW(0)): return give_bits(argument, size, (uint8_t[(SW_CNT + 7) / 8]){0}, (SW_CNT + 7) / 8);
    case _IOC_NR(EVIOCSCLOCKID): return 0;
    case _IOC_NR(EVIOCSFF):
      return size < sizeof(struct ff_effect) ? -EINVAL : effect_upload(handle, argument);
    case _IOC_NR(EVIOCGEFFECTS): {
      int effects = EFFECTS;
      give(argument, size, &effects, sizeof effects);
      return 0;
    }
    default: return -EINVAL;
  }
}
