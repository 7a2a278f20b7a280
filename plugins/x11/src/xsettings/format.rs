//! The property that holds the settings (XSETTINGS 0.5, "Data Format").

use super::Scale;

/// Of the server that this machine's programs talk to; each client reads either order.
const LITTLE_ENDIAN: u8 = 0;
const INTEGER: u8 = 0;

/// The property's bytes for a scale, changed the `serial`th time.
///
/// `Xft/DPI` is in 1024ths; the window's own factor stays 1, so that what is scaled is scaled once.
pub(super) fn property(scale: Scale, serial: u32) -> Vec<u8> {
    let dpi = (scale.dpi * 1024).cast_signed();
    let settings = [
        ("Gdk/UnscaledDPI", dpi),
        ("Gdk/WindowScalingFactor", 1),
        ("Gtk/CursorThemeSize", scale.cursor.cast_signed()),
        ("Xft/DPI", dpi),
    ];
    let mut bytes = vec![LITTLE_ENDIAN, 0, 0, 0];
    bytes.extend(serial.to_le_bytes());
    bytes.extend((settings.len() as u32).to_le_bytes());
    for (name, value) in settings {
        bytes.extend([INTEGER, 0]);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(serial.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_padded_and_values_follow() {
        let bytes = property(Scale { dpi: 144, cursor: 48 }, 7);
        assert_eq!(bytes[..12], [0, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0]);
        // The second setting: "Gdk/WindowScalingFactor" has 23 characters and a byte of padding.
        let second = &bytes[12 + 4 + 16 + 8..];
        assert_eq!(second[..4], [0, 0, 23, 0]);
        assert_eq!(&second[4..27], b"Gdk/WindowScalingFactor");
        assert_eq!(second[27..36], [0, 7, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[bytes.len() - 4..], (144 * 1024i32).to_le_bytes());
        assert_eq!(bytes.len() % 4, 0);
    }
}
