/* Force feedback: uploaded effects, and what is played of them, as records to the other side (Selkies 2.1.0,
 * input_handler.py, FF_RECORD_FMT; plugins/gamepad/src/wire.rs). */
#include "interposer.h"

#include <errno.h>
#include <string.h>

typedef struct {
  uint8_t kind, zero;
  int16_t effect;
  uint16_t strong, weak, length, delay, count, reserved;
} Record;

_Static_assert(sizeof(Record) == 16, "sji_ff_record_t");

enum { PLAY = 1, STOP = 2, GAIN = 3 };

static uint32_t at_most(uint32_t value, uint32_t limit) { return value < limit ? value : limit; }

/* Whoever does not listen is not waited for. */
static void tell(const Handle *handle, const Record *record) {
  send(handle->fd, record, sizeof *record, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void play(Handle *handle, int id, uint32_t count) {
  Effect *effect = &handle->effects[id];
  effect->playing = count > 0;
  tell(handle, &(Record){.kind = count > 0 ? PLAY : STOP,
                         .effect = (int16_t)id,
                         .strong = effect->strong,
                         .weak = effect->weak,
                         .length = effect->length,
                         .delay = effect->delay,
                         .count = (uint16_t)at_most(count, 0xffff)});
}

/* Stores an effect and gives it a number. Under the lock, as the others. */
int effect_upload(Handle *handle, struct ff_effect *effect) {
  Effect made = {.used = true, .length = effect->replay.length, .delay = effect->replay.delay};
  if (effect->type == FF_RUMBLE) {
    made.strong = effect->u.rumble.strong_magnitude;
    made.weak = effect->u.rumble.weak_magnitude;
  } else if (effect->type == FF_PERIODIC) {
    /* Both motors, as the kernel does for devices that can only rumble (ff-memless.c). */
    int magnitude = effect->u.periodic.magnitude;
    made.strong = made.weak = (uint16_t)at_most((uint32_t)(magnitude < 0 ? -magnitude : magnitude) * 2, 0xffff);
  } else {
    return -EINVAL;
  }
  int id = effect->id;
  if (id == -1) {
    for (id = 0; id < EFFECTS && handle->effects[id].used; id++) {
    }
    if (id == EFFECTS) return -ENOSPC;
  } else if (id < 0 || id >= EFFECTS || !handle->effects[id].used) {
    return -EINVAL;
  }
  bool playing = handle->effects[id].playing;
  handle->effects[id] = made;
  effect->id = (int16_t)id;
  /* One that plays changes at once. */
  if (playing) play(handle, id, 1);
  return 0;
}

int effect_remove(Handle *handle, int id) {
  if (id < 0 || id >= EFFECTS || !handle->effects[id].used) return -EINVAL;
  if (handle->effects[id].playing) play(handle, id, 0);
  handle->effects[id] = (Effect){0};
  return 0;
}

/* write(2): what plays, and how strong. Everything else that a program may write changes nothing. */
ssize_t effect_write(Handle *handle, const void *buffer, size_t count) {
  if (!handle->device->event || count < sizeof(struct input_event)) {
    errno = EINVAL;
    return -1;
  }
  size_t used = 0;
  for (; used + sizeof(struct input_event) <= count; used += sizeof(struct input_event)) {
    struct input_event event;
    memcpy(&event, (const char *)buffer + used, sizeof event);
    uint32_t value = event.value < 0 ? 0 : (uint32_t)event.value;
    if (event.type != EV_FF) continue;
    if (event.code == FF_GAIN)
      tell(handle, &(Record){.kind = GAIN, .count = (uint16_t)at_most(value, 0xffff)});
    else if (event.code < EFFECTS && handle->effects[event.code].used)
      play(handle, event.code, value);
  }
  return (ssize_t)used;
}
