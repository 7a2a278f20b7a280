//! The shape of the pointer, from XFixes.

mod arrow;

use std::time::Duration;

use selkies_plugin_sdk::{CursorImage, abi::MAX_CURSOR_EDGE};
use x11rb::{
    errors::ReplyError,
    protocol::{
        ErrorKind, Event,
        xfixes::{ConnectionExt as _, CursorNotifyMask, GetCursorImageReply},
    },
};

use crate::{
    connection::{Connection, Ready, Waker, deadline},
    error::{Result, X11Error},
};

/// The serial of "no cursor at all"; those of the server start at 1.
const HIDDEN: u64 = 0;

/// Watches the pointer's shape.
#[derive(Debug)]
pub struct Pointer {
    connection: Connection,
    /// The shape may differ from the one reported last.
    changed: bool,
    reported: Option<u64>,
}

impl Pointer {
    /// Connects to `display` (`None`: `$DISPLAY`).
    ///
    /// # Errors
    /// Those of [`Connection::open`], [`X11Error::MissingExtension`].
    pub fn open(display: Option<&str>) -> Result<Self> {
        let connection = Connection::open(display)?;
        connection.require("XFIXES", "2.0")?;
        let x = connection.x();
        x.xfixes_query_version(5, 0)?.reply()?;
        x.xfixes_select_cursor_input(connection.root(), CursorNotifyMask::DISPLAY_CURSOR)?.check()?;
        Ok(Self { connection, changed: true, reported: None })
    }

    /// Ends a wait.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.connection.waker()
    }

    /// Sleeps until the shape is another one than the last answer, `timeout` passed (`None`: no limit) or the waker was
    /// used; the last two answer `None`. The first call answers at once.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<CursorImage>> {
        let deadline = deadline(timeout);
        let waker = self.connection.waker();
        loop {
            while let Some((event, _)) = self.connection.next_event()? {
                self.changed |= matches!(event, Event::XfixesCursorNotify(_));
            }
            if waker.taken() {
                return Ok(None);
            }
            if std::mem::take(&mut self.changed) {
                let image = self.image()?;
                if self.reported.replace(image.serial) != Some(image.serial) {
                    return Ok(Some(image));
                }
                // The round trip may have brought further events into x11rb's queue: read them before sleeping.
                continue;
            }
            match self.connection.ready(deadline)? {
                Ready::Server => {}
                Ready::Woken | Ready::TimedOut => return Ok(None),
            }
        }
    }

    fn image(&self) -> Result<CursorImage> {
        match self.connection.x().xfixes_get_cursor_image()?.reply() {
            Ok(reply) => Ok(convert(&reply)),
            // A server that shows no cursor has none to describe.
            Err(ReplyError::X11Error(error)) if error.error_kind == ErrorKind::Cursor => Ok(CursorImage {
                visible: false,
                width: 0,
                height: 0,
                hot_x: 0,
                hot_y: 0,
                serial: HIDDEN,
                rgba: Vec::new(),
            }),
            // Servers with the SECURITY extension let nobody read a cursor whose client has left, as xsetroot does in
            // many session scripts (Xext/security.c, SecurityResource). The pointer is there all the same.
            Err(ReplyError::X11Error(error)) if error.error_kind == ErrorKind::Access => Ok(arrow::image()),
            Err(error) => Err(X11Error::from(error)),
        }
    }
}

/// From the premultiplied ARGB of XFixes (fixesproto.txt, GetCursorImage) to straight RGBA. Images over the limit are
/// scaled down by whole steps; a fully transparent one counts as hidden, for that is how applications hide the pointer.
fn convert(reply: &GetCursorImageReply) -> CursorImage {
    let (width, height) = (u32::from(reply.width), u32::from(reply.height));
    let step = width.max(height).div_ceil(MAX_CURSOR_EDGE).max(1);
    let (small_width, small_height) = (width / step, height / step);
    let mut rgba = Vec::with_capacity((small_width * small_height * 4) as usize);
    let mut visible = false;
    for y in 0..small_height {
        for x in 0..small_width {
            let pixel = reply.cursor_image.get((y * step * width + x * step) as usize).copied().unwrap_or(0);
            let [blue, green, red, alpha] = pixel.to_le_bytes();
            visible |= alpha != 0;
            rgba.extend([straight(red, alpha), straight(green, alpha), straight(blue, alpha), alpha]);
        }
    }
    CursorImage {
        visible,
        width: small_width,
        height: small_height,
        hot_x: (u32::from(reply.xhot) / step).min(small_width.saturating_sub(1)),
        hot_y: (u32::from(reply.yhot) / step).min(small_height.saturating_sub(1)),
        serial: reply.cursor_serial.into(),
        rgba,
    }
}

fn straight(premultiplied: u8, alpha: u8) -> u8 {
    match u32::from(alpha) {
        0 => 0,
        alpha => ((u32::from(premultiplied) * 255 + alpha / 2) / alpha).min(255) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_lose_their_alpha() {
        assert_eq!(straight(64, 128), 128);
        assert_eq!(straight(255, 255), 255);
        assert_eq!(straight(7, 0), 0);
        // More colour than alpha is not premultiplied at all; it must not wrap.
        assert_eq!(straight(200, 100), 255);
    }

    #[test]
    fn an_image_over_the_limit_is_scaled_with_its_hotspot() {
        let edge = 1024u16;
        let reply = GetCursorImageReply {
            width: edge,
            height: edge,
            xhot: 1023,
            yhot: 10,
            cursor_serial: 9,
            cursor_image: vec![0xff11_2233; usize::from(edge) * usize::from(edge)],
            ..GetCursorImageReply::default()
        };
        let image = convert(&reply);
        assert_eq!((image.width, image.height, image.hot_x, image.hot_y), (512, 512, 511, 5));
        assert_eq!(image.rgba.len(), 512 * 512 * 4);
        assert_eq!(image.rgba[..4], [0x11, 0x22, 0x33, 0xff]);
    }
}
