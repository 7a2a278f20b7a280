/* Sizes on LP64 platforms; the Rust side asserts the same (tests/layout.rs). */
#ifdef __cplusplus
#define CHECK(x) static_assert(x, #x)
#else
#define CHECK(x) _Static_assert(x, #x)
#endif
CHECK(sizeof(SelkiesStr) == 16);
CHECK(sizeof(SelkiesBytes) == 16);
CHECK(sizeof(SelkiesRect) == 16);
CHECK(sizeof(SelkiesTextSink) == 16);
CHECK(sizeof(SelkiesCaptureInfo) == 56);
CHECK(sizeof(SelkiesCaptureParams) == 80);
CHECK(sizeof(SelkiesCaptureEvent) == 32);
CHECK(sizeof(SelkiesCaptureV1) == 80);
CHECK(sizeof(SelkiesCursorImage) == 56);
CHECK(sizeof(SelkiesCursorV1) == 40);
CHECK(sizeof(SelkiesDisplayOutput) == 88);
CHECK(sizeof(SelkiesDisplayRequest) == 80);
CHECK(sizeof(SelkiesOutputSink) == 16);
CHECK(sizeof(SelkiesDisplayV1) == 40);
CHECK(sizeof(SelkiesEncoderCaps) == 112);
CHECK(sizeof(SelkiesCapsSink) == 16);
CHECK(sizeof(SelkiesEncoderParams) == 144);
CHECK(sizeof(SelkiesSubmitParams) == 72);
CHECK(sizeof(SelkiesRoiRect) == 24);
CHECK(sizeof(SelkiesFrameDone) == 40);
CHECK(sizeof(SelkiesHostEncoderV1) == 16);
CHECK(sizeof(SelkiesEncoderV1) == 56);
CHECK(sizeof(SelkiesEncoderRate) == 48);
CHECK(sizeof(SelkiesEncoderRateV1) == 16);
CHECK(sizeof(SelkiesPluginEntry) == 40);
CHECK(sizeof(SelkiesLifecycleV1) == 24);
CHECK(sizeof(SelkiesColor) == 4);
CHECK(sizeof(SelkiesPlane) == 40);
CHECK(sizeof(SelkiesFrame) == 272);
CHECK(sizeof(SelkiesFrameBuffer) == 40);
CHECK(sizeof(SelkiesHost) == 24);
CHECK(sizeof(SelkiesLogV1) == 32);
CHECK(sizeof(SelkiesClockV1) == 16);
CHECK(sizeof(SelkiesMetricsV1) == 32);
CHECK(sizeof(SelkiesMemoryV1) == 48);
CHECK(sizeof(SelkiesInputEvent) == 64);
CHECK(sizeof(SelkiesInputV1) == 40);
CHECK(sizeof(SelkiesSlab) == 24);
CHECK(sizeof(SelkiesPacket) == 104);
CHECK(sizeof(SelkiesRtcConfigRequest) == 64);
CHECK(sizeof(SelkiesRtcConfigV1) == 48);
CHECK(sizeof(SelkiesTransportInfo) == 64);
CHECK(sizeof(SelkiesFeedback) == 64);
CHECK(sizeof(SelkiesHostTransportV1) == 64);
CHECK(sizeof(SelkiesTransportV1) == 88);
