/* Prints what is held on the display: {"keys":[keycodes],"buttons":mask of 1 << button,"x":n,"y":n}. */
#include <X11/Xlib.h>
#include <stdio.h>

int main(void) {
    Display *display = XOpenDisplay(NULL);
    if (!display) return 1;
    char keys[32];
    XQueryKeymap(display, keys);
    Window root, child;
    int x, y, unused_x, unused_y;
    unsigned state;
    XQueryPointer(display, DefaultRootWindow(display), &root, &child, &x, &y, &unused_x, &unused_y, &state);
    printf("{\"keys\":[");
    const char *separator = "";
    for (int code = 8; code < 256; code++) {
        if (!(keys[code / 8] & (1 << (code % 8)))) continue;
        printf("%s%d", separator, code);
        separator = ",";
    }
    printf("],\"buttons\":%u,\"x\":%d,\"y\":%d}\n", (state >> 8 & 0x1f) << 1, x, y);
    XCloseDisplay(display);
    return 0;
}
