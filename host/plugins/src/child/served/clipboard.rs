//! Tasks of a clipboard.

use std::{os::fd::OwnedFd, time::Duration};

use super::Place;
use crate::{
    ClipboardInstance, ClipboardItem, PluginError,
    child::{
        blob::Blob,
        spill,
        wire::{Reply, Task},
    },
};

pub(super) fn serve(
    clipboard: &mut ClipboardInstance,
    task: Task,
    fds: Vec<OwnedFd>,
    place: &Place,
) -> Result<Reply, PluginError> {
    match task {
        Task::ClipboardWait { timeout_ns } => {
            clipboard.wait(timeout_ns.map(Duration::from_nanos)).map(Reply::ClipboardChange)
        }
        Task::ClipboardFormats(request) => clipboard.formats(&request).map(Reply::ClipboardFormats),
        Task::ClipboardRead(request) => Ok(Reply::ClipboardBytes(clipboard.read(&request)?.map(Blob))),
        Task::ClipboardOffer { selection, items } => {
            let all = items.iter().map(|(_, len)| len).sum();
            let file = fds.first().ok_or_else(|| place.refusal("contents without a file"))?;
            let bytes = spill::read(file, all, all)
                .map_err(|error| place.refusal(&format!("contents that cannot be read: {error}")))?;
            let mut rest = &bytes[..];
            let offered: Vec<_> = items
                .iter()
                .map(|(mime, len)| {
                    let (data, after) = rest.split_at(*len);
                    rest = after;
                    ClipboardItem { mime, data }
                })
                .collect();
            clipboard.offer(selection, &offered).map(|()| Reply::Done)
        }
        _ => Err(place.misdirected()),
    }
}
