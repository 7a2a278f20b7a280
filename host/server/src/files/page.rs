//! A list of files as a page without scripts.

use std::fmt::Write;

use selkies_files::{EntryKind, Listing};

/// The page; `encoded` makes a name fit for a link.
pub(super) fn of(listing: &Listing, encoded: impl Fn(&str) -> String) -> String {
    let title = if listing.path.is_empty() { "Files".to_owned() } else { escaped(&listing.path) };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"dark light\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n<table>\n"
    );
    if !listing.path.is_empty() {
        page += "<tr><td><a href=\"../\">..</a></td><td></td></tr>\n";
    }
    for entry in &listing.entries {
        let (slash, size) = match entry.kind {
            EntryKind::Folder => ("/", String::new()),
            EntryKind::File => ("", human(entry.size)),
        };
        // A name with a colon is not a scheme.
        let (link, name) = (encoded(&entry.name), escaped(&entry.name));
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a></td><td align=\"right\">{size}</td></tr>"
        );
    }
    page += "</table>\n";
    if listing.cut {
        page += "<p>There is more than this list shows.</p>\n";
    } else if listing.entries.is_empty() {
        page += "<p>There are no files.</p>\n";
    }
    page + "</body></html>\n"
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use selkies_files::Entry;

    use super::*;

    #[test]
    fn names_are_text_and_no_markup() {
        let name = "<img src=x onerror=\"a&'b'\">";
        let entry = Entry { name: name.to_owned(), kind: EntryKind::File, size: 1_234_567, modified_ms: 0 };
        let listing = Listing { path: "<b>".to_owned(), entries: vec![entry], cut: false };
        let page = of(&listing, |name| format!("({})", name.len()));
        assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;img src=x onerror=&quot;a&amp;&#39;b&#39;&quot;&gt;"), "{page}");
        assert!(page.contains("href=\"./(27)\"") && page.contains("1.2 MB"), "{page}");
    }
}
