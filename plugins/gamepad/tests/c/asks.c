/* Asks of the nodes and devices of a gamepad at rest what programs ask, and says where an answer is wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <linux/joystick.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(fact) \
  do { \
    if (!(fact)) { \
      printf("wrong, line %d: %s (errno %d)\n", __LINE__, #fact, errno); \
      return 1; \
    } \
  } while (0)
#define IS_SET(bits, at) ((bits)[(at) / 8] >> ((at) % 8) & 1)

static int nodes(void) {
  struct stat found, same;
  CHECK(access("/dev/input/js0", R_OK | W_OK) == 0);
  CHECK(access("/dev/input/js0", X_OK) == -1 && errno == EACCES);
  CHECK(access("/dev/input/js3", F_OK) == -1 && errno == ENOENT);
  CHECK(stat("/dev/input/js0", &found) == 0 && S_ISCHR(found.st_mode));
  CHECK(major(found.st_rdev) == 13 && minor(found.st_rdev) == 0);
  CHECK(lstat("/dev/input/event1000", &same) == 0 && S_ISCHR(same.st_mode) && same.st_rdev != found.st_rdev);
  CHECK(stat("/dev/input/event1003", &same) == -1 && errno == ENOENT);
  CHECK(fstatat(AT_FDCWD, "/dev/input/js0", &same, 0) == 0 && same.st_ino == found.st_ino);
  struct statx wide;
  CHECK(statx(AT_FDCWD, "/dev/input/js0", 0, STATX_BASIC_STATS, &wide) == 0 && wide.stx_rdev_major == 13);
  int fd = openat(AT_FDCWD, "/dev/input/js0", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
  CHECK(fstat(fd, &same) == 0 && same.st_rdev == found.st_rdev);
  CHECK(close(fd) == 0);
  /* The number is another file's now. */
  int other = open("/dev/null", O_RDONLY);
  char byte;
  CHECK(other == fd && read(other, &byte, 1) == 0 && close(other) == 0);
  /* A device that was closed past us leaves nothing behind. */
  fd = open("/dev/input/js0", O_RDONLY);
  FILE *stream = fdopen(fd, "r");
  CHECK(stream && fclose(stream) == 0);
  other = open("/dev/zero", O_RDONLY);
  CHECK(other == fd && read(other, &byte, 1) == 1 && close(other) == 0);
  CHECK(open("/dev/input/js2", O_RDONLY) == -1 && errno == ENOENT);
  return 0;
}

static int joystick(void) {
  int fd = open("/dev/input/js0", O_RDONLY | O_NONBLOCK);
  CHECK(fd >= 0);
  uint32_t version = 0;
  uint8_t axes = 0, buttons = 0, axis_map[ABS_CNT];
  uint16_t button_map[KEY_MAX - BTN_MISC + 1];
  char name[64] = "", part[4] = "";
  CHECK(ioctl(fd, JSIOCGVERSION, &version) == 0 && version == JS_VERSION);
  CHECK(ioctl(fd, JSIOCGAXES, &axes) == 0 && axes == 8);
  CHECK(ioctl(fd, JSIOCGBUTTONS, &buttons) == 0 && buttons == 11);
  CHECK(ioctl(fd, JSIOCGNAME(sizeof name), name) == 24 && strcmp(name, "Microsoft X-Box 360 pad") == 0);
  CHECK(ioctl(fd, JSIOCGNAME(sizeof part), part) == 4 && memcmp(part, "Micr", 4) == 0);
  CHECK(ioctl(fd, JSIOCGAXMAP, axis_map) >= 0 && axis_map[6] == ABS_HAT0X && axis_map[2] == ABS_Z);
  CHECK(ioctl(fd, JSIOCGBTNMAP, button_map) >= 0 && button_map[0] == BTN_A && button_map[10] == BTN_THUMBR);
  CHECK(ioctl(fd, JSIOCSAXMAP, axis_map) == -1 && errno == EPERM);
  CHECK(ioctl(fd, EVIOCGVERSION, &version) == -1 && errno == ENOTTY);
  struct js_corr corrections[ABS_CNT];
  CHECK(ioctl(fd, JSIOCGCORR, corrections) == 0 && corrections[7].type == JS_CORR_NONE);
  /* The first state comes, then nothing. A read takes whole events. */
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  struct js_event event;
  char bytes[20];
  for (int i = 0; i < 19; i++) {
    CHECK(poll(&wait, 1, 60000) == 1);
    if (i == 0) {
      CHECK(read(fd, bytes, 7) == -1 && errno == EINVAL);
      CHECK(read(fd, bytes, sizeof bytes) == 16);
      i++;
      continue;
    }
    CHECK(read(fd, &event, sizeof event) == sizeof event && event.type & JS_EVENT_INIT);
  }
  CHECK(read(fd, &event, sizeof event) == -1 && errno == EAGAIN);
  CHECK(close(fd) == 0);
  return 0;
}

static int event_device(int fd) {
  int version = 0;
  struct input_id id;
  char text[64] = "";
  uint8_t bits[KEY_CNT / 8] = {0};
  struct input_absinfo axis;
  CHECK(ioctl(fd, EVIOCGVERSION, &version) == 0 && version == 0x010001);
  CHECK(ioctl(fd, EVIOCGID, &id) == 0 && id.vendor == 0x045e && id.product == 0x028e && id.version == 0x0114);
  CHECK(ioctl(fd, EVIOCGNAME(sizeof text), text) == 24 && strcmp(text, "Microsoft X-Box 360 pad") == 0);
  CHECK(ioctl(fd, EVIOCGPHYS(sizeof text), text) > 0 && strcmp(text, "virtual/input/selkies_ev0/phys") == 0);
  CHECK(ioctl(fd, EVIOCGUNIQ(sizeof text), text) > 0 && strcmp(text, "SGVP0000") == 0);
  CHECK(ioctl(fd, EVIOCGPROP(sizeof bits), bits) >= 0 && bits[0] == 0);
  CHECK(ioctl(fd, EVIOCGBIT(0, sizeof bits), bits) >= 0 && IS_SET(bits, EV_KEY) && IS_SET(bits, EV_ABS) && IS_SET(bits, EV_FF));
  CHECK(ioctl(fd, EVIOCGBIT(EV_KEY, sizeof bits), bits) > 0 && IS_SET(bits, BTN_MODE) && !IS_SET(bits, BTN_C));
  CHECK(ioctl(fd, EVIOCGBIT(EV_ABS, sizeof bits), bits) > 0 && IS_SET(bits, ABS_RZ) && !IS_SET(bits, ABS_WHEEL));
  CHECK(ioctl(fd, EVIOCGABS(ABS_X), &axis) == 0 && axis.value == 0 && axis.minimum == -32767 && axis.maximum == 32767);
  CHECK(axis.fuzz == 16 && axis.flat == 128 && axis.resolution == 1);
  /* Before anything was read: a trigger rests at its end. */
  CHECK(ioctl(fd, EVIOCGABS(ABS_Z), &axis) == 0 && axis.value == -32767);
  CHECK(ioctl(fd, EVIOCGABS(ABS_HAT0Y), &axis) == 0 && axis.minimum == -1 && axis.maximum == 1);
  CHECK(ioctl(fd, EVIOCGABS(ABS_WHEEL), &axis) == -1 && errno == EINVAL);
  CHECK(ioctl(fd, EVIOCGKEY(sizeof bits), bits) > 0 && !IS_SET(bits, BTN_THUMBL));
  CHECK(ioctl(fd, EVIOCGRAB, (void *)1) == 0 && ioctl(fd, EVIOCGRAB, NULL) == 0);
  uint8_t axes;
  CHECK(ioctl(fd, JSIOCGAXES, &axes) == -1 && errno == ENOTTY);
  return 0;
}

/* Reads until the stick moved, by epoll. */
static int events(int fd) {
  int poller = epoll_create1(0), pressed = 0;
  struct epoll_event wait = {.events = EPOLLIN};
  CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wait) == 0);
  for (;;) {
    CHECK(epoll_wait(poller, &wait, 1, 60000) == 1);
    struct input_event event[3];
    ssize_t length = read(fd, event, sizeof event);
    CHECK(length > 0 && length % sizeof *event == 0);
    for (size_t i = 0; i < length / sizeof *event; i++) {
      pressed |= event[i].type == EV_KEY && event[i].code == BTN_THUMBL && event[i].value == 1;
      if (event[i].type != EV_ABS || event[i].code != ABS_RY || event[i].value == 0) continue;
      uint8_t keys[KEY_CNT / 8];
      struct input_absinfo axis;
      CHECK(pressed && event[i].value == -7);
      CHECK(ioctl(fd, EVIOCGKEY(sizeof keys), keys) > 0 && IS_SET(keys, BTN_THUMBL));
      CHECK(ioctl(fd, EVIOCGABS(ABS_RY), &axis) == 0 && axis.value == -7);
      close(poller);
      return 0;
    }
  }
}

static int effects(int fd) {
  int count = 0;
  CHECK(ioctl(fd, EVIOCGEFFECTS, &count) == 0 && count == 16);
  struct ff_effect effect = {.type = FF_RUMBLE, .id = -1, .replay.length = 250};
  effect.u.rumble.strong_magnitude = 0xc000;
  effect.u.rumble.weak_magnitude = 0x2000;
  CHECK(ioctl(fd, EVIOCSFF, &effect) == 0 && effect.id == 0);
  struct ff_effect odd = {.type = FF_SPRING, .id = -1};
  CHECK(ioctl(fd, EVIOCSFF, &odd) == -1 && errno == EINVAL);
  struct input_event gain = {.type = EV_FF, .code = FF_GAIN, .value = 0x8000};
  struct input_event play = {.type = EV_FF, .code = 0, .value = 2};
  CHECK(write(fd, &gain, sizeof gain) == sizeof gain);
  CHECK(write(fd, &play, sizeof play) == sizeof play);
  printf("effects right\n");
  CHECK(write(fd, &play, 3) == -1 && errno == EINVAL);
  CHECK(ioctl(fd, EVIOCRMFF, 1) == -1 && errno == EINVAL);
  /* It goes on until the button is let go. */
  struct input_event event;
  do CHECK(read(fd, &event, sizeof event) == sizeof event);
  while (event.type != EV_KEY || event.code != BTN_THUMBL || event.value != 0);
  return 0;
}

/* What a child closes is the child's. */
static int children(int fd) {
  int version = 0;
  pid_t child = vfork();
  if (child == 0) {
    close(fd);
    _exit(0);
  }
  int status;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  CHECK(ioctl(fd, EVIOCGVERSION, &version) == 0 && version == 0x010001);
  child = fork();
  if (child == 0) {
    version = 0;
    CHECK(ioctl(fd, EVIOCGVERSION, &version) == 0 && version == 0x010001);
    CHECK(close(fd) == 0 && ioctl(fd, EVIOCGVERSION, &version) == -1 && errno == EBADF);
    /* And the number may be another file's then. */
    CHECK(open("/dev/null", O_RDONLY) == fd && ioctl(fd, EVIOCGVERSION, &version) == -1 && errno == ENOTTY);
    _exit(0);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  CHECK(ioctl(fd, EVIOCGVERSION, &version) == 0 && version == 0x010001);
  return 0;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("long %d\n", (int)sizeof(long));
  if (nodes()) return 1;
  printf("nodes right\n");
  if (joystick()) return 1;
  printf("joystick right\n");
  int fd = open("/dev/input/event1000", O_RDWR);
  CHECK(fd >= 0);
  if (event_device(fd)) return 1;
  printf("event device right\n");
  if (children(fd)) return 1;
  printf("children right\n");
  if (events(fd)) return 1;
  printf("events right\n");
  return effects(fd);
}
