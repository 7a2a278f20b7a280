/*
 * The encoder without a fault, with a GObject type of its own, as an encoder on top of GStreamer has. Every library that is
 * built of this file registers the same name, so each of them works alone and two of them do not in one process.
 */
#include <glib-object.h>

#define AFTER 1
#define IN_CREATE(encoder) ((void)stage_type())

/* As the GObject bindings of Rust do: without its type, the library cannot go on. */
static GType stage_type(void) {
  static gsize registered;
  if (g_once_init_enter(&registered)) {
    GType type = g_type_register_static_simple(G_TYPE_OBJECT, g_intern_static_string("SelkiesFaultyStage"),
                                               sizeof(GObjectClass), NULL, sizeof(GObject), NULL, (GTypeFlags)0);
    if (type == 0) {
      abort();
    }
    g_once_init_leave(&registered, type);
  }
  return (GType)registered;
}

#include "encoder.h"
