/* The end of each plugin here: its manifest and its entry, which asks `query`. */
#ifndef FAULTY_ENTRY_H
#define FAULTY_ENTRY_H

#include "plugin.h"

static const char MANIFEST[] =
#include "manifest.inc" /* made by build.sh */
    ;

SELKIES_PLUGIN_ENTRY = {
    .magic = SELKIES_PLUGIN_MAGIC,
    .abi_epoch = SELKIES_ABI_EPOCH,
    .struct_size = sizeof(SelkiesPluginEntry),
    .manifest_json = {.ptr = (const uint8_t *)MANIFEST, .len = sizeof MANIFEST - 1},
    .query = query,
};

#endif
