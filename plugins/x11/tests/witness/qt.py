"""What a Qt 5 program reads from the keyboard: a line per key press and per text. See mod.rs."""

import os
import signal
import sys

os.environ.update(QT_IM_MODULE="compose", QT_QPA_PLATFORM="xcb", QT_LINUX_ACCESSIBILITY_ALWAYS_ON="0")
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication, QWidget

signal.signal(signal.SIGTERM, signal.SIG_DFL)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Window(QWidget):
    def __init__(self):
        super().__init__()
        self.setAttribute(Qt.WA_InputMethodEnabled)
        self.setFocusPolicy(Qt.StrongFocus)
        self.resize(200, 100)

    def keyPressEvent(self, event):
        control = event.modifiers() & Qt.ControlModifier
        alt = event.modifiers() & Qt.AltModifier
        say(f"key {event.nativeVirtualKey():x}{' control' if control else ''}{' alt' if alt else ''}")
        # Shortcuts are no text.
        if event.text() and not event.modifiers() & (Qt.ControlModifier | Qt.AltModifier | Qt.MetaModifier):
            say("text " + event.text().encode("utf-8", "surrogatepass").hex())

    def inputMethodEvent(self, event):
        if event.commitString():
            say("text " + event.commitString().encode().hex())
        event.accept()

    def inputMethodQuery(self, query):
        if query == Qt.ImEnabled:
            return True
        return super().inputMethodQuery(query)

    def focusInEvent(self, _):
        say("focus")

    # Tab is a key like others.
    def focusNextPrevChild(self, _):
        return False


application = QApplication(sys.argv)
window = Window()
window.show()
say(f"window {int(window.winId())}")
application.exec_()
