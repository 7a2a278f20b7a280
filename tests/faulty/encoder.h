/*
 * A correct encoder plugin (JPEG in stripes, only what changed) in which a fault can be placed.
 *
 * A fault is one source file that defines ID, NAME, AFTER and some of the hooks below, and then includes this file.
 * AFTER is the default of the configuration's `after`: from which frame of an instance on the fault happens (for faults
 * of `create`: from which instance of the process on). tests/faulty/build.sh makes the plugins.
 *
 * hook                         runs, from frame `after` on
 * AT_FRAME(encoder, frame)     once, at frame `after`, before it is encoded
 * IN_FRAME(encoder, frame)     before each frame is encoded
 * IN_SLAB(encoder, slab, packet)   when a slab is filled, before it is committed
 * AFTER_DONE(encoder, frame)   after `done` of each frame
 * IN_CREATE(encoder)           in `create`, from instance `after` on
 * IN_DESTROY(encoder)          in each `destroy`
 *
 * The others answer for the right value, always:
 *
 * ANSWERS(id)                  what `query` answers
 * READABLE(good)               whether a configuration is taken
 * FITTING(good)                whether a frame is taken
 * TOUCHED(encoder, damaged)    whether a stripe is encoded
 * KEYFRAME(encoder, wanted)    whether a frame is a keyframe
 * REPORTED(encoder)            whether `done` is called
 */
#ifndef FAULTY_ENCODER_H
#define FAULTY_ENCODER_H

#include <stdatomic.h>
#include <stdlib.h>

#include "codec.h"
#include "jpeg.h"

#define MAX_EDGE 8192u
#define STRIPE_ROWS 64u

struct Encoder {
  const SelkiesHost *host;
  const SelkiesLogV1 *log;
  const SelkiesMemoryV1 *memory;
  const SelkiesHostEncoderV1 *answer;
  SelkiesEncoderParams params;
  uint32_t after;
  uint64_t frames;     /* submitted to this instance, the current one included */
  uint64_t last_frame; /* its frame_id; 0 before the first */
  Jpeg jpeg;
};

#ifndef AT_FRAME
#define AT_FRAME(encoder, frame) ((void)0)
#endif
#ifndef IN_FRAME
#define IN_FRAME(encoder, frame) ((void)0)
#endif
#ifndef IN_SLAB
#define IN_SLAB(encoder, slab, packet) ((void)0)
#endif
#ifndef AFTER_DONE
#define AFTER_DONE(encoder, frame) ((void)0)
#endif
#ifndef IN_CREATE
#define IN_CREATE(encoder) ((void)0)
#endif
#ifndef IN_DESTROY
#define IN_DESTROY(encoder) ((void)0)
#endif
#ifndef READABLE
#define READABLE(good) (good)
#endif
#ifndef FITTING
#define FITTING(good) (good)
#endif
#ifndef TOUCHED
#define TOUCHED(encoder, damaged) (damaged)
#endif
#ifndef KEYFRAME
#define KEYFRAME(encoder, wanted) (wanted)
#endif
#ifndef REPORTED
#define REPORTED(encoder) true
#endif
/* Formats that are offered; those after the first two are not read. */
#ifndef FORMATS
#define FORMATS READ_FORMATS
#endif
#ifndef MAX_RETAINED
#define MAX_RETAINED 0
#endif

/* ---- the configuration: {} or {"after": N} ---- */

static const char *skip(const char *at, const char *end, const char *word) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
    at++;
  }
  size_t len = strlen(word);
  return at != NULL && (size_t)(end - at) >= len && memcmp(at, word, len) == 0 ? at + len : NULL;
}

static bool read_config(SelkiesStr json, uint32_t *after) {
  const char *end = (const char *)json.ptr + json.len, *at = skip((const char *)json.ptr, end, "{");
  *after = AFTER;
  if (at == NULL) {
    return false;
  }
  const char *member = skip(at, end, "\"after\"");
  if (member != NULL) {
    at = skip(member, end, ":");
    at = at == NULL ? NULL : skip(at, end, "");
    uint64_t value = 0;
    const char *digits = at;
    for (; at != NULL && at < end && *at >= '0' && *at <= '9' && value < UINT32_MAX; at++) {
      value = value * 10 + (uint64_t)(*at - '0');
    }
    if (at == NULL || at == digits || value > UINT32_MAX) {
      return false;
    }
    *after = (uint32_t)value;
  }
  at = skip(at, end, "}");
  return at != NULL && skip(at, end, "") == end;
}

/* ---- selkies.encoder/1 ---- */

/* [control] */
static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config_json, const SelkiesCapsSink *sink) {
  static const uint32_t formats[] = {FORMATS};
  const SelkiesLogV1 *log = host_table(host, SELKIES_ID_HOST_LOG_V1, sizeof *log);
  uint32_t after;
  if (log == NULL) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
  }
  if (!READABLE(read_config(config_json, &after))) {
    return fail(host, log, SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_CONFIG, "wanted {} or {\"after\": NUMBER}");
  }
  SelkiesEncoderCaps caps = {
      .struct_size = sizeof caps,
      .flags = SELKIES_ENCODER_STRIPES | SELKIES_ENCODER_DAMAGE | SELKIES_ENCODER_INTRA_ONLY,
      .name = text("jpeg"),
      .codec = SELKIES_CODEC_JPEG,
      .memory_mask = READ_MEMORY,
      .fourccs = formats,
      .fourcc_count = sizeof formats / sizeof formats[0],
      .chroma_mask = SELKIES_CHROMA_420 | SELKIES_CHROMA_444,
      .rate_mask = 1u << SELKIES_RATE_QUALITY,
      .depth = 1,
      .max_retained = MAX_RETAINED,
      .max_width = MAX_EDGE,
      .max_height = MAX_EDGE,
      .quality_min = 1,
      .quality_max = 100,
      .bit_depth_mask = 1u << 8,
  };
  sink->emit(sink->ctx, &caps);
  return SELKIES_OK;
}

static SelkiesStatus take(Encoder *encoder, const SelkiesEncoderParams *params) {
  bool possible = is_readable(params, SELKIES_CODEC_JPEG, 1, MAX_EDGE) &&
                  (params->chroma == SELKIES_CHROMA_420 || params->chroma == SELKIES_CHROMA_444) &&
                  params->rate == SELKIES_RATE_QUALITY && params->quality >= 1 && params->quality <= 100;
  if (!possible) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_UNSUPPORTED,
                "only 8-bit JPEG by quality from 32-bit pixels in readable memory, at most 8192 pixels an edge");
  }
  encoder->params = *params;
  encoder->params.name = (SelkiesStr){0}; /* borrowed */
  encoder->last_frame = 0;                /* the next frame is encoded whole */
  jpeg_prepare(&encoder->jpeg, params->quality);
  return SELKIES_OK;
}

/* [control] */
static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config_json, const SelkiesEncoderParams *params,
                            SelkiesInstance **out) {
  static _Atomic uint32_t instances;
  const SelkiesLogV1 *log = host_table(host, SELKIES_ID_HOST_LOG_V1, sizeof *log);
  const SelkiesMemoryV1 *memory = host_table(host, SELKIES_ID_HOST_MEMORY_V1, sizeof *memory);
  const SelkiesHostEncoderV1 *answer = host_table(host, SELKIES_ID_HOST_ENCODER_V1, sizeof *answer);
  if (log == NULL || memory == NULL || answer == NULL) {
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
  }
  Encoder *encoder = calloc(1, sizeof *encoder);
  if (encoder == NULL) {
    return fail(host, log, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "no memory");
  }
  encoder->host = host;
  encoder->log = log;
  encoder->memory = memory;
  encoder->answer = answer;
  SelkiesStatus status =
      READABLE(read_config(config_json, &encoder->after))
          ? take(encoder, params)
          : fail(host, log, SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_CONFIG, "wanted {} or {\"after\": NUMBER}");
  if (status != SELKIES_OK) {
    free(encoder);
    return status;
  }
  if (atomic_fetch_add(&instances, 1) + 1 >= encoder->after) {
    IN_CREATE(encoder);
  }
  *out = encoder;
  return SELKIES_OK;
}

/* [control] */
static void destroy(SelkiesInstance *instance) {
  Encoder *encoder = instance;
  IN_DESTROY(encoder);
  free(encoder);
}

static SelkiesStatus send_stripe(Encoder *encoder, const SelkiesFrame *frame, uint32_t top, uint32_t rows) {
  void *ctx = encoder->host->ctx;
  size_t need = ((size_t)frame->width + 16) * (rows + 16) * 6 + 1024;
  SelkiesSlab slab;
  SelkiesStatus status = encoder->memory->slab(ctx, need, &slab);
  if (status < 0) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "no slab");
  }
  JpegImage image = {frame->planes[0].ptr + (size_t)top * frame->planes[0].stride, frame->planes[0].stride,
                     frame->width, rows};
  SelkiesPacket packet = {
      .struct_size = sizeof packet,
      .codec = SELKIES_CODEC_JPEG,
      .flags = SELKIES_PACKET_KEY,
      .len = jpeg_write(&encoder->jpeg, &image, encoder->params.chroma == SELKIES_CHROMA_420, slab.ptr, slab.capacity),
      .frame_id = frame->frame_id,
      .timestamp_ns = frame->timestamp_ns,
      .area = {.x = 0, .y = top, .width = frame->width, .height = rows},
  };
  if (packet.len == 0) {
    encoder->memory->abandon(ctx, &slab);
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "a slab too small");
  }
  if (encoder->frames >= encoder->after) {
    IN_SLAB(encoder, slab, packet);
  }
  return encoder->memory->commit(ctx, &slab, &packet);
}

/* [media] */
static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
  Encoder *encoder = instance;
  if (!FITTING(fits(&encoder->params, frame))) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_INVALID_ARGUMENT,
                "not the frame that was agreed");
  }
  encoder->frames++;
  if (encoder->frames == encoder->after) {
    AT_FRAME(encoder, frame);
  }
  if (encoder->frames >= encoder->after) {
    IN_FRAME(encoder, frame);
  }
  /* Damage counts from the frame before; without that frame here, its damage is missing. */
  bool whole = encoder->last_frame == 0 || frame->frame_id != encoder->last_frame + 1 ||
               KEYFRAME(encoder, (params->flags & SELKIES_SUBMIT_KEYFRAME) != 0) || (frame->flags & SELKIES_FRAME_FULL_DAMAGE) != 0 ||
               encoder->params.ignore_damage != 0;
  uint32_t stripe = encoder->params.stripe_height != 0 ? (encoder->params.stripe_height + 15) / 16 * 16 : STRIPE_ROWS;
  SelkiesStatus status = SELKIES_OK;
  for (uint32_t top = 0; status == SELKIES_OK && top < frame->height; top += stripe) {
    uint32_t rows = frame->height - top < stripe ? frame->height - top : stripe;
    if (whole || TOUCHED(encoder, touched(frame, top, rows))) {
      status = send_stripe(encoder, frame, top, rows);
    }
  }
  encoder->last_frame = status == SELKIES_OK ? frame->frame_id : 0;
  if (status != SELKIES_OK) {
    return status;
  }
  SelkiesFrameDone done = {.struct_size = sizeof done, .status = SELKIES_OK, .frame_id = frame->frame_id};
  if (REPORTED(encoder)) {
    encoder->answer->done(encoder->host->ctx, &done);
  }
  if (encoder->frames >= encoder->after) {
    AFTER_DONE(encoder, frame);
  }
  return SELKIES_OK;
}

#endif
