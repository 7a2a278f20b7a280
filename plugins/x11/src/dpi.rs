//! Dots per inch: the resource `Xft.dpi` of the root window, which toolkits scale by.

use x11rb::{
    protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode},
    wrapper::ConnectionExt as _,
};

use crate::{connection::Connection, error::Result};

/// What X applications assume when nothing says otherwise.
const DEFAULT_DPI: u32 = 96;
/// The only values that are believed or written.
const RANGE: std::ops::RangeInclusive<u32> = 24..=1536;
/// The resource's name with its separator.
const KEY: &str = "Xft.dpi:";
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

fn replace(resources: &str, dpi: u32) -> String {
    let others = resources.lines().filter(|line| !line.trim_start().starts_with(KEY));
    let mut text: String = others.flat_map(|line| [line, "\n"]).collect();
    text.push_str(&format!("{KEY}\t{dpi}\n"));
    text
}

/// The dots per inch that applications use now.
pub(crate) fn read(connection: &Connection) -> Result<u32> {
    Ok(parse(&resources(connection)?).unwrap_or(DEFAULT_DPI))
}

/// Sets `Xft.dpi`; applications that start later (and those that listen) use it. Values out of range are brought into it.
pub(crate) fn write(connection: &Connection, dpi: u32) -> Result<()> {
    let text = replace(&resources(connection)?, dpi.clamp(*RANGE.start(), *RANGE.end()));
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
        let before = "XTerm*font: fixed\nXft.dpi: 96\nXft.antialias:\t1\n";
        let after = replace(before, 144);
        assert_eq!(parse(&after), Some(144));
        assert_eq!(after, "XTerm*font: fixed\nXft.antialias:\t1\nXft.dpi:\t144\n");
        assert_eq!(parse("Xft.dpi: 1e9"), None);
        assert_eq!(parse(""), None);
    }
}
