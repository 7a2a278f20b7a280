/* Things to look at, in windows without a window manager. "ready" is printed when the first picture is there.
 *
 *   scene text                    a page of text as large as the screen; it follows the screen's size
 *   scene gradient                colour gradients and discs as large as the screen
 *   scene motion W H FPS          a square of moving bars at 0,0; SIGUSR1 stops it
 *   scene tiles W H FPS           tiles of 16x16 at 0,0, each of another colour every time: what no encoder makes small
 *   scene clock W H FPS           the time at 0,0 as 18 upright bars: white, black, and 16 bits of its ms, highest first
 *   scene cursor HX HY X Y W H    a window whose pointer is a red 16x16 square with its hotspot at HX,HY
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static Display *display;
static Window root, window;
static GC gc;
static volatile sig_atomic_t moving = 1;

static void stop_moving(int signal) {
    (void)signal;
    moving = 0;
}

static unsigned long rgb(int r, int g, int b) {
    return (unsigned long)(r & 255) << 16 | (unsigned long)(g & 255) << 8 | (unsigned long)(b & 255);
}

static void open_window(int x, int y, int width, int height, unsigned long background) {
    XSetWindowAttributes attributes = {.override_redirect = True, .background_pixel = background, .event_mask = ExposureMask};
    window = XCreateWindow(display, root, x, y, (unsigned)width, (unsigned)height, 0, CopyFromParent, InputOutput, CopyFromParent,
                           CWOverrideRedirect | CWBackPixel | CWEventMask, &attributes);
    gc = XCreateGC(display, window, 0, NULL);
    XMapRaised(display, window);
}

static void draw_text(int width, int height) {
    static const char *const words[] = {"stripe", "damage", "cursor", "keysym", "viewer", "packet", "plugin", "screen",
                                        "quartz", "jackdaw", "vexing", "sphinx", "0123456789", "{[()]}", "WAVE", "illi"};
    XFontStruct *font = XLoadQueryFont(display, "fixed");
    if (!font) exit(2);
    XSetFont(display, gc, font->fid);
    int step = font->ascent + font->descent + 2;
    unsigned seed = 12345;
    XClearWindow(display, window);
    for (int line = 0, y = step; y < height; line++, y += step) {
        XSetForeground(display, gc, line % 5 == 4 ? rgb(20, 60, 160) : rgb(15, 15, 15));
        char text[512] = "";
        while (strlen(text) < 400) {
            seed = seed * 1103515245u + 12345u;
            strcat(text, words[seed >> 16 & 15]);
            strcat(text, " ");
        }
        int fits = (width - 16) / font->max_bounds.width;
        XDrawString(display, window, gc, 8, y, text, fits < 400 ? fits : 400);
    }
    XFreeFont(display, font);
}

static void draw_gradient(int width, int height) {
    XImage *image = XCreateImage(display, DefaultVisual(display, 0), 24, ZPixmap, 0, malloc((size_t)width * (size_t)height * 4),
                                 (unsigned)width, (unsigned)height, 32, 0);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int r = x * 255 / width, g = y * 255 / height, b = 255 - (x + y) * 255 / (width + height);
            int cx = x % 160 - 80, cy = y % 160 - 80;
            if (cx * cx + cy * cy < 1600) { r = 255 - r; b = 255 - b; }
            XPutPixel(image, x, y, rgb(r, g, b));
        }
    }
    XPutImage(display, window, gc, image, 0, 0, 0, 0, (unsigned)width, (unsigned)height);
    XDestroyImage(image);
}

static void draw_bars(int width, int height, int frame) {
    static const int colours[][3] = {{220, 40, 40}, {40, 200, 60}, {50, 70, 220}, {230, 200, 40}, {30, 30, 30}, {240, 240, 240}};
    int bar = width / 6 > 0 ? width / 6 : 1;
    for (int i = -1; i < 7; i++) {
        const int *c = colours[(i + 6) % 6];
        XSetForeground(display, gc, rgb(c[0], c[1], c[2]));
        XFillRectangle(display, window, gc, i * bar + frame * 7 % bar, 0, (unsigned)bar, (unsigned)height);
    }
    XSetForeground(display, gc, rgb(frame * 37, frame * 11, frame * 5));
    XFillRectangle(display, window, gc, frame * 13 % width, frame * 5 % height, 24, 24);
}

static void draw_clock(int width, int height) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned ms = (unsigned)((long long)now.tv_sec * 1000 + now.tv_nsec / 1000000) & 0xffff;
    unsigned bars = 1u << 17 | ms;
    for (int i = 0; i < 18; i++) {
        int from = width * i / 18, to = width * (i + 1) / 18;
        XSetForeground(display, gc, bars >> (17 - i) & 1 ? rgb(255, 255, 255) : rgb(0, 0, 0));
        XFillRectangle(display, window, gc, from, 0, (unsigned)(to - from), (unsigned)height);
    }
}

static void draw_tiles(int width, int height) {
    static unsigned seed = 1;
    for (int y = 0; y < height; y += 16) {
        for (int x = 0; x < width; x += 16) {
            seed = seed * 1103515245u + 12345u;
            XSetForeground(display, gc, seed >> 8);
            XFillRectangle(display, window, gc, x, y, 16, 16);
        }
    }
}

static void say_ready(void) {
    XSync(display, False);
    puts("ready");
    fflush(stdout);
}

/* Draws again whenever the screen has another size. */
static void follow_screen(void (*draw)(int, int)) {
    int width = 0, height = 0, told = 0;
    XSelectInput(display, root, StructureNotifyMask);
    for (;;) {
        XWindowAttributes now;
        XGetWindowAttributes(display, root, &now);
        if (now.width != width || now.height != height) {
            width = now.width;
            height = now.height;
            XResizeWindow(display, window, (unsigned)width, (unsigned)height);
            XSync(display, False);
            draw(width, height);
        }
        if (!told) say_ready();
        told = 1;
        XEvent event;
        XNextEvent(display, &event);
        if (event.type == Expose && event.xexpose.count == 0) draw(width, height);
    }
}

int main(int argc, char **argv) {
    display = XOpenDisplay(NULL);
    if (!display || argc < 2) return 1;
    root = DefaultRootWindow(display);
    int number[8] = {0};
    for (int i = 2; i < argc && i < 10; i++) number[i - 2] = atoi(argv[i]);
    if (!strcmp(argv[1], "text") || !strcmp(argv[1], "gradient")) {
        int text = !strcmp(argv[1], "text");
        open_window(0, 0, 64, 64, text ? rgb(250, 250, 245) : rgb(0, 0, 0));
        follow_screen(text ? draw_text : draw_gradient);
    } else if ((!strcmp(argv[1], "motion") || !strcmp(argv[1], "clock") || !strcmp(argv[1], "tiles")) && argc == 5 && number[2] > 0) {
        int clock = !strcmp(argv[1], "clock"), tiles = !strcmp(argv[1], "tiles");
        signal(SIGUSR1, stop_moving);
        open_window(0, 0, number[0], number[1], 0);
        for (int frame = 0;; frame++) {
            if (clock && moving) draw_clock(number[0], number[1]);
            else if (tiles && moving) draw_tiles(number[0], number[1]);
            else if (moving || frame == 0) draw_bars(number[0], number[1], frame);
            if (frame == 0) say_ready();
            XSync(display, True);
            usleep((useconds_t)(1000000 / number[2]));
        }
    } else if (!strcmp(argv[1], "cursor") && argc == 8) {
        open_window(number[2], number[3], number[4], number[5], rgb(90, 110, 90));
        char all[32];
        memset(all, 0xff, sizeof all);
        Pixmap square = XCreateBitmapFromData(display, root, all, 16, 16);
        XColor red = {.red = 0xffff};
        XDefineCursor(display, window, XCreatePixmapCursor(display, square, square, &red, &red, (unsigned)number[0], (unsigned)number[1]));
        say_ready();
        for (XEvent event;;) XNextEvent(display, &event);
    }
    return 1;
}
