//! MIME types, and what X applications call the same formats.

use selkies_plugin_sdk::abi::MAX_CLIPBOARD_MIME;

use super::atoms::Atoms;

/// The MIME type of text.
pub(super) const TEXT: &str = "text/plain";

/// What the hint of password managers says of a secret.
pub(super) const SECRET: &[u8] = b"secret";

/// Formats that pages can use, best first, after text.
const PREFERRED: [&str; 6] =
    ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/svg+xml", "text/uri-list"];

/// How good a target is for text: the lowest is best. `None` for what is no text.
pub(super) fn text_rank(atoms: &Atoms, target: u32) -> Option<usize> {
    let ranked = [atoms.UTF8_STRING, atoms.TEXT_UTF8, atoms.TEXT_PLAIN, atoms.STRING, atoms.TEXT];
    ranked.iter().position(|&known| known == target)
}

/// The place of a MIME type in the list, best first.
pub(super) fn rank(mime: &str) -> usize {
    match mime {
        TEXT => 0,
        _ => 1 + PREFERRED.iter().position(|&known| known == mime).unwrap_or(PREFERRED.len()),
    }
}

/// Whether the name of a target is a MIME type.
pub(super) fn is_mime(name: &[u8]) -> bool {
    name.len() <= MAX_CLIPBOARD_MIME
        && name.iter().filter(|&&byte| byte == b'/').count() == 1
        && name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
}

/// Text as UTF-8. `latin1`: the owner says that it is (ICCCM, "STRING").
pub(super) fn text(mut bytes: Vec<u8>, latin1: bool) -> Vec<u8> {
    // Some applications count the end of their string.
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    if latin1 {
        return match bytes.is_ascii() {
            true => bytes,
            false => bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes(),
        };
    }
    match String::from_utf8(bytes) {
        Ok(text) => text.into_bytes(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into_bytes(),
    }
}

/// Text as Latin-1, where it can be written so.
pub(super) fn latin1(text: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(text).ok()?.chars().map(|char| u8::try_from(char).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_as_utf_8() {
        assert_eq!(text(b"gr\xfcn".to_vec(), true), "grün".as_bytes());
        assert_eq!(text("grün\0".into(), false), "grün".as_bytes());
        assert_eq!(text(b"a\xffb".to_vec(), false), "a\u{fffd}b".as_bytes());
        assert_eq!(latin1("grün".as_bytes()), Some(b"gr\xfcn".to_vec()));
        assert_eq!(latin1("5 €".as_bytes()), None);
    }

    #[test]
    fn only_mime_types_are_formats() {
        for name in ["image/png", "text/plain;charset=utf-8", "application/x-a b"] {
            assert!(is_mime(name.as_bytes()), "{name}");
        }
        for name in ["", "TARGETS", "a/b/c", "/x", "im\u{e4}ge/x", "image/png\n"] {
            assert!(!is_mime(name.as_bytes()), "{name}");
        }
        assert!(!is_mime(format!("a/{}", "x".repeat(200)).as_bytes()));
        assert!(rank(TEXT) < rank("image/png") && rank("image/png") < rank("application/pdf"));
    }
}
