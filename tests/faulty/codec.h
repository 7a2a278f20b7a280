/*
 * What every encoder here has, whatever its codec: its table, the frames that it reads, and the entry. Whoever includes
 * this says what an Encoder is, and writes what is declared below without a body.
 *
 * ANSWERS(id), which may be defined before, is what `query` answers.
 */
#ifndef FAULTY_CODEC_H
#define FAULTY_CODEC_H

#include "plugin.h"

typedef struct Encoder Encoder;

/* Formats of frames that are read: 32-bit pixels in readable memory. */
#define READ_FORMATS SELKIES_FOURCC_XRGB8888, SELKIES_FOURCC_ARGB8888
#define READ_MEMORY (1u << SELKIES_MEMORY_CPU | 1u << SELKIES_MEMORY_MEMFD)

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config_json, const SelkiesCapsSink *sink);
static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config_json, const SelkiesEncoderParams *params,
                            SelkiesInstance **out);
static void destroy(SelkiesInstance *instance);
static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params);

/* Takes parameters over when they can be produced. */
static SelkiesStatus take(Encoder *encoder, const SelkiesEncoderParams *params);

/* True for parameters with such frames, this codec and edges, in 8 bits and in the size of the frame. */
static bool is_readable(const SelkiesEncoderParams *params, uint32_t codec, uint32_t least, uint32_t most) {
  return params->struct_size >= sizeof *params && params->codec == codec &&
         (params->memory == SELKIES_MEMORY_CPU || params->memory == SELKIES_MEMORY_MEMFD) &&
         (params->fourcc == SELKIES_FOURCC_XRGB8888 || params->fourcc == SELKIES_FOURCC_ARGB8888) &&
         params->width >= least && params->width <= most && params->height >= least && params->height <= most &&
         params->bit_depth == 8 && params->out_width == 0 && params->out_height == 0;
}

/* True for a frame as these parameters have it. */
static bool fits(const SelkiesEncoderParams *params, const SelkiesFrame *frame) {
  const SelkiesPlane *plane = &frame->planes[0];
  return frame->struct_size >= sizeof *frame && frame->width == params->width && frame->height == params->height &&
         frame->fourcc == params->fourcc && frame->plane_count == 1 && frame->modifier == SELKIES_MODIFIER_LINEAR &&
         plane->ptr != NULL && plane->stride / 4 >= frame->width &&
         plane->len >= (uint64_t)plane->stride * (frame->height - 1) + (uint64_t)frame->width * 4;
}

/* True when rows from `top` on changed, by the damage alone. */
static bool touched(const SelkiesFrame *frame, uint32_t top, uint32_t rows) {
  for (uint32_t i = 0; i < frame->damage_count; i++) {
    const SelkiesRect *rect = &frame->damage[i];
    if (rect->width > 0 && rect->height > 0 && rect->y < top + rows && rect->y + rect->height > top) {
      return true;
    }
  }
  return false;
}

/* [media] */
static SelkiesStatus configure(SelkiesInstance *instance, const SelkiesEncoderParams *params) {
  return take(instance, params);
}

/* [media] Nothing is ever in flight. */
static SelkiesStatus drain(SelkiesInstance *instance) {
  (void)instance;
  return SELKIES_OK;
}

static const SelkiesEncoderV1 ENCODER = {
    .struct_size = sizeof ENCODER,
    .probe = probe,
    .create = create,
    .destroy = destroy,
    .configure = configure,
    .submit = submit,
    .drain = drain,
};

#ifndef ANSWERS
#define ANSWERS(id) (same(id, SELKIES_ID_ENCODER_V1) ? &ENCODER : NULL)
#endif

/* [any] */
static const void *query(SelkiesStr id) {
  return ANSWERS(id);
}

#include "entry.h"

#endif
