/*
 * A correct encoder of VP8 (libvpx, whole frames), or of VP9 where VP9 is 1. FAULT names what is wrong with it: none,
 * wrong-picture, wrong-size, cut-packet, false-keyframe.
 */
#include <stdlib.h>

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include "codec.h"

#define IS(name) (strcmp(FAULT, name) == 0)
#if VP9
#define NAME "vp9"
#define CODEC SELKIES_CODEC_VP9
#define INTERFACE vpx_codec_vp9_cx()
#else
#define NAME "vp8"
#define CODEC SELKIES_CODEC_VP8
#define INTERFACE vpx_codec_vp8_cx()
#endif
#define MAX_EDGE 4096u
#define LEAST_EDGE 32u

struct Encoder {
  const SelkiesHost *host;
  const SelkiesLogV1 *log;
  const SelkiesMemoryV1 *memory;
  const SelkiesHostEncoderV1 *answer;
  SelkiesEncoderParams params;
  vpx_codec_ctx_t codec;
  vpx_image_t *image; /* NULL while there is no codec */
  int64_t frames;     /* encoded by this codec */
};

/* [control] */
static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config_json, const SelkiesCapsSink *sink) {
  static const uint32_t formats[] = {READ_FORMATS};
  (void)host;
  (void)config_json; /* the schema allows nothing */
  SelkiesEncoderCaps caps = {
      .struct_size = sizeof caps,
      .flags = SELKIES_ENCODER_DAMAGE,
      .name = text(NAME),
      .codec = CODEC,
      .memory_mask = READ_MEMORY,
      .fourccs = formats,
      .fourcc_count = sizeof formats / sizeof formats[0],
      .chroma_mask = SELKIES_CHROMA_420,
      .rate_mask = 1u << SELKIES_RATE_CBR,
      .depth = 1,
      .max_width = MAX_EDGE,
      .max_height = MAX_EDGE,
      .bit_depth_mask = 1u << 8,
  };
  sink->emit(sink->ctx, &caps);
  return SELKIES_OK;
}

static void close_codec(Encoder *encoder) {
  if (encoder->image != NULL) {
    vpx_codec_destroy(&encoder->codec);
    vpx_img_free(encoder->image);
    encoder->image = NULL;
  }
}

/* Begins a new stream when the parameters can be produced. */
static SelkiesStatus take(Encoder *encoder, const SelkiesEncoderParams *params) {
  bool possible = is_readable(params, CODEC, LEAST_EDGE, MAX_EDGE) && params->chroma == SELKIES_CHROMA_420 &&
                  params->rate == SELKIES_RATE_CBR && params->bitrate_kbps > 0 && params->fps_num > 0;
  if (!possible) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_UNSUPPORTED,
                "only 8 bits by bit rate from 32-bit pixels in readable memory, 32 to 4096 pixels an edge");
  }
  close_codec(encoder);
  vpx_codec_enc_cfg_t config;
  vpx_codec_enc_config_default(INTERFACE, &config, 0);
  config.g_w = IS("wrong-size") ? params->width - 16 : params->width;
  config.g_h = params->height;
  config.g_threads = 1;
  config.g_timebase = (vpx_rational_t){.num = (int)params->fps_den, .den = (int)params->fps_num};
  config.g_lag_in_frames = 0;
  config.rc_end_usage = VPX_CBR;
  config.rc_target_bitrate = params->bitrate_kbps;
  config.rc_dropframe_thresh = 0;
  config.rc_min_quantizer = 2;
  config.rc_max_quantizer = 40;
  config.kf_mode = VPX_KF_DISABLED;
  if (vpx_codec_enc_init(&encoder->codec, INTERFACE, &config, 0) != VPX_CODEC_OK) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "no codec");
  }
  vpx_codec_control(&encoder->codec, VP8E_SET_CPUUSED, 8);
  encoder->image = vpx_img_alloc(NULL, VPX_IMG_FMT_I420, config.g_w, config.g_h, 16);
  if (encoder->image == NULL) {
    vpx_codec_destroy(&encoder->codec);
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "no memory");
  }
  encoder->frames = 0;
  encoder->params = *params;
  encoder->params.name = (SelkiesStr){0}; /* borrowed */
  return SELKIES_OK;
}

/* [control] */
static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config_json, const SelkiesEncoderParams *params,
                            SelkiesInstance **out) {
  (void)config_json; /* as in probe */
  Encoder *encoder = calloc(1, sizeof *encoder);
  if (encoder == NULL) {
    return SELKIES_FAILURE(SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES);
  }
  encoder->host = host;
  encoder->log = host_table(host, SELKIES_ID_HOST_LOG_V1, sizeof *encoder->log);
  encoder->memory = host_table(host, SELKIES_ID_HOST_MEMORY_V1, sizeof *encoder->memory);
  encoder->answer = host_table(host, SELKIES_ID_HOST_ENCODER_V1, sizeof *encoder->answer);
  SelkiesStatus status = SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
  if (encoder->log != NULL && encoder->memory != NULL && encoder->answer != NULL) {
    status = take(encoder, params);
  }
  if (status != SELKIES_OK) {
    free(encoder);
    return status;
  }
  *out = encoder;
  return SELKIES_OK;
}

/* [control] */
static void destroy(SelkiesInstance *instance) {
  close_codec(instance);
  free(instance);
}

/* Reads the frame as BT.601 in limited range; 16-bit fractions. */
static void convert(Encoder *encoder, const SelkiesFrame *frame) {
  vpx_image_t *image = encoder->image;
  for (uint32_t y = 0; y < image->d_h; y++) {
    const uint8_t *row = frame->planes[0].ptr + (size_t)y * frame->planes[0].stride;
    for (uint32_t x = 0; x < image->d_w; x++) {
      int32_t b = row[x * 4], g = row[x * 4 + 1], r = row[x * 4 + 2];
      if (IS("wrong-picture")) {
        b = g = r = 0;
      }
      image->planes[0][y * (uint32_t)image->stride[0] + x] = (uint8_t)(16 + ((16829 * r + 33039 * g + 6416 * b) >> 16));
      if (x % 2 == 0 && y % 2 == 0) {
        image->planes[1][y / 2 * (uint32_t)image->stride[1] + x / 2] =
            (uint8_t)(128 + ((-9714 * r - 19071 * g + 28784 * b) >> 16));
        image->planes[2][y / 2 * (uint32_t)image->stride[2] + x / 2] =
            (uint8_t)(128 + ((28784 * r - 24103 * g - 4681 * b) >> 16));
      }
    }
  }
}

/* The packet of the converted picture; NULL when the codec fails. */
static const vpx_codec_cx_pkt_t *encode(Encoder *encoder, bool keyframe) {
  vpx_enc_frame_flags_t flags = keyframe ? VPX_EFLAG_FORCE_KF : 0;
  vpx_codec_iter_t iter = NULL;
  if (vpx_codec_encode(&encoder->codec, encoder->image, encoder->frames++, 1, flags, VPX_DL_REALTIME) != VPX_CODEC_OK) {
    return NULL;
  }
  const vpx_codec_cx_pkt_t *packet = vpx_codec_get_cx_data(&encoder->codec, &iter);
  return packet != NULL && packet->kind == VPX_CODEC_CX_FRAME_PKT ? packet : NULL;
}

static SelkiesStatus send_packet(Encoder *encoder, const SelkiesFrame *frame, const vpx_codec_cx_pkt_t *data, bool key) {
  void *ctx = encoder->host->ctx;
  SelkiesSlab slab;
  if (encoder->memory->slab(ctx, data->data.frame.sz, &slab) < 0) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RETRY, SELKIES_DETAIL_OUT_OF_RESOURCES, "no slab");
  }
  memcpy(slab.ptr, data->data.frame.buf, data->data.frame.sz);
  SelkiesPacket packet = {
      .struct_size = sizeof packet,
      .codec = CODEC,
      .flags = key ? SELKIES_PACKET_KEY : 0,
      .len = IS("cut-packet") && key ? 12 : data->data.frame.sz,
      .frame_id = frame->frame_id,
      .timestamp_ns = frame->timestamp_ns,
      .area = {.x = 0, .y = 0, .width = frame->width, .height = frame->height},
  };
  return encoder->memory->commit(ctx, &slab, &packet);
}

/* [media] */
static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
  Encoder *encoder = instance;
  if (encoder->image == NULL || !fits(&encoder->params, frame)) {
    return fail(encoder->host, encoder->log, SELKIES_CLASS_RECONFIGURE, SELKIES_DETAIL_INVALID_ARGUMENT,
                "not the frame that was agreed");
  }
  bool first = encoder->frames == 0, keyframe = (params->flags & SELKIES_SUBMIT_KEYFRAME) != 0;
  bool changed = (frame->flags & SELKIES_FRAME_FULL_DAMAGE) != 0 || touched(frame, 0, frame->height);
  if (first || keyframe || encoder->params.ignore_damage != 0 || changed) {
    convert(encoder, frame);
    if (first && IS("false-keyframe")) {
      encode(encoder, true);
    }
    const vpx_codec_cx_pkt_t *packet = encode(encoder, keyframe);
    if (packet == NULL) {
      return fail(encoder->host, encoder->log, SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_IO, "the codec failed");
    }
    bool key = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0 || (first && IS("false-keyframe"));
    SelkiesStatus status = send_packet(encoder, frame, packet, key);
    if (status != SELKIES_OK) {
      return status;
    }
  }
  SelkiesFrameDone done = {.struct_size = sizeof done, .status = SELKIES_OK, .frame_id = frame->frame_id};
  encoder->answer->done(encoder->host->ctx, &done);
  return SELKIES_OK;
}
