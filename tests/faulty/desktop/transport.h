/* selkies.transport/1 of desktop.c: the session's messages and the packets as they are, over connections of the host. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "instance.h"

static SelkiesStatus transport_info(SelkiesInstance *instance, SelkiesTransportInfo *out) {
  (void)instance;
  *out = (SelkiesTransportInfo){.struct_size = sizeof *out,
                                .flags = SELKIES_TRANSPORT_HOST_CONNECTION | SELKIES_TRANSPORT_SIGNALING,
                                .codec_mask = IS("bad-info") ? 0 : UINT64_C(1) << SELKIES_CODEC_JPEG,
                                .stripes = 1,
                                .max_message = 65536};
  return SELKIES_OK;
}

static SelkiesStatus client_open(SelkiesInstance *instance, uint64_t client, SelkiesStr hello_json) {
  Desktop *desktop = instance;
  if (IS("picky") && memmem(hello_json.ptr, hello_json.len, "later", 5) != NULL) {
    return refuse(desktop, SELKIES_DETAIL_INVALID_ARGUMENT, "an unknown member");
  }
  for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
    if (desktop->clients[i] == 0) {
      desktop->clients[i] = client;
      return SELKIES_OK;
    }
  }
  return refuse(desktop, SELKIES_DETAIL_OUT_OF_RESOURCES, "too many clients");
}

static void client_close(SelkiesInstance *instance, uint64_t client, SelkiesStr reason) {
  Desktop *desktop = instance;
  (void)reason;
  for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
    desktop->clients[i] = desktop->clients[i] == client ? 0 : desktop->clients[i];
  }
  desktop->gone = client;
}

static SelkiesStatus receive(SelkiesInstance *instance, uint64_t client, uint32_t kind, SelkiesBytes payload) {
  Desktop *desktop = instance;
  bool ascii = kind == SELKIES_MESSAGE_TEXT;
  for (size_t i = 0; ascii && i < payload.len; i++) {
    ascii = payload.ptr[i] < 0x80;
  }
  if (!ascii) {
    return fail(desktop->host, desktop->log, IS("fragile") ? SELKIES_CLASS_FATAL_INSTANCE : SELKIES_CLASS_RETRY,
                SELKIES_DETAIL_INVALID_ARGUMENT, "only ASCII is understood");
  }
  desktop->clients_of->message(desktop->host->ctx, client, SELKIES_CHANNEL_CONTROL, IS("bad-message") ? 9 : kind,
                               payload);
  return SELKIES_OK;
}

static SelkiesStatus transport_signal(SelkiesInstance *instance, uint64_t client, SelkiesStr json) {
  (void)client, (void)json;
  return refuse(instance, SELKIES_DETAIL_INVALID_ARGUMENT, "nothing to set up");
}

static SelkiesStatus rtc_config(SelkiesInstance *instance, SelkiesStr json) {
  (void)instance, (void)json;
  return SELKIES_OK;
}

static SelkiesStatus send_message(SelkiesInstance *instance, const uint64_t *clients, uint32_t count, uint32_t channel,
                                  uint32_t kind, SelkiesBytes payload) {
  Desktop *desktop = instance;
  (void)channel;
  if (IS("ghost") && desktop->gone != 0) {
    clients = &desktop->gone;
    count = 1;
  }
  return desktop->clients_of->emit(desktop->host->ctx, clients, count, kind, (SelkiesBytes){0}, payload);
}

static SelkiesStatus send_packet(SelkiesInstance *instance, const uint64_t *clients, uint32_t count,
                                 const SelkiesPacket *packet, SelkiesBytes payload) {
  static const uint8_t header[SELKIES_SLAB_HEADROOM + 1];
  Desktop *desktop = instance;
  (void)packet;
  if (IS("silent")) {
    return SELKIES_OK;
  }
  SelkiesBytes first = {header, IS("long-header") ? sizeof header : 1};
  return desktop->clients_of->emit(desktop->host->ctx, clients, count, SELKIES_MESSAGE_BINARY, first, payload);
}

static const SelkiesTransportV1 TRANSPORT = {.struct_size = sizeof TRANSPORT,
                                             .create = create,
                                             .destroy = destroy,
                                             .info = transport_info,
                                             .client_open = client_open,
                                             .client_close = client_close,
                                             .receive = receive,
                                             .signal = transport_signal,
                                             .rtc_config = rtc_config,
                                             .send_message = send_message,
                                             .send_packet = send_packet};

#endif
