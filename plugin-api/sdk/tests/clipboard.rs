//! A clipboard, driven through its C table.

use std::{sync::Arc, time::Duration};

use selkies_plugin_sdk::{
    Clipboard, ClipboardChange, ClipboardFormats, ClipboardItem, ClipboardOffer, ClipboardRequest, Error,
    Host, Result, Selection, Wake, abi,
    test_host::{Failure, TestClipboard, TestHost},
};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

#[derive(Debug)]
struct Silent;

impl Wake for Silent {
    fn wake(&self) {}
}

/// What is offered is what is there.
#[derive(Debug, Default)]
struct Board {
    items: Vec<(String, Vec<u8>)>,
    secret: bool,
    serial: u64,
    told: u64,
}

impl Clipboard for Board {
    type Config = Config;

    fn create(_: Host, _: Config) -> Result<Self> {
        Ok(Self::default())
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(Silent)
    }

    fn wait(&mut self, _: Option<Duration>) -> Result<Option<ClipboardChange>> {
        if std::mem::replace(&mut self.told, self.serial) == self.serial {
            return Ok(None);
        }
        let filled = !self.items.is_empty();
        Ok(Some(ClipboardChange { selection: Selection::Primary, filled, serial: self.serial }))
    }

    fn formats(&mut self, request: &ClipboardRequest) -> Result<Option<ClipboardFormats>> {
        let mimes = || self.items.iter().map(|(mime, _)| mime.clone()).collect();
        Ok((request.serial != 0).then(|| ClipboardFormats { mimes: mimes(), secret: self.secret }))
    }

    fn read(&mut self, request: &ClipboardRequest) -> Result<Option<Vec<u8>>> {
        match self.items.iter().find(|(mime, _)| *mime == request.mime) {
            Some((_, data)) => Ok(Some(data.clone())),
            None => Err(Error::retry("no such format").with_detail(abi::DETAIL_NOT_FOUND)),
        }
    }

    fn offer(&mut self, offer: &ClipboardOffer<'_>) -> Result<()> {
        self.items = offer.items.iter().map(|item| (item.mime.to_owned(), item.data.to_vec())).collect();
        self.secret = offer.secret;
        self.serial += 1;
        Ok(())
    }
}

fn request(mime: &str, limit: usize) -> ClipboardRequest {
    ClipboardRequest { selection: Selection::Primary, serial: 1, mime: mime.into(), limit, deadline_ns: 0 }
}

fn offer<'a>(items: &'a [ClipboardItem<'a>]) -> ClipboardOffer<'a> {
    ClipboardOffer { selection: Selection::Clipboard, items, secret: false }
}

#[test]
fn what_is_offered_is_reported_listed_and_read() -> std::result::Result<(), Failure> {
    let host = TestHost::new();
    let mut board = TestClipboard::of::<Board>(&host, "{}")?;
    assert_eq!(board.wait(Some(Duration::ZERO))?, None);
    let long = "x".repeat(abi::MAX_CLIPBOARD_MIME + 1);
    let text = ClipboardItem { mime: "text/plain", data: "grün".as_bytes() };
    let image = ClipboardItem { mime: "image/png", data: &[0, 255, 7] };
    board.offer(&offer(&[text, image]))?;
    let change = board.wait(None)?.expect("another content");
    assert_eq!(change, ClipboardChange { selection: Selection::Primary, filled: true, serial: 1 });
    let formats = board.formats(&request("", 0))?;
    let mimes = vec!["text/plain".to_owned(), "image/png".to_owned()];
    assert_eq!(formats, Some(ClipboardFormats { mimes, secret: false }));
    assert_eq!(board.formats(&ClipboardRequest { serial: 0, ..request("", 0) })?, None, "it was woken");
    assert_eq!(board.read(&request("text/plain", 64))?.as_deref(), Some("grün".as_bytes()));
    assert_eq!(board.read(&request("image/png", 3))?.as_deref(), Some(&[0, 255, 7][..]));
    let over = board.read(&request("image/png", 2)).expect_err("over the limit");
    assert_eq!(abi::detail_of(over.status), abi::DETAIL_OUT_OF_RESOURCES);
    let none = board.read(&request("image/bmp", 9)).expect_err("not there");
    assert_eq!((none.class(), abi::detail_of(none.status)), (abi::CLASS_RETRY, abi::DETAIL_NOT_FOUND));
    for mime in ["", long.as_str()] {
        let refused = board.offer(&offer(&[ClipboardItem { mime, data: b"" }]));
        assert_eq!(abi::detail_of(refused.expect_err("no MIME type").status), abi::DETAIL_INVALID_ARGUMENT);
    }
    let most = vec![0; abi::MAX_CLIPBOARD_BYTES];
    let over =
        [ClipboardItem { mime: "image/png", data: &most }, text, ClipboardItem { mime: "a/b", data: &most }];
    let refused = board.offer(&offer(&over)).expect_err("together too much");
    assert_eq!(abi::detail_of(refused.status), abi::DETAIL_INVALID_ARGUMENT);
    board.offer(&ClipboardOffer { secret: true, ..offer(&[text]) })?;
    assert!(board.formats(&request("", 0))?.expect("not woken").secret);
    board.offer(&offer(&[]))?;
    assert_eq!(board.wait(None)?.map(|change| (change.filled, change.serial)), Some((false, 3)));
    board.waker().wake();
    assert_eq!(host.misuse(), Vec::<String>::new());
    Ok(())
}
