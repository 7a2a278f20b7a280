/* Prints the window that owns the selection named first, 0 for none. */
#include <X11/Xlib.h>
#include <stdio.h>

int main(int count, char **arguments) {
    Display *display = XOpenDisplay(NULL);
    if (!display || count != 2) return 1;
    Window owner = XGetSelectionOwner(display, XInternAtom(display, arguments[1], False));
    printf("%lu\n", owner);
    XCloseDisplay(display);
    return 0;
}
