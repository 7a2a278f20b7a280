/* The few things of libx264 that the plugin needs, behind a layout of our own: x264_param_t and x264_picture_t change with
 * every release of the library, so only C compiled against its header may touch them. */
#ifndef SELKIES_X264_CODER_H
#define SELKIES_X264_CODER_H

#include <stdint.h>

struct selkies_x264_settings {
    int32_t width;          /* pixels, even where chroma is 4:2:0 */
    int32_t height;
    int32_t full_chroma;    /* 1: planes are Y, U, V of equal size; 0: Y and interleaved UV at half size (NV12) */
    int32_t threads;        /* slices of a frame that are coded at once */
    int32_t fps_num;
    int32_t fps_den;
    int32_t bitrate_kbps;   /* 0: each picture comes with its quantiser */
    int32_t max_bitrate_kbps;
    int32_t vbv_ms;
    int32_t keyframe_interval; /* 0: only on demand */
    int32_t min_qp;         /* -1: the library's */
    int32_t max_qp;
    int32_t memory;         /* pictures that may be predicted from */
    const char *preset;
};

struct selkies_x264_output {
    const uint8_t *bytes;   /* Annex B; valid until the next call */
    int32_t len;
    int32_t key;            /* 1 when it is an IDR picture */
};

struct selkies_x264;

/* NULL when the library refuses. */
struct selkies_x264 *selkies_x264_open(const struct selkies_x264_settings *settings);
/* The bit rate and its limits change with the next picture. Negative when the library refuses. */
int selkies_x264_rate(struct selkies_x264 *coder, const struct selkies_x264_settings *settings);
/* For scrolled pages, from the next picture on: motion is looked for `range` pixels around, or with 0 as the preset says;
 * with `letters` 1, blocks of 4x4 pixels are predicted from their neighbours, too. Negative when the library refuses. */
int selkies_x264_search(struct selkies_x264 *coder, int32_t range, int32_t letters);
/* `constant`: one byte per macroblock, 1 where the source is as in the picture before; NULL when nothing is known.
 * `qp`: the quantiser, 1 to 51; 0 leaves it to the bit rate. Negative when the library fails. */
int selkies_x264_encode(struct selkies_x264 *coder, const uint8_t *const planes[3], const int32_t strides[3],
                        uint8_t *constant, int32_t qp, int32_t key, struct selkies_x264_output *out);
/* The picture with this number (they count from 0) and all later ones are not predicted from any more; at least one of the
 * `memory` newest must be left. */
int selkies_x264_forget(struct selkies_x264 *coder, int64_t picture);
void selkies_x264_close(struct selkies_x264 *coder);
/* X264_BUILD of the header. */
int selkies_x264_build(void);

#endif
