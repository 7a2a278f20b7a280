//! Reading what an application copied.

use std::time::{Duration, Instant};

use selkies_plugin_sdk::{ClipboardFormats, Selection, abi::MAX_CLIPBOARD_FORMATS};
use x11rb::{
    CURRENT_TIME, NONE,
    connection::Connection as _,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, GetPropertyReply},
};

use super::{
    Clipboard, Next, Owner,
    formats::{self, SECRET, TEXT},
    side_of,
};
use crate::error::{Result, X11Error};

/// An owner that says nothing for so long does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most targets that are looked at.
const MAX_TARGETS: u32 = 256;

/// What came of a request.
enum Fetched {
    /// Type and content.
    Content(Atom, Vec<u8>),
    /// The owner does not have it in that form.
    Refused,
    Woken,
}

impl Clipboard {
    /// What there is of the content with this serial; `None` when the waker was used.
    ///
    /// # Errors
    /// [`X11Error::NotFound`] when there is another content, [`X11Error::Silent`] for an owner that does not answer,
    /// [`X11Error::DisplayLost`].
    pub fn formats(
        &mut self,
        selection: Selection,
        serial: u64,
        until: Instant,
    ) -> Result<Option<ClipboardFormats>> {
        let limit = MAX_TARGETS as usize * 4;
        let list = match self.fetch(selection, serial, self.atoms.TARGETS, limit, until)? {
            Fetched::Content(_, list) => list,
            // Owners of the oldest kind have text and know no targets.
            Fetched::Refused => self.atoms.STRING.to_ne_bytes().to_vec(),
            Fetched::Woken => return Ok(None),
        };
        let targets =
            list.chunks_exact(4).map(|atom| u32::from_ne_bytes(atom.try_into().unwrap_or_default()));
        let targets: Vec<Atom> = targets.filter(|&atom| atom != NONE).collect();
        let secret = targets.contains(&self.atoms.PASSWORD_HINT);
        let text = targets
            .iter()
            .filter_map(|&target| Some((formats::text_rank(&self.atoms, target)?, target)))
            .min();
        let mut found: Vec<(String, Atom)> =
            text.map(|(_, target)| (TEXT.to_owned(), target)).into_iter().collect();
        let x = self.connection.x();
        let names = targets
            .into_iter()
            .filter(|&target| formats::text_rank(&self.atoms, target).is_none())
            .map(|target| Ok((target, x.get_atom_name(target)?)))
            .collect::<Result<Vec<_>>>()?;
        for (target, name) in names {
            // An atom that the owner made up is none of ours to complain about.
            let Ok(name) = name.reply() else { continue };
            if formats::is_mime(&name.name) {
                found.push((String::from_utf8_lossy(&name.name).into_owned(), target));
            }
        }
        found.sort_by_key(|(mime, _)| formats::rank(mime));
        found.truncate(MAX_CLIPBOARD_FORMATS as usize);
        let mimes = found.iter().map(|(mime, _)| mime.clone()).collect();
        self.sides[side_of(selection)].targets = found;
        let secret = match secret {
            true => self.fetch(selection, serial, self.atoms.PASSWORD_HINT, SECRET.len(), until),
            false => Ok(Fetched::Refused),
        };
        let secret = match secret {
            Ok(Fetched::Woken) => return Ok(None),
            Ok(Fetched::Content(_, hint)) => hint == SECRET,
            Ok(Fetched::Refused) | Err(X11Error::TooLarge { .. }) => false,
            Err(error) => return Err(error),
        };
        Ok(Some(ClipboardFormats { mimes, secret }))
    }

    /// The content with this serial in the format `mime`, text as UTF-8; `None` when the waker was used.
    ///
    /// # Errors
    /// [`X11Error::NotFound`] when there is another content or no such format, [`X11Error::TooLarge`] above `limit` bytes,
    /// [`X11Error::Silent`] for an owner that does not answer, [`X11Error::DisplayLost`].
    pub fn read(
        &mut self,
        selection: Selection,
        serial: u64,
        mime: &str,
        limit: usize,
        until: Instant,
    ) -> Result<Option<Vec<u8>>> {
        let known = self.sides[side_of(selection)].targets.iter().find(|(known, _)| known == mime);
        let target = match known {
            Some(&(_, target)) => target,
            None if mime == TEXT => self.atoms.UTF8_STRING,
            None => self.connection.x().intern_atom(false, mime.as_bytes())?.reply()?.atom,
        };
        match self.fetch(selection, serial, target, limit, until)? {
            Fetched::Content(kind, bytes) if mime == TEXT => {
                let text = formats::text(bytes, kind == self.atoms.STRING);
                if text.len() > limit { Err(X11Error::TooLarge { limit }) } else { Ok(Some(text)) }
            }
            Fetched::Content(_, bytes) => Ok(Some(bytes)),
            Fetched::Refused => {
                Err(X11Error::NotFound(format!("the selection's owner does not give it as {mime}")))
            }
            Fetched::Woken => Ok(None),
        }
    }

    /// Asks the owner for the content in the form `target`.
    fn fetch(
        &mut self,
        selection: Selection,
        serial: u64,
        target: Atom,
        limit: usize,
        until: Instant,
    ) -> Result<Fetched> {
        let at = side_of(selection);
        self.drain()?;
        self.present(at, serial)?;
        // Some owners hear nothing before they are through with an answer, and forget what was asked meanwhile.
        let patience = Instant::now() + PATIENCE;
        while self.readers.are_busy() {
            match self.next(Some(patience.min(until)))? {
                Next::Woken => return Ok(Fetched::Woken),
                Next::TimedOut => break,
                Next::Owner => self.present(at, serial)?,
                Next::Settled | Next::Answer(_) | Next::Written(_) => {}
            }
        }
        let (property, window) = (self.atoms.SELKIES_ANSWER, self.readers.current());
        let x = self.connection.x();
        x.delete_property(window, property)?;
        x.convert_selection(window, self.sides[at].atom, target, property, CURRENT_TIME)?;
        x.flush()?;
        let mut patience = Instant::now() + PATIENCE;
        let mut parts: Option<Vec<u8>> = None;
        loop {
            let got = match self.next(Some(patience.min(until)))? {
                Next::Woken => return self.leave(parts.is_some(), Ok(Fetched::Woken)),
                Next::TimedOut => return self.leave(parts.is_some(), Err(X11Error::Silent)),
                Next::Owner => match self.present(at, serial) {
                    Ok(()) => continue,
                    Err(gone) => return self.leave(parts.is_some(), Err(gone)),
                },
                Next::Answer(answer) if answer.target != target || parts.is_some() => continue,
                Next::Answer(answer) if answer.property == NONE => return Ok(Fetched::Refused),
                Next::Answer(answer) if answer.property == property => self.property(property, limit)?,
                Next::Written(notice) if notice.atom == property && parts.is_some() => {
                    self.property(property, limit)?
                }
                Next::Answer(_) | Next::Written(_) | Next::Settled => continue,
            };
            patience = Instant::now() + PATIENCE;
            if got.bytes_after > 0 {
                let x = self.connection.x();
                x.delete_property(window, property)?;
                x.flush()?;
                // All of it came, or one part among others.
                return match parts.is_some() {
                    true => self.leave(true, Err(X11Error::TooLarge { limit })),
                    false => Err(X11Error::TooLarge { limit }),
                };
            }
            match &mut parts {
                // The notice of a part that was taken with the one before.
                Some(_) if got.type_ == NONE => {}
                Some(content) if got.value.is_empty() => {
                    return Ok(Fetched::Content(got.type_, std::mem::take(content)));
                }
                Some(content) => {
                    if content.len() + got.value.len() > limit {
                        return self.leave(true, Err(X11Error::TooLarge { limit }));
                    }
                    content.extend_from_slice(&got.value);
                }
                None if got.type_ == self.atoms.INCR => {
                    // The size that the owner names is a lower bound and not to be relied on.
                    parts = Some(Vec::new());
                }
                None if got.type_ == NONE => return Ok(Fetched::Refused),
                None => return Ok(Fetched::Content(got.type_, got.value)),
            }
        }
    }

    /// The property of the answer, which is deleted when all of it fits.
    fn property(&self, property: Atom, limit: usize) -> Result<GetPropertyReply> {
        let words = u32::try_from(limit.div_ceil(4)).unwrap_or(u32::MAX).max(1);
        let (x, window) = (self.connection.x(), self.readers.current());
        Ok(x.get_property(true, window, property, AtomEnum::ANY, 0, words)?.reply()?)
    }

    /// Ends a request whose answer is not over; `parts`: some of it came.
    fn leave(&mut self, parts: bool, outcome: Result<Fetched>) -> Result<Fetched> {
        self.readers.give_up(self.connection.x(), parts)?;
        outcome
    }

    /// Refuses to go on about a content that is gone.
    fn present(&self, at: usize, serial: u64) -> Result<()> {
        let side = &self.sides[at];
        match side.owner {
            Owner::Other if side.serial == serial => Ok(()),
            _ => Err(X11Error::NotFound("the selection has another content by now".into())),
        }
    }
}
