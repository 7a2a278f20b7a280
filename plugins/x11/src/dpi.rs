//! Dots per inch: the resource `Xft.dpi` of the root window, which toolkits scale by, and the size of the pointer with it.

use x11rb::{
    protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode},
    wrapper::ConnectionExt as _,
};

use crate::{connection::Connection, error::Result, xsettings::Scale};

/// What X applications assume when nothing says otherwise.
const DEFAULT_DPI: u32 = 96;
/// The only values that are believed or written.
const RANGE: std::ops::RangeInclusive<u32> = 24..=1536;
/// The resources' names with their separator.
const KEY: &str = "Xft.dpi:";
const CURSOR_KEY: &str = "Xcursor.size:";
/// Size of the pointer at the usual dots per inch (that of Selkies), and the limits of any.
const CURSOR_SIZE: u32 = 32;
const CURSOR_RANGE: std::ops::RangeInclusive<u32> = 8..=256;
/// Most of the resource database that is read, in bytes.
const MAX_RESOURCES: u32 = 1 << 20;

fn resources(connection: &Connection) -> Result<String> {
    let (property, kind) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
    let reply = connection
        .x()
        .get_property(false, connection.root(), property, kind, 0, MAX_RESOURCES / 4)?
        .reply()?;
    Ok(String::from_utf8_lossy(&reply.value).into_owned())
}

fn parse(resources: &str) -> Option<u32> {
    let value = resources.lines().find_map(|line| line.trim_start().strip_prefix(KEY))?;
    let dpi: f32 = value.trim().parse().ok()?;
    Some(dpi as u32).filter(|dpi| RANGE.contains(dpi))
}

fn replace(resources: &str, scale: Scale) -> String {
    let is_ours = |line: &str| [KEY, CURSOR_KEY].iter().any(|key| line.trim_start().starts_with(key));
    let others = resources.lines().filter(|line| !is_ours(line));
    let mut text: String = others.flat_map(|line| [line, "\n"]).collect();
    text.push_str(&format!("{KEY}\t{}\n{CURSOR_KEY}\t{}\n", scale.dpi, scale.cursor));
    text
}

impl Scale {
    /// Of dots per inch, which are brought into the range that is believed: the pointer grows with them.
    pub(crate) fn of_dpi(dpi: u32) -> Self {
        let dpi = dpi.clamp(*RANGE.start(), *RANGE.end());
        let cursor = (dpi * CURSOR_SIZE + DEFAULT_DPI / 2) / DEFAULT_DPI;
        Self { dpi, cursor: cursor.clamp(*CURSOR_RANGE.start(), *CURSOR_RANGE.end()) }
    }
}

/// The dots per inch that applications use now.
pub(crate) fn read(connection: &Connection) -> Result<u32> {
    Ok(parse(&resources(connection)?).unwrap_or(DEFAULT_DPI))
}

/// True where nothing says how many they are.
pub(crate) fn is_missing(connection: &Connection) -> Result<bool> {
    Ok(parse(&resources(connection)?).is_none())
}

/// Sets `Xft.dpi` and `Xcursor.size`; applications that start later use them.
pub(crate) fn write(connection: &Connection, scale: Scale) -> Result<()> {
    let text = replace(&resources(connection)?, scale);
    let (property, kind) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
    connection
        .x()
        .change_property8(PropMode::REPLACE, connection.root(), property, kind, text.as_bytes())?
        .check()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_resource_changes_and_the_others_stay() {
        let before = "XTerm*font: fixed\nXft.dpi: 96\nXcursor.size:24\nXft.antialias:\t1\n";
        let after = replace(before, Scale::of_dpi(144));
        assert_eq!(parse(&after), Some(144));
        assert_eq!(after, "XTerm*font: fixed\nXft.antialias:\t1\nXft.dpi:\t144\nXcursor.size:\t48\n");
        assert_eq!(parse("Xft.dpi: 1e9"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_pointer_grows_with_the_dots_within_limits() {
        let sizes = [24, 96, 120, 192, 288, 1536, u32::MAX].map(|dpi| Scale::of_dpi(dpi).cursor);
        assert_eq!(sizes, [8, 32, 40, 64, 96, 256, 256]);
    }
}
