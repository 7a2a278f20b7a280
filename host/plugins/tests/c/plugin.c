// A plugin in C with an encoder and its rate table. The test that compiles it breaks one thing at a time by a macro.
// MANIFEST comes from manifest.h, which the test writes.
#include <string.h>

#include "manifest.h"
#include "selkies_plugin.h"

#ifndef MAGIC
#define MAGIC SELKIES_PLUGIN_MAGIC
#endif
#ifndef EPOCH
#define EPOCH SELKIES_ABI_EPOCH
#endif
#ifndef ENTRY_SIZE
#define ENTRY_SIZE sizeof(SelkiesPluginEntry)
#endif
#ifndef ENCODER_SIZE
#define ENCODER_SIZE sizeof(SelkiesEncoderV1)
#endif
#ifndef RATE_SIZE
#define RATE_SIZE sizeof(SelkiesEncoderRateV1)
#endif
#ifndef SUBMIT
#define SUBMIT submit
#endif
#ifndef QUERY
#define QUERY query
#endif

#ifdef PADDING
// Not zero, so that it lies in the file.
SELKIES_EXPORT const char padding[PADDING] = {1};
#endif
#ifdef CALLS_GONE
extern int gone(void);
#endif

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config, const SelkiesCapsSink *sink) {
  (void)host, (void)config, (void)sink;
  return SELKIES_OK;
}
static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config, const SelkiesEncoderParams *params,
                            SelkiesInstance **out) {
  (void)host, (void)config, (void)params;
#ifdef CALLS_GONE
  (void)gone();
#endif
  *out = 0;
  return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
}
static void destroy(SelkiesInstance *instance) { (void)instance; }
static SelkiesStatus configure(SelkiesInstance *instance, const SelkiesEncoderParams *params) {
  (void)instance, (void)params;
  return SELKIES_OK;
}
__attribute__((unused)) static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
  (void)instance, (void)frame, (void)params;
  return SELKIES_OK;
}
static SelkiesStatus drain(SelkiesInstance *instance) {
  (void)instance;
  return SELKIES_NOTHING;
}
static SelkiesStatus set(SelkiesInstance *instance, const SelkiesEncoderRate *rate) {
  (void)instance;
  return (SelkiesStatus)rate->bitrate_kbps;
}

__attribute__((unused)) static const SelkiesEncoderV1 encoder = {
    .struct_size = ENCODER_SIZE,
    .probe = probe,
    .create = create,
    .destroy = destroy,
    .configure = configure,
    .submit = SUBMIT,
    .drain = drain,
};
__attribute__((unused)) static const SelkiesEncoderRateV1 rate = {.struct_size = RATE_SIZE, .set = set};

static int is(SelkiesStr id, const char *name) { return id.len == strlen(name) && !memcmp(id.ptr, name, id.len); }

__attribute__((unused)) static const void *query(SelkiesStr id) {
#ifdef ANSWERS_ALWAYS
  return &encoder;
#endif
#ifndef NO_ENCODER
  if (is(id, "selkies.encoder/1")) return &encoder;
#endif
#ifdef EXTRA
  // A table of the future, and of a vendor: a host that does not know it never asks for its functions.
  static const uint64_t extra[] = {8};
  if (is(id, "selkies.encoder/9") || is(id, "vendor.magic/1")) return extra;
#endif
#ifndef NO_RATE
  if (is(id, "selkies.encoder.rate/1")) return &rate;
#endif
  return 0;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = MAGIC,
    .abi_epoch = EPOCH,
    .struct_size = ENTRY_SIZE,
    .manifest_json = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
    .query = QUERY,
};
