/*
 * VP8 and VP9 by libvpx. Its structures change with its version, so they stay on this side; vpx.rs has the same declarations.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

typedef struct {
  const uint8_t *samples[3];
  size_t strides[3];
  uint32_t width, height;
  uint32_t colours; /* vpx_color_space_t, as the bit stream has it */
  uint32_t full_range;
} SelkiesVpxPicture;

vpx_codec_ctx_t *selkies_vpx_begin(bool vp9) {
  vpx_codec_ctx_t *decoder = calloc(1, sizeof *decoder);
  const vpx_codec_dec_cfg_t config = {.threads = 1};
  if (decoder != NULL &&
      vpx_codec_dec_init(decoder, vp9 ? vpx_codec_vp9_dx() : vpx_codec_vp8_dx(), &config, 0) != VPX_CODEC_OK) {
    free(decoder);
    return NULL;
  }
  return decoder;
}

void selkies_vpx_end(vpx_codec_ctx_t *decoder) {
  vpx_codec_destroy(decoder);
  free(decoder);
}

/* NULL for a picture that lives until the next call, or what is wrong with the bytes: a text that lives for ever. */
const char *selkies_vpx_decode(vpx_codec_ctx_t *decoder, const uint8_t *bytes, uint32_t len, SelkiesVpxPicture *picture) {
  vpx_codec_err_t status = vpx_codec_decode(decoder, bytes, len, NULL, 0);
  if (status != VPX_CODEC_OK) {
    return vpx_codec_err_to_string(status);
  }
  int corrupted = 0;
  if (vpx_codec_control(decoder, VP8D_GET_FRAME_CORRUPTED, &corrupted) == VPX_CODEC_OK && corrupted) {
    return "it is damaged";
  }
  vpx_codec_iter_t iter = NULL;
  const vpx_image_t *image = vpx_codec_get_frame(decoder, &iter);
  if (image == NULL) {
    return "no picture came of it";
  }
  if (image->fmt != VPX_IMG_FMT_I420) {
    return "its picture is not 4:2:0";
  }
  for (int plane = 0; plane < 3; plane++) {
    picture->samples[plane] = image->planes[plane];
    picture->strides[plane] = (size_t)image->stride[plane];
  }
  picture->width = image->d_w;
  picture->height = image->d_h;
  picture->colours = (uint32_t)image->cs;
  picture->full_range = image->range == VPX_CR_FULL_RANGE;
  return NULL;
}
