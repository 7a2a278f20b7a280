//! `docs/specs/transport.md`: `selkies.transport/1`.

crate::rule::page! { "transport", Some(selkies_plugin_abi::ids::TRANSPORT_V1);
    TRN_001 "TRN-001" Must "information"
        "`info` MUST succeed and name a way to connect (host's connection or signaling), a codec or audio, and the largest message."
        "Fill every field of TransportInfo.";
    TRN_002 "TRN-002" Must "clients come"
        "`client_open` MUST take a hello with members and codecs that the plugin does not know."
        "Skip unknown names.";
    TRN_003 "TRN-003" Must "only open clients"
        "A transport MUST NOT name a client to the host that is not open: neither before `client_open` nor after `client_close` returned."
        "Forget a client in client_close, under the lock that sending takes.";
    TRN_004 "TRN-004" Must "foreign bytes"
        "Whatever arrives from a client (`receive`, `signal`), the transport MUST go on for it and for others, and answer at worst class retry."
        "Validate before use; drop what is not understood.";
    TRN_005 "TRN-005" Must "emits"
        "`emit` MUST be called with at least one client, a published kind, a header of at most 64 bytes, and UTF-8 for text."
        "Compare with HostTransportV1.emit in the header.";
    TRN_006 "TRN-006" Must "packets"
        "With TRANSPORT_HOST_CONNECTION, a packet of a codec of the mask for an open client MUST be emitted with its payload."
        "Emit within send_packet; the header goes before the payload.";
    TRN_007 "TRN-007" Must "messages"
        "Messages and signals to the host MUST name a published kind and channel, and signals be JSON objects."
        "Parse what came before it is passed on.";
}
