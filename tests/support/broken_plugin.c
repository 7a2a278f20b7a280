/* An encoder plugin against the header only, whose macros break one thing at a time. MANIFEST comes from manifest.h. */
#include <string.h>

#include "manifest.h"
#include "selkies_plugin.h"

#ifndef EPOCH
#define EPOCH SELKIES_ABI_EPOCH
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(SelkiesEncoderV1)
#endif

#ifdef CALLS_MISSING
extern int from_a_missing_library(void);
SELKIES_EXPORT int calls(void) { return from_a_missing_library(); }
#endif

static SelkiesStatus probe(const SelkiesHost *host, SelkiesStr config, const SelkiesCapsSink *sink) {
    (void)host, (void)config, (void)sink;
    return SELKIES_OK;
}
static SelkiesStatus create(const SelkiesHost *host, SelkiesStr config, const SelkiesEncoderParams *params, SelkiesInstance **out) {
    (void)host, (void)config, (void)params;
    *out = 0;
    return SELKIES_FAILURE(SELKIES_CLASS_FATAL_INSTANCE, SELKIES_DETAIL_UNSUPPORTED);
}
static void destroy(SelkiesInstance *instance) { (void)instance; }
static SelkiesStatus configure(SelkiesInstance *instance, const SelkiesEncoderParams *params) {
    (void)instance, (void)params;
    return SELKIES_OK;
}
static SelkiesStatus submit(SelkiesInstance *instance, const SelkiesFrame *frame, const SelkiesSubmitParams *params) {
    (void)instance, (void)frame, (void)params;
    return SELKIES_OK;
}
static SelkiesStatus drain(SelkiesInstance *instance) {
    (void)instance;
    return SELKIES_NOTHING;
}

static const SelkiesEncoderV1 encoder = {
    .struct_size = TABLE_SIZE,
    .probe = probe,
    .create = create,
    .destroy = destroy,
    .configure = configure,
    .submit = submit,
    .drain = drain,
};

static const void *query(SelkiesStr id) {
    static const char name[] = "selkies.encoder/1";
    return id.len == sizeof name - 1 && !memcmp(id.ptr, name, id.len) ? &encoder : 0;
}

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {(const uint8_t *)MANIFEST, sizeof(MANIFEST) - 1},
    .query = query,
};
