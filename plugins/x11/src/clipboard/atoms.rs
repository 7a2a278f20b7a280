//! Names of selections, targets and properties.

x11rb::atom_manager! {
    /// The atoms that are always needed.
    pub(super) Atoms: AtomsCookie {
        CLIPBOARD,
        PRIMARY,
        TARGETS,
        MULTIPLE,
        TIMESTAMP,
        ATOM,
        ATOM_PAIR,
        INTEGER,
        INCR,
        STRING,
        TEXT,
        UTF8_STRING,
        TEXT_UTF8: b"text/plain;charset=utf-8",
        TEXT_PLAIN: b"text/plain",
        // KDE's, which password managers use: its content is "secret" where the rest is one (KeePassXC, Klipper).
        PASSWORD_HINT: b"x-kde-passwordManagerHint",
        SELKIES_TIME,
        SELKIES_ANSWER,
    }
}
