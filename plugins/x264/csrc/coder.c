#include "coder.h"

#include <stdlib.h>
#include <x264.h>

struct selkies_x264 {
    x264_t *encoder;
    x264_param_t param;
    int preset_method, preset_range;    /* of the search for motion */
    unsigned preset_intra;
    int64_t pictures;
};

static void set_rate(x264_param_t *param, const struct selkies_x264_settings *settings)
{
    int bitrate = settings->bitrate_kbps;
    int max_bitrate = settings->max_bitrate_kbps > 0 ? settings->max_bitrate_kbps : bitrate;
    int64_t buffer_ms = settings->vbv_ms > 0 ? settings->vbv_ms : 100;
    int64_t buffer;

    if (bitrate <= 0) {
        /* The caller names the quantiser of each picture. The library's own constant quality measures each picture at half
         * its size first, a quarter of the whole work. It clips what it is told to the range between its quantisers of
         * I, P and B pictures, which these factors make the whole scale. */
        param->rc.i_rc_method = X264_RC_CQP;
        param->rc.i_qp_constant = 25;
        param->rc.f_ip_factor = 16;
        param->rc.f_pb_factor = 21;
        /* It would measure, too. */
        param->analyse.i_weighted_pred = X264_WEIGHTP_NONE;
        return;
    }
    param->rc.i_rc_method = X264_RC_ABR;
    param->rc.i_bitrate = bitrate;
    param->rc.i_vbv_max_bitrate = max_bitrate;
    /* The library's own limit; without a buffer it would take no other bit rate later. */
    buffer = (int64_t)max_bitrate * buffer_ms / 1000;
    param->rc.i_vbv_buffer_size = buffer > 2000000 ? 2000000 : buffer < 1 ? 1 : (int)buffer;
    if (settings->min_qp >= 0)
        param->rc.i_qp_min = settings->min_qp;
    if (settings->max_qp >= 0)
        param->rc.i_qp_max = settings->max_qp;
}

struct selkies_x264 *selkies_x264_open(const struct selkies_x264_settings *settings)
{
    struct selkies_x264 *coder = calloc(1, sizeof *coder);
    x264_param_t *param;

    if (!coder)
        return NULL;
    param = &coder->param;
    if (x264_param_default_preset(param, settings->preset, "zerolatency") < 0)
        goto fail;
    param->i_log_level = X264_LOG_NONE;
    param->i_width = settings->width;
    param->i_height = settings->height;
    param->i_csp = settings->full_chroma ? X264_CSP_I444 : X264_CSP_NV12;
    param->i_fps_num = (uint32_t)settings->fps_num;
    param->i_fps_den = (uint32_t)settings->fps_den;
    /* Frames come when something changed, not at a rate: their times say nothing. */
    param->b_vfr_input = 0;
    param->i_threads = settings->threads;
    param->b_sliced_threads = settings->threads > 1;
    param->i_keyint_max = settings->keyframe_interval > 0 ? settings->keyframe_interval : X264_KEYINT_MAX_INFINITE;
    param->i_scenecut_threshold = 0;
    param->i_dpb_size = settings->memory;
    param->b_repeat_headers = 1;
    param->b_annexb = 1;
    param->b_aud = 0;
    /* Half the bytes of what is mostly skipped, for a tenth more work in the entropy coder. */
    param->b_cabac = 1;
    param->analyse.b_mb_info = 1;
    /* Rec. 709 of limited range, which every decoder knows; the transfer function is that of the screen. */
    param->vui.b_fullrange = 0;
    param->vui.i_colorprim = 1;
    param->vui.i_transfer = 13;
    param->vui.i_colmatrix = 1;
    set_rate(param, settings);
    if (x264_param_apply_profile(param, settings->full_chroma ? "high444" : "high") < 0)
        goto fail;
    coder->preset_method = param->analyse.i_me_method;
    coder->preset_range = param->analyse.i_me_range;
    coder->preset_intra = param->analyse.intra;
    coder->encoder = x264_encoder_open(param);
    if (!coder->encoder)
        goto fail;
    return coder;
fail:
    x264_param_cleanup(param);
    free(coder);
    return NULL;
}

int selkies_x264_rate(struct selkies_x264 *coder, const struct selkies_x264_settings *settings)
{
    set_rate(&coder->param, settings);
    return x264_encoder_reconfig(coder->encoder, &coder->param);
}

int selkies_x264_search(struct selkies_x264 *coder, int32_t range, int32_t letters)
{
    coder->param.analyse.i_me_method = range > 0 ? X264_ME_UMH : coder->preset_method;
    coder->param.analyse.i_me_range = range > 0 ? range : coder->preset_range;
    coder->param.analyse.intra = coder->preset_intra | (letters ? X264_ANALYSE_I4x4 : 0);
    return x264_encoder_reconfig(coder->encoder, &coder->param);
}

int selkies_x264_encode(struct selkies_x264 *coder, const uint8_t *const planes[3], const int32_t strides[3],
                        uint8_t *constant, int32_t qp, int32_t key, struct selkies_x264_output *out)
{
    x264_picture_t in, shown;
    x264_nal_t *nals;
    int count, len, i;

    x264_picture_init(&in);
    in.img.i_csp = coder->param.i_csp;
    in.img.i_plane = coder->param.i_csp == X264_CSP_NV12 ? 2 : 3;
    for (i = 0; i < in.img.i_plane; i++) {
        /* The library only reads them, although its structure lacks the const. */
        in.img.plane[i] = (uint8_t *)planes[i];
        in.img.i_stride[i] = strides[i];
    }
    in.i_qpplus1 = qp > 0 ? qp + 1 : X264_QP_AUTO;
    in.i_type = key ? X264_TYPE_IDR : X264_TYPE_AUTO;
    in.i_pts = coder->pictures++;
    in.prop.mb_info = constant;
    len = x264_encoder_encode(coder->encoder, &nals, &count, &in, &shown);
    if (len <= 0)
        return len < 0 ? len : -1; /* With zero latency every picture comes out at once. */
    /* The payloads of one call lie one behind the other. */
    out->bytes = nals[0].p_payload;
    out->len = len;
    out->key = shown.b_keyframe;
    return 0;
}

int selkies_x264_forget(struct selkies_x264 *coder, int64_t picture)
{
    return x264_encoder_invalidate_reference(coder->encoder, picture);
}

void selkies_x264_close(struct selkies_x264 *coder)
{
    x264_encoder_close(coder->encoder);
    x264_param_cleanup(&coder->param);
    free(coder);
}

int selkies_x264_build(void)
{
    return X264_BUILD;
}
