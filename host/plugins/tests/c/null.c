/* An encoder that makes sixteen bytes of every frame at once: what is measured with it is the way to it and back. */
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "selkies_plugin.h"

typedef struct {
  const SelkiesHost *host;
  const SelkiesMemoryV1 *memory;
  const SelkiesHostEncoderV1 *answer;
} Null;

static SelkiesStr text(const char *chars) { return (SelkiesStr){(const uint8_t *)chars, strlen(chars)}; }

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config, const SelkiesCapsSink *sink) {
  (void)host, (void)config;
  static const uint32_t formats[] = {SELKIES_FOURCC_XRGB8888};
  SelkiesEncoderCaps caps = {
      .struct_size = sizeof caps,
      .name = text("null"),
      .codec = SELKIES_CODEC_NULL,
      .memory_mask = 1u << SELKIES_MEMORY_CPU,
      .fourcc_count = 1,
      .fourccs = formats,
      .chroma_mask = SELKIES_CHROMA_444,
      .rate_mask = 1u << SELKIES_RATE_QUALITY,
      .depth = 1,
      .max_width = 4096,
      .max_height = 4096,
      .quality_min = 1,
      .quality_max = 100,
      .bit_depth_mask = 1u << 8,
  };
  sink->emit(sink->ctx, &caps);
  return SELKIES_OK;
}

static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config, const SelkiesEncoderParams *params,
                            SelkiesInstance **out) {
  (void)config, (void)params;
  Null *null = calloc(1, sizeof *null);
  null->host = host;
  null->memory = host->query(host->ctx, text(SELKIES_ID_HOST_MEMORY_V1));
  null->answer = host->query(host->ctx, text(SELKIES_ID_HOST_ENCODER_V1));
  *out = (SelkiesInstance *)null;
  return SELKIES_OK;
}

static void destroy(SelkiesInstance *instance) { free(instance); }

static SelkiesStatus configure(SelkiesInstance *instance, const SelkiesEncoderParams *params) {
  (void)instance, (void)params;
  return SELKIES_OK;
}

static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
  (void)params;
  Null *null = (Null *)instance;
  SelkiesSlab slab;
  SelkiesStatus status = null->memory->slab(null->host->ctx, 4096, &slab);
  if (status < 0) return status;
  memcpy(slab.ptr, frame->planes[0].ptr, 16);
  SelkiesPacket packet = {
      .struct_size = sizeof packet,
      .codec = SELKIES_CODEC_NULL,
      .flags = SELKIES_PACKET_KEY,
      .len = 16,
      .frame_id = frame->frame_id,
      .area = {0, 0, frame->width, frame->height},
  };
  null->memory->commit(null->host->ctx, &slab, &packet);
  SelkiesFrameDone done = {.struct_size = sizeof done, .frame_id = frame->frame_id};
  null->answer->done(null->host->ctx, &done);
  return SELKIES_OK;
}

static SelkiesStatus drain(SelkiesInstance *instance) {
  (void)instance;
  return SELKIES_OK;
}

static const SelkiesEncoderV1 ENCODER = {
    .struct_size = sizeof(SelkiesEncoderV1),
    .probe = probe,
    .create = create,
    .destroy = destroy,
    .configure = configure,
    .submit = submit,
    .drain = drain,
};

static const void *query(SelkiesStr id) {
  return id.len == strlen(SELKIES_ID_ENCODER_V1) && !memcmp(id.ptr, SELKIES_ID_ENCODER_V1, id.len) ? &ENCODER : 0;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
    .query = query,
};
