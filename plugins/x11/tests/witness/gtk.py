"""What a GTK 3 program reads from the keyboard: a line per key press and per text. See mod.rs."""

import os
import sys

os.environ.update(GTK_IM_MODULE="gtk-im-context-simple", NO_AT_BRIDGE="1", GDK_BACKEND="x11")
import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
gi.require_version("GdkX11", "3.0")
from gi.repository import Gdk, GdkX11, Gtk  # noqa: F401


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


SHORTCUT = Gdk.ModifierType.CONTROL_MASK | Gdk.ModifierType.MOD1_MASK | Gdk.ModifierType.MOD4_MASK
method = Gtk.IMMulticontext.new()
method.connect("commit", lambda _, text: say("text " + text.encode().hex()))
window = Gtk.Window()
window.set_default_size(200, 100)


def pressed(_, event):
    control = event.state & Gdk.ModifierType.CONTROL_MASK
    alt = event.state & Gdk.ModifierType.MOD1_MASK
    say(f"key {event.keyval:x}{' control' if control else ''}{' alt' if alt else ''}")
    # Shortcuts are no text, and those of GTK's own method swallow what follows.
    if not event.state & SHORTCUT:
        method.filter_keypress(event)
    return True


def released(_, event):
    if not event.state & SHORTCUT:
        method.filter_keypress(event)
    return True


def mapped(*_):
    method.set_client_window(window.get_window())
    say(f"window {window.get_window().get_xid()}")


def focused(*_):
    method.focus_in()
    say("focus")


window.connect("key-press-event", pressed)
window.connect("key-release-event", released)
window.connect("map-event", mapped)
window.connect("focus-in-event", focused)
window.show_all()
Gtk.main()
