/* ioctls of /dev/input/jsN (linux/joystick.h), as the kernel's joydev answers them. */
#include "interposer.h"

#include <errno.h>
#include <string.h>

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

int joystick_ioctl(Handle *handle, unsigned long request, void *argument) {
  const Config *config = &handle->config;
  if (_IOC_TYPE(request) != 'j') return -ENOTTY;
  if (!argument) return -EFAULT;
  size_t size = _IOC_SIZE(request);
  switch (_IOC_NR(request)) {
    case _IOC_NR(JSIOCGVERSION): {
      uint32_t version = JS_VERSION;
      memcpy(argument, &version, least(size, sizeof version));
      return 0;
    }
    case _IOC_NR(JSIOCGAXES): *(uint8_t *)argument = (uint8_t)config->axes; return 0;
    case _IOC_NR(JSIOCGBUTTONS): *(uint8_t *)argument = (uint8_t)(config->buttons > 255 ? 255 : config->buttons); return 0;
    case _IOC_NR(JSIOCGNAME(0)): {
      size_t length = least(size, strlen(config->name) + 1);
      memcpy(argument, config->name, length);
      return (int)length;
    }
    case _IOC_NR(JSIOCGCORR): {
      /* One for each axis, without a correction: values come scaled. */
      memset(argument, 0, sizeof(struct js_corr) * config->axes);
      return 0;
    }
    case _IOC_NR(JSIOCSCORR): return 0;
    case _IOC_NR(JSIOCGAXMAP): {
      size_t length = least(size, sizeof config->axis_map);
      memcpy(argument, config->axis_map, length);
      return (int)length;
    }
    case _IOC_NR(JSIOCGBTNMAP): {
      size_t length = least(size, sizeof config->button_map);
      memcpy(argument, config->button_map, length);
      return (int)length;
    }
    case _IOC_NR(JSIOCSAXMAP):
    case _IOC_NR(JSIOCSBTNMAP): return -EPERM;
    default: return -EINVAL;
  }
}
