/* The devices that the program has open. A handle's descriptor is the socket itself, so that poll, select, epoll and
 * flags need no help. */
#include "interposer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Descriptors beyond this number are not handed out. */
#define DESCRIPTORS 65536
#define CONNECT_MS 250
#define CONFIG_MS 5000
#define STATE_MS 100
/* The part of an event that did not fit the socket follows at once, when it does. */
#define PART_MS 1000

/* The handle of each descriptor, 0 for none, else its place and 1. */
static _Atomic uint8_t places[DESCRIPTORS];
static Handle handles[DEVICES * HANDLES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

_Static_assert(DEVICES * HANDLES < 256, "places are bytes");

void lock_handles(void) { pthread_mutex_lock(&lock); }
void unlock_handles(void) { pthread_mutex_unlock(&lock); }

/* The process that the handles are of; 0 in a child that has a copy of them, which the kernel sees to. */
static _Atomic pid_t *owner;
static _Atomic pid_t known_owner;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find_owner(void) {
  void *page = mmap(NULL, sizeof *owner, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  /* Length is rounded up to a page. Kernels before 4.14 do not wipe it: then fork(3) is seen, and clone(2) is not. */
  owner = page == MAP_FAILED || madvise(page, sizeof *owner, MADV_WIPEONFORK) != 0 ? &known_owner : page;
  atomic_store(owner, getpid());
}

/* Whether the handles are of another process, whose memory this one shares until it becomes another program: a child of
 * vfork. What it closes is its own copy of a descriptor, and the other process keeps the handle. */
static bool is_guest(void) {
  pthread_once(&once, find_owner);
  pid_t own = getpid(), none = 0;
  atomic_compare_exchange_strong(owner, &none, own);
  return atomic_load(owner) != own;
}

/* A child of fork has the lock of the moment, and handles of its own. */
static void renew(void) {
  pthread_mutex_init(&lock, NULL);
  if (owner) atomic_store(owner, getpid());
}
__attribute__((constructor)) static void start(void) {
  pthread_once(&once, find_owner);
  pthread_atfork(lock_handles, unlock_handles, renew);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The inode of a descriptor, 0 when it is not open. Asks the kernel, for fstat is one of ours. */
static ino64_t inode_of(int fd) {
  struct stat64 found = {0};
  int before = errno;
#ifdef SYS_fstat64
  long failed = syscall(SYS_fstat64, fd, &found);
#else
  long failed = syscall(SYS_fstat, fd, &found);
#endif
  errno = before;
  return failed ? 0 : found.st_ino;
}

/* Waits until the socket can be read; false after the time. */
static bool readable(int fd, int64_t until) {
  for (;;) {
    int64_t left = until - now_ms();
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int found = poll(&wait, 1, left > 0 ? (int)left : 0);
    if (found > 0) return true;
    if (found == 0 || errno != EINTR) return false;
  }
}

/* Whether whoever listens may tell this program what its gamepad does: in a folder where everybody makes sockets, anybody
 * may have been there first. */
static bool is_trusted(int fd, const char *path) {
  struct ucred server;
  socklen_t length = sizeof server;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &length) != 0) return false;
  if (server.uid == 0 || server.uid == geteuid()) return true;
  char folder[108];
  strcpy(folder, path);
  *strrchr(folder, '/') = 0;
  struct stat64 found = {0};
#ifdef SYS_stat64
  long failed = syscall(SYS_stat64, folder[0] ? folder : "/", &found);
#else
  long failed = syscall(SYS_newfstatat, AT_FDCWD, folder[0] ? folder : "/", &found, 0);
#endif
  return !failed && found.st_uid == server.uid;
}

/* Connects; a descriptor, or an errno below 0. */
static int reach(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int64_t until = now_ms() + CONNECT_MS;
  while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int error = errno;
    /* Others wait to be accepted, too; or the socket is so new that nobody listens yet. */
    if ((error != EAGAIN && error != EINTR && error != ECONNREFUSED) || now_ms() >= until) {
      real()->close(fd);
      return -error;
    }
    struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
  }
  if (is_trusted(fd, path)) return fd;
  say("%s is served by a user who is neither this one, nor root, nor the owner of its folder", path);
  real()->close(fd);
  return -EACCES;
}

/* Reads the configuration and says how wide this program is. */
static bool greet(int fd, Config *config) {
  size_t have = 0;
  int64_t until = now_ms() + CONFIG_MS;
  while (have < sizeof *config) {
    ssize_t count = recv(fd, (char *)config + have, sizeof *config - have, MSG_DONTWAIT);
    if (count > 0) {
      have += (size_t)count;
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR) || !readable(fd, until)) {
      return false;
    }
  }
  uint8_t width = sizeof(long);
  if (send(fd, &width, 1, MSG_NOSIGNAL) != 1) return false;
  config->name[sizeof config->name - 1] = 0;
  if (config->buttons > 512) config->buttons = 512;
  if (config->axes > 64) config->axes = 64;
  return true;
}

/* Opens a device; a descriptor, or an errno below 0. */
int handle_open(const Device *device, int flags) {
  char path[108];
  if (!socket_path(device, path, sizeof path)) return -ENAMETOOLONG;
  int fd = reach(path);
  if (fd < 0) return fd;
  Config config;
  ino64_t inode = inode_of(fd);
  if (fd >= DESCRIPTORS || inode == 0 || !greet(fd, &config)) {
    real()->close(fd);
    return -ENODEV;
  }
  /* Today's hosts let the state follow: what the program asks now is right then. */
  if (device->event) readable(fd, now_ms() + STATE_MS);
  int status = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags & O_NONBLOCK ? status | O_NONBLOCK : status & ~O_NONBLOCK);
  fcntl(fd, F_SETFD, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
  /* What it opens is gone from this memory with it. */
  if (is_guest()) return fd;
  /* A descriptor of this number may have been closed without our knowledge. */
  handle_close(fd);
  lock_handles();
  int place = 0, open = 0;
  Handle *free = NULL;
  for (int i = 0; i < DEVICES * HANDLES; i++) {
    if (handles[i].device == device) open++;
    if (!handles[i].device && !free) free = &handles[i], place = i;
  }
  if (!free || open >= HANDLES) {
    unlock_handles();
    real()->close(fd);
    return -EMFILE;
  }
  *free = (Handle){.fd = fd, .inode = inode, .device = device, .config = config};
  unlock_handles();
  atomic_store(&places[fd], (uint8_t)(place + 1));
  say("%s is descriptor %d", device->path, fd);
  return fd;
}

static void release(int place) {
  lock_handles();
  handles[place - 1].device = NULL;
  unlock_handles();
}

/* The handle of a descriptor, or NULL: also when the number is another file's by now, which was not told to us. */
Handle *handle_of(int fd) {
  if (fd < 0 || fd >= DESCRIPTORS) return NULL;
  int place = atomic_load_explicit(&places[fd], memory_order_acquire);
  if (place == 0) return NULL;
  Handle *handle = &handles[place - 1];
  if (inode_of(fd) == handle->inode) return handle;
  if (is_guest()) return NULL;
  /* Unless another thread has opened it anew. */
  uint8_t seen = (uint8_t)place;
  if (atomic_compare_exchange_strong(&places[fd], &seen, 0)) release(place);
  return NULL;
}

/* The descriptor is closed, or about to be. */
void handle_close(int fd) {
  if (fd < 0 || fd >= DESCRIPTORS || atomic_load(&places[fd]) == 0 || is_guest()) return;
  int place = atomic_exchange(&places[fd], 0);
  if (place != 0) release(place);
}

/* Whether it is still that of the descriptor: another thread may have closed it. Under the lock. */
bool handle_is(const Handle *handle, int fd) { return handle->device && handle->fd == fd; }

/* Keeps the state that events tell. Under the lock. */
void learn(Handle *handle, const uint8_t *events, size_t length) {
  if (!handle->device->event) return;
  for (size_t at = 0; at + sizeof(struct input_event) <= length; at += sizeof(struct input_event)) {
    struct input_event event;
    memcpy(&event, events + at, sizeof event);
    if (event.type == EV_ABS && event.code < ABS_CNT) handle->axes[event.code] = event.value;
    if (event.type == EV_KEY && event.code < KEY_CNT) {
      uint8_t bit = (uint8_t)(1u << (event.code % 8));
      if (event.value) handle->keys[event.code / 8] |= bit;
      else handle->keys[event.code / 8] &= (uint8_t)~bit;
    }
  }
}

/* read(2) of a device: whole events, and ENODEV once it is gone. */
ssize_t handle_read(Handle *handle, int fd, void *buffer, size_t count) {
  lock_handles();
  const Device *device = handle_is(handle, fd) ? handle->device : NULL;
  ino64_t inode = handle->inode;
  unlock_handles();
  if (!device) {
    errno = EBADF;
    return -1;
  }
  size_t size = device->event ? sizeof(struct input_event) : sizeof(struct js_event);
  if (count < size) {
    errno = EINVAL;
    return -1;
  }
  count -= count % size;
  ssize_t have = real()->read(fd, buffer, count);
  if (have < 0) return have;
  int64_t until = now_ms() + PART_MS;
  while (have % (ssize_t)size != 0) {
    size_t missing = size - (size_t)have % size;
    ssize_t more = readable(fd, until) ? recv(fd, (char *)buffer + have, missing, MSG_DONTWAIT) : 0;
    if (more < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (more <= 0) have = 0;
    else have += more;
    if (have == 0) break;
  }
  if (have == 0) {
    errno = ENODEV;
    return -1;
  }
  lock_handles();
  /* It may have been closed, and another one opened, while this waited. */
  if (handle_is(handle, fd) && handle->device == device && handle->inode == inode) learn(handle, buffer, (size_t)have);
  unlock_handles();
  return have;
}
