/* What an Xlib program reads from the keyboard: a line per key press and per text. See mod.rs. */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static void text(const char *bytes, int length) {
    printf("text ");
    for (int i = 0; i < length; i++) printf("%02x", (unsigned char)bytes[i]);
    printf("\n");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!setlocale(LC_CTYPE, "C.UTF-8") || !XSetLocaleModifiers("@im=none")) return 2;
    Display *display = XOpenDisplay(NULL);
    if (!display) return 1;
    Window window = XCreateSimpleWindow(display, DefaultRootWindow(display), 0, 0, 200, 100, 0, 0, 0);
    XIM method = XOpenIM(display, NULL, NULL, NULL);
    if (!method) return 3;
    XIC context = XCreateIC(method, XNInputStyle, XIMPreeditNothing | XIMStatusNothing, XNClientWindow, window, NULL);
    if (!context) return 4;
    XSetICFocus(context);
    XSelectInput(display, window, KeyPressMask | StructureNotifyMask | FocusChangeMask);
    XMapWindow(display, window);
    for (;;) {
        XEvent event;
        XNextEvent(display, &event);
        if (event.type == MapNotify) printf("window %lu\n", window);
        if (event.type == FocusIn) printf("focus\n");
        if (event.type == MappingNotify) XRefreshKeyboardMapping(&event.xmapping);
        KeySym symbol = NoSymbol;
        if (event.type == KeyPress && event.xkey.keycode != 0) {
            char ignored[8];
            XLookupString(&event.xkey, ignored, sizeof ignored, &symbol, NULL);
            printf("key %lx%s%s\n", symbol, event.xkey.state & ControlMask ? " control" : "",
                   event.xkey.state & Mod1Mask ? " alt" : "");
        }
        if (XFilterEvent(&event, window) || event.type != KeyPress) continue;
        /* Shortcuts are no text. */
        if (event.xkey.state & (ControlMask | Mod1Mask | Mod4Mask)) continue;
        char bytes[64];
        Status status;
        int length = Xutf8LookupString(context, &event.xkey, bytes, sizeof bytes, &symbol, &status);
        if (status == XLookupChars || status == XLookupBoth) text(bytes, length);
    }
}
