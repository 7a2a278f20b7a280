/* What a streamer of H.264 with libx264 cannot spare: for each picture one grab through MIT-SHM, one conversion and libx264 alone,
 * on one thread, when the picture changed. Needs DISPLAY with a scene on it; prints CPU time per picture as a line of JSON.
 *
 * Pictures are coded when they come, since code and data that were not used for 10 ms cost more than those of a loop.
 *
 *   floor FRAMES SCENE
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/Xdamage.h>
#include <libyuv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <time.h>
#include <x264.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int frames = argc == 3 ? atoi(argv[1]) : 0;
    Display *display = XOpenDisplay(NULL);
    if (!display || frames < 1)
        return 1;
    int screen = DefaultScreen(display), width = DisplayWidth(display, screen), height = DisplayHeight(display, screen);
    XShmSegmentInfo seg = {.readOnly = False};
    XImage *image = XShmCreateImage(display, DefaultVisual(display, screen), (unsigned)DefaultDepth(display, screen), ZPixmap,
                                    NULL, &seg, (unsigned)width, (unsigned)height);
    seg.shmid = shmget(IPC_PRIVATE, (size_t)image->bytes_per_line * (size_t)height, IPC_CREAT | 0600);
    seg.shmaddr = image->data = shmat(seg.shmid, NULL, 0);
    XShmAttach(display, &seg);
    XSync(display, False);
    shmctl(seg.shmid, IPC_RMID, NULL);

    x264_param_t param;
    x264_param_default_preset(&param, "ultrafast", "zerolatency");
    param.i_width = width, param.i_height = height, param.i_csp = X264_CSP_I420;
    param.i_fps_num = 60, param.i_fps_den = 1, param.b_vfr_input = 0;
    param.i_threads = 1, param.b_sliced_threads = 0;
    param.i_keyint_max = X264_KEYINT_MAX_INFINITE, param.b_repeat_headers = 1, param.b_annexb = 1;
    param.i_log_level = X264_LOG_NONE;
    param.rc.i_rc_method = X264_RC_CRF, param.rc.f_rf_constant = 25;
    x264_param_apply_profile(&param, "baseline");
    x264_t *encoder = x264_encoder_open(&param);
    x264_picture_t in, out;
    if (!encoder || x264_picture_alloc(&in, X264_CSP_I420, width, height))
        return 1;

    int events, errors;
    if (!XDamageQueryExtension(display, &events, &errors))
        return 1;
    Damage damage = XDamageCreate(display, DefaultRootWindow(display), XDamageReportNonEmpty);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), bytes = 0, due = 0;
    for (int i = 0; i < frames; i++) {
        XEvent event;
        XNextEvent(display, &event);
        /* A scene draws a picture in several requests, and 60 pictures a second are asked. */
        double now = seconds(CLOCK_MONOTONIC);
        double wait = due > now ? due - now : 0.001;
        nanosleep(&(struct timespec){.tv_nsec = (long)(wait * 1e9)}, NULL);
        due = seconds(CLOCK_MONOTONIC) + 0.010;
        XDamageSubtract(display, damage, None, None);
        XShmGetImage(display, DefaultRootWindow(display), image, 0, 0, AllPlanes);
        ARGBToI420((uint8_t *)image->data, image->bytes_per_line, in.img.plane[0], in.img.i_stride[0], in.img.plane[1],
                   in.img.i_stride[1], in.img.plane[2], in.img.i_stride[2], width, height);
        x264_nal_t *nal;
        int count, len;
        in.i_pts = i;
        len = x264_encoder_encode(encoder, &nal, &count, &in, &out);
        bytes += len > 0 ? len : 0;
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"scene\":\"%s\",\"size\":\"%dx%d\",\"frames\":%d,\"cpu_ms\":%.3f,\"bytes\":%.0f}\n", argv[2], width, height, frames,
           cpu * 1e3 / frames, bytes / frames);
    return 0;
}
